"""Peak memory in MiB of prepare and extract on 10,000 made samples, the greater of both modalities."""

import os
import shutil
import sys
from pathlib import Path
from typing import Any

from benchmarks.processes import Usage, watch
from benchmarks.recipes import override
from benchmarks.result import Result
from benchmarks.workspace import call, environment, workspace

MODALITIES = ("audio", "ocr")
# Memory is flat if the second number of samples needs no more than the first.
NUM_SAMPLES = (1000, 10_000)


def run() -> Result:
    """Both stages of both modalities with both numbers of samples, each from an empty folder."""
    folder = workspace("prepare_extract_10k")
    detail: dict[str, Any] = {"command": "python -m pipelines.prepare MODALITY; python -m pipelines.extract MODALITY"}
    peaks = []
    for modality in MODALITIES:
        few, many = (measure(folder, modality, number) for number in NUM_SAMPLES)
        peaks.append(many["peak_memory_mib"])
        detail[modality] = many | {
            "memory_growth": round(many["peak_memory_mib"] / few["peak_memory_mib"], 3),
            "with_1000_samples": few,
        }
    return Result(max(peaks), "MiB", False, detail)


def measure(folder: Path, modality: str, num_samples: int) -> dict[str, Any]:
    """Prepare and extract ``num_samples`` made samples of one modality."""
    call([sys.executable, "-m", "pipelines.recipe", "default"], folder)
    held_out = num_samples // 20
    sizes = {"num_train": num_samples - 2 * held_out, "num_validation": held_out, "num_test": held_out}
    override(folder / "params.yaml", {f"{modality}.corpora.0.{key}": value for key, value in sizes.items()})
    shutil.rmtree(folder / "data" / modality, ignore_errors=True)
    stages = {
        stage: watch([sys.executable, "-m", f"pipelines.{stage}", modality], folder, environment(), sample_seconds=0.2)
        for stage in ("prepare", "extract")
    }
    files = [path for path in (folder / "data" / modality).rglob("*") if path.is_file()]
    return {
        "samples": num_samples,
        "peak_memory_mib": max(round(usage.peak_memory_bytes / 2**20) for usage in stages.values()),
        "files": len(files),
        "megabytes": round(sum(path.stat().st_size for path in files) / 1e6, 1),
        **{stage: stage_detail(usage) for stage, usage in stages.items()},
    }


def stage_detail(usage: Usage) -> dict[str, float]:
    """Seconds of a stage, and the share of all cores' time that it used."""
    cores = len(os.sched_getaffinity(0))
    return {
        "seconds": round(usage.seconds, 1),
        "cpu_share": round(usage.cpu_seconds / (usage.seconds * cores), 3),
        "peak_memory_mib": round(usage.peak_memory_bytes / 2**20),
    }
