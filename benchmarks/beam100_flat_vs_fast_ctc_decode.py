"""Times faster than fast-ctc-decode without pruning: exact beam 100, flat emissions, V = 29, one thread."""

from benchmarks.fast_ctc_decode import compare
from benchmarks.result import Result


def run() -> Result:
    return compare("flat", 29, beam_width=100)
