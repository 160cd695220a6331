"""Greedy decoding: the best label of each slice, repeats merged, blanks dropped."""

from itertools import pairwise

import numpy as np

from common.alphabet import BLANK


def search(log_probs: np.ndarray) -> tuple[list[int], list[tuple[int, int]], float]:
    """Labels of the most probable path, where each stands, and the path's log-probability.

    The path is the best of all, so these places are also the best alignment of the labels. The most probable *text*
    may be another one, since a text's probability is the sum over all its paths: see ``common.decoding.beam``.
    Ties go to the smaller label.

    Args:
        log_probs: float32 [T, V], V ≥ 1, T ≥ 0.
    """
    if not len(log_probs):
        return [], [], 0.0
    path = log_probs.argmax(axis=1)  # [T]
    score = float(np.take_along_axis(log_probs, path[:, None], axis=1).sum(dtype=np.float64))
    borders = [0, *(np.flatnonzero(np.diff(path)) + 1).tolist(), len(path)]
    runs = [(int(path[start]), (start, end)) for start, end in pairwise(borders) if path[start] != BLANK]
    return [label for label, _ in runs], [span for _, span in runs], score
