"""LibriSpeech: ``train-clean-100/<speaker>/<chapter>/<speaker>-<chapter>.trans.txt`` and flac files beside it."""

from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from audio import reading
from common.corpus_files import InnerPath, is_hidden, with_untranscribed
from common.errors import GlyphoneError
from common.modality import Archive, CorpusReader
from common.samples import Rejection, Sample
from common.tables import read_text

LICENCE = "CC-BY-4.0"
SUFFIXES = (".flac", ".wav")

# Addresses and SHA-256 of the archives of https://www.openslr.org/12, as torchaudio.datasets.librispeech has them.
ADDRESS = "http://www.openslr.org/resources/12/{name}.tar.gz"
CHECKSUMS = {
    "train-clean-100": "d4ddd1d5a6ab303066f14971d768ee43278a5f2a0aa43dc716b0e64ecbbbf6e2",
    "train-clean-360": "146a56496217e96c14334a160df97fffedd6e0a04e66b9c5af0d40be3c792ecf",
    "train-other-500": "ddb22f27f96ec163645d53215559df6aa36515f26e01dd70798188350adcb6d2",
    "dev-clean": "76f87d090650617fca0cac8f88b9416e0ebf80350acb97b343a85fa903728ab3",
    "dev-other": "12661c48e8c3fe1de2c1caa4c3e135193bfb1811584f11f569dd12645aa84365",
    "test-clean": "39fde525e59672dc6d1551919b1478f724438a95aa55f874b576be21967e6c23",
    "test-other": "d09c181bba5cf717b3dee7d4d592af11a3ee3a09e08ae025c5506f6ebe961c29",
}
# The folder that every archive holds.
TOP = "LibriSpeech"


class LibriSpeechSettings(BaseModel):
    """Which folders make which split; each may be missing as long as one is there."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    train: list[InnerPath] = ["train-clean-100", "train-clean-360", "train-other-500"]
    validation: list[InnerPath] = ["dev-clean", "dev-other"]
    test: list[InnerPath] = ["test-clean", "test-other"]


def read(settings: LibriSpeechSettings, root: Path, seed: int) -> Iterator[Sample | Rejection]:
    """Samples of the folders that are there, in the order of the settings; the group is the speaker.

    Sound files in them without a line in the transcript of their chapter are rejected (no_transcript).

    Raises:
        GlyphoneError: none of the folders is there, or a line of a transcript is not ``ID TEXT``.
    """
    base = root / TOP if (root / TOP).is_dir() else root
    folders = _folders(settings)
    present = [(split, base / name) for split, name in folders if (base / name).is_dir()]
    if not present:
        raise GlyphoneError(f"{base}: none of the folders {', '.join(name for _, name in folders)} is there")
    for split, folder in present:
        samples = (
            sample
            for transcript in sorted(folder.glob("*/*/*.trans.txt"))
            if not is_hidden(transcript.relative_to(root).as_posix())
            for sample in _chapter(root, transcript, split)
        )
        why = "no line of a SPEAKER-CHAPTER.trans.txt beside it"
        yield from with_untranscribed(samples, root, reading.SUFFIXES, why, folder.relative_to(root).as_posix())


def missing(settings: LibriSpeechSettings, root: Path) -> list[Archive]:
    """The official archives of those folders of the settings that are not below root."""
    # An archive unpacks to LibriSpeech/train-clean-100; both that folder and its parent may be the root.
    names = [name for _, name in _folders(settings)]
    base = root if any((root / name).is_dir() for name in names) and not (root / TOP).is_dir() else root / TOP
    return [
        Archive(ADDRESS.format(name=name), CHECKSUMS[name], f"{TOP}/{name}", base / name)
        for name in names
        if name in CHECKSUMS and not (base / name).is_dir()
    ]


def _folders(settings: LibriSpeechSettings) -> list[tuple[str, str]]:
    """(split, name) of the folders, in the order of the settings."""
    return [(split, name) for split in ("train", "validation", "test") for name in getattr(settings, split)]


def _chapter(root: Path, transcript: Path, split: str) -> Iterator[Sample]:
    for number, line in enumerate(read_text(transcript).split("\n"), 1):
        if not line.strip():
            continue
        name, text = (*line.strip().split(maxsplit=1), "")[:2]
        if name.count("-") < 2 or "/" in name:
            raise GlyphoneError(
                f"{transcript}, line {number}: SPEAKER-CHAPTER-NUMBER TEXT is needed, not {line[:60]!r}"
            )
        files = [transcript.with_name(name + suffix) for suffix in SUFFIXES]
        file = next((file for file in files if file.is_file()), files[0])
        path = file.relative_to(root).as_posix()
        yield Sample(id=name, path=path, text=text, group=name.split("-")[0], split=split, licence=LICENCE)


LIBRISPEECH = CorpusReader(Settings=LibriSpeechSettings, read=read, missing=missing)
