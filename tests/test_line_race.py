"""Races over text lines: what is asked for, how time is shared out, what is kept, how texts are scored."""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import line_race, peers
from benchmarks.line_race import Contest, Lines, Peer
from common.errors import GlyphoneError
from common.files import write_jsonl
from common.text import TextSettings

QUICK = settings(max_examples=100)


def never(contest: Contest, name: str, lines: Lines, seconds: float) -> dict:
    pytest.fail("the peer began to train")


PEER = Peer("toy", ("small", "default", "large"), never)


def install_toy(root: Path) -> None:
    """An environment of this Python, as `make peers` leaves one."""
    for folder, file in ((".venv-toy", "installed.txt"), ("requirements", "toy.txt")):
        (root / folder).mkdir()
        (root / folder / file).write_text("toy==1.0\n")
    (root / ".venv-toy" / "bin").mkdir()
    (root / ".venv-toy" / "bin" / "python").symlink_to(sys.executable)


@QUICK
@given(st.integers(1, 200), st.floats(0.1, 500), st.floats(0.1, 5000))
def test_epochs_fit_into_the_time(epochs: int, minutes: float, seconds: float) -> None:
    fitting = line_race.fitting_epochs(epochs, minutes, seconds)
    assert 1 <= fitting <= epochs
    assert fitting == 1 or fitting * seconds <= 60 * minutes * (1 + 1e-9)
    assert fitting == epochs or (fitting + 1) * seconds > 60 * minutes * (1 - 1e-9)


@pytest.mark.parametrize("text", ["", "0", "-3", "nan", "inf", "soon"])
def test_minutes(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLYPHONE_MINUTES", text)
    if not text:
        assert line_race.asked_minutes() == line_race.MINUTES
        return
    with pytest.raises(GlyphoneError, match=f"GLYPHONE_MINUTES={text}: a positive number of minutes"):
        line_race.asked_minutes()


def test_runs_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GLYPHONE_TOY_RUNS", raising=False)
    assert line_race.asked_runs(PEER) == list(PEER.runs)
    monkeypatch.setenv("GLYPHONE_TOY_RUNS", "large default")
    assert line_race.asked_runs(PEER) == ["large", "default"]
    monkeypatch.setenv("GLYPHONE_TOY_RUNS", "small tiny")
    with pytest.raises(GlyphoneError, match="GLYPHONE_TOY_RUNS: tiny: there are small, default, large"):
        line_race.asked_runs(PEER)


def test_without_the_peer_one_line_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(peers, "ROOT", tmp_path)
    with pytest.raises(GlyphoneError, match=r"\.venv-toy: not there.*`make peers PEERS=toy` installs it") as caught:
        line_race.race(Contest("name", "recipe"), PEER)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("installed", [None, "toy==0.9\n"])
def test_a_peer_that_was_not_installed_to_the_end_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, installed: str | None
) -> None:
    install_toy(tmp_path)
    marker = tmp_path / ".venv-toy" / "installed.txt"
    if installed is None:
        marker.unlink()
    else:
        marker.write_text(installed)
    monkeypatch.setattr(peers, "ROOT", tmp_path)
    with pytest.raises(GlyphoneError, match=r"not all of toy\.txt is in it"):
        peers.peer_python("toy")


def test_an_answer_is_kept_by_its_question(tmp_path: Path) -> None:
    asked = []

    def answer() -> dict[str, int]:
        asked.append(1)
        return {"n": len(asked)}

    first = line_race.kept(tmp_path, "a", {"size": 1}, answer)
    assert line_race.kept(tmp_path, "a", {"size": 1}, answer) == first == {"n": 1}
    assert line_race.kept(tmp_path, "a", {"size": 2}, answer) == {"n": 2}
    assert line_race.kept(tmp_path, "b", {"size": 1}, answer) == {"n": 3}


def test_texts_are_scored_as_by_evaluate() -> None:
    rows = [{"id": str(n), "group": str(n), "text": text} for n, text in enumerate(["caf\u00e9 x", "ab"])]
    counts = line_race.characters(rows, ["cafe\u0301  x", ""], TextSettings(), {"seed": 1})
    assert (counts["errors"], counts["deletions"], counts["reference"]) == (2, 2, 8)


def test_the_trial_that_reads_most_is_chosen_and_of_equals_the_quicker(tmp_path: Path) -> None:
    picture = tmp_path / "1.png"
    picture.with_suffix(".gt.txt").write_text("abcd\n", encoding="utf-8")
    candidates = [{"size": size} for size in (1, 2, 3)]
    texts = {1: "abxx", 2: "abcx", 3: "xbcd"}

    def train(settings: Mapping[str, int]) -> dict:
        return {"validation": [texts[settings["size"]]], "lines": 10 * settings["size"]}

    chosen, trials = line_race.best_of_trials(candidates, train, {"validation": [str(picture)]})
    assert chosen == {"size": 3}
    assert [(each["size"], each["validation"]) for each in trials] == [(1, 0.5), (2, 0.25), (3, 0.25)]


def test_threads_reach_a_peer_and_its_failure_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    install_toy(tmp_path)
    (tmp_path / "benchmarks" / "peer").mkdir(parents=True)
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


def test_paths_of_lines_hang_on_what_lies_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Answers of a peer are kept by these paths: of other texts they would be scored against the wrong ones."""
    corpus, folder = tmp_path / "corpus", tmp_path / "race"
    for each in (corpus, folder / "data" / "ocr"):
        each.mkdir(parents=True)
    monkeypatch.setattr(line_race, "workspace", lambda name: folder)
    (folder / "params.yaml").write_text(f"ocr: {{corpora: [{{root: {corpus}}}]}}\n")

    def paths(text: str, picture: bytes) -> dict[str, list[str]]:
        (corpus / "a.png").write_bytes(picture)
        rows = [{"id": split, "path": "a.png", "text": text, "split": split} for split in line_race.SPLITS]
        write_jsonl(folder / "data" / "ocr" / "samples.jsonl", rows)
        found, _ = line_race.copy_lines(Contest("race", "recipe"))
        assert Path(found["test"][0]).with_suffix(".gt.txt").read_text() == text + "\n"
        return found

    first = paths("one", b"1")
    assert paths("one", b"1") == first
    assert not {*paths("two", b"1")["test"], *paths("one", b"2")["test"]} & {*first["test"]}


def test_minutes_are_asked_for_before_any_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_race, "peer_python", lambda name: Path(sys.executable))
    monkeypatch.setattr(line_race, "train_ours", lambda *_: pytest.fail("work began"))
    monkeypatch.setenv("GLYPHONE_MINUTES", "no")
    with pytest.raises(GlyphoneError, match="GLYPHONE_MINUTES"):
        line_race.race(Contest("name", "recipe"), PEER)


def test_the_value_is_a_ratio_of_test_errors_of_the_run_with_the_best_validation(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(line_race, "peer_python", lambda name: Path(sys.executable))
    monkeypatch.setattr(line_race, "data_folder", lambda: tmp_path)
    monkeypatch.setenv("GLYPHONE_MINUTES", "2")
    monkeypatch.setenv("GLYPHONE_TOY_RUNS", "small default")
    row = {"id": "1", "group": "g", "text": "abcdefghij"}
    ours = SimpleNamespace(
        metrics={"characters": {"rate": 0.1}, "validation": {"characters": {"rate": 0.2}}},
        training={"seconds": 300.0},
        settings={"seed": 1, "ocr": {"text": {"case": "keep"}}},
        command="command",
    )
    monkeypatch.setattr(line_race, "train_ours", lambda *_: (ours, {}))
    splits = {split: [row] for split in line_race.SPLITS}
    monkeypatch.setattr(line_race, "copy_lines", lambda _: ({split: ["x.png"] for split in splits}, splits))
    texts = {
        # The one that is better on validation is worse on test: validation decides.
        "small": {"validation": ["abcdefghij"], "test": ["abcdefgh"]},
        "default": {"validation": ["abcdefghi"], "test": ["abcdefghij"]},
    }
    allowed = []

    def train(contest: Contest, name: str, lines: Lines, seconds: float) -> dict:
        allowed.append(seconds)
        return dict(texts[name])

    result = line_race.race(Contest("name", "recipe"), Peer("toy", PEER.runs, train))
    assert result.value == pytest.approx(0.1 / 0.2) and not result.higher_is_better
    assert result.detail["toy"]["best"] == "small"
    assert allowed == [300.0, 300.0]  # never less than ours took
    assert json.loads(json.dumps(dict(result.detail)))["cores"] == sorted(os.sched_getaffinity(0))
