"""Common Voice: ``train.tsv``, ``dev.tsv`` and ``test.tsv`` of one language, and mp3 files in ``clips/``."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from pydantic import BaseModel, ConfigDict

from audio.reading import SUFFIXES
from common.corpus_files import with_untranscribed
from common.errors import GlyphoneError
from common.modality import CorpusReader
from common.samples import Rejection, Sample
from common.tables import read_table

LICENCE = "CC0-1.0"
TABLES = {"train": "train.tsv", "validation": "dev.tsv", "test": "test.tsv"}
# What the corpus itself leaves out of its splits: clips without two votes for them, and further ones of a sentence.
OTHER_TABLES = ("validated.tsv", "invalidated.tsv", "other.tsv")
CLIPS = "clips"


class CommonVoiceSettings(BaseModel):
    """Common Voice needs no settings: the root is the folder of a language."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def read(settings: CommonVoiceSettings, root: Path, seed: int) -> Iterator[Sample | Rejection]:
    """Samples of the tables that are there; the group is the speaker (client_id).

    Clips that none of these tables names, nor one of ``OTHER_TABLES``, are rejected (no_transcript).

    Raises:
        GlyphoneError: no table is there, or a column is missing.
    """
    left_out = {
        _clip(row["path"])
        for name in OTHER_TABLES
        if (root / name).is_file()
        for row in read_table(root / name, required=("path",))
    }
    listed = with_untranscribed(_samples(root), root, SUFFIXES, "no table has a row of it", CLIPS)
    yield from (each for each in listed if isinstance(each, Sample) or each.id not in left_out)


def _samples(root: Path) -> Iterator[Sample]:
    present = [(split, root / name) for split, name in TABLES.items() if (root / name).is_file()]
    if not present:
        raise GlyphoneError(f"{root}: Common Voice has {', '.join(TABLES.values())}; none is there")
    for split, table in present:
        for row in read_table(table, required=("client_id", "path", "sentence")):
            path = _clip(row["path"])
            yield Sample(
                id=PurePosixPath(path).stem,
                path=path,
                text=row["sentence"],
                group=row["client_id"],
                split=split,
                licence=LICENCE,
            )


def _clip(name: str) -> str:
    """Path of a clip; early releases leave out the suffix."""
    return f"{CLIPS}/{name}" if PurePosixPath(name).suffix else f"{CLIPS}/{name}.mp3"


COMMON_VOICE = CorpusReader(Settings=CommonVoiceSettings, read=read)
