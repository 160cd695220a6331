"""How many times faster than pyctcdecode with KenLM, 4-gram word model, one thread, at equal or lower WER."""

from benchmarks.lm_race import race
from benchmarks.result import Result

# Its default width is 100, its default weights 0.5 and 1.5.
SETTINGS = [
    {"alpha": alpha, "beta": beta, "width": width}
    for width in (10, 25, 100)
    for alpha, beta in ((0.5, 1.0), (0.5, 1.5), (0.8, 1.0), (1.2, 2.0))
]


def run() -> Result:
    return race("pyctcdecode_lm", "pyctcdecode", SETTINGS)
