"""How many times faster than flashlight-text with KenLM, 4-gram word model, one thread, at equal or lower WER."""

from benchmarks.lm_race import race
from benchmarks.result import Result

ALL = 1000  # more than there are
# Sums over alignments (log_add) or the best one; labels a slice and threshold without pruning, and as for speed.
SPEEDS = [
    {"width": width, "log_add": log_add, "tokens": tokens, "threshold": threshold}
    for width, log_add, tokens, threshold in (
        (25, True, ALL, 50.0),
        (25, False, ALL, 50.0),
        (8, True, 5, 12.0),
        (16, True, 10, 20.0),
        (16, False, 10, 20.0),
        (25, True, 10, 20.0),
        (25, False, 10, 20.0),
        (50, True, 10, 20.0),
        (50, False, 10, 20.0),
        (50, True, ALL, 50.0),
    )
]


def run() -> Result:
    # Its lexicon decoder writes no other words.
    return race("flashlight_lm", "flashlight", SPEEDS, closed=True)
