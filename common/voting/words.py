"""The words of a voted text, and how sure the models are of each."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from common.decoding.hypothesis import Hypothesis, Symbol, Word, words_of
from common.voting.election import joint_confidence
from common.voting.multiple_alignment import GAP
from common.voting.slots import Slot


@dataclass(frozen=True)
class _Said:
    """What one model says, slot by slot.

    Attributes:
        num_before: [S + 1] of its characters in the slots before.
        word_of: [L] the number of the word that a character is in; -1 of white space.
    """

    hypothesis: Hypothesis
    characters: Sequence[str]
    confidences: Sequence[float]
    num_before: Sequence[int]
    word_of: Sequence[int]

    def vote(self, word: str, first: int, end: int) -> tuple[bool, float]:
        """Whether slots ``first`` to ``end`` hold ``word`` as a whole word of the model, and its confidence there."""
        numbers = sorted({*self.word_of[self.num_before[first] : self.num_before[end]]} - {-1})
        said = [self.hypothesis.words[number] for number in numbers]
        is_for = "".join(self.characters[first:end]) == word and [each.text for each in said] == [word]
        confidences = [each.confidence for each in said] or self.confidences[first:end]
        return is_for, math.fsum(confidences) / len(confidences)


def voted_words(
    hypotheses: Sequence[Hypothesis], slots: Sequence[Slot], symbols: Sequence[Symbol], places: Sequence[int]
) -> tuple[Word, ...]:
    """The words that the voted symbols make, with joint confidences.

    A model is for a word if it writes just that word there, and counts with the confidence of it, which is calibrated
    for words; what else it writes there counts with the mean confidence of those words, or of its gaps. A word that no
    model writes as a whole has the geometric mean of its characters, as a single model's has.

    Args:
        places: [L] of the symbols among the slots.
    """
    said = [_said(each, slots, model) for model, each in enumerate(hypotheses)]
    ranges = _word_ranges(symbols)
    words = []
    for word, (begin, end) in zip(words_of(symbols), ranges, strict=True):
        votes = [each.vote(word.text, places[begin], places[end - 1] + 1) for each in said]
        is_whole = any(is_for for is_for, _ in votes)
        words.append(replace(word, confidence=joint_confidence(votes)) if is_whole else word)
    return tuple(words)


def _said(hypothesis: Hypothesis, slots: Sequence[Slot], model: int) -> _Said:
    characters = [slot.characters[model] for slot in slots]
    word_of = [-1] * len(hypothesis.symbols)
    for number, (begin, end) in enumerate(_word_ranges(hypothesis.symbols)):
        word_of[begin:end] = [number] * (end - begin)
    return _Said(
        hypothesis,
        characters,
        [slot.confidences[model] for slot in slots],
        [0, *accumulate(each != GAP for each in characters)],
        word_of,
    )


def _word_ranges(symbols: Sequence[Symbol]) -> list[tuple[int, int]]:
    """Half-open ranges of the symbols of each word, as ``words_of`` makes them."""
    ranges: list[tuple[int, int]] = []
    begin = None
    for place, is_blank in enumerate([*(symbol.text.isspace() for symbol in symbols), True]):
        if is_blank and begin is not None:
            ranges.append((begin, place))
            begin = None
        elif not is_blank and begin is None:
            begin = place
    return ranges
