"""Of 20 trainings killed (SIGKILL) at random moments and started again: how many end in the unkilled one's weights.

A small corpus of text images, a checkpoint behind every step, so that many kills fall into the writing of one:
``detail`` counts those that left a half-written file. Moments are drawn evenly between the beginning of the training
itself and its end, as the unkilled run had them. A run that is over before its moment is counted apart, and so is one
that was killed before it had a checkpoint to go on from; another moment is drawn for each.
"""

import hashlib
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.processes import watch
from benchmarks.recipes import choose
from benchmarks.result import Result
from benchmarks.workspace import environment, workspace
from common.errors import GlyphoneError

NUM_KILLS, SEED = 20, 1
GOING_ON = "going on at epoch"  # what a training says that found a checkpoint
TRAIN = [sys.executable, "-m", "pipelines.train", "ocr"]
SMALL = {
    "ocr.corpora.0.num_train": 150,
    "ocr.corpora.0.num_validation": 20,
    "ocr.corpora.0.num_test": 10,
    "ocr.training.epochs": 3,
    "ocr.training.batch_slices": 1500,
    "ocr.training.checkpoint_minutes": 0.0,
}


def run() -> Result:
    folder = workspace("kill_resume")
    choose(folder, "default", SMALL)
    watch([sys.executable, "-m", "dvc", "repro", "extract@ocr"], folder, environment())
    forget(folder)
    train(folder)
    wanted = digests(folder)
    forget(folder)
    wanted_seconds = train(folder).seconds
    if digests(folder) != wanted:
        raise GlyphoneError(f"two unkilled trainings in {folder} end in different weights: nothing to compare with")
    random_moments = random.Random(SEED)
    kills: list[dict[str, Any]] = []
    num_over = num_fresh = 0
    while len(kills) < NUM_KILLS:
        forget(folder)
        moment = random_moments.uniform(0, wanted_seconds)
        if not train(folder, moment).killed:  # it was quicker this time
            num_over += 1
            continue
        half_written = bool([*(folder / ".state").rglob("*.part")])
        if not train(folder).went_on:
            num_fresh += 1
            continue
        kills.append({"second": round(moment, 2), "in a write": half_written, "identical": digests(folder) == wanted})
        print(f"kill {len(kills)}: {kills[-1]}", file=sys.stderr, flush=True)
    detail = {
        "kills": kills,
        "in the writing of a checkpoint": sum(each["in a write"] for each in kills),
        "over before the moment": num_over,
        "before the first checkpoint": num_fresh,
        "seconds of a whole training": round(wanted_seconds, 2),
        "settings": SMALL,
        "seed": SEED,
    }
    return Result(sum(each["identical"] for each in kills), f"of {NUM_KILLS}", True, detail)


@dataclass(frozen=True)
class Training:
    """What became of a training: seconds from where it began to train to its end, and whether it went on with one."""

    seconds: float
    killed: bool
    went_on: bool


def train(folder: Path, moment: float | None = None) -> Training:
    """Run the train stage and kill it ``moment`` seconds after it began to train; None: let it end.

    Raises:
        GlyphoneError: it failed by itself.
    """
    process = subprocess.Popen(TRAIN, cwd=folder, env=environment(), stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    lines = []
    for line in process.stderr:
        lines.append(line)
        if line.startswith("training "):
            break
    started = time.monotonic()
    try:
        lines.append(process.communicate(timeout=moment)[1])
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.communicate()
        return Training(time.monotonic() - started, True, False)
    if process.returncode:
        raise GlyphoneError(f"`{' '.join(TRAIN)}` in {folder} failed: {''.join(lines)[-500:]}")
    return Training(time.monotonic() - started, False, GOING_ON in "".join(lines))


def forget(folder: Path) -> None:
    """Remove what a training leaves: resume state, model, results."""
    for name in (".state", "models", "results"):
        shutil.rmtree(folder / name, ignore_errors=True)


def digests(folder: Path) -> dict[str, str]:
    """Of the weights and of the learning curve."""
    files = (folder / "models" / "ocr" / "model.safetensors", folder / "results" / "ocr" / "history.csv")
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
