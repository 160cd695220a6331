"""How many times faster than pyctcdecode with KenLM, 4-gram word model, one thread, at equal or lower WER."""

from benchmarks.lm_race import race
from benchmarks.result import Result

# Its default width is 100, its default pruning -10 and -5.
SPEEDS = [
    {"width": width, "beam_prune_logp": prune, "token_min_logp": least}
    for width, prune, least in ((25, -10.0, -5.0), (10, -10.0, -5.0), (50, -10.0, -5.0), (100, -10.0, -5.0))
]


def run() -> Result:
    # It writes words outside too.
    return race("pyctcdecode_lm", "pyctcdecode", SPEEDS, closed=False)
