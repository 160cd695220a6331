"""Resume state of a training run: whole or absent, and only ever that of the very same run."""

import hashlib
import io
from pathlib import Path
from typing import IO, Any, TypeVar

import torch

from common.errors import GlyphoneError
from common.files import atomic, read_json, to_json
from common.shapes import checked

T = TypeVar("T")
FILE_NAME = "checkpoint.pt"


def fingerprint(parts: dict[str, Any]) -> str:
    """Digest of all that decides the result: settings, seed, data digests, source files."""
    return hashlib.sha256(to_json(parts).encode()).hexdigest()[:16]


def digest_files(paths: list[Path]) -> str:
    """Digest of the contents of files, in the order of their names."""
    whole = hashlib.sha256()
    for path in sorted(paths):
        with open(path, "rb") as file:
            whole.update(hashlib.file_digest(file, "sha256").digest())
    return whole.hexdigest()


class _Digesting:
    """Passes on what is written to a file; ``digest`` is of all of it."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.digest = hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.digest.update(data)
        return self.file.write(data)

    def flush(self) -> None:
        self.file.flush()


def save(folder: Path, state: dict[str, Any]) -> None:
    """The digest of what torch writes stands behind it: torch itself reads changed weights without a word."""
    with atomic(folder / FILE_NAME) as file:
        digesting = _Digesting(file)
        torch.save(state, digesting)  # type: ignore[arg-type]  # it writes and flushes, nothing else
        file.write(digesting.digest.digest())


def load(folder: Path) -> dict[str, Any] | None:
    """The saved state, tensors and plain values only, or None where there is none.

    Raises:
        GlyphoneError: the file is damaged, be it in one bit.
    """
    path = folder / FILE_NAME
    if not path.exists():
        return None
    data = path.read_bytes()
    size = hashlib.sha256().digest_size
    if hashlib.sha256(data[:-size]).digest() != data[-size:]:
        raise GlyphoneError(f"{path}: damaged; delete it, and the training begins anew")
    return torch.load(io.BytesIO(data[:-size]), map_location="cpu", weights_only=True)


def beside(path: Path, kind: type[T]) -> T | None:
    """What the same training found out before and wrote beside its checkpoint, or None.

    Raises:
        GlyphoneError: the file is damaged.
    """
    if not path.is_file():
        return None
    try:
        return checked(kind, read_json(path), path)
    except GlyphoneError as error:
        raise GlyphoneError(f"{error}; delete it, and it is found out anew") from None
