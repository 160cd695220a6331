"""Minutes of ``make repro`` in a fresh copy of the checkout, set-up included, to both reports; with peak memory."""

import shutil

from benchmarks.processes import watch
from benchmarks.result import Result
from benchmarks.workspace import WORKSPACES, commit, copy_tree, environment
from common.errors import GlyphoneError
from common.files import read_json


def run() -> Result:
    """Delete the last copy, make a new one as a clone would be, and type ``make repro`` in it."""
    folder = WORKSPACES / "repro_minutes"
    shutil.rmtree(folder, ignore_errors=True)
    copy_tree(folder, products=())
    commit(folder)
    variables = environment()
    # Not this environment's Python: the copy makes its own.
    variables["PATH"] = variables["PATH"].partition(":")[2]
    variables.pop("VIRTUAL_ENV", None)
    setup = watch(["make", "setup"], folder, variables, sample_seconds=0.5)
    repro = watch(["make", "repro"], folder, variables, sample_seconds=0.5)
    reports = sorted(folder.glob("results/*/report.html"))
    if not reports:
        raise GlyphoneError(f"repro_minutes: no report in {folder}/results")
    return Result(
        round((setup.seconds + repro.seconds) / 60, 2),
        "min",
        False,
        {
            "setup_minutes": round(setup.seconds / 60, 2),
            "peak_memory_gib": round(max(setup.peak_memory_bytes, repro.peak_memory_bytes) / 2**30, 2),
            "scores": {each.parent.name: read_json(each.parent / "scores.json") for each in reports},
            "command": "make repro",
        },
    )
