"""LibriSpeech: ``train-clean-100/<speaker>/<chapter>/<speaker>-<chapter>.trans.txt`` and flac files beside it."""

from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from common.errors import GlyphoneError
from common.modality import CorpusReader
from common.samples import Sample
from common.tables import read_text

LICENCE = "CC-BY-4.0"
SUFFIXES = (".flac", ".wav")


class LibriSpeechSettings(BaseModel):
    """Which folders make which split; each may be missing as long as one is there."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    train: list[str] = ["train-clean-100", "train-clean-360", "train-other-500"]
    validation: list[str] = ["dev-clean", "dev-other"]
    test: list[str] = ["test-clean", "test-other"]


def read(settings: LibriSpeechSettings, root: Path, seed: int) -> Iterator[Sample]:
    """Samples of the folders that are there, in the order of the settings; the group is the speaker.

    Raises:
        GlyphoneError: none of the folders is there, or a line of a transcript is not ``ID TEXT``.
    """
    # An archive unpacks to LibriSpeech/train-clean-100; both that folder and its parent may be the root.
    base = root / "LibriSpeech" if (root / "LibriSpeech").is_dir() else root
    folders = [(split, name) for split in ("train", "validation", "test") for name in getattr(settings, split)]
    present = [(split, base / name) for split, name in folders if (base / name).is_dir()]
    if not present:
        raise GlyphoneError(f"{base}: none of the folders {', '.join(name for _, name in folders)} is there")
    for split, folder in present:
        for transcript in sorted(folder.glob("*/*/*.trans.txt")):
            yield from _chapter(root, transcript, split)


def _chapter(root: Path, transcript: Path, split: str) -> Iterator[Sample]:
    for number, line in enumerate(read_text(transcript).split("\n"), 1):
        if not line.strip():
            continue
        name, _, text = line.strip().partition(" ")
        if name.count("-") < 2:
            raise GlyphoneError(
                f"{transcript}, line {number}: SPEAKER-CHAPTER-NUMBER TEXT is needed, not {line[:60]!r}"
            )
        files = [transcript.with_name(name + suffix) for suffix in SUFFIXES]
        file = next((file for file in files if file.is_file()), files[0])
        path = file.relative_to(root).as_posix()
        yield Sample(id=name, path=path, text=text, group=name.split("-")[0], split=split, licence=LICENCE)


LIBRISPEECH = CorpusReader(Settings=LibriSpeechSettings, read=read)
