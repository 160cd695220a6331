"""Share of FSDD's official test clips read right: recordings 0 to 4 of each digit and speaker; all are heard."""

from benchmarks.recipes import evidence
from benchmarks.record import Record
from benchmarks.result import Result

RECORDS = (Record("fsdd_official_accuracy", "fsdd_official", "audio", "exact"),)


def run() -> Result:
    done = RECORDS[0].run()
    detail = evidence(done, "exact") | {
        "by_speaker": {row["group"]: row["words"]["errors"] for row in done.metrics["by_group"]},
    }
    return Result(done.metrics["exact"]["share"], "fraction", True, detail)
