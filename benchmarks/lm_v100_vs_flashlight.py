"""As ``lm_vs_flashlight``, with 100 labels: the blank, characters and the most frequent pairs of letters."""

from benchmarks.lm_race import race
from benchmarks.lm_vs_flashlight import SPEEDS
from benchmarks.result import Result


def run() -> Result:
    return race("flashlight_lm", "flashlight", SPEEDS, closed=True, num_labels=100)
