"""Share of IIIT5K's test words read right, case ignored: own renders, then these and the 2000 real training words."""

from benchmarks.recipes import Run, evidence
from benchmarks.record import Record
from benchmarks.result import Result

PART = "exact_ignoring_case"
RECORDS = (Record("iiit5k_accuracy", "iiit5k_pretrained", "ocr", PART),)


def run() -> Result:
    """Train once."""
    return evidence_of(RECORDS[0].run())


def evidence_of(done: Run) -> Result:
    """The share, with the clean subset, which holds the test words whose source pictures gave no training words."""
    subsets = {name: tree[PART] for name, tree in done.metrics["by_condition"].items()}
    detail = evidence(done, PART) | {"clean": subsets["clean"], "seen": subsets["seen"]}
    return Result(done.metrics[PART]["share"], "fraction", True, detail)
