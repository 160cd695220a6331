"""Confidence intervals of pooled ratios (errors over reference units, hits over samples) and of their differences."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from common.errors import GlyphoneError
from common.modality import generator

MOST_SAMPLES = 1_000_000  # more narrow no interval, and their sums would fill the memory
_DRAWS_AT_ONCE = 2**22  # bounds the memory of the drawn weights: 32 MB of int64


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """How far a second ratio lies from a first one over the same samples.

    Attributes:
        value: second - first, of all samples.
        low, high: percentile interval of it.
        p_value: two-sided, that of no difference; in (0, 1].
        improvement: share of the draws in which the second ratio is the lower one.
    """

    value: float
    low: float
    high: float
    p_value: float
    improvement: float


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
        None where fewer than two groups (samples) have reference units: every draw of one is the same, which would be
        an interval of no width. A draw without any reference unit has no ratio and is left out.
    """
    drawn = _drawn((numerators, denominators), groups, num_samples, confidence, seed)
    if not len(drawn):
        return None
    tail = (1 - confidence) / 2
    low, high = np.quantile(drawn[:, 0] / drawn[:, 1], [tail, 1 - tail])
    return float(low), float(high)


def bootstrap_difference(
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    denominators: npt.ArrayLike,
    groups: Sequence[str],
    *,
    num_samples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> PairedDifference | None:
    """Difference of two ratios over the same samples, sum(second - first) / sum(denominators), drawn in pairs.

    Each draw holds the same groups for both, so that what makes a group hard for both falls out of the difference
    (Bisani & Ney, as above; ``improvement`` is their probability of improvement). The p-value is twice the
    smaller share of draws on either side of 0, with the data themselves counted as one more draw, so that it is never
    0 (Davison & Hinkley, "Bootstrap Methods and their Application", 1997, chapter 4).

    Args:
        first, second, denominators: [N], one a sample: errors of either system, and reference units.
        groups, num_samples, confidence: as of ``bootstrap_interval``, and the same draws for the same seed.

    Returns:
        None where ``bootstrap_interval`` has none. Exchanging first and second changes signs and nothing else.
    """
    drawn = _drawn((first, second, denominators), groups, num_samples, confidence, seed)
    if not len(drawn):
        return None
    differences = (drawn[:, 1] - drawn[:, 0]) / drawn[:, 2]
    tail = (1 - confidence) / 2
    on_sides = min(int((differences <= 0).sum()), int((differences >= 0).sum()))
    errors = np.asarray(second, float).sum() - np.asarray(first, float).sum()
    return PairedDifference(
        value=float(errors / np.asarray(denominators, float).sum()),
        low=float(np.quantile(differences, tail)),
        # By the same computation as the low end: exactly exchanged with it, where first and second are.
        high=0.0 - float(np.quantile(-differences, tail)),
        p_value=min(1.0, 2 * (on_sides + 1) / (len(differences) + 1)),
        improvement=float((differences < 0).mean()),
    )


def _drawn(
    columns: Sequence[npt.ArrayLike], groups: Sequence[str], num_samples: int, confidence: float, seed: int
) -> np.ndarray:
    """Sums of the columns over drawn groups, float64 [D, columns], without draws whose denominators (last) sum to 0.

    No draw where fewer than two units have a denominator.

    Raises:
        GlyphoneError: a number of draws or a confidence that cannot be.
    """
    if not 1 <= num_samples <= MOST_SAMPLES:
        raise GlyphoneError(f"bootstrap_samples is {num_samples}, must be 1 to {MOST_SAMPLES}")
    if not 0 < confidence < 1:
        raise GlyphoneError(f"confidence is {confidence}, must lie between 0 and 1")
    parts = np.stack([np.asarray(column, float) for column in columns], axis=1)  # [N, columns]
    names, numbers = np.unique(np.asarray(groups), return_inverse=True)
    if len(names) > 1:
        sums = np.zeros((len(names), len(columns)))
        np.add.at(sums, numbers, parts)
        parts = sums
    if np.count_nonzero(parts[:, -1]) < 2:
        return np.zeros((0, len(columns)))
    random = generator(seed, "bootstrap", "")
    num_units = len(parts)
    step = max(1, _DRAWS_AT_ONCE // num_units)
    drawn = np.concatenate(
        [
            random.multinomial(num_units, np.full(num_units, 1 / num_units), min(step, num_samples - done)) @ parts
            for done in range(0, num_samples, step)
        ]
    )  # [num_samples, columns]
    return drawn[drawn[:, -1] > 0]
