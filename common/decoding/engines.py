"""One interface before all decoders."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from common.alphabet import Alphabet
from common.decoding import greedy
from common.decoding.hypothesis import Hypothesis, assemble, checked, in_read_order
from common.decoding.language_search import FusedBeam, LanguageSearch, TextScorer
from common.decoding.settings import DecodingSettings


def decode(
    log_probs: np.ndarray,
    alphabet: Alphabet,
    settings: DecodingSettings,
    fused: LanguageSearch | None = None,
    scorer: TextScorer | None = None,
) -> Hypothesis:
    """Decode the emissions of one sample; places are in emission slices, symbols in the order in which they are read.

    Args:
        log_probs: float32 [T, V] natural log-probabilities, blank 0; T may be 0: the empty text.
        fused: the search of engine beam_lm: see ``common.decoding.decoder``.
        scorer: the model of ``settings.rescoring``.

    Raises:
        EmissionsError: wrong shape, NaN or +inf.
        AlphabetError: a character of the whitelist is not in the alphabet.
        GlyphoneError: the engine's package is not installed.
    """
    hypothesis = _decoded(log_probs, alphabet, settings, fused, scorer)
    return in_read_order(hypothesis) if alphabet.direction == "rtl" else hypothesis


def _decoded(
    log_probs: np.ndarray,
    alphabet: Alphabet,
    settings: DecodingSettings,
    fused: LanguageSearch | None,
    scorer: TextScorer | None,
) -> Hypothesis:
    """``decode``, symbols in the order of slices."""
    log_probs = _masked(log_probs, alphabet, settings)
    if settings.engine == "greedy":
        labels, spans, score = greedy.search(log_probs)
        return assemble(log_probs, labels, spans, alphabet.symbols, score)
    # Compiled code is loaded only where it is asked for.
    from common.decoding import alignment

    # As many texts as the weights of rescoring were chosen for: how many are shown must not change which is the best.
    num_texts = 1 + settings.num_alternatives if settings.rescoring is None else settings.rescoring.num_texts
    beams = _search(log_probs, settings, num_texts, fused)
    if settings.rescoring is not None:
        from common.decoding.rescoring import rescore

        if scorer is None:
            raise ValueError("rescoring needs a model that scores texts")
        beams = rescore(beams, alphabet, scorer, settings.rescoring)[: 1 + settings.num_alternatives]
    first, *others = beams
    spans = alignment.align(log_probs, first.labels)
    alternatives = tuple((alphabet.decode(other.labels), other.score) for other in others)
    hypothesis = assemble(log_probs, first.labels, spans, alphabet.symbols, first.acoustic, alternatives)
    return replace(hypothesis, total=first.score, language_score=first.language, character_score=first.characters)


def find(
    log_probs: np.ndarray,
    alphabet: Alphabet,
    settings: DecodingSettings,
    num_texts: int,
    fused: LanguageSearch | None = None,
) -> list[FusedBeam]:
    """The best texts of a sample by the search alone, best first, all engines but greedy; arguments as ``decode``."""
    return _search(_masked(log_probs, alphabet, settings), settings, num_texts, fused)


def _masked(log_probs: np.ndarray, alphabet: Alphabet, settings: DecodingSettings) -> np.ndarray:
    log_probs = checked(log_probs, len(alphabet))
    if settings.whitelist is None:
        return log_probs
    from common.decoding.cutoffs import masked

    return masked(log_probs, alphabet, settings.whitelist)


def _search(
    log_probs: np.ndarray, settings: DecodingSettings, num_texts: int, fused: LanguageSearch | None
) -> list[FusedBeam]:
    if settings.engine == "beam_lm":
        if fused is None:
            raise ValueError("engine beam_lm needs the search with its language model")
        return list(fused.search(log_probs, settings.beam_width, num_texts))
    from common.decoding import beam, original

    search = original.search if settings.engine == "ctcdecode" else beam.search
    found = search(log_probs, settings.beam_width, num_texts)
    return [FusedBeam(labels, score, score, 0.0) for labels, score in found]
