"""Our character error rate divided by kraken's at equal wall time: English lines of journals, books held out."""

from benchmarks.kraken_race import KRAKEN
from benchmarks.line_race import Contest, race
from benchmarks.result import Result


def run() -> Result:
    return race(Contest("uw3_vs_kraken", "uw3"), KRAKEN)
