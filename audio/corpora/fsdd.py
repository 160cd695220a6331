"""FSDD, the Free Spoken Digit Dataset: ``recordings/<digit>_<speaker>_<index>.wav``, loose or in a zip archive."""

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from pydantic import BaseModel, ConfigDict

from audio.reading import MEMBER, SUFFIXES
from common.corpus_files import is_hidden
from common.errors import GlyphoneError
from common.modality import CorpusReader
from common.samples import Rejection, Sample

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
NAME = re.compile(r"(?P<digit>\d)_(?P<speaker>[^_/]+)_(?P<index>\d+)\.(wav|flac)$")
LICENCE = "CC-BY-SA-4.0"
# The corpus's README: recordings 0 to 4 of each digit and speaker are the test set.
OFFICIAL_TEST = range(5)
VALIDATION = range(5, 10)


class FSDDSettings(BaseModel):
    """Which recordings are the test set."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # Empty: the official split by index, all speakers in all splits. Else: all recordings of this speaker.
    test_speaker: str = ""


def read(settings: FSDDSettings, root: Path, seed: int) -> Iterator[Sample | Rejection]:
    """Samples in the order of their names.

    With ``test_speaker`` the group is the speaker, that one is the test set, the speaker that follows in the alphabet
    (round the end) is the validation set and the others train. Without, the splits are by index: 0–4 test, 5–9
    validation, the rest train; then speakers stand in all of them, so the group is the speaker's share of a split,
    ``george/test``, and figures say nothing about new speakers.

    Recordings whose name tells no digit are rejected (no_transcript).

    Raises:
        GlyphoneError: no recordings there, or an unknown speaker.
    """
    recordings = [(NAME.match(name), path) for name, path in _recordings(root)]
    found = sorted((match["digit"], match["speaker"], int(match["index"]), path) for match, path in recordings if match)
    if not found:
        raise GlyphoneError(f"{root}: FSDD has recordings/0_george_0.wav …, in the folder or in a zip; none is there")
    speakers = sorted({speaker for _, speaker, _, _ in found})
    if settings.test_speaker and settings.test_speaker not in speakers:
        raise GlyphoneError(f"test_speaker {settings.test_speaker!r} is none of {', '.join(speakers)}")
    for digit, speaker, index, path in found:
        split = _split(settings.test_speaker, speakers, speaker, index)
        group = speaker if settings.test_speaker else f"{speaker}/{split}"
        name = f"{digit}_{speaker}_{index}"
        yield Sample(id=name, path=path, text=DIGITS[int(digit)], group=group, split=split, licence=LICENCE)
    for path in sorted(path for match, path in recordings if not match):
        yield Rejection(path, "prepare", "no_transcript", f"{path}: its name is not DIGIT_SPEAKER_NUMBER.wav")


def _split(test_speaker: str, speakers: list[str], speaker: str, index: int) -> str:
    if test_speaker:
        validation_speaker = speakers[(speakers.index(test_speaker) + 1) % len(speakers)]
        return {test_speaker: "test", validation_speaker: "validation"}.get(speaker, "train")
    return "test" if index in OFFICIAL_TEST else "validation" if index in VALIDATION else "train"


def _recordings(root: Path) -> list[tuple[str, str]]:
    """Names and paths of all recordings; loose files go before an archive."""
    folder = root / "recordings"
    if folder.is_dir():
        names = [(file.name, f"recordings/{file.name}") for file in folder.iterdir()]
    else:
        names = [entry for archive in sorted(root.glob("*.zip")) for entry in _members(archive)]
    return [
        (name, path) for name, path in names if PurePosixPath(name).suffix.lower() in SUFFIXES and not is_hidden(name)
    ]


def _members(archive: Path) -> list[tuple[str, str]]:
    try:
        with zipfile.ZipFile(archive) as entries:
            return [(name.rpartition("/")[2], f"{archive.name}{MEMBER}{name}") for name in entries.namelist()]
    except (zipfile.BadZipFile, NotImplementedError, UnicodeDecodeError) as error:
        raise GlyphoneError(f"{archive}: not a zip archive: {error}") from None


FSDD = CorpusReader(Settings=FSDDSettings, read=read)
