"""Street View Text (Wang, Babenko, Belongie, ICCV 2011): words on street signs.

Two layouts: ``test.tsv`` (id, path, text, source_image) with words already cut, or the original ``train.xml`` and
``test.xml`` with whole pictures and a box for each word.
"""

from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from common.corpus_files import with_untranscribed
from common.errors import GlyphoneError
from common.modality import CorpusReader
from common.samples import Rejection, Sample
from common.tables import read_table
from ocr import xml
from ocr.corpora.xml_pages import on_page
from ocr.reading import SUFFIXES

LICENCE = "research only (none stated; cite Wang et al. 2011)"


class SvtSettings(BaseModel):
    """Nothing to set."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def read(settings: SvtSettings, root: Path, seed: int) -> Iterator[Sample | Rejection]:
    """List the samples, and reject pictures that no table names; the group is the source picture.

    Raises GlyphoneError when neither layout is there.
    """
    yield from with_untranscribed(_samples(root), root, SUFFIXES, "neither train nor test names it")


def _samples(root: Path) -> Iterator[Sample]:
    found = False
    for split in ("train", "test"):
        table, tree = root / f"{split}.tsv", root / f"{split}.xml"
        if table.is_file():
            found = True
            for row in read_table(table, required=("id", "path", "text"), aliases={"source": "source_image"}):
                group = row.get("source_image") or row["id"]
                yield Sample(row["id"], row["path"], row["text"], group, split, licence=LICENCE)
        elif tree.is_file():
            found = True
            yield from _original(tree, split)
    if not found:
        raise GlyphoneError(f"{root}: no test.tsv and no test.xml: not a folder of SVT")


def _original(path: Path, split: str) -> Iterator[Sample]:
    for image in xml.parse(path).iter("image"):
        name = (image.findtext("imageName") or "").strip()
        for number, rectangle in enumerate(image.iter("taggedRectangle")):
            left, top, width, height = (
                xml.integer(rectangle.get(key), f"{key} of a word in {name}", path)
                for key in ("x", "y", "width", "height")
            )
            # Some boxes of the original start a few pixels left of or above the picture.
            box = on_page((left, top, left + width, top + height), (0, 0))
            yield Sample(
                id=f"{name}#{number}",
                path=name,
                text=(rectangle.findtext("tag") or "").strip(),
                group=name,
                split=split,
                box=box,
                licence=LICENCE,
            )


READER = CorpusReader(Settings=SvtSettings, read=read)
