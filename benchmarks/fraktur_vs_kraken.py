"""Our character error rate divided by kraken's at equal wall time: German Fraktur lines, books held out."""

from benchmarks.kraken_race import KRAKEN
from benchmarks.line_race import Contest, race
from benchmarks.result import Result


def run() -> Result:
    return race(Contest("fraktur_vs_kraken", "fraktur"), KRAKEN)
