"""Share of a training step that waits for data, and share of padding, in the real loop on the default corpora.

The train stage of both modalities with the default recipe, two epochs: the first is sorted by length, the second is
bucketed and shuffled as all others are. The loop itself measures both (``results/<m>/training.json``): the time in
which a step waits for its batch, augmentation included, over the seconds of training, and the padding of all batches.
The value is the greater share of waiting.
"""

import shutil
import sys
from typing import Any

from benchmarks.processes import watch
from benchmarks.recipes import choose
from benchmarks.result import Result
from benchmarks.workspace import environment, workspace
from common.files import read_json

MODALITIES = ("audio", "ocr")
EPOCHS = 2


def run() -> Result:
    folder = workspace("default_networks")
    choose(folder, "default", {f"{modality}.training.epochs": EPOCHS for modality in MODALITIES})
    detail: dict[str, Any] = {}
    for modality in MODALITIES:
        watch([sys.executable, "-m", "dvc", "repro", f"extract@{modality}"], folder, environment())
        # A finished training gives what it measured then.
        shutil.rmtree(folder / ".state" / modality, ignore_errors=True)
        watch([sys.executable, "-m", "pipelines.train", modality], folder, environment())
        detail[modality] = read_json(folder / "results" / modality / "training.json")
    choose(folder, "default", {})
    detail["most padding"] = max(detail[modality]["padding_share"] for modality in MODALITIES)
    detail["command"] = "python -m pipelines.train MODALITY"
    return Result(
        max(detail[modality]["waiting_for_batches_share"] for modality in MODALITIES), "fraction", False, detail
    )
