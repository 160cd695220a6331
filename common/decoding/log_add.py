"""log(exp(a) + exp(b)) without calling exp or log: the search adds twice a prefix and slice."""

import numpy as np

from common.decoding.compiled import compiled

# Beyond so many nats the smaller summand changes less than the table's error.
_REACH = 26.0
_STEPS_PER_NAT = 32.0


def _cubics() -> np.ndarray:
    """Coefficients [N, 4] of log(1 + exp(-d)) between the steps: cubics with its values and slopes at both ends.

    Their error is below step⁴ / 384 · max |f⁗| = 3.1e-10 nats (cubic Hermite interpolation), so that ten thousand
    slices with two sums each stay below 1e-5.
    """
    d = np.arange(int(_REACH * _STEPS_PER_NAT) + 2) / _STEPS_PER_NAT
    value = np.log1p(np.exp(-d))
    slope = -1.0 / (1.0 + np.exp(d)) / _STEPS_PER_NAT
    rise = value[1:] - value[:-1]
    return np.stack(
        [value[:-1], slope[:-1], 3 * rise - 2 * slope[:-1] - slope[1:], slope[:-1] + slope[1:] - 2 * rise], axis=1
    )


_TABLE = _cubics()


@compiled
def log_add(first, second):
    """log(exp(first) + exp(second)) of two doubles below +inf, to 1e-9 nats; -inf is a summand of zero."""
    larger = max(first, second)
    distance = larger - min(first, second)
    if not distance < _REACH:  # so, too, if it is NaN: both are -inf
        return larger
    place = distance * _STEPS_PER_NAT
    step = np.uint32(place)
    x = place - step
    return larger + (_TABLE[step, 0] + x * (_TABLE[step, 1] + x * (_TABLE[step, 2] + x * _TABLE[step, 3])))
