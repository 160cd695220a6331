"""Resume state of a training run: whole or absent, and only ever that of the very same run."""

import hashlib
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch

from common.errors import GlyphoneError
from common.files import atomic, to_json

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


def save(folder: Path, state: dict[str, Any]) -> None:
    with atomic(folder / FILE_NAME) as file:
        torch.save(state, file)


def load(folder: Path) -> dict[str, Any] | None:
    """The saved state, tensors and plain values only, or None where there is none.

    Raises:
        GlyphoneError: the file is damaged.
    """
    path = folder / FILE_NAME
    if not path.exists():
        return None
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except (EOFError, OSError, RuntimeError, ValueError, UnpicklingError) as error:
        if isinstance(error, OSError) and error.filename is not None:
            raise  # it cannot be opened
        raise GlyphoneError(f"{path}: damaged; delete it, and the training begins anew") from None
