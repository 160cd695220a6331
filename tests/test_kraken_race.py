"""The race against kraken: what is asked for, how time is shared out, what is kept, how texts are scored."""

import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import kraken_race, peers
from benchmarks.kraken_race import RUNS, Contest
from common.errors import GlyphoneError
from common.text import TextSettings

QUICK = settings(max_examples=100)


@QUICK
@given(st.integers(1, 200), st.floats(0.1, 500), st.floats(0.1, 5000))
def test_epochs_fit_into_the_time(epochs: int, minutes: float, seconds: float) -> None:
    fitting = kraken_race.fitting_epochs(epochs, minutes, seconds)
    assert 1 <= fitting <= epochs
    assert fitting == 1 or fitting * seconds <= 60 * minutes * (1 + 1e-9)
    assert fitting == epochs or (fitting + 1) * seconds > 60 * minutes * (1 - 1e-9)


@pytest.mark.parametrize("text", ["", "0", "-3", "nan", "inf", "soon"])
def test_minutes(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLYPHONE_MINUTES", text)
    if not text:
        assert kraken_race.asked_minutes() == kraken_race.MINUTES
        return
    with pytest.raises(GlyphoneError, match=f"GLYPHONE_MINUTES={text}: a positive number of minutes"):
        kraken_race.asked_minutes()


def test_runs_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GLYPHONE_KRAKEN_RUNS", raising=False)
    assert kraken_race.asked_runs() == list(RUNS)
    monkeypatch.setenv("GLYPHONE_KRAKEN_RUNS", "small+augment default")
    assert kraken_race.asked_runs() == ["small+augment", "default"]
    monkeypatch.setenv("GLYPHONE_KRAKEN_RUNS", "small large")
    with pytest.raises(GlyphoneError, match="large: there are small, "):
        kraken_race.asked_runs()


def test_every_run_has_a_network() -> None:
    assert {name.removesuffix(kraken_race.AUGMENTED) for name in RUNS} == set(kraken_race.NETWORKS)


def test_without_kraken_one_line_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(peers, "ROOT", tmp_path)
    with pytest.raises(GlyphoneError, match=r"\.venv-kraken/bin/python: no such file; `make peers` installs") as caught:
        kraken_race.race(Contest("name", "recipe"))
    assert "\n" not in str(caught.value)


def test_an_answer_is_kept_by_its_question(tmp_path: Path) -> None:
    asked = []

    def answer() -> dict[str, int]:
        asked.append(1)
        return {"n": len(asked)}

    first = kraken_race.kept(tmp_path, "a", {"size": 1}, answer)
    assert kraken_race.kept(tmp_path, "a", {"size": 1}, answer) == first == {"n": 1}
    assert kraken_race.kept(tmp_path, "a", {"size": 2}, answer) == {"n": 2}
    assert kraken_race.kept(tmp_path, "b", {"size": 1}, answer) == {"n": 3}


def test_settings_that_failed_are_passed_over() -> None:
    def tried(size: int, *seconds: float) -> dict:
        return {"settings": {"batch_size": size}, "seconds": list(seconds)}

    speeds = [tried(8, 3.0), tried(8), tried(8, 2.0), tried(1)]
    assert [each["seconds"] for each in kraken_race.speeds_of(speeds, 8)] == [[2.0], [3.0]]
    assert kraken_race.speeds_of(speeds, 1) == []


def test_texts_are_scored_as_by_evaluate() -> None:
    rows = [{"id": str(n), "group": str(n), "text": text} for n, text in enumerate(["caf\u00e9 x", "ab"])]
    counts = kraken_race.characters(rows, ["cafe\u0301  x", ""], TextSettings(), {"seed": 1})
    assert (counts["errors"], counts["deletions"], counts["reference"]) == (2, 2, 8)


def test_a_batch_size_is_chosen_by_validation_and_the_run_by_its_own_settings(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """kraken itself is played: its texts are right with batches of 8 alone."""
    monkeypatch.setattr(kraken_race, "workspace", lambda name: tmp_path / name)
    lines = {}
    for split in kraken_race.SPLITS:
        path = tmp_path / f"{split}.png"
        path.with_suffix(".gt.txt").write_text("abc\n", encoding="utf-8")
        lines[split] = [str(path)]
    questions = []

    def play(script: str, question: dict, environment: str, threads: int, shows: bool) -> object:
        assert environment == "kraken" and threads <= len(os.sched_getaffinity(0))
        if script == "kraken_training":
            return [{"seconds": [float(each["threads"])], "parameters": 1} for each in question["settings"]]
        questions.append(question)
        text = "abc" if question["batch_size"] == 8 else "xyz"
        return {"validation": [text], "test": [text], "lines": 1, "seconds": question["seconds"]}

    monkeypatch.setattr(kraken_race, "ask", play)
    contest = Contest("name", "recipe", "R")
    answer = kraken_race.train_kraken(contest, "small+augment", lines, 1000.0)
    assert answer["settings"]["batch_size"] == 8 and answer["settings"]["threads"] == 1
    *trials, run = questions
    assert [each["batch_size"] for each in trials] == list(kraken_race.BATCH_SIZES)
    assert all(not each["augment"] and each["seconds"] == 1000 * kraken_race.TRIAL_SHARE for each in trials)
    assert (run["augment"], run["seconds"], run["direction"]) == (True, 1000.0, "R")
    assert run["spec"] == kraken_race.SPEC
    # Another call asks nothing anew; a run without augmentation shares the trials.
    kraken_race.train_kraken(contest, "small+augment", lines, 1000.0)
    assert len(questions) == len(trials) + 1
    kraken_race.train_kraken(contest, "small", lines, 1000.0)
    assert len(questions) == len(trials) + 2 and not questions[-1]["augment"]


def test_threads_reach_a_peer_and_its_failure_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for folder in ("benchmarks/peer", ".venv-toy/bin"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / ".venv-toy" / "bin" / "python").symlink_to(sys.executable)
    (tmp_path / "benchmarks" / "peer" / "good.py").write_text(
        "import json, os, sys\nprint('noise')\n"
        "print(json.dumps([json.load(sys.stdin), os.environ['OMP_NUM_THREADS']]))\n"
    )
    (tmp_path / "benchmarks" / "peer" / "bad.py").write_text("import sys\nsys.exit('no such thing')\n")
    monkeypatch.setattr(peers, "ROOT", tmp_path)
    assert peers.ask("good", {"a": 1}, "toy", threads=3) == [{"a": 1}, "3"]
    assert peers.ask("good", {}, "toy") == [{}, "1"]
    with pytest.raises(GlyphoneError, match=r"bad\.py failed: no such thing") as caught:
        peers.ask("bad", {}, "toy")
    assert "\n" not in str(caught.value)


def test_minutes_are_asked_for_before_any_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kraken_race, "peer_python", lambda name: Path(sys.executable))
    monkeypatch.setattr(kraken_race, "train_ours", lambda *_: pytest.fail("work began"))
    monkeypatch.setenv("GLYPHONE_MINUTES", "no")
    with pytest.raises(GlyphoneError, match="GLYPHONE_MINUTES"):
        kraken_race.race(Contest("name", "recipe"))


def test_the_value_is_a_ratio_of_test_errors_of_the_run_with_the_best_validation(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(kraken_race, "peer_python", lambda name: Path(sys.executable))
    monkeypatch.setattr(kraken_race, "data_folder", lambda: tmp_path)
    monkeypatch.setenv("GLYPHONE_MINUTES", "2")
    monkeypatch.setenv("GLYPHONE_KRAKEN_RUNS", "small default")
    row = {"id": "1", "group": "g", "text": "abcdefghij"}
    ours = SimpleNamespace(
        metrics={"characters": {"rate": 0.1}, "validation": {"characters": {"rate": 0.2}}},
        training={"seconds": 300.0},
        settings={"seed": 1, "ocr": {"text": {"case": "keep"}}},
        command="command",
    )
    monkeypatch.setattr(kraken_race, "train_ours", lambda *_: (ours, {}))
    splits = {split: [row] for split in kraken_race.SPLITS}
    monkeypatch.setattr(kraken_race, "copy_lines", lambda _: ({split: ["x.png"] for split in splits}, splits))
    texts = {
        # The one that is better on validation is worse on test: validation decides.
        "small": {"validation": ["abcdefghij"], "test": ["abcdefgh"]},
        "default": {"validation": ["abcdefghi"], "test": ["abcdefghij"]},
    }
    allowed = []
    monkeypatch.setattr(
        kraken_race, "train_kraken", lambda _, name, lines, seconds: allowed.append(seconds) or dict(texts[name])
    )
    result = kraken_race.race(Contest("name", "recipe"))
    assert result.value == pytest.approx(0.1 / 0.2) and not result.higher_is_better
    assert result.detail["kraken"]["best"] == "small"
    assert allowed == [300.0, 300.0]  # never less than ours took
    assert json.loads(json.dumps(dict(result.detail)))["cores"] == sorted(os.sched_getaffinity(0))
