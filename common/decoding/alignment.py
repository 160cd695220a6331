"""Forced alignment: where each label of a known text stands in the emissions."""

import numpy as np

from common.alphabet import BLANK
from common.decoding.compiled import compiled

_STAY, _STEP, _SKIP = 0, 1, 2


def align(log_probs: np.ndarray, labels: list[int]) -> list[tuple[int, int]]:
    """Half-open slice ranges [start, end) of the labels on the most probable path that writes them (Viterbi).

    The ranges are ordered and disjoint, and at least one slice long. Of paths equally probable, the one that moves on
    earlier is taken.

    Args:
        log_probs: float32 [T, V] log-probabilities, blank 0.
        labels: [L], none of them blank.

    Raises:
        ValueError: no path of T slices writes the labels (too few slices, or labels with probability zero).
    """
    if not labels:
        return []
    states = np.full(2 * len(labels) + 1, BLANK, np.int64)
    states[1::2] = labels
    starts, ends, possible = _viterbi(np.ascontiguousarray(log_probs, np.float32), states)
    if not possible:
        raise ValueError(f"{len(log_probs)} slices cannot be aligned to {len(labels)} labels")
    return list(zip(starts.tolist(), ends.tolist(), strict=True))


@compiled
def _viterbi(log_probs, states):
    """states: [S], S = 2 L + 1: blank, label, blank, … (Graves et al. 2006, CTC, section 4.1)."""
    num_slices = log_probs.shape[0]
    num_states = len(states)
    starts = np.zeros(num_states // 2, np.int64)
    ends = np.zeros(num_states // 2, np.int64)
    if num_slices == 0:
        return starts, ends, False
    best = np.full(num_states, -np.inf)
    moves = np.zeros((num_slices, num_states), np.uint8)
    best[0] = log_probs[0, BLANK]
    best[1] = log_probs[0, states[1]]
    for t in range(1, num_slices):
        # Only states that the start reaches and that reach the end; high states first, so best[s - 1] is still old.
        high = min(num_states, 2 * t + 2)
        low = max(0, num_states - 2 * (num_slices - t))
        for s in range(high - 1, low - 1, -1):
            score, move = best[s], _STAY
            if s >= 1 and best[s - 1] > score:
                score, move = best[s - 1], _STEP
            if s >= 3 and s % 2 == 1 and states[s] != states[s - 2] and best[s - 2] > score:
                score, move = best[s - 2], _SKIP
            best[s] = score + log_probs[t, states[s]]
            moves[t, s] = move
    s = num_states - 1
    if best[s - 1] > best[s]:
        s -= 1
    if best[s] == -np.inf:
        return starts, ends, False
    for t in range(num_slices - 1, -1, -1):
        if s % 2 == 1:
            if ends[s // 2] == 0:
                ends[s // 2] = t + 1
            starts[s // 2] = t
        s -= moves[t, s]
    return starts, ends, True
