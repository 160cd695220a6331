"""Benchmarks measure what they say: nothing that an earlier run left, and nothing that would pass if it were broken."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from benchmarks import cells, kill_resume, training_overheads, training_vs_cudnn
from common.files import write_json


def test_a_kill_counts_where_the_training_went_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One that began anew ends in the same weights too, and says nothing of what was kept."""
    monkeypatch.setattr(kill_resume, "workspace", lambda name: tmp_path)
    for name in ("choose", "watch", "forget"):
        monkeypatch.setattr(kill_resume, name, lambda *_: None)
    monkeypatch.setattr(kill_resume, "digests", lambda folder: {"weights": "same"})
    asked = []

    def train(folder: Path, moment: float | None = None) -> kill_resume.Training:
        asked.append(moment)
        # Of the restarts every third finds no checkpoint.
        return kill_resume.Training(10.0, moment is not None, moment is None and asked.count(None) % 3 != 0)

    monkeypatch.setattr(kill_resume, "train", train)
    result = kill_resume.run()
    assert result.value == kill_resume.NUM_KILLS
    assert result.detail["before the first checkpoint"] == len(asked) - asked.count(None) - kill_resume.NUM_KILLS > 5


def test_what_waits_for_batches_is_measured_anew(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(training_overheads, "workspace", lambda name: tmp_path)
    monkeypatch.setattr(training_overheads, "choose", lambda *_: None)
    for modality in ("audio", "ocr"):
        (tmp_path / ".state" / modality).mkdir(parents=True)

    def watch(command: list[str], folder: Path, variables: dict[str, str]) -> None:
        if "pipelines.train" in command:
            assert not (folder / ".state" / command[-1]).exists()
            write_json(
                folder / "results" / command[-1] / "training.json",
                {"padding_share": 0.1, "waiting_for_batches_share": 0.2},
            )

    monkeypatch.setattr(training_overheads, "watch", watch)
    assert training_overheads.run().value == 0.2


def test_a_cell_of_another_recipe_is_trained_anew(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    trained, recipe = [], {"epochs": 3}
    monkeypatch.setattr(
        cells, "choose", lambda folder, *_: write_json(folder / "params.yaml", {"ocr": {"training": recipe}})
    )
    monkeypatch.setattr(cells, "transcription_speed", lambda *_: 1.0)

    def watch(command: list[str], folder: Path, *_: object, **__: object) -> SimpleNamespace:
        trained.append(command[-1])
        return SimpleNamespace(seconds=9.0, peak_memory_bytes=2**20)

    monkeypatch.setattr(cells, "watch", watch)
    results = tmp_path / "results" / "ocr"
    part = {"rate": 0.1}
    write_json(results / "metrics.json", {"validation": {"characters": part}, "characters": part, "words": part})
    write_json(
        results / "training.json", {"seconds": 1.0, "num_parameters": 5, "precision": "float32", "num_threads": 1}
    )
    first = cells.row(tmp_path, "ocr", "gru", {"training.epochs": 3})
    assert cells.row(tmp_path, "ocr", "gru", {"training.epochs": 3}) == first and len(trained) == 3
    recipe["learning_rate"] = 0.1
    cells.row(tmp_path, "ocr", "gru", {"training.epochs": 3})
    assert len(trained) == 6


def test_a_gpu_works_where_its_own_events_are() -> None:
    def event(kind: torch.autograd.DeviceType, start: float, end: float) -> SimpleNamespace:
        return SimpleNamespace(device_type=kind, time_range=SimpleNamespace(start=start, end=end))

    gpu, cpu = torch.autograd.DeviceType.CUDA, torch.autograd.DeviceType.CPU
    events = [event(cpu, 0, 100), event(gpu, 10, 20), event(gpu, 15, 30)]
    assert training_vs_cudnn.union(training_vs_cudnn.spans_of(events)) == 20
