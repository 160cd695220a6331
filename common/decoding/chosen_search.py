"""The search that ctcdecode's arguments ask for: of the emissions alone, or with a language model."""

from importlib import import_module
from typing import Any, Protocol

import numpy as np

from common.decoding import beam


class Search(Protocol):
    """A search that can stop between slices; may be called from several threads, with a beam each."""

    def begin(self, beam_width: int) -> Any:
        """The beam before the first slice."""

    def extended(self, found: Any, log_probs: np.ndarray) -> Any:
        """The beam after further slices, float32 [T, V], blank 0; the given one must not be used again."""

    def results(self, found: Any, num_best: int, ended: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Labels int32 [K, L], zero behind each length; lengths int32 [K]; scores float64 [K], best first.

        Args:
            ended: whether the text ends here, so that a language model scores its last word and its end.
        """


class AcousticSearch:
    """``common.decoding.beam`` as a Search."""

    def begin(self, beam_width: int) -> Any:
        return beam.new_beam(beam_width)

    def extended(self, found: Any, log_probs: np.ndarray) -> Any:
        return beam.extended(found, log_probs)

    def results(self, found: Any, num_best: int, ended: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return beam.results(found, num_best)


class Model(Protocol):
    """What a decoder asks of a language model."""

    search: Any
    character_based: bool
    max_order: int
    dict_size: int

    def set_weights(self, alpha: float, beta: float) -> None:
        """Set alpha and beta for what begins from now on. Raises ValueError where alpha is negative."""


def language_model(labels: list[str], path: Any, alpha: float, beta: float) -> Model:
    """As ``common.decoding.language_model.LanguageModel``."""
    # By its name: the stages that decode without a language model do not depend on its code, nor load it.
    return import_module("common.decoding.language_model").LanguageModel(labels, path, alpha, beta)
