"""All cells on parts of the default corpora: errors, parameters, training and transcription time, memory.

One recipe, one workspace, one setting changed: ``network.cell``. To end within 40 minutes of two quiet cores, all
train on fewer samples in fewer epochs than the default recipe (``SMALLER``), so errors compare cells and are no
records. The table goes to standard error and into ``detail``; rows that are done are read again. The value is the
best cell's character error rate on validation data over that of ``lstm``, mean of both modalities.
``GLYPHONE_CELLS=cifg,gru`` takes only these beside ``lstm``. ``cells_small`` is the same in minutes.
"""

import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from benchmarks.processes import watch
from benchmarks.recipes import choose
from benchmarks.result import Result
from benchmarks.workspace import environment, workspace
from common.errors import GlyphoneError
from common.files import read_json, write_json
from common.network_settings import NetworkSettings

MODALITIES = ("audio", "ocr")
CELLS: tuple[str, ...] = get_args(NetworkSettings.model_fields["cell"].annotation)
COLUMNS = {
    "validation_cer": "val. CER",
    "test_cer": "test CER",
    "test_wer": "test WER",
    "num_parameters": "parameters",
    "training_seconds": "training s",
    "transcribed_per_second": "material/s",
    "peak_memory_mib": "memory MiB",
}
# Below a modality's section. By the default recipe's 257 s and 511 s with lstm: 64 s and 113 s of training a cell.
SMALLER: dict[str, dict[str, Any]] = {
    "audio": {
        "corpora.0.num_train": 1000,
        "corpora.0.num_validation": 100,
        "corpora.0.num_test": 200,
        "training.epochs": 12,
    },
    "ocr": {
        "corpora.0.num_train": 3000,
        "corpora.0.num_validation": 200,
        "corpora.0.num_test": 500,
        "training.epochs": 6,
    },
}


def run() -> Result:
    return table("cells", SMALLER)


def table(name: str, smaller: Mapping[str, Mapping[str, Any]]) -> Result:
    """Train and evaluate every cell in the workspace ``name``; ``smaller`` are settings by modality."""
    folder = workspace(name)
    rows: dict[str, dict[str, dict[str, Any]]] = {}
    for modality in MODALITIES:
        rows[modality] = {cell: row(folder, modality, cell, smaller[modality]) for cell in chosen()}
        show(modality, rows[modality])
    ratios = [ratio({cell: each["validation_cer"] for cell, each in cells.items()}) for cells in rows.values()]
    detail = {"cells": rows, "settings": {key: dict(value) for key, value in smaller.items()}, "seed": 1}
    return Result(sum(ratios) / len(ratios), "ratio to lstm", False, detail)


def ratio(errors: Mapping[str, float]) -> float:
    """The best cell's error over that of lstm; 1 where lstm makes none."""
    return min(errors.values()) / errors["lstm"] if errors["lstm"] else 1.0


def chosen() -> tuple[str, ...]:
    """The cells of $GLYPHONE_CELLS and lstm, else all."""
    names = tuple(filter(None, os.environ.get("GLYPHONE_CELLS", "").split(","))) or CELLS
    if unknown := set(names) - set(CELLS):
        raise GlyphoneError(f"GLYPHONE_CELLS: {', '.join(sorted(unknown))}; there are {', '.join(CELLS)}")
    return tuple(dict.fromkeys(("lstm", *names)))


def row(folder: Path, modality: str, cell: str, smaller: Mapping[str, Any]) -> dict[str, Any]:
    """One line of the table: read where it is done with these settings, else run, stage by stage."""
    done = folder / ".work" / f"{modality}_{cell}.json"
    choose(folder, "default", {f"{modality}.{key}": value for key, value in (*smaller.items(), ("network.cell", cell))})
    from pipelines.settings import load

    recipe = load(folder / "params.yaml")[modality]
    if done.is_file() and (found := read_json(done)).get("recipe") == recipe:
        return found
    watch(repro(f"extract@{modality}"), folder, environment())
    usage = watch(repro(f"train@{modality}"), folder, environment(), sample_seconds=1.0)
    watch(repro(f"evaluate@{modality}"), folder, environment())
    metrics = read_json(folder / "results" / modality / "metrics.json")
    training = read_json(folder / "results" / modality / "training.json")
    # Where DVC remembered the training, what was watched is only its copying.
    trained = usage.seconds >= training["seconds"]
    found = {
        "validation_cer": metrics["validation"]["characters"]["rate"],
        "test_cer": metrics["characters"]["rate"],
        "test_wer": metrics["words"]["rate"],
        "num_parameters": training["num_parameters"],
        "training_seconds": training["seconds"],
        "transcribed_per_second": round(transcription_speed(folder, modality), 1),
        "peak_memory_mib": round(usage.peak_memory_bytes / 2**20) if trained else None,
        "precision": training["precision"],
        "num_threads": training["num_threads"],
        "recipe": recipe,
    }
    write_json(done, found)
    return found


def repro(stage: str) -> list[str]:
    return [sys.executable, "-m", "dvc", "repro", stage]


def transcription_speed(folder: Path, modality: str) -> float:
    """Seconds of sound, or pixels of width, of the test set through network and greedy decoding in a second."""
    # Imported late, so that listing the benchmarks needs no torch.
    from common.bundle import read_bundle
    from common.decoding import greedy
    from common.emissions import emissions
    from common.store import Store

    network = read_bundle(folder / "models" / modality).network
    store = Store(folder / "data" / modality / "slices" / "test.arrow")
    matrices = [store.slices(place) for place in range(len(store))]
    next(iter(emissions(network, matrices[:1])))  # compiles
    started = time.perf_counter()
    for emission in emissions(network, matrices):
        if len(emission):
            greedy.search(emission)
    return float(store.lengths.sum()) * store.metadata.step / (time.perf_counter() - started)


def show(modality: str, rows: Mapping[str, Mapping[str, Any]]) -> None:
    """The table of one modality on standard error."""
    print(f"\n{modality:<18}" + "".join(f"{title:>12}" for title in COLUMNS.values()), file=sys.stderr)
    for cell, each in rows.items():
        values = (each[key] for key in COLUMNS)
        cells = "".join(f"{value:>12.4f}" if isinstance(value, float) else f"{value!s:>12}" for value in values)
        print(f"{cell:<18}{cells}", file=sys.stderr)
