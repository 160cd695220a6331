"""As ``lm_vs_pyctcdecode``, with 100 labels: the blank, characters and the most frequent pairs of letters."""

from benchmarks.lm_race import race
from benchmarks.lm_vs_pyctcdecode import SPEEDS
from benchmarks.result import Result


def run() -> Result:
    return race("pyctcdecode_lm", "pyctcdecode", SPEEDS, closed=False, num_labels=100)
