"""Times faster than fast-ctc-decode without pruning: exact beam 100, peaked emissions, V = 29, one thread."""

from benchmarks.fast_ctc_decode import compare
from benchmarks.result import Result


def run() -> Result:
    return compare("peaky", 29, beam_width=100)
