"""Line images with ground truth beside them, as ocropus and kraken keep them: ``name.png`` and ``name.gt.txt``.

A tree without any ``.gt.txt`` is read with ``name.txt``; in one that has some, ``name.txt`` is what a program read.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from common.corpus_files import Ending, and_links, files_below, linked_folders, transcript_in
from common.errors import GlyphoneError, SampleError
from common.grouping import file_groups, group_of, split_of_folder
from common.manifest import FolderSettings
from common.modality import CorpusReader
from common.samples import Rejection, Sample
from ocr.reading import SUFFIXES

# Endings of versions of a line in the names of its pictures, as ocropus and calamari write them.
VERSIONS = (".bin", ".nrm", ".dew")
# Of pictures that are not read: beside a transcript they are rejected by their own name, not as one that is missing.
UNREAD = (".heic", ".heif", ".avif", ".jxl", ".svg", ".pdf", ".djvu", ".psd")


class LinePairsSettings(FolderSettings):
    """A tree of line pairs; binarised twins (``name.bin.png``, ``name.nrm.png``) share the transcript's name."""

    text_suffix: Ending = ".gt.txt"
    # Ending of the transcripts of a tree in which nothing ends like that.
    other_text_suffix: Ending = ".txt"
    # Use these of several versions of a line, the first that is there: name.png, name.nrm.png, name.bin.png.
    versions: tuple[str, ...] = ("", ".nrm", ".bin")
    splits_from_folders: bool = False


def read(settings: LinePairsSettings, root: Path, seed: int) -> Iterator[Sample | Rejection]:
    """List the samples, one a transcript; reject lines without one (no_transcript), links to folders (linked_folder).

    The group is what group_pattern finds, else the folder; where all lie in one folder, each line is its own group.

    A transcript without an image becomes a sample all the same, whose missing file prepare rejects by name. One that is
    no text is rejected (bad_transcript).

    Raises:
        GlyphoneError: no such folder, or no transcript in it.
    """
    if not root.is_dir():
        raise GlyphoneError(f"{root}: no such folder")
    files = files_below(root)
    suffixes = dict.fromkeys((settings.text_suffix, settings.other_text_suffix))
    for suffix in suffixes:
        if transcripts := [file for file in files if file.endswith(suffix)]:
            break
    else:
        raise GlyphoneError(f"{root}: no transcripts *{' or *'.join(suffixes)}{and_links(root)}")
    ending, pictures = _usual_ending(files), _pictures(files)
    listed = [_sample(settings, root, transcript, suffix, ending, pictures) for transcript in transcripts]
    samples = [each for each in listed if isinstance(each, Sample)]
    yield from samples if settings.group_pattern else file_groups(samples)
    yield from (each for each in listed if isinstance(each, Rejection))
    yield from _untranscribed(settings, files, suffix, [each.id for each in listed])
    yield from linked_folders(root)


def _sample(
    settings: LinePairsSettings, root: Path, transcript: str, suffix: str, ending: str, pictures: Mapping[str, str]
) -> Sample | Rejection:
    stem = transcript.removesuffix(suffix)
    path = _image_of(stem, pictures, settings.versions) or f"{stem}{ending}"
    group = group_of(path, settings.group_pattern)
    split = split_of_folder(stem) if settings.splits_from_folders else ""
    try:
        return Sample(id=stem, path=path, text=transcript_in(root / transcript), group=group, split=split)
    except SampleError as error:
        return Rejection(stem, "prepare", error.code, str(error), split)


def _untranscribed(
    settings: LinePairsSettings, files: Sequence[str], suffix: str, transcribed: Sequence[str]
) -> Iterator[Rejection]:
    """A rejection a line without a transcript, whatever the number of its pictures.

    All pictures ``name.anything.png`` are of a transcribed line ``name``. A picture ``page.png`` beside a folder
    ``page`` with transcripts is no line: the lines in there were cut out of it.
    """
    endings = tuple(filter(None, (*settings.versions, *VERSIONS)))
    known = {*transcribed, *(_line(stem, endings) for stem in transcribed)}
    known |= {PurePosixPath(stem).parent.as_posix() for stem in transcribed}
    first: dict[str, str] = {}
    for path in sorted(path for file in files if (path := PurePosixPath(file)).suffix.lower() in SUFFIXES):
        *names, _ = path.name.split(".")
        stems = [path.with_name(".".join(names[:end])).as_posix() for end in range(1, len(names) + 1)]
        if known.isdisjoint(stems):
            first.setdefault(_line(stems[-1], endings), path.as_posix())
    for line, picture in sorted(first.items()):
        yield Rejection(line, "prepare", "no_transcript", f"{picture}: no transcript {line}{suffix}")


def _line(stem: str, endings: Sequence[str]) -> str:
    """The name of a line out of that of one of its versions."""
    return stem.removesuffix(next((each for each in endings if stem.endswith(each)), ""))


def _usual_ending(files: Sequence[str]) -> str:
    """That of most pictures, for the name of one that is missing."""
    endings = Counter(ending for file in files if (ending := PurePosixPath(file).suffix).lower() in SUFFIXES)
    return endings.most_common(1)[0][0] if endings else ".png"


def _pictures(files: Sequence[str]) -> dict[str, str]:
    """Path with its ending in lower case → path, of all pictures, also unread ones; a.png goes before a.PNG."""
    endings = ((file, PurePosixPath(file).suffix) for file in sorted(files))
    every = {*SUFFIXES, *UNREAD}
    return {file.removesuffix(each) + each.lower(): file for file, each in endings if each.lower() in every}


def _image_of(stem: str, pictures: Mapping[str, str], versions: tuple[str, ...]) -> str:
    """The picture of a line, one that is not read where no other is there; empty where there is none."""
    kinds = (sorted(SUFFIXES), UNREAD)
    paths = (f"{stem}{version}{suffix}" for suffixes in kinds for version in versions for suffix in suffixes)
    return next((pictures[path] for path in paths if path in pictures), "")


READER = CorpusReader(Settings=LinePairsSettings, read=read)
