"""The evaluate stage on hand-made stores and a network whose output is known: it reads labels off the slices."""

import csv
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from audio.modality import MODALITY
from common.alphabet import Alphabet
from common.bundle import read_bundle, write_bundle
from common.calibration import Calibration
from common.errors import GlyphoneError
from common.files import write_text
from common.grouping import distinct_groups
from common.network import Network, NetworkSettings
from common.store import Store, StoreWriter
from common.text import TextSettings, normalise
from pipelines import evaluate, evaluate_tables
from pipelines.stage_settings import EvaluateSettings
from pipelines.training_calibration import calibration_of

SYMBOLS = list(" ABCDE")
SLICE_SETTINGS = MODALITY.SliceSettings().model_dump(mode="json")
NUM_FEATURES = MODALITY.num_features(MODALITY.SliceSettings())
STEP = MODALITY.step(MODALITY.SliceSettings())
PARAMS = """
seed: 5
modalities: [audio]
audio:
  corpora: [{reader: synthetic}]
  decoding: {engine: ENGINE}
  evaluate: {bootstrap_samples: 50}
"""
TRAIN = [("t1", "s/x", "ABBA CAB", "ABBA CAB"), ("t2", "s/y", "DAD", "DAD")]
VALIDATION = [("v1", "s/v", "BED", "BED"), ("v2", "s/v", "BAD", "BED")]
SCORED = ("metrics", "scores")
# (id, group, reference, what the network will say)
TEST = [
    ("e1", "clean/a", "ABBA CAB", "ABBA CAB"),
    ("e2", "clean/b", "BAD CAD", "BED CAD"),
    ("e3", "noisy/a", "CAB ÜBER", "CAB E"),  # Ü, B and R are missing; Ü and R are not in the alphabet at all
    ("e4", "noisy/b", "DEAD", None),  # not readable: no slices
    ("e5", "noisy/b", "ACE", "  A  ACE "),
]


def matrix_of(said):
    """Slices that spell a text: per character two slices of its label, then one of the blank, one-hot."""
    if said is None:
        return np.zeros((0, NUM_FEATURES), np.float32)
    labels = [label for character in said for label in (*[SYMBOLS.index(character) + 1] * 2, 0)]
    matrix = np.zeros((len(labels), NUM_FEATURES), np.float32)
    matrix[np.arange(len(labels)), labels] = 1.0
    return matrix


class Speller:
    """A network whose most probable label is the slice's hot feature, whatever the neighbours are.

    One GRU layer between two layer norms, which make 8.9 of the hot feature and -0.1 of the others. The input weights
    of the new gate copy the features, the update gate is shut, so the state is tanh(x - 3) of its own slice: 1 or -1.
    """

    settings = NetworkSettings(convolutions=(), cell="gru", num_layers=1, num_hidden=NUM_FEATURES, dropout=0.0)

    @classmethod
    def weights(cls):
        network = Network(cls.settings, NUM_FEATURES, len(SYMBOLS) + 1)
        with torch.no_grad():
            for direction in (network.encoder.layers[0].forwards, network.encoder.layers[0].backwards):
                for tensor in direction.parameters():
                    tensor.zero_()
                _, update, new = direction.bias_ih_l0.chunk(3)  # torch's gates stand as reset, update, new
                update.fill_(-30.0)
                new.fill_(-3.0)
                direction.weight_ih_l0.chunk(3)[2].copy_(torch.eye(NUM_FEATURES))
            network.head.weight.zero_()
            network.head.weight[:, : len(SYMBOLS) + 1] = 0.6 * torch.eye(len(SYMBOLS) + 1)
            network.head.bias.zero_()
        return network.state_dict()


def store_writer(folder, split, settings=SLICE_SETTINGS):
    return StoreWriter(
        folder / "data" / "audio" / "slices" / f"{split}.arrow",
        modality="audio",
        num_features=NUM_FEATURES,
        step=STEP,
        unit="s",
        settings=settings,
        samples_digest="",
    )


def write_stores(folder, settings=SLICE_SETTINGS, test=TEST):
    for split, samples in (("train", TRAIN), ("validation", VALIDATION), ("test", test)):
        with store_writer(folder, split, settings) as store:
            for id, group, reference, said in samples:
                store.add(id, group, normalise(reference, TextSettings(case="upper")), matrix_of(said))


def make_project(folder, engine):
    write_stores(folder)
    description = {
        "modality": "audio",
        "alphabet": SYMBOLS,
        "slice_settings": SLICE_SETTINGS,
        "text_settings": {"case": "upper"},
        "num_features": NUM_FEATURES,
        "step": STEP,
        "unit": "s",
        "summary": {},
    }
    write_bundle(folder / "models" / "audio", Speller.weights(), Speller.settings, description, "# Speller\n")
    write_text(folder / "params.yaml", PARAMS.replace("ENGINE", engine))


@pytest.fixture(scope="module", params=["greedy", "beam"])
def results(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    make_project(folder, request.param)
    before = Path.cwd()
    os.chdir(folder)
    try:
        evaluate.evaluate("audio", "cpu")
    finally:
        os.chdir(before)
    return folder / "results" / "audio"


def read_rows(results):
    return [json.loads(line) for line in (results / "hypotheses.jsonl").read_text(encoding="utf-8").splitlines()]


def test_every_sample_has_a_row_with_what_the_network_said(results):
    rows = read_rows(results)
    said = ["ABBA CAB", "BED CAD", "CAB E", "", "A ACE"]
    assert [(row["id"], row["hypothesis"]) for row in rows] == [
        (e[0], text) for e, text in zip(TEST, said, strict=True)
    ]
    assert [row["seen_in_training"] for row in rows] == [True, False, False, False, False]
    assert [row["length"] for row in rows] == [round(len(matrix_of(e[3])) * STEP, 6) for e in TEST]
    unread = rows[3]
    assert unread["character_counts"] == {"substitutions": 0, "deletions": 4, "insertions": 0, "reference": 4}
    assert unread["confidence"] == 0.0 and unread["words"] == []
    assert all(0.7 < row["confidence"] <= 1 for row in rows if row is not unread)


def test_words_stand_where_the_slices_spell_them(results):
    words = read_rows(results)[1]["words"]
    assert [word["text"] for word in words] == ["BED", "CAD"]
    # B begins at slice 0, D ends at 2 · 3 + 2 = 8; the blank at 9; C begins at 12, the last D ends at 20.
    expected = [(0, 8), (12, 20)]
    assert [(w["start"], w["end"]) for w in words] == [(round(s * STEP, 6), round(e * STEP, 6)) for s, e in expected]


def test_metrics_count_the_errors(results):
    metrics = json.loads((results / "metrics.json").read_text(encoding="utf-8"))
    # BAD→BED, ÜBER→E, DEAD deleted, A inserted; of 8 reference words.
    words = metrics["words"]
    assert [words[key] for key in ("substitutions", "deletions", "insertions", "reference")] == [2, 1, 1, 8]
    assert words["rate"] == 4 / 8
    assert words["low"] <= words["rate"] <= words["high"]
    # A→E, Ü, B, R deleted, D E A D deleted, "A " inserted.
    characters = metrics["characters"]
    assert [characters[key] for key in ("substitutions", "deletions", "insertions")] == [1, 7, 2]
    assert (metrics["samples"], metrics["exact"]["hits"]) == (5, 1)
    assert re.fullmatch("[0-9a-f]{64}", metrics["weights_sha256"])
    assert metrics["decoder"] in ({"engine": "greedy"}, {"engine": "beam", "beam_width": 100})
    assert metrics["by_transcript"]["seen"]["words"]["errors"] == 0
    assert metrics["by_transcript"]["unseen"]["words"]["errors"] == 4
    assert {name: part["words"]["errors"] for name, part in metrics["by_condition"].items()} == {"clean": 1, "noisy": 3}
    validation = metrics["validation"]
    assert (validation["words"]["errors"], validation["words"]["reference"]) == (1, 2)


def test_a_condition_of_one_group_has_no_interval_beside_others_over_groups():
    def row(number, group):
        told = {"reference": "ab cd", "hypothesis": "ab ce"[: 5 - number % 2], "seen_in_training": False, "length": 1.0}
        return {"id": str(number), "group": group, **told}

    groups = ["clean/a", "clean/b", "noisy/a"]
    metrics = evaluate.metrics_of([row(n, groups[n // 2 % 3]) for n in range(24)], EvaluateSettings(), 1)
    clean, noisy = (metrics["by_condition"][name]["characters"] for name in ("clean", "noisy"))
    assert clean["low"] is not None and (noisy["low"], noisy["high"]) == (None, None)
    alone = evaluate.metrics_of([row(n, "noisy/a") for n in range(24)], EvaluateSettings(), 1)
    assert alone["interval"]["drawn_over"] == "samples"
    assert alone["by_condition"]["noisy"]["characters"]["low"] is not None


@settings(max_examples=60)
@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(["1", "2", "clean/1"])), max_size=12))
def test_a_name_means_one_group(pairs):
    """Names are equal where corpus and group are; conditions stay; what one corpus alone has keeps its name."""
    names = distinct_groups([corpus for corpus, _ in pairs], [group for _, group in pairs])
    for pair, name in zip(pairs, names, strict=True):
        assert [each == name for each in names] == [each == pair for each in pairs]
        assert name.partition("/")[0] == pair[1].partition("/")[0] or "/" not in pair[1]
        assert name.startswith(pair[1]) and (name == pair[1]) == (len({c for c, g in pairs if g == pair[1]}) == 1)


def test_speakers_of_two_corpora_are_two_groups(tmp_path, monkeypatch):
    make_project(tmp_path, "greedy")
    with store_writer(tmp_path, "test") as store:
        for number, corpus in enumerate(("first", "first", "second", "second")):
            store.add(f"{corpus}/{number}", "speaker 1", "BAD", matrix_of("BAD"), corpus=corpus)
    monkeypatch.chdir(tmp_path)
    evaluate.evaluate("audio", "cpu")
    metrics = json.loads(Path("results/audio/metrics.json").read_text(encoding="utf-8"))
    assert (metrics["groups"], metrics["interval"]["drawn_over"]) == (2, "groups")
    assert [each["group"] for each in metrics["by_group"]] == ["speaker 1 (first)", "speaker 1 (second)"]


def test_scores_are_a_flat_row_of_fractions(results):
    metrics, scores = (json.loads((results / f"{each}.json").read_text(encoding="utf-8")) for each in SCORED)
    assert all(isinstance(value, int | float) for value in scores.values())
    assert len(scores) <= 14
    assert scores["samples"] == 5
    assert scores["word_error_rate"] == 4 / 8
    # Ten character errors against 8 + 7 + 8 + 4 + 3 characters.
    assert scores["character_error_rate"] == 10 / 30
    assert scores["exact_share"] == scores["exact_share_ignoring_case"] == 1 / 5
    assert scores["validation_word_error_rate"] == 1 / 2
    assert scores["validation_character_error_rate"] == 1 / 6
    assert scores["validation_exact_share"] == 1 / 2
    for part, tree in (("word", metrics["words"]), ("character", metrics["characters"])):
        bounds = scores[f"{part}_error_rate_low"], scores[f"{part}_error_rate_high"]
        assert bounds == (tree["low"], tree["high"])
        assert bounds[0] <= scores[f"{part}_error_rate"] <= bounds[1]
    assert scores["one_minus_ned"] == metrics["one_minus_ned"]


def test_tables_for_plots(results):
    lengths = list(csv.DictReader(io.StringIO((results / "lengths.csv").read_text(encoding="utf-8"))))
    for split, samples in (("train", TRAIN), ("validation", VALIDATION), ("test", TEST)):
        assert sum(int(row["count"]) for row in lengths if row["split"] == split) == len(samples)
    errors = list(csv.DictReader(io.StringIO((results / "errors.csv").read_text(encoding="utf-8"))))
    counted = {(row["kind"], row["reference"], row["hypothesis"]): int(row["count"]) for row in errors}
    assert counted[("substitution", "A", "E")] == 1
    assert counted[("deletion", "D", "")] == 2
    assert sum(counted.values()) == 10


def test_the_same_input_gives_the_same_bytes(results, tmp_path, monkeypatch):
    make_project(tmp_path, results.parent.parent.name.rstrip("0123456789"))
    monkeypatch.chdir(tmp_path)
    evaluate.evaluate("audio", "cpu")
    for path in results.iterdir():
        assert path.read_bytes() == (tmp_path / "results" / "audio" / path.name).read_bytes()


def test_a_model_of_other_slices_is_refused(tmp_path, monkeypatch):
    make_project(tmp_path, "greedy")
    write_stores(tmp_path, settings={**SLICE_SETTINGS, "hop_ms": 20.0})
    monkeypatch.chdir(tmp_path)
    with pytest.raises(GlyphoneError, match="trained on other slices"):
        evaluate.evaluate("audio", "cpu")
    assert not (tmp_path / "results").exists()


def test_confidences_are_calibrated_and_measured(results, tmp_path, monkeypatch):
    engine = results.parent.parent.name.rstrip("0123456789")
    make_project(tmp_path, engine)
    path = tmp_path / "models" / "audio" / "bundle.json"
    description = json.loads(path.read_text(encoding="utf-8"))
    validation = Store(tmp_path / "data" / "audio" / "slices" / "validation.arrow")
    description["calibration"] = calibration_of(read_bundle(path.parent).network, validation, Alphabet(SYMBOLS))
    # BED for BED and for BAD: six characters with one error, two words.
    assert [description["calibration"][kind]["observations"] for kind in ("characters", "words")] == [6, 2]
    path.write_text(json.dumps(description), encoding="utf-8")
    scales = Calibration.of_description(description["calibration"])
    assert scales.words != scales.characters
    monkeypatch.chdir(tmp_path)
    evaluate.evaluate("audio", "cpu")

    for before, after in zip(read_rows(results), read_rows(tmp_path / "results" / "audio"), strict=True):
        assert before["hypothesis"] == after["hypothesis"]
        for key, scale in (("characters", scales.characters), ("words", scales.words)):
            for old, new in zip(before[key], after[key], strict=True):
                assert {**old, "confidence": 0} == {**new, "confidence": 0}
                low, high = scale(old["confidence"] - 1e-4), scale(min(1.0, old["confidence"] + 1e-4))
                assert low - 1e-4 <= new["confidence"] <= high + 1e-4
    metrics = json.loads((tmp_path / "results" / "audio" / "metrics.json").read_text(encoding="utf-8"))["calibration"]
    assert metrics["validation"] == description["calibration"]
    # ABBA CAB, BED CAD, CAB E, nothing, A ACE: wrong are the E for an A, and the first A and its blank.
    characters, words = metrics["test"]["characters"], metrics["test"]["words"]
    assert (characters["observations"], characters["right"]) == (8 + 7 + 5 + 5, 8 + 6 + 5 + 3)
    assert (words["observations"], words["right"]) == (2 + 2 + 2 + 2, 2 + 1 + 1 + 1)
    assert characters["before"] != characters["after"]
    for key in ("before", "after"):
        assert sum(each["count"] for each in characters[key]["bins"]) == characters["observations"]
    unknown = json.loads((results / "metrics.json").read_text(encoding="utf-8"))["calibration"]
    assert unknown["validation"] is None
    assert unknown["test"]["words"]["before"] == unknown["test"]["words"]["after"] == words["before"]


def test_rows_carry_the_whole_hypothesis(results):
    for row in read_rows(results):
        said = " ".join("".join(each["text"] for each in row["characters"]).split())
        assert said == row["hypothesis"] and row["alternatives"] == []
        places = [place for each in row["characters"] for place in (each["start"], each["end"])]
        assert places == sorted(places) and all(place <= row["length"] for place in places)
        assert row["score"] <= 0 and row["language_score"] == 0


def test_an_empty_test_split_is_no_crash(tmp_path, monkeypatch):
    make_project(tmp_path, "greedy")
    write_stores(tmp_path, test=[])
    monkeypatch.chdir(tmp_path)
    evaluate.evaluate("audio", "cpu")
    metrics = json.loads((tmp_path / "results" / "audio" / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["samples"] == 0 and metrics["validation"]["samples"] == 2
    scores = json.loads((tmp_path / "results" / "audio" / "scores.json").read_text(encoding="utf-8"))
    assert scores["samples"] == 0 and scores["exact_share"] is None and scores["validation_exact_share"] == 0.5


@settings(max_examples=200)
@given(st.floats(1e-3, 1e6))
def test_bins_are_few_and_cover_all(longest):
    width = evaluate_tables.bin_width(longest)
    assert 5 <= longest / width < evaluate_tables.MAX_BINS
    assert f"{width:.0e}"[0] in "125"


def test_commands_answer_and_refuse(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parent.parent)}

    def call(*arguments):
        command = [sys.executable, "-m", "pipelines.evaluate", *arguments]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, encoding="utf-8")

    assert call("--help").returncode == 0
    done = call("audio")
    assert done.returncode == 2 and "params.yaml: no such file" in done.stderr and "Traceback" not in done.stderr
