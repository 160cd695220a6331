"""Confidence intervals of pooled ratios: errors over reference units, hits over samples."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from common.errors import GlyphoneError
from common.modality import generator

_DRAWS_AT_ONCE = 2**22  # bounds the memory of the drawn weights: 32 MB of int64


def bootstrap_interval(
    numerators: npt.ArrayLike,
    denominators: npt.ArrayLike,
    groups: Sequence[str],
    *,
    num_samples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> tuple[float, float] | None:
    """Percentile bootstrap interval (low, high) of sum(numerators) / sum(denominators), drawn over groups.

    Samples of one speaker, book or picture fail together, so whole groups are drawn with replacement (Bisani & Ney,
    "Bootstrap estimates for confidence intervals in ASR performance evaluation", ICASSP 2004). With a single group,
    samples are drawn instead.

    Args:
        numerators, denominators: [N], one a sample: errors and reference units, or 0/1 hits and ones.
        groups: [N], the group of each sample.
        num_samples: bootstrap draws.
        confidence: share of the draws inside the interval, in (0, 1).

    Returns:
        None where there is nothing to divide by. A draw without any reference unit has no ratio and is left out.
    """
    if num_samples < 1:
        raise GlyphoneError(f"bootstrap_samples is {num_samples}, must be 1 or more")
    if not 0 < confidence < 1:
        raise GlyphoneError(f"confidence is {confidence}, must lie between 0 and 1")
    parts = np.stack([np.asarray(numerators, float), np.asarray(denominators, float)], axis=1)  # [N, 2]
    if not len(parts) or parts[:, 1].sum() == 0:
        return None
    names, numbers = np.unique(np.asarray(groups), return_inverse=True)
    if len(names) > 1:
        sums = np.zeros((len(names), 2))
        np.add.at(sums, numbers, parts)
        parts = sums
    random = generator(seed, "bootstrap", "")
    num_units = len(parts)
    step = max(1, _DRAWS_AT_ONCE // num_units)
    drawn = np.concatenate(
        [
            random.multinomial(num_units, np.full(num_units, 1 / num_units), min(step, num_samples - done)) @ parts
            for done in range(0, num_samples, step)
        ]
    )  # [num_samples, 2]
    drawn = drawn[drawn[:, 1] > 0]
    if not len(drawn):
        return None
    tail = (1 - confidence) / 2
    low, high = np.quantile(drawn[:, 0] / drawn[:, 1], [tail, 1 - tail])
    return float(low), float(high)
