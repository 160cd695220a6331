"""Which labels of a slice the search may use: the most probable ones, or some of the alphabet."""

import numpy as np

from common.alphabet import BLANK, Alphabet
from common.decoding.compiled import compiled
from common.decoding.selection import comes_before, num_buckets, select


def cut(log_probs: np.ndarray, top_n: int, mass: float) -> np.ndarray:
    """Emissions with all but the most probable labels of each slice at -inf; ties keep the smaller label.

    Args:
        log_probs: float32 [T, V].
        top_n: labels kept a slice, at least 1.
        mass: labels are kept, best first, until their probabilities sum up to it; 1 keeps all.
    """
    if top_n >= log_probs.shape[1] and mass >= 1.0:
        return log_probs
    return _cut(log_probs, top_n, mass)


def masked(log_probs: np.ndarray, alphabet: Alphabet, whitelist: str) -> np.ndarray:
    """Emissions with the labels of all characters but the whitelist's at -inf; the blank stays.

    Args:
        log_probs: float32 [T, V].

    Raises:
        AlphabetError: a character of the whitelist is not in the alphabet.
    """
    columns = [BLANK, *alphabet.encode(whitelist)]
    kept = np.full_like(log_probs, -np.inf)
    kept[:, columns] = log_probs[:, columns]
    return kept


@compiled
def _cut(log_probs, top_n, mass):
    num_slices, num_labels = log_probs.shape
    kept = np.full((num_slices, num_labels), np.float32(-np.inf))
    scores = np.zeros(num_labels)
    labels, places = np.zeros(num_labels, np.uint32), np.arange(num_labels).astype(np.uint32)
    buckets, chosen = np.zeros(num_labels, np.uint32), np.zeros(num_labels, np.uint32)
    counts = np.zeros(num_buckets(min(top_n, num_labels)) + 1, np.uint32)
    for t in range(num_slices):
        num = 0
        for c in range(num_labels):
            if log_probs[t, c] > -np.inf:
                scores[num], labels[num] = log_probs[t, c], c
                num += 1
        if num == 0:
            continue
        select(scores, labels, places, num, top_n, buckets, counts, chosen)
        num = min(num, top_n)
        if mass < 1.0:
            for i in range(1, num):  # insertion sort: they are nearly in order
                moved, at = chosen[i], i
                while at > 0:
                    other = chosen[at - 1]
                    if not comes_before(scores[moved], labels[moved], moved, scores[other], labels[other], other):
                        break
                    chosen[at] = other
                    at -= 1
                chosen[at] = moved
        total = 0.0
        for i in range(num):
            label = labels[chosen[i]]
            kept[t, label] = log_probs[t, label]
            total += np.exp(scores[chosen[i]])
            if mass < 1.0 and total >= mass:
                break
    return kept
