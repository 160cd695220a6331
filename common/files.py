"""Files that appear whole or not at all, and JSON with the same bytes for the same content."""

import codecs
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from common.errors import GlyphoneError


@contextmanager
def atomic(path: str | Path) -> Iterator[BinaryIO]:
    """Open a temporary file beside ``path`` for binary writing; rename it to ``path`` when the block ends well.

    A kill or an error at any instant leaves the old file, or none, under the final name.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_bytes(path: str | Path, data: bytes) -> None:
    with atomic(path) as file:
        file.write(data)


def write_text(path: str | Path, text: str) -> None:
    write_bytes(path, text.encode("utf-8"))


def to_json(value: Any, indent: int | None = None) -> str:
    """JSON with sorted keys and real characters; NaN and infinity are refused, since no reader agrees on them."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False, indent=indent)


def write_json(path: str | Path, value: Any) -> None:
    write_text(path, to_json(value, indent=2) + "\n")


def write_jsonl(path: str | Path, rows: Iterable[Mapping[str, Any]]) -> int:
    """Write one JSON object a line; return how many."""
    count = 0
    with atomic(path) as file:
        for row in rows:
            file.write((to_json(row) + "\n").encode("utf-8"))
            count += 1
    return count


def read_json(path: str | Path) -> Any:
    try:
        return json.loads(Path(path).read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise GlyphoneError(f"{path}: no such file") from None
    except ValueError as error:
        raise GlyphoneError(f"{path}: not JSON: {error}") from None


def read_jsonl(path: str | Path) -> Iterator[dict[str, Any]]:
    """Yield the objects of a JSON-lines file; a bad line is named by file and number."""
    try:
        with open(path, "rb") as file:
            yield from _objects(file, path)
    except FileNotFoundError:
        raise GlyphoneError(f"{path}: no such file") from None


def _objects(lines: Iterable[bytes], path: str | Path) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(lines, 1):
        content = line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
        if not content.strip():
            continue
        try:
            row = json.loads(content.decode("utf-8"))
        except ValueError as error:
            raise GlyphoneError(f"{path}, line {number}: not JSON: {error}") from None
        if not isinstance(row, dict):
            raise GlyphoneError(f"{path}, line {number}: a JSON object is needed, not {type(row).__name__}")
        yield row
