"""A third modality takes one folder and one line in modalities.py."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from common.files import read_jsonl
from common.store import Store
from pipelines.extract import extract
from pipelines.prepare import prepare
from tests.toy.workspace import enter_workspace, manifest, rows, write_corpus, write_params

ROOT = Path(__file__).parent.parent


def run(folder: Path, *arguments: str) -> None:
    command = [sys.executable, "-m", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_one_folder_and_one_line(tmp_path: Path) -> None:
    (tmp_path / "common").symlink_to(ROOT / "common")
    shutil.copytree(ROOT / "pipelines", tmp_path / "pipelines", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "tests" / "toy", tmp_path / "toy", ignore=shutil.ignore_patterns("__pycache__"))
    registry = tmp_path / "pipelines" / "modalities.py"
    text = registry.read_text("utf-8")
    registry.write_text(text.replace('    "ocr": "ocr.modality",\n', '    "toy": "toy.modality",\n'), "utf-8")
    write_corpus(tmp_path / "mine", rows(12, 3))
    write_params(tmp_path, [{"reader": "synthetic"}, manifest("mine")])

    # Two processes, which know of the modality by nothing but that line, and one alone give the same bytes.
    contents = []
    for num_workers in ("2", "1"):
        for stage in ("prepare", "extract"):
            run(tmp_path, f"pipelines.{stage}", "toy", "--num-workers", num_workers)
        files = sorted(path for path in (tmp_path / "data" / "toy").rglob("*") if path.is_file())
        contents.append({path.name + path.parent.name: path.read_bytes() for path in files})
        assert len(files) <= 10
        shutil.rmtree(tmp_path / "data")
    assert contents[0] == contents[1]
    assert len(contents[0]) == 7


def test_slices_of_the_third_modality(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = enter_workspace(tmp_path, monkeypatch)
    write_params(workspace, [{"reader": "synthetic"}], slices={"scale": 2.0})
    prepare("toy", Path("data/toy"), num_workers=1)
    extract("toy", Path("data/toy"), num_workers=1)
    counts = {split: len(Store(f"data/toy/slices/{split}.arrow")) for split in ("train", "validation", "test")}
    assert counts == {"train": 6, "validation": 2, "test": 3}
    assert len(list(read_jsonl("data/toy/samples.jsonl"))) == sum(counts.values())
    assert Store("data/toy/slices/test.arrow").metadata.settings == {"scale": 2.0}
