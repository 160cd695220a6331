"""Word recognition folders of the ICDAR reading competitions: pictures, and ``gt.txt`` of ``word_1.png, "text"``."""

import re
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict, field_validator

from common.errors import GlyphoneError
from common.manifest import split_name
from common.modality import CorpusReader
from common.samples import Sample
from common.tables import read_text

# The text stands between the first and the last quotation mark; quotation marks within are escaped by a backslash.
LINE = re.compile(r'\s*(?P<path>[^,]+?)\s*,\s*"(?P<text>.*)"\s*')


class IcdarSettings(BaseModel):
    """One list; a corpus of two folders is two entries in ``corpora``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # The list, relative to the root; pictures lie beside it.
    list: str = "gt.txt"
    # Split of all words; empty: prepare splits.
    split: str = ""

    @field_validator("split")
    @classmethod
    def _known_split(cls, value: str) -> str:
        return split_name(value)


def read(settings: IcdarSettings, root: Path, seed: int) -> Iterator[Sample]:
    """List the samples. The source pictures of words are not published: each word is its own group.

    Raises:
        GlyphoneError: the list is missing, or a line of it is not of the form.
    """
    table = root / settings.list
    folder = Path(settings.list).parent
    for number, line in enumerate(read_text(table).split("\n"), 1):
        if not line.strip():
            continue
        match = LINE.fullmatch(line)
        if match is None:
            raise GlyphoneError(f'{table}, line {number}: must be NAME, "TEXT", not {line!r}')
        path = (folder / match["path"]).as_posix()
        text = match["text"].replace('\\"', '"').replace("\\\\", "\\")
        yield Sample(id=path, path=path, text=text, group=path, split=settings.split)


READER = CorpusReader(Settings=IcdarSettings, read=read)
