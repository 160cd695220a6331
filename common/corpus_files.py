"""The files of a corpus as its reader sees them: which there are, and which of them no transcript is of."""

import os
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Annotated

from pydantic import AfterValidator, Field

from common.errors import GlyphoneError, SampleError
from common.samples import Rejection, Sample
from common.tables import read_text

# Ending of a file's name, of settings.
Ending = Annotated[str, Field(pattern=r"^[^/\\]+$")]


def _checked_inner(value: str) -> str:
    path = PurePosixPath(value)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise ValueError("must be a path below the root, without ..")
    return value


# A file or folder below the root of a corpus, of settings.
InnerPath = Annotated[str, AfterValidator(_checked_inner)]


def files_below(root: Path, folder: str = "") -> list[str]:
    """Paths relative to root, sorted, of all files below one of its folders; none where that is not there.

    Hidden files and folders are passed over, those that macOS puts beside files (``._name``) among them. Links to
    folders are not followed.

    Raises:
        GlyphoneError: a folder that may not be read.
    """
    files = []
    for path, folders, names in os.walk(root / folder, onerror=_refuse):
        folders[:] = [name for name in folders if not is_hidden(name)]
        here = Path(path)
        files += [here / name for name in names if not is_hidden(name) and (here / name).is_file()]
    return sorted(file.relative_to(root).as_posix() for file in files)


def transcript_in(file: Path) -> str:
    """Text of a file that transcribes one sample, without blanks around it.

    Raises:
        SampleError: bad_transcript, where it is no text; the line is named.
    """
    try:
        return read_text(file).strip()
    except GlyphoneError as error:
        raise SampleError("bad_transcript", str(error)) from None


def is_hidden(path: str) -> bool:
    """Whether a file, or a folder on its way there, is hidden: path relative to the root of the corpus."""
    return any(part.startswith(".") for part in PurePosixPath(path).parts)


def with_untranscribed(
    samples: Iterable[Sample | Rejection], root: Path, suffixes: Collection[str], why: str, folder: str = ""
) -> Iterator[Sample | Rejection]:
    """What a reader yields, and behind it a rejection (no_transcript) for each file that no sample is made of.

    Args:
        suffixes: lower-case endings of the files that are looked for.
        why: what is said of such a file, e.g. ``no table names it``.
        folder: where they are looked for, below the root.
    """
    known = set()
    for each in samples:
        if isinstance(each, Sample):
            known.add(_name(each.path))
        yield each
    for file in files_below(root, folder):
        if PurePosixPath(file).suffix.lower() in suffixes and _name(file) not in known:
            yield Rejection(file, "prepare", "no_transcript", f"{file}: {why}")


def _name(path: str) -> str:
    """A file's path without its ending: ``a.sph`` beside ``a.wav`` is the same recording once more."""
    normal = PurePosixPath(os.path.normpath(path))
    return str(normal.with_suffix("")) if normal.name else ""


def _refuse(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        raise GlyphoneError(f"{error.filename}: {error.strerror or error}") from None
