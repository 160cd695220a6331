"""Word recognition folders of the ICDAR reading competitions: pictures, and ``gt.txt`` of ``word_1.png, "text"``."""

import re
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict, field_validator

from common.corpus_files import InnerPath, is_hidden, with_untranscribed
from common.errors import GlyphoneError
from common.manifest import split_name
from common.modality import CorpusReader
from common.samples import Rejection, Sample
from common.tables import read_text
from ocr.reading import SUFFIXES

# The text stands between the first and the last quotation mark; quotation marks within are escaped by a backslash.
LINE = re.compile(r'\s*(?P<path>[^,]+?)\s*,\s*"(?P<text>.*)"\s*')


class IcdarSettings(BaseModel):
    """One list; a corpus of two folders is two entries in ``corpora``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # The list, relative to the root; pictures lie beside it.
    list: InnerPath = "gt.txt"
    # Split of all words; empty: prepare splits.
    split: str = ""

    @field_validator("split")
    @classmethod
    def _known_split(cls, value: str) -> str:
        return split_name(value)


def read(settings: IcdarSettings, root: Path, seed: int) -> Iterator[Sample | Rejection]:
    """List the samples. The source pictures of words are not published: each word is its own group.

    Pictures beside the list, or below, that neither it nor another one beside it names are rejected (no_transcript).

    Raises:
        GlyphoneError: the list is missing, or a line of it is not of the form.
    """
    folder = Path(settings.list).parent
    others = {
        (folder / match["path"]).as_posix()
        for table in (root / folder).glob("*.txt")
        if table.is_file() and not is_hidden(table.name)
        for line in table.read_text("utf-8-sig", errors="replace").splitlines()
        if (match := LINE.fullmatch(line))
    }
    why = f"no line of {settings.list}"
    for each in with_untranscribed(_samples(settings, root), root, SUFFIXES, why, folder.as_posix()):
        if isinstance(each, Sample) or each.id not in others:
            yield each


def _samples(settings: IcdarSettings, root: Path) -> Iterator[Sample]:
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
