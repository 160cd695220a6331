"""Stage evaluate with models that are adapted to the groups of its samples."""

import json
from pathlib import Path

import pytest

from common.adaptation.settings import AdaptationSettings
from common.bundle import read_bundle
from common.decoding import DecodingSettings
from common.decoding.decoder import Decoder
from common.store import Store, StoreWriter
from pipelines import evaluate
from pipelines.adapted_groups import adapted_groups
from tests.test_evaluate import NUM_FEATURES, TEST, VALIDATION, make_project, matrix_of, write_stores

ALL = [*TEST, ("e6", "noisy/b", "BAD", "BAD")]


def evaluated(folder: Path, adaptation: str, test: list = ALL) -> tuple[list[dict], dict, dict]:
    make_project(folder, "greedy")
    write_stores(folder, test=test)
    params = (folder / "params.yaml").read_text("utf-8") + f"  adaptation: {adaptation}\n"
    (folder / "params.yaml").write_text(params, "utf-8")
    evaluate.evaluate("audio", "cpu")
    results = folder / "results" / "audio"
    rows = [json.loads(line) for line in (results / "hypotheses.jsonl").read_text("utf-8").splitlines()]
    return rows, *(json.loads((results / f"{name}.json").read_bytes()) for name in ("metrics", "scores"))


def test_the_stage_adapts_to_groups_that_are_large_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rows, metrics, scores = evaluated(tmp_path, "{rounds: 1, min_samples: 3, learning_rate: 0.01}")
    small = [row for row in rows if row["group"] != "noisy/b"]
    for row in small:
        assert {key: row[key] for key in row["adapted"]} == row["adapted"]
    # Whatever is learnt changes confidences, so the large group is seen to have a model of its own.
    large = [row for row in rows if row["group"] == "noisy/b"]
    assert [row for row in large if {key: row[key] for key in row["adapted"]} != row["adapted"]]
    tree = metrics["adapted"]
    assert tree["groups_adapted_to"] == {"validation": {}, "test": {"noisy/b": {"learnt": 2, "rounds": 1}}}
    assert tree["settings"]["min_samples"] == 3 and tree["samples"] == len(ALL)
    assert tree["words"]["errors"] == sum(
        sum(row["adapted"]["word_counts"][kind] for kind in ("substitutions", "deletions", "insertions"))
        for row in rows
    )
    assert scores["adapted_word_error_rate"] == tree["words"]["rate"]
    assert tree["validation"]["samples"] == len(VALIDATION)
    assert scores["adapted_validation_word_error_rate"] == scores["validation_word_error_rate"]


def test_a_group_whose_first_round_is_undone_does_not_count_as_adapted_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("common.adaptation.self_training.collapsed", lambda *_: "deaf")
    _, metrics, scores = evaluated(tmp_path, "{rounds: 1, min_samples: 2}")
    assert {each["rounds"] for each in metrics["adapted"]["groups_adapted_to"]["test"].values()} == {0}
    assert capsys.readouterr().err.splitlines()[-1].endswith("models adapted to 0 of the test set's groups")
    assert scores["adapted_word_error_rate"] == scores["word_error_rate"]


def test_speakers_of_one_name_in_two_corpora_are_two(tmp_path: Path) -> None:
    path = tmp_path / "test.arrow"
    settings = {"modality": "audio", "num_features": NUM_FEATURES, "step": 0.01, "unit": "s"}
    with StoreWriter(path, **settings, settings={}, samples_digest="") as writer:
        for corpus, group, said in (("an4", "1", "AB"), ("fsdd", "1", "BA"), ("fsdd", "2", "AB"), ("fsdd", "1", "CA")):
            writer.add(f"{corpus}{writer.num_rows}", group, said, matrix_of(said), corpus=corpus)
    make_project(tmp_path, "greedy")
    bundle = read_bundle(tmp_path / "models" / "audio")
    decoder = Decoder(bundle.alphabet, DecodingSettings())
    chosen = AdaptationSettings(rounds=1, min_samples=1)
    found = adapted_groups(bundle, Store(path), decoder, chosen, 1, "test")
    learnt = {group: rounds[0].num_learnt for group, rounds in found.rounds.items()}
    assert learnt == {"an4: 1": 1, "fsdd: 1": 2, "2": 1} and all(found.hypotheses)


def test_the_stage_reads_no_texts_to_adapt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = []
    for name, texts in (("right", None), ("wrong", "CAB")):
        folder = tmp_path / name
        folder.mkdir()
        monkeypatch.chdir(folder)
        test = [(id, group, texts or reference, hears) for id, group, reference, hears in ALL]
        rows, metrics, _ = evaluated(folder, "{rounds: 1, min_samples: 2, learning_rate: 0.01}", test)
        assert metrics["adapted"]["groups_adapted_to"]["test"]["noisy/b"]["rounds"] == 1
        said.append([row["adapted"]["characters"] for row in rows])
    assert said[0] == said[1]


def test_without_rounds_nothing_is_written_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rows, metrics, scores = evaluated(tmp_path, "{rounds: 0}")
    assert "adapted" not in metrics and not [row for row in rows if "adapted" in row]
    assert not [key for key in scores if key.startswith("adapted")]
