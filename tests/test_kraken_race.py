"""kraken's side of a race: which settings are tried, and what its trainer is asked for."""

import os
from pathlib import Path

import pytest

from benchmarks import kraken_race, line_race
from benchmarks.kraken_race import RUNS
from benchmarks.line_race import Contest


def test_every_run_has_a_network() -> None:
    assert {name.removesuffix(kraken_race.AUGMENTED) for name in RUNS} == set(kraken_race.NETWORKS)


def test_settings_that_failed_are_passed_over() -> None:
    def tried(size: int, *seconds: float) -> dict:
        return {"settings": {"batch_size": size}, "seconds": list(seconds)}

    speeds = [tried(8, 3.0), tried(8), tried(8, 2.0), tried(1)]
    assert [each["seconds"] for each in kraken_race.speeds_of(speeds, 8)] == [[2.0], [3.0]]
    assert kraken_race.speeds_of(speeds, 1) == []


def test_a_batch_size_is_chosen_by_validation_and_the_run_by_its_own_settings(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """kraken itself is played: its texts are right with batches of 8 alone."""
    monkeypatch.setattr(kraken_race, "workspace", lambda name: tmp_path / name)
    lines = {}
    for split in line_race.SPLITS:
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
    assert all(not each["augment"] and each["seconds"] == 1000 * line_race.TRIAL_SHARE for each in trials)
    assert (run["augment"], run["seconds"], run["direction"]) == (True, 1000.0, "R")
    assert run["spec"] == kraken_race.SPEC
    # Another call asks nothing anew; a run without augmentation shares the trials.
    kraken_race.train_kraken(contest, "small+augment", lines, 1000.0)
    assert len(questions) == len(trials) + 1
    kraken_race.train_kraken(contest, "small", lines, 1000.0)
    assert len(questions) == len(trials) + 2 and not questions[-1]["augment"]
