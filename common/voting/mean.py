"""One emission of several models: the mean of what they hold probable, slice by slice."""

from collections.abc import Sequence

import numpy as np


def mean_emissions(log_probs: Sequence[np.ndarray]) -> np.ndarray:
    """ln of the mean of the probabilities, float32 [T, V]; the order of the models makes no difference to any bit.

    Equal emissions give just these.

    Args:
        log_probs: [N ≥ 1] of float32 [T, V] log-probabilities of the same labels and slices.
    """
    # Sorted, so that sums do not hang on the order.
    sorted_ = np.sort(np.stack(log_probs).astype(np.float64), axis=0)  # [N, T, V]
    highest = np.where(np.isfinite(sorted_[-1]), sorted_[-1], 0.0)
    with np.errstate(divide="ignore"):
        return (highest + np.log(np.exp(sorted_ - highest).mean(axis=0))).astype(np.float32)
