"""Line images with ground truth beside them, as ocropus and kraken keep them: ``name.png`` and ``name.gt.txt``.

A tree without any ``.gt.txt`` is read with ``name.txt``; in one that has some, ``name.txt`` is what a program read.
"""

from collections.abc import Iterator
from pathlib import Path

from common.errors import GlyphoneError
from common.grouping import file_groups, group_of, split_of_folder
from common.manifest import FolderSettings
from common.modality import CorpusReader
from common.samples import Sample
from common.tables import read_text
from ocr.reading import SUFFIXES


class LinePairsSettings(FolderSettings):
    """A tree of line pairs; binarised twins (``name.bin.png``, ``name.nrm.png``) share the transcript's name."""

    text_suffix: str = ".gt.txt"
    # Ending of the transcripts of a tree in which nothing ends like that.
    other_text_suffix: str = ".txt"
    # Use these of several versions of a line, the first that is there: name.png, name.nrm.png, name.bin.png.
    versions: tuple[str, ...] = ("", ".nrm", ".bin")
    splits_from_folders: bool = False


def read(settings: LinePairsSettings, root: Path, seed: int) -> Iterator[Sample]:
    """List the samples, one a transcript.

    The group is what group_pattern finds, else the folder; where all lie in one folder, each line is its own group.

    A transcript without an image becomes a sample all the same, whose missing file prepare rejects by name.

    Raises:
        GlyphoneError: no such folder, or no transcript in it.
    """
    if not root.is_dir():
        raise GlyphoneError(f"{root}: no such folder")
    suffixes = dict.fromkeys((settings.text_suffix, settings.other_text_suffix))
    for suffix in suffixes:
        transcripts = [file for file in root.rglob(f"*{suffix}") if not file.name.startswith(".")]
        if transcripts:
            break
    else:
        raise GlyphoneError(f"{root}: no transcripts *{' or *'.join(suffixes)}")
    transcripts.sort(key=lambda file: file.relative_to(root).as_posix())
    samples = [_sample(settings, root, transcript, suffix) for transcript in transcripts]
    yield from samples if settings.group_pattern else file_groups(samples)


def _sample(settings: LinePairsSettings, root: Path, transcript: Path, suffix: str) -> Sample:
    stem = transcript.relative_to(root).as_posix().removesuffix(suffix)
    path = _image_of(stem, root, settings.versions)
    return Sample(
        id=stem,
        path=path,
        text=read_text(transcript).strip(),
        group=group_of(path, settings.group_pattern),
        split=split_of_folder(stem) if settings.splits_from_folders else "",
    )


def _image_of(stem: str, root: Path, versions: tuple[str, ...]) -> str:
    for version in versions:
        for suffix in (each for lower in sorted(SUFFIXES) for each in (lower, lower.upper())):
            path = f"{stem}{version}{suffix}"
            if (root / path).is_file():
                return path
    return f"{stem}.png"


READER = CorpusReader(Settings=LinePairsSettings, read=read)
