"""Texts that a search found, in the order of another language model."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from common.alphabet import Alphabet
from common.decoding.language_search import FusedBeam, TextScorer
from common.decoding.settings import RescoringSettings
from common.text import TextSettings, normalise


def rescore(
    beams: Sequence[FusedBeam], alphabet: Alphabet, scorer: TextScorer, settings: RescoringSettings
) -> list[FusedBeam]:
    """The beams with new scores, best first: score + weight · ln P(text) + length_bonus · characters.

    ln P and characters are those of the text as it is read, white space folded. Of equal scores the one that the
    search had before comes first.
    """
    texts = [normalise(alphabet.decode(beam.labels), TextSettings()) for beam in beams]
    log_probs = scorer.scores(texts)
    totals = totals_of([beam.score for beam in beams], log_probs, texts, settings.weight, settings.length_bonus)
    return [
        replace(beams[place], score=float(totals[place]), characters=float(log_probs[place]))
        for place in np.argsort(-totals, kind="stable").tolist()
    ]


def totals_of(
    scores: Sequence[float], log_probs: np.ndarray, texts: Sequence[str], weight: float, length_bonus: float
) -> np.ndarray:
    """float64 [N]: the weighted sums that texts are ordered by."""
    return np.array(scores) + weight * log_probs + length_bonus * np.array([len(text) for text in texts], np.float64)
