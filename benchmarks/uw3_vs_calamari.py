"""Our character error rate divided by calamari's at equal wall time: English lines of journals, books held out."""

from benchmarks.calamari_race import CALAMARI
from benchmarks.line_race import Contest, race
from benchmarks.result import Result


def run() -> Result:
    return race(Contest("uw3_vs_calamari", "uw3"), CALAMARI)
