"""Seconds of the first beam search in a new process, import of the decoder included, compiled code on disk."""

import subprocess
import sys
from statistics import median

from benchmarks.result import Result
from benchmarks.workspace import REPOSITORY

NUM_CALLS = 11

PROGRAM = """
import time
import numpy as np
log_probs = np.log(np.full((50, 29), 1 / 29, np.float32))
begun, cpu_begun = time.perf_counter(), time.process_time()
from common.decoding import CTCBeamDecoder, beam
beam.search(log_probs, 100)
searched = time.perf_counter() - begun
CTCBeamDecoder([str(label) for label in range(29)], log_probs_input=True).decode(log_probs[None])
both = time.perf_counter() - begun
print(searched, both, time.process_time() - cpu_begun)
"""


def run() -> Result:
    """The median of processes one after the other; the first of all, which may compile, does not count."""
    calls = [_call() for _ in range(1 + NUM_CALLS)][1:]
    detail = {
        "calls_s": [round(search, 2) for search, _, _ in calls],
        "with_ctcdecode_interface_s": round(median(both for _, both, _ in calls), 3),
        "of_that_cpu_s": round(median(cpu for _, _, cpu in calls), 3),
    }
    return Result(round(median(search for search, _, _ in calls), 3), "s", False, detail)


def _call() -> tuple[float, ...]:
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    return tuple(map(float, done.stdout.split()))
