"""The folder of a resume state: whose code it hangs on, and that several processes may tidy it up."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from unittest.mock import Mock

import hypothesis
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from common.decoding.places import CHOSEN, LANGUAGE_FOLDER
from common.errors import GlyphoneError, SettingsError
from common.files import read_json
from common.store import Store
from common.training import checkpoint, loop
from common.training.launch import RENDEZVOUS
from common.training.processes import ALONE, is_first, join
from common.training.settings import TrainingSettings
from common.training.stream_settings import StreamSettings
from pipelines import settings
from pipelines.extract import extract
from pipelines.modalities import modality
from pipelines.prepare import prepare
from pipelines.pretrain import pretrain_modality
from pipelines.pretrained import pretrained_folder
from pipelines.train import train_modality
from pipelines.training_data import CODE, KEPT_STATES, ROOT, state_folder
from tests import stream_world
from tests.test_pretraining import NETWORK, TRAINING, workspace, write  # noqa: F401  (a fixture)
from tests.test_training import FAST, run


def test_a_state_hangs_on_the_code_of_labels_and_of_the_best_epoch() -> None:
    covered = {path.relative_to(ROOT).as_posix() for pattern in CODE for path in ROOT.glob(pattern)}
    assert all((ROOT / pattern).is_file() or "*" in pattern for pattern in CODE)
    assert {"common/alphabet.py", "common/bidi.py", "common/emissions.py", "common/edits.py"} <= covered
    assert {"common/scoring.py", "common/decoding/greedy.py", "common/training/loop.py"} <= covered


def test_a_kill_in_the_writing_of_results_leaves_no_curve_beside_another_model(
    workspace: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By hand: DVC removes all of them before it starts the stage."""
    write(workspace)
    prepare("toy", Path("data/toy"), num_workers=1)
    extract("toy", Path("data/toy"), num_workers=1)
    train_modality("toy")
    write(workspace, training={**TRAINING, "epochs": 2})
    with monkeypatch.context() as patched:
        patched.setattr("common.bundle.write_bundle", Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            train_modality("toy")
    assert read_json("models/toy/bundle.json")["summary"]["epochs"] == 1
    assert not Path("results/toy/history.csv").exists() and not Path("results/toy/training.json").exists()
    train_modality("toy")
    assert read_json("results/toy/training.json")["epochs"] == 2 and Path("results/toy/history.csv").is_file()


def test_a_model_is_not_read_by_the_settings_of_another(workspace: Path) -> None:  # noqa: F811
    """By hand, as above; stage tune writes them for the new one."""
    chosen = Path("models/toy") / LANGUAGE_FOLDER / CHOSEN
    chosen.parent.mkdir(parents=True)
    chosen.write_text("{}", "utf-8")
    write(workspace)
    prepare("toy", Path("data/toy"), num_workers=1)
    extract("toy", Path("data/toy"), num_workers=1)
    train_modality("toy")
    assert Path("models/toy/bundle.json").is_file() and not chosen.exists()


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
    still = {"learning_rate": 1e-9, "final_learning_rate": 0.0}
    write(workspace, pretraining={**TRAINING, "epochs": 30, "patience": 1, **still, "stream": stream})
    prepare("toy", Path("data/toy"), num_workers=1)
    extract("toy", Path("data/toy"), num_workers=1)
    pretrain_modality("toy")
    costs = read_json(pretrained_folder("toy") / "pretraining.json")
    summary = read_json(pretrained_folder("toy") / "bundle.json")["summary"]
    assert summary["epochs"] < 30
    assert summary["training_samples"] == costs["samples"] == 10 * summary["epochs"]
    assert summary["corpora"]["stream"]["samples"] == costs["samples"]


def test_what_only_guards_a_training_may_be_changed_before_it_goes_on(workspace: Path) -> None:  # noqa: F811
    write(workspace)
    prepare("toy", Path("data/toy"), num_workers=1)
    extract("toy", Path("data/toy"), num_workers=1)
    train_modality("toy")
    write(workspace, training={**TRAINING, "max_nonfinite": 3, "checkpoint_minutes": 0.5})
    train_modality("toy")
    assert len(list(Path(".state/toy").iterdir())) == 1
    write(workspace, training={**TRAINING, "patience": 3})
    train_modality("toy")
    assert len(list(Path(".state/toy").iterdir())) == 2


def interrupt(stage: Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a stage of the toy end behind its last checkpoint, before it writes anything."""
    with monkeypatch.context() as changed:
        changed.setattr("pipelines.training_summary.write_history", Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            stage("toy")


def test_a_training_starts_from_no_interrupted_pretraining(
    workspace: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It started from fresh weights without a word, or from those of a pretraining with other settings."""
    write(workspace, pretraining={**TRAINING, "stream": {"samples": 10}})
    prepare("toy", Path("data/toy"), num_workers=1)
    extract("toy", Path("data/toy"), num_workers=1)
    interrupt(pretrain_modality, monkeypatch)
    with pytest.raises(GlyphoneError, match=r"^toy\.pretraining: stage pretrain did not come to its end; run it again"):
        train_modality("toy")
    pretrain_modality("toy")
    train_modality("toy")
    interrupt(pretrain_modality, monkeypatch)
    with pytest.raises(GlyphoneError, match=r"^toy\.pretraining: stage pretrain did not come to its end; run it again"):
        train_modality("toy")


def test_a_training_that_begins_anew_beside_an_interrupted_one_says_why(
    workspace: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It was silent: hours of work looked lost."""
    write(workspace)
    prepare("toy", Path("data/toy"), num_workers=1)
    extract("toy", Path("data/toy"), num_workers=1)

    def said() -> list[str]:
        capsys.readouterr()
        train_modality("toy")
        return [line for line in capsys.readouterr().err.splitlines() if "anew" in line]

    assert not said()  # there is no other one
    write(workspace, training={**TRAINING, "patience": 3})
    assert not said()  # the other one was finished
    write(workspace, training={**TRAINING, "patience": 4})
    interrupt(train_modality, monkeypatch)
    (interrupted,) = [path.parent for path in Path(".state/toy").glob("*/unfinished.json")]
    write(workspace, training={**TRAINING, "patience": 5}, network={**NETWORK, "convolutions": [{"channels": 3}]})
    (line,) = said()
    assert line.startswith(f"begins anew, not where {interrupted} was interrupted: toy.network.convolutions.0.channels")
    assert "channels was 4, is 3; " in line and line.endswith("; toy.training.patience was 4, is 5")
    write(workspace, training={**TRAINING, "patience": 4})
    assert not said()  # put back, it goes on
    assert not list(Path(".state/toy").glob("*/unfinished.json"))

    interrupt(train_modality, monkeypatch)
    monkeypatch.setattr("pipelines.training_data.CODE", ("common/alphabet.py",))
    (line,) = said()
    assert line.endswith(" was interrupted: the code of training is another")


def test_a_state_hangs_on_the_fonts_of_a_stream(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    """Other fonts of a folder show the same texts: a finished training must not be given out for them."""
    write(workspace)
    prepare("toy", Path("data/toy"), num_workers=1)
    extract("toy", Path("data/toy"), num_workers=1)
    Path("fonts").mkdir()
    stores = {"validation": Store("data/toy/slices/validation.arrow")}
    chosen = settings.read("toy", "seed", "text", "slices", "augment", "network", "pretraining")
    stream = StreamSettings(samples=5, generator={"fonts": "fonts", "style": "clean"})
    chosen.pretraining = chosen.pretraining.model_copy(update={"stream": stream})
    made = stream_world.stream(num_samples=5, num_epochs=1)
    folders = set()
    for content in ("one", "one", "two"):
        Path("fonts/own.ttf").write_text(content, "utf-8")
        folders.add(state_folder("toy", stores, chosen, modality("toy"), "", made, "pretraining"))
    assert len(folders) == 2


@given(data=st.data())
@hypothesis.settings(max_examples=20)
def test_a_damaged_state_is_one_line(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("state")
    checkpoint.save(folder, {"weights": torch.zeros(50), "progress": {"epoch": 1}})
    whole = (folder / checkpoint.FILE_NAME).read_bytes()
    place = data.draw(st.integers(0, len(whole) - 1))
    flipped = bytes([whole[place] ^ 1 << data.draw(st.integers(0, 7))])
    damaged = data.draw(st.sampled_from([whole[:place], whole[:place] + flipped + whole[place + 1 :]]))
    (folder / checkpoint.FILE_NAME).write_bytes(damaged)
    with pytest.raises(GlyphoneError, match=r"checkpoint.pt: damaged; delete it"):
        checkpoint.load(folder)


@pytest.mark.parametrize(
    ("file", "old", "new", "sentence"),
    [
        ("memory.json", '"kept"', '"kepp"', r"memory\.json: plan\.kepp: 96\.0: unknown key; delete it"),
        ("memory.json", '"key"', '"kex"', r"memory\.json: .*; delete it"),
        ("threads.json", '"number"', '"numbes"', r"threads\.json: .*; delete it"),
        ("threads.json", '"number": ', '"number": -', r"threads\.json: number: -\d: .*; delete it"),
        ("threads.json", "{", "[", r"threads\.json: not JSON: .*; delete it"),
    ],
)
def test_damage_beside_a_checkpoint_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, old: str, new: str, sentence: str
) -> None:
    monkeypatch.setattr(loop, "usable_cores", lambda: 2)
    open_ = TrainingSettings(**{**FAST.model_dump(), "epochs": 1, "num_threads": 0})
    run(tmp_path, open_)
    text = (tmp_path / file).read_text("utf-8")
    (tmp_path / file).write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(GlyphoneError, match=sentence):
        run(tmp_path, open_)


def test_infinite_settings_are_refused(workspace: Path) -> None:  # noqa: F811
    """A fingerprint of them ended in a traceback."""
    write(workspace, training={**TRAINING, "clip_norm": 12345})
    params = Path("params.yaml").read_text("utf-8")
    Path("params.yaml").write_text(params.replace("12345", ".inf"), "utf-8")
    with pytest.raises(SettingsError, match=r"toy\.training\.clip_norm: inf: must be a finite number"):
        settings.read("toy", "training")


def test_a_rank_without_a_world_is_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """What other programs leave in the environment must not keep a lone process from writing its model."""
    monkeypatch.setenv("RANK", "3")
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert is_first() and join(torch.device("cpu")) is ALONE
    monkeypatch.setenv("WORLD_SIZE", "4")
    assert not is_first()


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"WORLD_SIZE": "2"}, "WORLD_SIZE is 2 in the environment, which has no RANK, MASTER_ADDR, MASTER_PORT; start"),
        ({"WORLD_SIZE": "2", "RANK": "0", "MASTER_PORT": "1"}, "which has no MASTER_ADDR; start"),
        ({"WORLD_SIZE": "two", "RANK": "0"}, "WORLD_SIZE is 'two' in the environment; allowed"),
    ],
)
def test_half_of_an_environment_of_processes_is_one_line(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], sentence: str
) -> None:
    for each in ("WORLD_SIZE", "RANK", "MASTER_ADDR", "MASTER_PORT", RENDEZVOUS):
        monkeypatch.delenv(each, raising=False)
    for key, value in environment.items():
        monkeypatch.setenv(key, value)
    with pytest.raises(GlyphoneError, match=re.escape(sentence)):
        join(torch.device("cpu"))


def test_a_stride_too_long_for_the_texts_is_one_line_that_names_no_setting(workspace: Path) -> None:  # noqa: F811
    """max_rejected is of prepare and extract, and would change nothing here."""
    write(workspace, network={**NETWORK, "convolutions": [{"channels": 4, "stride": [64, 2]}]})
    prepare("toy", Path("data/toy"), num_workers=1)
    extract("toy", Path("data/toy"), num_workers=1)
    with pytest.raises(GlyphoneError, match=r"samples rejected \(100.0%\), stage train allows 5.0%: .*stride is 64"):
        train_modality("toy")


def test_the_newest_states_stay_and_guards_and_processes_are_no_part_of_their_names(workspace: Path) -> None:  # noqa: F811
    write(workspace)
    prepare("toy", Path("data/toy"), num_workers=1)
    extract("toy", Path("data/toy"), num_workers=1)
    stores = {split: Store(f"data/toy/slices/{split}.arrow") for split in ("train", "validation")}
    chosen = settings.read("toy", "seed", "text", "slices", "augment", "network", "training")
    first, folders = chosen.training, []
    for number in range(KEPT_STATES + 3):
        (Path(".state/toy") / f"old{number}").mkdir(parents=True)
        os.utime(Path(".state/toy") / f"old{number}", (number, number))
    same = ({}, {"checkpoint_minutes": 0.5}, {"max_nonfinite": 3}, {"memory_gib": 4.0}, {"processes": 2})
    for change in (*same, {"patience": 3}):
        chosen.training = first.model_copy(update=change)
        folders.append(state_folder("toy", stores, chosen, modality("toy")))
    assert len(set(folders[:-1])) == 1 and folders[-1] != folders[0]
    left = {each.name for each in Path(".state/toy").iterdir()}
    assert KEPT_STATES == 5 and left == {folders[0].name, folders[-1].name, "old7", "old6", "old5"}
