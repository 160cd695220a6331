"""A language model as ctcdecode takes it: an ARPA file, and its search for a decoder's labels."""

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from common.decoding.fusion import FusedSearch
from common.decoding.knowledge import CHARACTERS
from common.decoding.weights import FusionError
from common.errors import GlyphoneError

_KENLM_BINARY = b"mmap lm http://kheafield.com/code"


class LanguageModel:
    """A language model from an ARPA file, and its search for one set of labels."""

    def __init__(self, labels: Sequence[str], path: Any, alpha: float, beta: float) -> None:
        """Read it.

        Args:
            labels: of label 1, 2, …: without the blank.

        Raises:
            ValueError: the file, the labels or the weights cannot be used.
        """
        try:
            path = os.fspath(path)
        except TypeError:
            raise ValueError(f"model_path is {path!r}; the path of an ARPA file, or None, is needed") from None
        try:
            self.search = FusedSearch.of_arpa(labels, path, alpha, beta)
        except FusionError:
            raise
        except OSError as error:
            raise ValueError(f"model_path {path!r}: {error.strerror or error}") from None
        except GlyphoneError as error:
            binary = "a binary of KenLM; the ARPA file that it was built from is needed"
            raise ValueError(f"model_path {path!r}: {binary if _is_binary(path) else error}") from None
        self.character_based = self.search.unit == CHARACTERS
        self.max_order = self.search.ngrams.order
        self.dict_size = 0 if self.character_based else self.search.num_writable_words()
        if not (self.search.knows_a_label() if self.character_based else self.dict_size):
            what = "characters" if self.character_based else "words"
            raise ValueError(f"model_path {path!r}: the labels spell none of its {what}; they must be of the same case")

    def set_weights(self, alpha: float, beta: float) -> None:
        """Set alpha and beta for what begins from now on. Raises ValueError where alpha is negative."""
        self.search = self.search.with_weights(replace(self.search.weights, alpha=alpha, beta=beta))


def _is_binary(path: Any) -> bool:
    with open(path, "rb") as file:
        return file.read(len(_KENLM_BINARY)) == _KENLM_BINARY
