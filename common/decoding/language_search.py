"""What a search with a language model gives, whichever one it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np


@dataclass(frozen=True)
class FusedBeam:
    """One text that the search found.

    Attributes:
        labels: without blanks.
        score: what the beams are ordered by: acoustic + alpha · language + all that is added.
        acoustic: ln P(labels | emissions), summed over the alignments that the beam kept.
        language: ln P(text) by the n-grams, its end included; 0 without n-grams.
        characters: ln P(text) by the character model, its end included; 0 where it was not asked.
    """

    labels: list[int]
    score: float
    acoustic: float
    language: float
    characters: float = 0.0


class LanguageSearch(Protocol):
    """As ``common.decoding.fusion.FusedSearch``."""

    def search(self, log_probs: np.ndarray, beam_width: int, num_best: int = 1) -> Sequence[FusedBeam]:
        """The best texts, best first, at least one."""


class TextScorer(Protocol):
    """As ``common.language.character_model.CharacterModel``."""

    def scores(self, texts: Sequence[str]) -> np.ndarray:
        """ln P of each text: float64 [N]."""
