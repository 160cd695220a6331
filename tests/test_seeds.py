"""A record with several seeds: what is trained, means, and who chooses how models vote."""

from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import record, seeds
from benchmarks.recipes import Run
from benchmarks.record import Record
from pipelines.settings import load

OWN = {1: 0.30, 2: 0.10, 3: 0.20}
# The vote that test data like better is not the one that validation data do.
VOTES = {"confidences": (0.08, 0.30), "emissions": (0.12, 0.25)}


def part(rate: float, validation: float) -> dict[str, Any]:
    words = {"rate": rate, "low": rate - 0.01, "high": rate + 0.01}
    return {"words": words, "validation": {"words": {"rate": validation}}}


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[str, dict[str, Any]]]:
    """Every call of ``run_recipe``, which answers as a finished run would; each leaves a model."""
    found: list[tuple[str, dict[str, Any]]] = []

    def run_recipe(name: str, recipe: str, modality: str, overrides: dict[str, Any]) -> Run:
        found.append((name, overrides))
        model = tmp_path / name / "models" / modality
        model.mkdir(parents=True, exist_ok=True)
        (model / "bundle.json").write_text(name, encoding="utf-8")
        rate = OWN[overrides.get("seed", 1)]
        metrics = part(rate, rate + 0.05)
        if recipe == "fsdd":
            metrics["adapted"] = part(rate / 10, rate / 20)
        if f"{modality}.evaluate.voters" in overrides:
            metrics["vote"] = part(*VOTES[overrides[f"{modality}.evaluate.voting"]])
        return Run(metrics, {"seconds": 10.0, "pretraining_seconds": 2.0}, {}, "")

    monkeypatch.setattr(record, "run_recipe", run_recipe)
    monkeypatch.setattr(record, "WORKSPACES", tmp_path)
    return found


@pytest.fixture
def one(monkeypatch: pytest.MonkeyPatch) -> Record:
    found = Record("some", "an4", "audio", "words", {"audio.decoding.engine": "greedy"})
    monkeypatch.setattr(seeds, "records_of", lambda figure: (found,))
    return found


def test_mean_lowest_and_highest(calls: list[tuple[str, dict[str, Any]]], one: Record) -> None:
    result = seeds.run(["an4_wer", "--seeds", "1", "2", "3"])
    assert result.value == pytest.approx(0.2)
    assert (result.detail["lowest"], result.detail["highest"]) == (0.10, 0.30)
    assert result.detail["seeds"][2]["models"]["some"]["seconds"] == 12
    assert not result.higher_is_better


def test_each_seed_has_a_workspace_and_the_records_settings(
    calls: list[tuple[str, dict[str, Any]]], one: Record, tmp_path: Path
) -> None:
    seeds.run(["an4_wer", "--seeds", "1", "3", "3"])
    alone = [(name, settings) for name, settings in calls if "audio.evaluate.voters" not in settings]
    greedy = {"audio.decoding.engine": "greedy"}
    assert alone == [("some", greedy), ("seeds/3/some", greedy | {"seed": 3, "audio.prepare.seed": 1})]
    votes = calls[len(alone) :]
    assert [settings["audio.evaluate.voting"] for _, settings in votes] == ["confidences", "emissions"]
    for name, settings in votes:
        assert name == "some"
        assert settings["audio.evaluate.voters"] == [str(tmp_path / "seeds/3/some/models/audio")]
        assert settings["audio.evaluate.voters_digest"]


def test_validation_data_choose_how_models_vote(calls: list[tuple[str, dict[str, Any]]], one: Record) -> None:
    detail = seeds.run(["an4_wer", "--seeds", "1", "2"]).detail
    assert detail["voting"] == "emissions"
    assert detail["votes"]["emissions"]["rate"] == 0.12


def test_one_seed_has_nobody_to_vote_with(calls: list[tuple[str, dict[str, Any]]], one: Record) -> None:
    assert not seeds.run(["an4_wer", "--seeds", "2"]).detail.keys() & {"votes", "voting"}
    assert [name for name, _ in calls] == ["seeds/2/some"]


def test_adapted_models_have_figures_of_their_own(
    calls: list[tuple[str, dict[str, Any]]], one: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "adapted" not in seeds.run(["an4_wer", "--seeds", "1", "2"]).detail
    monkeypatch.setattr(seeds, "records_of", lambda figure: (replace(one, recipe="fsdd"),))
    result = seeds.run(["fsdd_wer", "--seeds", "1", "2"])
    assert result.value == pytest.approx(0.2)
    assert result.detail["adapted"]["mean"] == pytest.approx(0.02)
    assert result.detail["adapted"]["seeds"][2]["rate"] == pytest.approx(0.01)
    assert result.detail["adapted"]["seeds"][2]["validation"] == pytest.approx(0.005)


@given(st.floats(0, 1), st.floats(0, 1), st.booleans())
def test_best_on_validation_never_looks_at_the_rate(first: float, second: float, higher: bool) -> None:
    votes = {
        "confidences": {"rate": 0.0, "validation": first},
        "emissions": {"rate": 1.0, "validation": second},
    }
    best = max(first, second) if higher else min(first, second)
    assert votes[seeds.best_on_validation(votes, higher)]["validation"] == best
    swapped = {key: {**each, "rate": 1 - each["rate"]} for key, each in votes.items()}
    assert seeds.best_on_validation(swapped, higher) == seeds.best_on_validation(votes, higher)


@pytest.mark.parametrize("figure", seeds.FIGURES)
def test_records_are_of_recipes_that_exist(figure: str, repository: Path) -> None:
    records = seeds.records_of(figure)
    assert len({each.workspace for each in records}) == len(records)
    for each in records:
        recipe = load(repository / "recipes" / f"{each.recipe}.yaml")
        base = load(repository / "recipes" / f"{recipe['extends']}.yaml") if "extends" in recipe else recipe
        assert each.modality in base["modalities"]
        assert each.part in ("words", "characters", "exact", "exact_ignoring_case")
    assert hasattr(import_module(f"benchmarks.{figure}"), "run")


def test_unknown_figure_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        seeds.run(["no_such_figure"])
    assert stopped.value.code == 2
    assert "no_such_figure" in capsys.readouterr().err
