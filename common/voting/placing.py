"""Where the characters of a text stand that another model may have written."""

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from common.alphabet import BLANK, Alphabet
from common.bidi import shown_order
from common.decoding.alignment import align

Span = tuple[float, float]


def places_of(log_probs: np.ndarray, text: str, alphabet: Alphabet) -> tuple[list[Span], float]:
    """Half-open slice ranges of the characters, and ln P of the path that they stand on.

    The characters that the alphabet has are aligned by force, and the others share what lies between their neighbours
    evenly, which may be nothing. Where no path writes the characters (too few slices), all share all slices evenly. In
    both cases the model cannot write the text: ln P is -inf.

    Args:
        log_probs: float32 [T, V] of the model whose places are wanted.
    """
    # Slices go from left to right, whichever way the text is read.
    order = shown_order(text) if alphabet.direction == "rtl" else list(range(len(text)))
    is_known = [not alphabet.unknown(text[place]) for place in order]
    labels = [alphabet.encode(text[place])[0] for place, known in zip(order, is_known, strict=True) if known]
    score = -math.inf
    try:
        spans = align(log_probs, labels)
    except ValueError:
        places = _shared(0, len(log_probs), len(text))
    else:
        places = _around(spans, is_known, len(log_probs))
        if all(is_known):
            score = _path_score(log_probs, labels, spans)
    return [span for _, span in sorted(zip(order, places, strict=True))], score


def _path_score(log_probs: np.ndarray, labels: Sequence[int], spans: Sequence[tuple[int, int]]) -> float:
    path = np.full(len(log_probs), BLANK)
    for label, (start, end) in zip(labels, spans, strict=True):
        path[start:end] = label
    return float(np.take_along_axis(log_probs, path[:, None], axis=1).sum(dtype=np.float64))


def _around(spans: Sequence[tuple[int, int]], is_known: Sequence[bool], num_slices: int) -> list[Span]:
    """The spans of the known characters, and between them those of the unknown."""
    places: list[Span] = []
    waiting = iter([*spans, (num_slices, num_slices)])
    start, num_unknown = 0.0, 0
    for known in [*is_known, True]:
        if not known:
            num_unknown += 1
            continue
        span = next(waiting)
        places += _shared(start, span[0], num_unknown)
        places.append((float(span[0]), float(span[1])))
        start, num_unknown = span[1], 0
    return places[:-1]


def _shared(start: float, end: float, parts: int) -> list[Span]:
    borders = np.linspace(start, end, parts + 1).tolist()
    return list(pairwise(borders))
