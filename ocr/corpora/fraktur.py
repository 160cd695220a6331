"""archiscribe: lines of German prints of the 19th century (CC BY 4.0), with whole books held out.

``lines.tsv`` holds id, path, text and volume, ``volumes.tsv`` the volumes in their order. Every fifth volume is test,
every fifth of the rest is validation, the others train.
"""

from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from common.corpus_files import with_untranscribed
from common.errors import GlyphoneError
from common.modality import CorpusReader
from common.samples import Rejection, Sample
from common.tables import read_table
from ocr.reading import SUFFIXES

HOLD_OUT_EVERY = 5


class FrakturSettings(BaseModel):
    """Nothing to set: the splits are fixed so that figures compare."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def read(settings: FrakturSettings, root: Path, seed: int) -> Iterator[Sample | Rejection]:
    """List the samples, and reject pictures without a row; the group is the volume.

    Raises GlyphoneError: a missing table, column or volume.
    """
    yield from with_untranscribed(_samples(root), root, SUFFIXES, "lines.tsv has no row of it")


def _samples(root: Path) -> Iterator[Sample]:
    splits = split_volumes([row["volume"] for row in read_table(root / "volumes.tsv", required=("volume",))])
    for row in read_table(root / "lines.tsv", required=("id", "path", "text", "volume")):
        if row["volume"] not in splits:
            raise GlyphoneError(f"{row.where}: volume {row['volume']!r} is not in {root / 'volumes.tsv'}")
        yield Sample(
            id=row["id"],
            path=row["path"],
            text=row["text"],
            group=row["volume"],
            split=splits[row["volume"]],
            licence="CC-BY-4.0",
        )


def split_volumes(volumes: list[str]) -> dict[str, str]:
    """Volume → split: every fifth test, every fifth of the rest validation, the others train."""
    splits = dict.fromkeys(volumes[HOLD_OUT_EVERY - 1 :: HOLD_OUT_EVERY], "test")
    rest = [volume for volume in volumes if volume not in splits]
    for place, volume in enumerate(rest, 1):
        splits[volume] = "train" if place % HOLD_OUT_EVERY else "validation"
    return splits


READER = CorpusReader(Settings=FrakturSettings, read=read)
