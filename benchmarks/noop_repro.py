"""Seconds of ``dvc repro`` with nothing to do, default recipe, both modalities (median of seven calls)."""

import sys
from statistics import median

from benchmarks.processes import watch
from benchmarks.recipes import choose, targets
from benchmarks.result import Result
from benchmarks.workspace import environment, workspace
from common.errors import GlyphoneError

NUM_CALLS = 7


def run() -> Result:
    """Run the default recipe once, in minutes where it is not done yet; then time calls that have nothing to do."""
    folder = workspace("noop_repro")
    choose(folder, "default", {})
    command = [sys.executable, "-m", "dvc", "repro", *targets(folder)]
    watch(command, folder, environment())
    calls = [watch(command, folder, environment()) for _ in range(NUM_CALLS)]
    for call in calls:
        if "Running stage" in call.output:
            raise GlyphoneError(f"noop_repro: `dvc repro` in {folder} ran a stage although nothing had changed")
    times = [call.seconds for call in calls]
    return Result(
        round(median(times), 2),
        "s",
        False,
        {
            "calls_s": [round(time, 2) for time in times],
            "command": "dvc repro",
            "stages": calls[0].output.count("Stage '"),
        },
    )
