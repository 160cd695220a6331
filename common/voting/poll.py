"""Models that vote: from the emissions of each to one hypothesis."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from common.alphabet import Alphabet
from common.calibration import Calibration, calibrated
from common.decoding.hypothesis import Hypothesis, Symbol, geometric_mean, readable
from common.voting.election import elect, joint_confidence
from common.voting.mean import mean_emissions
from common.voting.placing import places_of
from common.voting.slots import Slot, slots_of, text_of
from common.voting.words import voted_words

Method = Literal["confidences", "emissions"]


@dataclass(frozen=True)
class Voter:
    """A model as far as voting goes: its alphabet, its own decoder, and what puts its confidences right."""

    alphabet: Alphabet
    decoder: Callable[[np.ndarray], Hypothesis]
    calibration: Calibration

    def __call__(self, log_probs: np.ndarray) -> Hypothesis:
        """The hypothesis of emissions float32 [T, V]; places are in emission slices."""
        return calibrated(readable(self.decoder(log_probs)), self.calibration)


@dataclass(frozen=True)
class Poll:
    """Voters and how they are counted.

    Attributes:
        voters: the main model first, whose emission slices places are in.
        method: ``confidences``: each decodes, and characters are elected by the sum of their confidences;
            ``emissions``: the main model's decoder reads the mean of all emissions, which must have the same labels and
            slices.
        gap_weight: of ``confidences``, see ``common.voting.slots``.
    """

    voters: tuple[Voter, ...]
    method: Method = "confidences"
    gap_weight: float = 1.0

    def each(self, log_probs: Sequence[np.ndarray]) -> list[Hypothesis]:
        """What each model says on its own, of its own emissions."""
        return [self.voters[0](log_probs[0]), *self.others(log_probs)]

    def others(self, log_probs: Sequence[np.ndarray]) -> list[Hypothesis]:
        """``each`` but for the main model."""
        return [voter(emission) for voter, emission in zip(self.voters[1:], log_probs[1:], strict=True)]

    def vote(self, log_probs: Sequence[np.ndarray], each: Sequence[Hypothesis] | None = None) -> Hypothesis:
        """What they say together.

        Args:
            log_probs: [N] of float32 [T, V], in the order of the voters.
            each: their own hypotheses, where they are known already.
        """
        main = self.voters[0]
        if self.method == "emissions":
            return main(mean_emissions(log_probs))
        if each is None:
            each = self.each(log_probs)
        return _elected(each, slots_of(each, self.gap_weight), log_probs[0], main.alphabet)


def _elected(
    each: Sequence[Hypothesis], slots: Sequence[Slot], log_probs: np.ndarray, alphabet: Alphabet
) -> Hypothesis:
    main = each[0]
    text, confidences, places = elect(slots)
    if text == text_of(main):
        symbols = tuple(
            replace(symbol, confidence=sure) for symbol, sure in zip(main.symbols, confidences, strict=True)
        )
        voted = main
    else:
        spans, score = places_of(log_probs, text, alphabet)
        symbols = tuple(
            Symbol(character, start, end, sure)
            for character, (start, end), sure in zip(text, spans, confidences, strict=True)
        )
        # Where the main model gives other texts, its own is one of them now.
        others = ((main.text, main.total), *main.alternatives) if main.alternatives else ()
        voted = Hypothesis(text, score, 0.0, alternatives=others, total=score)
    sure_of_all = [symbol.confidence for symbol in symbols] or [_silence(each)]
    result = readable(
        replace(
            voted,
            confidence=geometric_mean(sure_of_all),
            symbols=symbols,
            words=voted_words(each, slots, symbols, places),
        )
    )
    if result.text != main.text:
        return result
    # Its blanks may have been others, which are folded.
    language, characters = main.language_score, main.character_score
    return replace(result, score=main.score, language_score=language, character_score=characters, total=main.total)


def _silence(each: Sequence[Hypothesis]) -> float:
    """How sure the models are together that there is no character."""
    return joint_confidence([(not hypothesis.symbols, hypothesis.confidence) for hypothesis in each])
