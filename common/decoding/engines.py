"""One interface before all decoders."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from common.alphabet import Alphabet
from common.decoding import greedy
from common.decoding.hypothesis import Hypothesis, assemble, checked
from common.decoding.language_search import LanguageSearch
from common.decoding.settings import DecodingSettings


def decode(
    log_probs: np.ndarray, alphabet: Alphabet, settings: DecodingSettings, fused: LanguageSearch | None = None
) -> Hypothesis:
    """Decode the emissions of one sample; places are in emission slices.

    Args:
        log_probs: float32 [T, V] natural log-probabilities, blank 0; T may be 0: the empty text.
        fused: the search of engine beam_lm: see ``common.decoding.decoder``.

    Raises:
        EmissionsError: wrong shape, NaN or +inf.
        AlphabetError: a character of the whitelist is not in the alphabet.
        GlyphoneError: the engine's package is not installed.
    """
    log_probs = checked(log_probs, len(alphabet))
    if settings.whitelist is not None:
        from common.decoding.cutoffs import masked

        log_probs = masked(log_probs, alphabet, settings.whitelist)
    if settings.engine == "greedy":
        labels, spans, score = greedy.search(log_probs)
        return assemble(log_probs, labels, spans, alphabet.symbols, score)
    # Compiled code is loaded only where it is asked for.
    from common.decoding import alignment, beam, original

    if settings.engine == "beam_lm":
        if fused is None:
            raise ValueError("engine beam_lm needs the search with its language model")
        first, *rest = fused.search(log_probs, settings.beam_width, 1 + settings.num_alternatives)
        spans = alignment.align(log_probs, first.labels)
        texts = tuple((alphabet.decode(other.labels), other.score) for other in rest)
        hypothesis = assemble(log_probs, first.labels, spans, alphabet.symbols, first.acoustic, texts)
        return replace(hypothesis, language_score=first.language)
    search = original.search if settings.engine == "ctcdecode" else beam.search
    best, *others = search(log_probs, settings.beam_width, 1 + settings.num_alternatives)
    labels, score = best
    spans = alignment.align(log_probs, labels)
    alternatives = tuple((alphabet.decode(other), other_score) for other, other_score in others)
    return assemble(log_probs, labels, spans, alphabet.symbols, score, alternatives)
