"""Settings that do nothing together: a mistake where they ask for something, else told."""

# ruff: noqa: F811  (fixtures of another file)
import sys
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.combinations import idle
from pipelines.recipe import compose
from pipelines.settings import check, read
from tests.test_settings import GOOD, _toy, mistakes, params, write  # noqa: F401  (fixtures)


@pytest.mark.parametrize(
    ("sections", "line"),
    [
        ({"decoding": {"hotwords": {"a": 3.0}}}, "decoding.hotwords: {'a': 3.0}: engine greedy knows no words"),
        ({"decoding": {"engine": "beam", "lexicon": "closed"}}, "decoding.lexicon: 'closed': engine beam knows no"),
        ({"decoding": {"engine": "ctcdecode", "lexicon": "open"}}, "decoding.lexicon: 'open': engine ctcdecode"),
        ({"decoding": {"num_alternatives": 3}}, "decoding.num_alternatives: 3: engine greedy finds one text"),
        ({"decoding": {"engine": "beam_lm"}}, "decoding.engine: 'beam_lm': there is no language model"),
        (
            {"decoding": {"engine": "beam_lm", "lexicon": "open", "hotwords": {"a": 1.0}}},
            "decoding.lexicon: 'open': the language model has no words",
        ),
        ({"decoding": {"engine": "beam", "rescoring": {}}}, "decoding.rescoring: there is no character model"),
        (
            {"text": {"case": "lower"}, "decoding": {"engine": "beam_lm", "hotwords": {"Anna": 1.0}}},
            "decoding.hotwords: A: text.case lower leaves no such characters",
        ),
        (
            {"text": {"case": "upper", "replace": {"B": "b"}}, "decoding": {"whitelist": "A bc1ß"}},
            "decoding.whitelist: c ß: text.case upper leaves no such characters",
        ),
        (
            {"text": {"direction": "rtl"}, "decoding": {"engine": "beam_lm", "hotwords": {"a": 1.0}}},
            "decoding.hotwords: {'a': 1.0}: not for lines that read from right to left",
        ),
        ({"language": {"text": "more.txt"}}, "language.text: 'more.txt': nothing learns from it"),
        (
            {"pretraining": {"draw": {"synthetic": 5}}},
            "pretraining.draw: {'synthetic': 5}: it has made",
        ),
        (
            {"pretraining": {"new_characters": {"x": "y"}}},
            "pretraining.new_characters: {'x': 'y'}: it has made",
        ),
        ({"pretraining": {"warm_start": "old"}}, "pretraining.warm_start: 'old': it has made"),
        (
            {"training": {"new_characters": {"x": "y"}}},
            "training.new_characters: {'x': 'y'}: needs training.warm_start",
        ),
        (
            {"prepare": {"validation_share": 0.6, "test_share": 0.4}},
            "prepare.test_share: 0.4: with validation_share 0.6",
        ),
    ],
)
def test_what_asks_for_something_that_nothing_does_is_a_mistake(
    params: Path,
    sections: dict,
    line: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pipelines.combinations.find_spec", lambda name: name)
    (told,) = mistakes(write(params, *((f"toy.{key}", value) for key, value in sections.items())))
    assert told.startswith(f"{params}: toy.{line}")


def test_an_engine_that_is_not_installed_is_told_before_any_work(params: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ctcdecode", None)
    (told,) = mistakes(write(params, ("toy.decoding", {"engine": "ctcdecode"})))
    assert told.startswith(f"{params}: toy.decoding.engine: 'ctcdecode': its package is not installed")


@pytest.mark.parametrize(
    ("sections", "line"),
    [
        ({"decoding": {"beam_width": 16}}, "decoding.beam_width 16: without effect, needs an engine other than greedy"),
        (
            {"decoding": {"engine": "beam", "alpha": 1.0, "beta": 2.0}},
            "decoding.alpha 1.0, decoding.beta 2.0: without effect, needs decoding.engine beam_lm",
        ),
        ({"language": {"unit": "word"}}, "language.unit 'word': without effect, needs decoding.engine beam_lm"),
        ({"tune": {"errors": "characters"}}, "tune.errors 'characters': without effect, needs decoding.engine beam_lm"),
        ({"evaluate": {"voting": "emissions"}}, "evaluate.voting 'emissions': without effect, needs evaluate.voters"),
        (
            {"evaluate": {"voters": ["b"], "voting": "emissions", "gap_weight": 0.5}},
            "evaluate.gap_weight 0.5: without effect, needs evaluate.voting confidences",
        ),
        ({"training": {"joined_gap": 3}}, "training.joined_gap 3: without effect, needs training.joined"),
        ({"pretraining": {"mixup_alpha": 1.0}}, "pretraining.mixup_alpha 1.0: without effect, needs pretraining.mixup"),
        (
            {"training": {"intermediate_weight": 0.1}},
            "training.intermediate_weight 0.1: without effect, needs network.",
        ),
        ({"network": {"num_heads": 2}}, "network.num_heads 2: without effect, needs network.cell transformer"),
        ({"network": {"cell": "gru", "forget_bias": 0.0}}, "network.forget_bias 0.0: without effect, needs an LSTM"),
    ],
)
def test_what_has_no_effect_is_told_once(
    params: Path,
    sections: dict,
    line: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write(params, *((f"toy.{key}", value) for key, value in sections.items()))
    section = line.partition(".")[0]
    read("toy", "text", path=params)  # a stage that reads another section
    assert capsys.readouterr().err == ""
    for _ in range(2):
        read("toy", section, path=params)
    (told,) = capsys.readouterr().err.splitlines()
    assert told.startswith(f"{params}: toy.{line}")


def test_recipes_have_nothing_without_effect(repository: Path) -> None:
    for path in (repository / "recipes").glob("*.yaml"):
        tree = compose(path.stem)
        for name in tree["modalities"]:
            assert list(idle(check(tree, name, path))) == []


@given(engine=st.sampled_from(["greedy", "beam", "beam_lm", "ctcdecode"]), unit=st.sampled_from(["none", "word"]))
def test_defaults_are_never_a_mistake_nor_told(engine: str, unit: str) -> None:
    tree = GOOD | {"toy": GOOD["toy"] | {"decoding": {"engine": engine}, "language": {"unit": unit}}}
    if (engine, unit) == ("beam_lm", "none"):
        return
    with patch("pipelines.combinations.find_spec"):
        told = [section for section, _ in idle(check(tree, "toy", "params.yaml"))]
    assert told == (["language"] if unit == "word" and engine != "beam_lm" else [])


@pytest.mark.parametrize(
    ("name", "slices", "sentence"),
    [
        (
            "audio",
            {"kind": "linear", "num_mels": 40},
            "slices.num_mels 40: without effect, needs slices.kind logmel or",
        ),
        ("audio", {"kind": "logmel", "num_mfcc": 20}, "slices.num_mfcc 20: without effect, needs slices.kind mfcc"),
        ("ocr", {"contrast": "none", "clip_percent": 2.0}, "slices.clip_percent 2.0: without effect, needs slices.con"),
        ("audio", {"kind": "logmel", "num_mels": 40}, ""),
        ("ocr", {"contrast": "stretch", "clip_percent": 2.0}, ""),
    ],
)
def test_slices_have_settings_that_need_others(name: str, slices: dict[str, Any], sentence: str) -> None:
    tree: dict[str, Any] = {"seed": 1, "recipe": "mine", "modalities": [name]}
    tree[name] = {"corpora": [{"reader": "synthetic"}], "slices": slices}
    found = [each for section, each in idle(check(tree, name, "params.yaml")) if section == "slices"]
    assert len(found) == bool(sentence) and all(each.startswith(sentence) for each in found)
