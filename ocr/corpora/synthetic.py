"""The embedded corpus: words, numbers and short lines to be rendered. Nothing is rendered here; recipes are listed."""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from common.errors import GlyphoneError
from common.modality import CorpusReader, generator
from common.samples import SPLITS, Sample
from ocr import fonts, shaping
from ocr.glyphs import has_capitals_alone, shown
from ocr.synthesis import MARKS_SUFFIX, RIGHT_TO_LEFT_SUFFIX, path
from ocr.typesetting import case_of
from ocr.words import KINDS, LETTERS_AND_DIGITS
from ocr.words import text as text_of_kind

LICENCE, OWN_LICENCE = "rendered; fonts under OFL-1.1 or Apache-2.0", "rendered in own fonts"


class SyntheticSettings(BaseModel):
    """How many pictures of what. The defaults render in under a minute on two cores."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    num_train: int = Field(12000, ge=0, le=10_000_000)
    num_validation: int = Field(600, ge=0, le=1_000_000)
    num_test: int = Field(1000, ge=0, le=1_000_000)
    # clean: print and office scans; scene: photographs of signs; mix: half of each.
    style: Literal["clean", "scene", "mix"] = "clean"
    # Shares of the kinds of text; where all are 0, as many of each.
    words: float = Field(0.72, ge=0, le=1e6)
    numbers: float = Field(0.18, ge=0, le=1e6)
    lines: float = Field(0.1, ge=0, le=1e6)
    # Characters that texts may hold, others are left out of them.
    characters: str = Field(LETTERS_AND_DIGITS + " .,:!?'&%$-", min_length=1)
    # Render now and then marks that the text does not hold, where a corpus leaves punctuation out of its labels.
    unlabelled_marks: bool = False
    # Styles of fonts (condensed display hand mono sans serif slab); none: all of these. Another one: arabic.
    font_styles: tuple[str, ...] = ()
    # Folder of own fonts (.ttf, .otf) in place of all these: absolute, or below the folder that commands run in.
    fonts: str = ""
    # In which lines are read: that of the section `text`, which sets it.
    direction: Literal["ltr", "rtl"] = "ltr"

    @model_validator(mode="after")
    def _one_choice_of_fonts(self) -> "SyntheticSettings":
        if self.fonts and self.font_styles:
            raise ValueError("font_styles are those of the packages, whose place own fonts take: leave them out")
        return self


# Faces tried for a given text before all are looked through.
FACE_TRIES = 12


@dataclass(frozen=True)
class _Choice:
    """What a split is drawn from.

    Attributes:
        faces: family of fonts → keys of its faces.
        cumulative: shares of KINDS.
        characters: that texts of its own may hold.
    """

    faces: list[tuple[str, list[str]]]
    cumulative: np.ndarray
    characters: str


def read(settings: SyntheticSettings, root: Path, seed: int) -> Iterator[Sample]:
    """List the samples. The group is the font family; the splits share none.

    Raises:
        GlyphoneError: an unknown font style, a font package that is not installed, characters that make no text or that
            own fonts lack, or a text that is shaped where FriBiDi is missing.
    """
    numbers = dict(zip(SPLITS, (settings.num_train, settings.num_validation, settings.num_test), strict=True))
    for split, number in numbers.items():
        if not number:
            continue
        for place in range(number):
            sample_id = f"synthetic/{split}/{place:06d}"
            yield _sample(settings, seed, sample_id, split, generator(seed, "ocr corpus", sample_id))


def recipe(settings: SyntheticSettings, seed: int, sample_id: str, text: str | None) -> Sample:
    """One training sample, whatever ``num_train`` is; with a text of its own, or a given one in a face that has it.

    Characters of a given text that no face has are left out of it. Where no letter, digit or sign stays (joiners of an
    emoji, marks alone), nothing does.
    """
    sample = _sample(settings, seed, sample_id, "train", generator(seed, "ocr stream", sample_id), text)
    is_seen = any(unicodedata.category(each)[0] in "LNPS" for each in sample.text)
    return sample if is_seen else replace(sample, text="")


@lru_cache(maxsize=8)
def _choice(settings: SyntheticSettings, split: str) -> _Choice:
    numbers = dict(zip(SPLITS, (settings.num_train, settings.num_validation, settings.num_test), strict=True))
    held_out = frozenset(each for each in SPLITS if each != "train" and numbers[each])
    shares = np.array([settings.words, settings.numbers, settings.lines])
    if not shares.sum():
        shares = np.ones(3)
    faces = fonts.faces_of_split(split, held_out, settings.font_styles, settings.fonts)
    if not set(settings.characters.upper()) <= set(settings.characters):
        faces = {family: keys for family, keys in faces.items() if family not in fonts.CAPITALS_ONLY}  # show others
    characters = settings.characters
    if settings.fonts:  # those of the packages have all that texts of ours are made of
        every = [key for keys in faces.values() for key in keys]
        characters = "".join(each for each in characters if any(shown(each, key) is not None for key in every))
    return _Choice(list(faces.items()), np.cumsum(shares / shares.sum()), characters)


def _sample(
    settings: SyntheticSettings,
    seed: int,
    sample_id: str,
    split: str,
    random: np.random.Generator,
    given: str | None = None,
) -> Sample:
    choice = _choice(settings, split)
    kind = KINDS[min(int(np.searchsorted(choice.cumulative, random.random(), side="right")), 2)]
    if given is None and settings.fonts and not choice.characters.strip():
        raise GlyphoneError(
            f"fonts: {settings.fonts}: no face for {split} has one of the characters {settings.characters!r} that made "
            "texts may hold: set characters, or draw texts by ngrams alone"
        )
    text = given if given is not None else text_of_kind(kind, choice.characters, random)
    family, key = _face(choice, random)
    if shown(text, key) is None:
        text, family, key = _shown(text, choice, family, key, random)
    case = case_of(text)
    if has_capitals_alone(key) if settings.fonts else family in fonts.CAPITALS_ONLY:
        # What is seen; some of these faces show the case as the size of capitals. That of µ is a letter they lack.
        text = "".join(each.upper() if shown(each.upper(), key) is not None else each for each in text)
    shaping.check(text, settings.direction)  # here, where all texts pass before the first picture is drawn
    style: str = settings.style if settings.style != "mix" else ("clean", "scene")[int(random.integers(2))]
    style += MARKS_SUFFIX * settings.unlabelled_marks + RIGHT_TO_LEFT_SUFFIX * (settings.direction == "rtl")
    return Sample(
        id=sample_id,
        path=path(seed, style, case, key),
        text=text,
        group=f"font/{family}",
        split=split,
        licence=OWN_LICENCE if settings.fonts else LICENCE,
    )


def _face(choice: _Choice, random: np.random.Generator) -> tuple[str, str]:
    family, keys = choice.faces[int(random.integers(len(choice.faces)))]
    return family, keys[int(random.integers(len(keys)))]


def _shown(text: str, choice: _Choice, family: str, key: str, random: np.random.Generator) -> tuple[str, str, str]:
    """Text, family and face: the first face tried that has all characters; else the text without what none has."""
    for _ in range(FACE_TRIES):
        if shown(text, key) is not None:
            return text, family, key
        family, key = _face(choice, random)
    every = [(family, key) for family, keys in choice.faces for key in keys]
    known = {letter for letter in set(text) if any(shown(letter, key) is not None for _, key in every)}
    text = " ".join("".join(letter for letter in text if letter in known).split())
    able = [face for face in every if shown(text, face[1]) is not None]
    if not able:  # no face has all that is left: the one that has most of it
        family, key = max(every, key=lambda face: sum(shown(letter, face[1]) is not None for letter in text))
        return " ".join("".join(each for each in text if shown(each, key) is not None).split()), family, key
    family, key = able[int(random.integers(len(able)))]
    return text, family, key


READER = CorpusReader(Settings=SyntheticSettings, read=read, recipe=recipe)
