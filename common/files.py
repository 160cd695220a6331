"""Files that appear whole or not at all, and JSON with the same bytes for the same content."""

import codecs
import errno
import glob
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from common.errors import GlyphoneError

try:
    import fcntl
except ImportError:  # Windows: what killed writers left behind stays there
    fcntl = None  # type: ignore[assignment]

# What writing fails with that the user can mend: a full disk or quota, a limit, a broken or read-only disk.
DISK_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS})
# Of a name that its temporary one begins with: file systems allow 255 bytes, and a character has up to four.
MOST_NAME_CHARACTERS = 50
CONTENT = "content"  # of a temporary folder, what becomes the folder that is written


@contextmanager
def atomic(path: str | Path) -> Iterator[BinaryIO]:
    """Open a temporary file beside ``path`` for binary writing; rename it to ``path`` when the block ends well.

    A kill or an error at any instant leaves the old file, or none, under the final name. What a kill left of the
    temporary file is removed when the same file is written again.

    Raises:
        OSError: it cannot be written, e.g. the disk is full or it is a folder; names ``path``.
    """
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = _open_temporary(path)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            os.chmod(temporary, 0o644)
            if fcntl is not None:  # before the lock on it ends
                os.replace(temporary, path)
        if fcntl is None:  # Windows renames no open file
            os.replace(temporary, path)
    except BaseException as error:
        Path(temporary).unlink(missing_ok=True)
        if isinstance(error, Exception) and (cause := _disk_error(error)) is not None:
            raise OSError(cause.errno, cause.strerror, str(path)) from None
        raise


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """A folder to fill, which is called ``path`` when all of it is there, and is gone after an error.

    What a kill left of one is removed when a folder of that name is written again.

    Raises:
        OSError: the disk is full or broken; names ``path``.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with _temporary_folder(path) as temporary:
        inner = temporary / CONTENT
        inner.mkdir()
        try:
            yield inner
            os.replace(inner, path)
        except OSError as error:
            if error.errno not in DISK_ERRORS:
                raise
            raise OSError(error.errno, error.strerror, str(path)) from None


@contextmanager
def _temporary_folder(path: Path) -> Iterator[Path]:
    """A new folder beside path, locked for as long as its writer lives; gone behind the block."""
    if fcntl is not None:
        for leftover in path.parent.glob(f"{glob.escape(_prefix(path))}*.part/"):
            with suppress(OSError), _locked(leftover, fcntl.LOCK_NB):
                # Somebody's own folder may have such a name.
                if {each.name for each in leftover.iterdir()} <= {CONTENT}:
                    shutil.rmtree(leftover)
    while True:
        try:
            made = tempfile.TemporaryDirectory(dir=path.parent, prefix=_prefix(path), suffix=".part")
        except OSError as error:  # as in _open_temporary
            raise OSError(error.errno, error.strerror, str(path)) from None
        with made as name, ExitStack() as held:
            temporary = Path(name)
            if fcntl is not None:
                with suppress(OSError):  # a network file system without locks
                    held.enter_context(_locked(temporary))
            if temporary.exists():  # else another writer took it for a leftover, before it was locked
                yield temporary
                return


@contextmanager
def _locked(folder: Path, how: int = 0) -> Iterator[None]:
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | how)
        yield
    finally:
        os.close(handle)


def _open_temporary(path: Path) -> tuple[int, str]:
    """Handle and name of a new file beside path, locked for as long as its writer lives."""
    if fcntl is not None:
        for leftover in path.parent.glob(f"{glob.escape(_prefix(path))}*.part"):
            with suppress(OSError), open(leftover, "rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails where its writer is still at work
                leftover.unlink()
    while True:
        try:
            handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=_prefix(path), suffix=".part")
        except OSError as error:  # a folder where nothing may be written, a disk of too many files
            raise OSError(error.errno, error.strerror, str(path)) from None
        if fcntl is not None:
            with suppress(OSError):  # a network file system without locks
                fcntl.flock(handle, fcntl.LOCK_EX)
        if Path(temporary).exists():
            return handle, temporary
        os.close(handle)  # another writer took it for a leftover, before it was locked


def _prefix(path: Path) -> str:
    return f".{path.name[:MOST_NAME_CHARACTERS]}."


def _disk_error(error: BaseException | None) -> OSError | None:
    """The error of the disk that an exception is, or was raised in dealing with: torch hides it behind its own."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in DISK_ERRORS and error.filename is None:
            return error
        error = error.__cause__ or error.__context__
    return None


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
    """What a JSON file holds; ``write_json`` can write it again.

    Raises:
        GlyphoneError: it is missing, empty, not UTF-8 or not JSON, or holds NaN, infinity or half a surrogate pair.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
        value = json.loads(text)
        to_json(value).encode("utf-8")
    except FileNotFoundError:
        raise GlyphoneError(f"{path}: no such file") from None
    except (ValueError, RecursionError) as error:
        raise GlyphoneError(f"{path}: not JSON: {_reason(error)}") from None
    return value


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
        except (ValueError, RecursionError) as error:
            raise GlyphoneError(f"{path}, line {number}: not JSON: {_reason(error)}") from None
        if not isinstance(row, dict):
            raise GlyphoneError(f"{path}, line {number}: a JSON object is needed, not {type(row).__name__}")
        yield row


def _reason(error: ValueError | RecursionError) -> str:
    if isinstance(error, json.JSONDecodeError) and not error.doc.strip():
        return "it is empty"
    if isinstance(error, UnicodeError):
        return f"not UTF-8: {error.reason}" if isinstance(error, UnicodeDecodeError) else "half a surrogate pair in it"
    return "nested too deep" if isinstance(error, RecursionError) else str(error)
