"""Our character error rate divided by calamari's at equal wall time: German Fraktur lines, books held out."""

from benchmarks.calamari_race import CALAMARI
from benchmarks.line_race import Contest, race
from benchmarks.result import Result


def run() -> Result:
    return race(Contest("fraktur_vs_calamari", "fraktur"), CALAMARI)
