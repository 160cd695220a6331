"""What language is worth beside the emissions, and whether labels, n-grams and weights go together."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from common.decoding.knowledge import CHARACTERS, NOTHING, WORDS
from common.decoding.settings import MOST_WEIGHT
from common.errors import GlyphoneError
from common.language.ngrams import Ngrams

UNITS = {"word": WORDS, "char": CHARACTERS, "none": NOTHING}


class FusionError(GlyphoneError, ValueError):
    """A language model, labels and settings that do not go together."""


@dataclass(frozen=True)
class Weights:
    """What language is worth beside the emissions; all in nats.

    Attributes:
        alpha: factor of ln P of the n-grams.
        beta: added for each word (word n-grams) or character (character n-grams).
        unknown_score: added for each word outside the lexicon.
        closed: no words outside the lexicon at all.
        margin: prefixes this much worse than the best one are dropped after each slice; infinity: none.
        hotwords: word → added wherever it is written; they belong to the lexicon.
        single_spaces: with a lexicon, no space at the beginning or behind another one.
        unfinished_score: added where a text ends within a word of a closed lexicon; -infinity: it is no result then.
    """

    alpha: float = 0.5
    beta: float = 1.0
    unknown_score: float = -10.0
    closed: bool = False
    margin: float = math.inf
    hotwords: Mapping[str, float] = field(default_factory=dict)
    single_spaces: bool = False
    unfinished_score: float = -math.inf


def check(labels: Sequence[str], ngrams: Ngrams | None, unit: str) -> None:
    """Raise FusionError where labels and n-grams do not go together."""
    if unit not in UNITS:
        raise FusionError(f"unit {unit!r}: there are {', '.join(UNITS)}")
    if (unit == "none") != (ngrams is None):
        raise FusionError(f"unit {unit!r}: n-grams are {'not given' if ngrams is None else 'given'}")
    for label in labels:
        if not label or (" " in label and label != " "):
            raise FusionError(f"label {label!r}: one or more characters are needed; a space stands alone")
    if len(set(labels)) < len(labels):
        raise FusionError("labels stand twice")


def check_weights(weights: Weights) -> None:
    """Raise FusionError where a number is not allowed."""
    for name in ("alpha", "beta", "unknown_score"):
        if not math.isfinite(value := getattr(weights, name)):
            raise FusionError(f"{name} is {value}; a finite number is needed")
    if math.isnan(weights.unfinished_score) or weights.unfinished_score == math.inf:
        raise FusionError(f"unfinished_score is {weights.unfinished_score}; a number or -infinity is needed")
    if not weights.margin > 0:
        raise FusionError(f"margin is {weights.margin}; more than 0 is needed")
    if weights.alpha < 0:
        raise FusionError(f"alpha is {weights.alpha}; at least 0 is needed")
    for name in ("alpha", "beta"):
        if abs(value := getattr(weights, name)) > MOST_WEIGHT:
            raise FusionError(f"{name} is {value}; at most {MOST_WEIGHT:g} either way is needed")
    for word, bonus in weights.hotwords.items():
        if not word or word.split() != [word] or not math.isfinite(bonus):
            raise FusionError(f"hotword {word!r} with {bonus}: one word without blanks and a finite number are needed")
