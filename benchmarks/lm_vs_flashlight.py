"""How many times faster than flashlight-text with KenLM, 4-gram word model, one thread, at equal or lower WER."""

from benchmarks.lm_race import race
from benchmarks.result import Result

# Its weights are of log10 P; sums over alignments (log_add) or the best one; labels a slice and threshold as users set
# them for speed, and without.
SETTINGS = [
    {"alpha": alpha, "beta": beta, "width": width, "log_add": log_add, "tokens": tokens, "threshold": threshold}
    for width in (8, 16, 25, 50)
    for log_add in (False, True)
    for tokens, threshold in ((29, 50.0), (10, 20.0), (5, 12.0))
    for alpha, beta in ((2.0, 0.0), (2.0, 1.0))
]


def run() -> Result:
    return race("flashlight_lm", "flashlight", SETTINGS)
