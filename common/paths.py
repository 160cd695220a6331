"""Paths that a corpus names must stay within its folder, and mean a file: the checks for all who open such a file."""

import os
import unicodedata
from pathlib import Path, PurePosixPath, PureWindowsPath

from common.errors import SampleError


def inside(root: Path, path: str) -> Path:
    """The file at ``path``, relative to the folder ``root`` of its corpus.

    Backslashes and drive letters count as they do on Windows, so that a manifest means the same everywhere. Symbolic
    links are followed: what decides is where the file really lies.

    Raises:
        SampleError: ``outside_corpus``.
    """
    parts = PurePosixPath(path.replace("\\", "/")).parts
    depths = [sum({"..": -1}.get(part, 1) for part in parts[: end + 1]) for end in range(len(parts))]
    absolute = PurePosixPath(path).is_absolute() or PureWindowsPath(path).is_absolute()
    if "\0" in path or absolute or min(depths, default=0) < 0:
        raise SampleError(
            "outside_corpus", f"{path!r} leads out of the corpus folder {root}; only paths inside are read"
        )
    # Not Path.resolve, which raises where links go in a circle.
    real_root, real = os.path.realpath(root), os.path.realpath(root / path)
    if os.path.commonpath([real_root, real]) != real_root:
        raise SampleError(
            "outside_corpus",
            f"{path!r} is a link out of the corpus folder {root}; copy the file there, or set root to a folder above",
        )
    return root / path


def without_root(sentence: str, root: Path, corpus: str) -> str:
    """A sentence about a file of a corpus as it is written down: the same wherever the corpus lies."""
    if not root.is_absolute() or root == Path(root.anchor):
        return sentence
    return sentence.replace(f"{root}{os.sep}", "").replace(str(root), corpus)


def missing(path: str) -> str:
    """The sentence about a path that is no file.

    An accent may be one character in a table and two on disk, and tables of Windows part folders by backslashes.
    """
    with_slashes = path.replace("\\", "/")
    if with_slashes != path and os.path.exists(with_slashes):  # noqa: PTH110  (as below)
        return f"{path}: no such file; there is {with_slashes}: write / between folders"
    for form in ("NFC", "NFD"):
        other = unicodedata.normalize(form, path)
        if other != path and os.path.exists(other):  # noqa: PTH110  (Path.exists raises of a name that is too long)
            return (
                f"{path}: no such file; there is one whose name looks alike in another Unicode form ({form}): "
                "write both in one form"
            )
    return f"{path}: no such file"
