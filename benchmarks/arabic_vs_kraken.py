"""Our character error rate divided by kraken's at equal wall time: printed Arabic lines, a book held out."""

from benchmarks.kraken_race import KRAKEN
from benchmarks.line_race import Contest, race
from benchmarks.result import Result


def run() -> Result:
    return race(Contest("arabic_vs_kraken", "arabic", direction="R"), KRAKEN)
