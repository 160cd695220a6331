"""IIIT 5K-Word (Mishra, Alahari, Jawahar, BMVC 2012): words cut from scene and web pictures.

Two layouts: tables ``train.tsv`` and ``test.tsv`` (id, path, text, source_image, perhaps source_in_train), or the
original ``traindata.mat`` and ``testdata.mat`` beside their folders ``train`` and ``test``, whose files are named
SOURCE_WORD.png. Labels hold digits and letters only: punctuation in the picture is not in the label.

The official splits share source pictures. So that no group stands in two splits, a group is ``train/SOURCE``,
``seen/SOURCE`` (test word from a picture that also gave training words) or ``clean/SOURCE`` (test word from a picture
that gave none): figures by the part before the slash show the clean subset.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from common.corpus_files import with_untranscribed
from common.errors import GlyphoneError
from common.modality import CorpusReader
from common.samples import Rejection, Sample
from common.tables import read_table
from ocr.reading import SUFFIXES

LICENCE = "research only (none stated; cite Mishra et al. 2012)"
ALIASES = {"source": "source_image"}


class Iiit5kSettings(BaseModel):
    """Validation takes every n-th source picture of the training words, in the order of their numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    validation_every: int = Field(8, ge=2, le=1000)


def read(settings: Iiit5kSettings, root: Path, seed: int) -> Iterator[Sample | Rejection]:
    """List the samples, and reject pictures that no table names. Raises GlyphoneError when neither layout is there."""
    yield from with_untranscribed(_samples(settings, root), root, SUFFIXES, "no table has a row of it")


def _samples(settings: Iiit5kSettings, root: Path) -> Iterator[Sample]:
    rows = {split: list(_rows(root, split)) for split in ("train", "test")}
    sources = sorted({row["source"] for row in rows["train"]}, key=_number)
    validation = set(sources[settings.validation_every - 1 :: settings.validation_every])
    for row in rows["train"]:
        split = "validation" if row["source"] in validation else "train"
        yield _sample(row, f"train/{row['source']}", split)
    for row in rows["test"]:
        yield _sample(row, f"{'seen' if row['source'] in sources else 'clean'}/{row['source']}", "test")


def _number(source: str) -> tuple[int, str]:
    return (int(source), "") if source.isdigit() else (1 << 62, source)


def _sample(row: dict[str, str], group: str, split: str) -> Sample:
    return Sample(id=row["path"], path=row["path"], text=row["text"], group=group, split=split, licence=LICENCE)


def _rows(root: Path, split: str) -> Iterator[dict[str, str]]:
    """path, text and source of each word of an official split."""
    table, matlab = root / f"{split}.tsv", root / f"{split}data.mat"
    if table.is_file():
        for row in read_table(table, required=("path", "text", "source_image"), aliases=ALIASES):
            yield {"path": row["path"], "text": row["text"], "source": row["source_image"]}
    elif matlab.is_file():
        yield from _matlab_rows(matlab, split)
    else:
        raise GlyphoneError(f"{root}: neither {split}.tsv nor {split}data.mat: not a folder of IIIT5K")


def _matlab_rows(path: Path, split: str) -> Iterator[dict[str, str]]:
    from scipy.io import loadmat  # slow to import, and only needed for this layout
    from scipy.io.matlab import MatReadError

    try:
        words: Any = loadmat(path, squeeze_me=True)[f"{split}data"]
        pairs = [(str(word["ImgName"]), str(word["GroundTruth"])) for word in words]
    except (KeyError, ValueError, TypeError, IndexError, MatReadError) as error:
        raise GlyphoneError(f"{path}: not the table of IIIT5K: {error}") from None
    for name, text in pairs:
        yield {"path": name, "text": text, "source": Path(name).stem.split("_", 1)[0]}


READER = CorpusReader(Settings=Iiit5kSettings, read=read)
