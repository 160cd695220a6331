"""A corpus's listing: one digest by which DVC sees a changed corpus without hashing or linking its files."""

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

# Recordings, pictures and archives count by name and size; everything else is text and counts by content.
MEDIA_SUFFIXES = frozenset(
    {".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".sph", ".aif", ".aiff", ".aifc", ".au", ".w64", ".raw"}
    | {".m4a", ".wma", ".webm", ".mp4", ".png", ".jpg", ".jpeg", ".jp2", ".tif", ".tiff", ".bmp", ".webp", ".gif"}
    | {".pbm", ".pgm", ".ppm", ".pnm", ".pdf", ".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst", ".7z"}
    | {".npy", ".npz", ".mat", ".mdb", ".arrow", ".parquet"}
)
DIGEST_LENGTH = 32


def listing(root: Path) -> str:
    """Digest of the names and sizes of all files below root, and of the contents of those that hold text.

    A picture that changes but keeps its size is not seen: delete ``listing`` and run ``python -m pipelines.prepare``.
    Hidden files and folders do not count. Symbolic links to folders are not followed.
    """
    total = hashlib.sha256()
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(folder, name)
            if name.startswith(".") or not path.is_file():
                continue
            content = "" if path.suffix.lower() in MEDIA_SUFFIXES else _content_digest(path)
            line = f"{path.relative_to(root).as_posix()}\0{path.stat().st_size}\0{content}\n"
            total.update(os.fsencode(line))  # names may be other than UTF-8
    return total.hexdigest()[:DIGEST_LENGTH]


def unlisted(root: Path, names: Iterable[str]) -> Iterator[str]:
    """A digest for each of the files and folders that ``listing`` passes over: outside, hidden, behind a linked folder.

    Args:
        names: what settings name, relative to root or absolute; what is not there is left for the reader to refuse.
    """
    for name in filter(None, names):
        path = root / name
        if not _is_listed(path, root):
            if path.is_file():
                yield file_digest(path)
            elif path.is_dir():
                yield listing(path)


def _is_listed(path: Path, root: Path) -> bool:
    """Whether ``listing`` comes to it. A step up (..) counts as hidden by its name, so it need not be resolved."""
    if not path.is_relative_to(root):
        return False
    steps = [path, *path.parents][: len(path.parts) - len(root.parts)]
    return not any(step.name.startswith(".") or (step.is_symlink() and step.is_dir()) for step in steps)


def file_digest(path: Path) -> str:
    """Digest of a file's content."""
    return _content_digest(path)[:DIGEST_LENGTH]


def _content_digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
