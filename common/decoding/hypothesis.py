"""What a decoder says about one sample: text, scores, symbols and words with their places and confidences."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from common.alphabet import BLANK
from common.bidi import read_order
from common.errors import GlyphoneError
from common.text import TextSettings, normalise


class EmissionsError(GlyphoneError, ValueError):
    """Emissions that no decoder can use: wrong shape, NaN or +inf."""


@dataclass(frozen=True, slots=True)
class Symbol:
    """One character and the half-open range of emission slices ``[start, end)`` that wrote it.

    Attributes:
        confidence: geometric mean of the character's posterior over its slices, in [0, 1].
    """

    text: str
    start: float
    end: float
    confidence: float


@dataclass(frozen=True, slots=True)
class Word:
    """Characters between white space; from the start of its first symbol to the end of its last in the signal.

    Attributes:
        confidence: geometric mean of the confidences of its symbols, in [0, 1].
    """

    text: str
    start: float
    end: float
    confidence: float


Part = TypeVar("Part", Symbol, Word)


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """The best text of one sample.

    Attributes:
        text: the symbols, joined.
        score: natural logarithm of the acoustic probability: of the best path (greedy), or summed over all alignments
            that the beam kept (beam). 0 for no slices, -inf where the emissions allow no text.
        language_score: natural logarithm of the language model's probability; 0 without one.
        character_score: the same of the character model that put the texts in order; 0 without one.
        total: the sum that texts are ordered by: the score and, weighted, what language adds.
        confidence: geometric mean of the symbols' confidences; without symbols, of the posterior of the blank.
        symbols, words: places are in emission slices until ``in_units`` converts them.
        alternatives: further (text, score) pairs, best first, without the best one; with a language model the score is
            the weighted sum that the texts are ordered by.
    """

    text: str
    score: float
    confidence: float
    symbols: tuple[Symbol, ...] = ()
    words: tuple[Word, ...] = ()
    alternatives: tuple[tuple[str, float], ...] = ()
    language_score: float = 0.0
    character_score: float = 0.0
    total: float = 0.0


def checked(log_probs: np.ndarray, num_labels: int) -> np.ndarray:
    """Return emissions as contiguous float32 [T, V].

    Raises:
        EmissionsError: not [T, V] with V = num_labels, or a value is NaN or +inf; -inf is a label that cannot be.
    """
    log_probs = np.ascontiguousarray(log_probs, dtype=np.float32)
    if log_probs.ndim != 2 or log_probs.shape[1] != num_labels:
        raise EmissionsError(f"emissions have shape {list(log_probs.shape)}, the alphabet needs [T, {num_labels}]")
    # One pass: the maximum is NaN as soon as one value is.
    if log_probs.size and not log_probs.max() < np.inf:
        at = int(np.argmax(~(log_probs < np.inf).all(axis=1)))
        raise EmissionsError(f"emissions are not log-probabilities: NaN or +inf in slice {at} of {len(log_probs)}")
    return log_probs


def assemble(
    log_probs: np.ndarray,
    labels: Sequence[int],
    spans: Sequence[tuple[int, int]],
    characters: Sequence[str],
    score: float,
    alternatives: tuple[tuple[str, float], ...] = (),
) -> Hypothesis:
    """Build a hypothesis from labels and their places.

    Args:
        log_probs: float32 [T, V].
        labels: [L], none of them blank.
        spans: [L] half-open ranges of slices, ordered and disjoint.
        characters: of label 1, 2, …: ``alphabet.symbols``.
    """
    symbols = tuple(
        Symbol(characters[label - 1], start, end, _confidence(log_probs[start:end, label]))
        for label, (start, end) in zip(labels, spans, strict=True)
    )
    if symbols:
        confidence = geometric_mean([symbol.confidence for symbol in symbols])
    else:
        confidence = _confidence(log_probs[:, BLANK])
    text = "".join(symbol.text for symbol in symbols)
    return Hypothesis(text, score, confidence, symbols, words_of(symbols), alternatives, total=score)


def words_of(symbols: Iterable[Symbol]) -> tuple[Word, ...]:
    """Group symbols to words at white space."""
    words: list[Word] = []
    letters: list[Symbol] = []
    for symbol in [*symbols, None]:
        if symbol is not None and not symbol.text.isspace():
            letters.append(symbol)
        elif letters:
            text = "".join(letter.text for letter in letters)
            confidence = geometric_mean([letter.confidence for letter in letters])
            start, end = min(each.start for each in letters), max(each.end for each in letters)
            words.append(Word(text, start, end, confidence))
            letters = []
    return tuple(words)


def in_read_order(hypothesis: Hypothesis) -> Hypothesis:
    """A hypothesis whose symbols stand from left to right, of a line that reads from right to left, as it is read.

    Places stay where they are, so those of the first symbols are the last in the picture.
    """
    order = read_order("".join(symbol.text for symbol in hypothesis.symbols))
    symbols = tuple(hypothesis.symbols[place] for place in order)
    text = "".join(symbol.text for symbol in symbols)
    return replace(hypothesis, text=text, symbols=symbols, words=words_of(symbols))


def in_units(hypothesis: Hypothesis, units_per_slice: float, length: float = math.inf) -> Hypothesis:
    """Return the hypothesis with places in seconds or pixels.

    Args:
        units_per_slice: length of one emission slice: the network's stride times the step of one input slice.
        length: of the signal; the last emission slice may reach beyond its end, places do not.
    """

    def scaled(part: Part) -> Part:
        # Micro-units: enough for one sample at any rate, and equal bytes on every machine.
        start, end = (round(min(place * units_per_slice, length), 6) for place in (part.start, part.end))
        return replace(part, start=start, end=end)

    return replace(
        hypothesis, symbols=tuple(map(scaled, hypothesis.symbols)), words=tuple(map(scaled, hypothesis.words))
    )


def readable(hypothesis: Hypothesis) -> Hypothesis:
    """The hypothesis with its texts as references are written: NFC, white space folded; its parts stay.

    Of alternatives that are then the same text the best one stays, and none that is the best text itself.
    """
    text = normalise(hypothesis.text, TextSettings())
    scores: dict[str, float] = {}
    for other, score in hypothesis.alternatives:
        scores.setdefault(normalise(other, TextSettings()), score)
    scores.pop(text, None)
    return replace(hypothesis, text=text, alternatives=tuple(scores.items()))


def _confidence(log_posteriors: np.ndarray) -> float:
    """exp(mean), held to [0, 1]: emissions that are not quite normalised may exceed it. No slices: 0."""
    if not len(log_posteriors):
        return 0.0
    return min(1.0, math.exp(min(0.0, float(log_posteriors.mean(dtype=np.float64)))))


def geometric_mean(values: Sequence[float]) -> float:
    """Of one value or more in [0, 1]."""
    if min(values) == 0.0:
        return 0.0
    return min(1.0, math.exp(math.fsum(map(math.log, values)) / len(values)))
