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
    folders are not followed: ``linked_folders``.

    Raises:
        GlyphoneError: a folder that may not be read.
    """
    files = (here / name for here, _, names in _walk(root / folder) for name in names if (here / name).is_file())
    return sorted(file.relative_to(root).as_posix() for file in files)


def linked_folders(root: Path) -> list[Rejection]:
    """A rejection (linked_folder) for each link to a folder below root, hidden ones left out.

    They are not followed: behind them lies what is outside of the corpus, or in it a second time.

    Raises:
        GlyphoneError: a folder that may not be read.
    """
    links = sorted(
        (here / name).relative_to(root).as_posix()
        for here, folders, _ in _walk(root)
        for name in folders
        if (here / name).is_symlink()
    )
    advice = "copy what is behind it, or make that a corpus of its own"
    return [Rejection(each, "prepare", "linked_folder", f"{each}: a link to a folder; {advice}") for each in links]


def and_links(root: Path) -> str:
    """The end of a sentence about a root in which nothing was found: the links that were not followed, if any."""
    links = [each.id for each in linked_folders(root)]
    return f"; links to folders are not followed: {', '.join(links)}" if links else ""


def _walk(root: Path) -> Iterator[tuple[Path, list[str], list[str]]]:
    """``os.walk`` without what is hidden. Raises GlyphoneError: a folder that may not be read."""
    for path, folders, names in os.walk(root, onerror=_refuse):
        folders[:] = [name for name in folders if not is_hidden(name)]
        yield Path(path), folders, [name for name in names if not is_hidden(name)]


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
