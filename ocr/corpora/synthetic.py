"""The embedded corpus: words, numbers and short lines to be rendered. Nothing is rendered here; recipes are listed."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from common.modality import CorpusReader, generator
from common.samples import SPLITS, Sample
from ocr import fonts
from ocr.synthesis import MARKS_SUFFIX, path
from ocr.typesetting import case_of
from ocr.words import KINDS, LETTERS_AND_DIGITS
from ocr.words import text as text_of_kind

LICENCE = "rendered; fonts under OFL-1.1 or Apache-2.0"


class SyntheticSettings(BaseModel):
    """How many pictures of what. The defaults render in under a minute on two cores."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    num_train: int = Field(12000, ge=0, le=10_000_000)
    num_validation: int = Field(600, ge=0, le=1_000_000)
    num_test: int = Field(1000, ge=0, le=1_000_000)
    # clean: print and office scans; scene: photographs of signs; mix: half of each.
    style: Literal["clean", "scene", "mix"] = "clean"
    # Shares of the kinds of text.
    words: float = Field(0.72, ge=0)
    numbers: float = Field(0.18, ge=0)
    lines: float = Field(0.1, ge=0)
    # Characters that texts may hold, others are left out of them.
    characters: str = Field(LETTERS_AND_DIGITS + " .,:!?'&%$-", min_length=1)
    # Render now and then marks that the text does not hold, where a corpus leaves punctuation out of its labels.
    unlabelled_marks: bool = False
    # Styles of fonts (condensed display hand mono sans serif slab); none: all.
    font_styles: tuple[str, ...] = ()


def read(settings: SyntheticSettings, root: Path, seed: int) -> Iterator[Sample]:
    """List the samples. The group is the font family; the splits share none.

    Raises:
        GlyphoneError: an unknown font style, or a font package that is not installed.
    """
    numbers = dict(zip(SPLITS, (settings.num_train, settings.num_validation, settings.num_test), strict=True))
    held_out = frozenset(split for split in SPLITS if split != "train" and numbers[split])
    shares = np.array([settings.words, settings.numbers, settings.lines])
    if not shares.sum():
        shares = np.ones(3)
    cumulative = np.cumsum(shares / shares.sum())
    for split, number in numbers.items():
        if not number:
            continue
        families = fonts.families_of_split(split, held_out, settings.font_styles)
        keys = [fonts.keys(family) for family in families]
        for place in range(number):
            sample_id = f"synthetic/{split}/{place:06d}"
            random = generator(seed, "ocr corpus", sample_id)
            kind = KINDS[min(int(np.searchsorted(cumulative, random.random(), side="right")), 2)]
            text = text_of_kind(kind, settings.characters, random)
            family = int(random.integers(len(families)))
            key = keys[family][int(random.integers(len(keys[family])))]
            case = case_of(text)
            if families[family] in fonts.CAPITALS_ONLY:
                text = text.upper()  # what is seen; some of these faces show the case as the size of capitals
            style = settings.style if settings.style != "mix" else ("clean", "scene")[int(random.integers(2))]
            yield Sample(
                id=sample_id,
                path=path(seed, style + MARKS_SUFFIX * settings.unlabelled_marks, case, key),
                text=text,
                group=f"font/{families[family]}",
                split=split,
                licence=LICENCE,
            )


READER = CorpusReader(Settings=SyntheticSettings, read=read)
