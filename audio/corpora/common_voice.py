"""Common Voice: ``train.tsv``, ``dev.tsv`` and ``test.tsv`` of one language, and mp3 files in ``clips/``."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from pydantic import BaseModel, ConfigDict

from common.errors import GlyphoneError
from common.modality import CorpusReader
from common.samples import Sample
from common.tables import read_table

LICENCE = "CC0-1.0"
TABLES = {"train": "train.tsv", "validation": "dev.tsv", "test": "test.tsv"}


class CommonVoiceSettings(BaseModel):
    """Common Voice needs no settings: the root is the folder of a language."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def read(settings: CommonVoiceSettings, root: Path, seed: int) -> Iterator[Sample]:
    """Samples of the tables that are there; the group is the speaker (client_id).

    Raises:
        GlyphoneError: no table is there, or a column is missing.
    """
    present = [(split, root / name) for split, name in TABLES.items() if (root / name).is_file()]
    if not present:
        raise GlyphoneError(f"{root}: Common Voice has {', '.join(TABLES.values())}; none is there")
    for split, table in present:
        for row in read_table(table, required=("client_id", "path", "sentence")):
            # Early releases leave out the suffix.
            name = row["path"] if PurePosixPath(row["path"]).suffix else f"{row['path']}.mp3"
            yield Sample(
                id=PurePosixPath(name).stem,
                path=f"clips/{name}",
                text=row["sentence"],
                group=row["client_id"],
                split=split,
                licence=LICENCE,
            )


COMMON_VOICE = CorpusReader(Settings=CommonVoiceSettings, read=read)
