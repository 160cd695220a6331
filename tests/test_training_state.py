"""The folder of a resume state: whose code it hangs on, and that several processes may tidy it up."""

from pathlib import Path

import pytest

from common.files import read_json
from pipelines.extract import extract
from pipelines.prepare import prepare
from pipelines.pretrain import pretrain_modality
from pipelines.pretrained import pretrained_folder
from pipelines.train import train_modality
from pipelines.training_data import CODE, KEPT_STATES, ROOT
from tests.test_pretraining import TRAINING, workspace, write  # noqa: F401  (a fixture)


def test_a_state_hangs_on_the_code_of_labels_and_of_the_best_epoch() -> None:
    covered = {path.relative_to(ROOT).as_posix() for pattern in CODE for path in ROOT.glob(pattern)}
    assert all((ROOT / pattern).is_file() or "*" in pattern for pattern in CODE)
    assert {"common/alphabet.py", "common/bidi.py", "common/emissions.py", "common/edits.py"} <= covered
    assert {"common/scoring.py", "common/decoding/greedy.py", "common/training/loop.py"} <= covered


def test_old_states_may_vanish_meanwhile(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    write(workspace)
    prepare("toy", Path("data/toy"), num_workers=1)
    extract("toy", Path("data/toy"), num_workers=1)
    states = Path(".state/toy")
    for number in range(KEPT_STATES + 3):
        (states / f"old{number}").mkdir(parents=True)
    listed = Path.iterdir

    def removed_by_another(folder: Path) -> object:
        found = list(listed(folder))
        if folder == states and (states / "old3").exists():
            (states / "old3").rmdir()
        return iter(found)

    monkeypatch.setattr(Path, "iterdir", removed_by_another)
    train_modality("toy")
    monkeypatch.undo()
    assert len(list(listed(workspace / states))) == KEPT_STATES


def test_samples_that_an_early_stop_left_unmade_do_not_count(workspace: Path) -> None:  # noqa: F811
    stream = {"samples": 10, "ngrams": 0.5, "ngram_order": 2}
    write(workspace, pretraining={**TRAINING, "epochs": 30, "patience": 1, "learning_rate": 1e-9, "stream": stream})
    prepare("toy", Path("data/toy"), num_workers=1)
    extract("toy", Path("data/toy"), num_workers=1)
    pretrain_modality("toy")
    costs = read_json(pretrained_folder("toy") / "pretraining.json")
    summary = read_json(pretrained_folder("toy") / "bundle.json")["summary"]
    assert summary["epochs"] < 30
    assert summary["training_samples"] == costs["samples"] == 10 * summary["epochs"]
    assert summary["corpora"]["stream"]["samples"] == costs["samples"]
