"""Votes in evaluate, the report and the recipe, on networks that read labels off the slices."""

import json
import shutil
from contextlib import nullcontext

import pytest
import torch

from common.archive import write_zip
from common.bundle import read_bundle, write_bundle
from common.decoding import DecodingSettings
from common.decoding.decoder import Decoder
from common.errors import GlyphoneError
from common.files import write_text
from common.network import Network, NetworkSettings
from common.report.gather import gather
from common.report.page import render
from common.report.sources import read_sources
from pipelines import evaluate, recipe
from pipelines.settings import read
from pipelines.voters import load_voters
from tests.report_world import build, rows_of
from tests.test_evaluate import SYMBOLS, TEST, Speller, make_project


def confused(folder, swaps, **description):
    """A copy of the project's model that takes some letters for others."""
    bundle = json.loads((folder / "models" / "audio" / "bundle.json").read_text(encoding="utf-8"))
    weights = Speller.weights()
    for said, heard in swaps.items():
        row, column = SYMBOLS.index(said) + 1, SYMBOLS.index(heard) + 1
        weights["head.weight"][row, column] = 1.0
    return {**bundle, **description}, weights


def add_voter(folder, name, swaps, **description):
    bundle, weights = confused(folder, swaps, **description)
    # Of the reset gate, which does nothing here: a model of its own, that says the same.
    weights["encoder.layers.0.forwards.bias_ih_l0"][0] = 1 + ord(name)
    write_bundle(folder / name, weights, Speller.settings, bundle, "# Voter\n")


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project as before evaluate; the argument is section ``evaluate`` beyond its bootstrap."""

    def make(section=""):
        make_project(tmp_path, "greedy")
        params = (tmp_path / "params.yaml").read_text(encoding="utf-8")
        write_text(tmp_path / "params.yaml", params.replace("samples: 50}", f"samples: 50{section}}}"))
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("GLYPHONE_DATA", str(tmp_path))
        return tmp_path

    return make


def results_of(folder):
    texts = {path.name: path.read_bytes() for path in (folder / "results" / "audio").iterdir()}
    rows = [json.loads(line) for line in texts["hypotheses.jsonl"].decode().splitlines()]
    return texts, rows, json.loads(texts["metrics.json"]), json.loads(texts["scores.json"])


@pytest.mark.parametrize("voting", ["confidences", "emissions"])
def test_two_of_three_models_outvote_the_third_and_its_own_figures_stay(project, voting):
    folder = project()
    # The main model takes D for E; the two others do not.
    bundle, weights = confused(folder, {"D": "E"})
    write_bundle(folder / "models" / "audio", weights, Speller.settings, bundle, "# Main\n")
    evaluate.evaluate("audio", "cpu")
    alone, alone_rows, alone_metrics, alone_scores = results_of(folder)

    for name in ("b", "c"):
        add_voter(folder, name, {})
    project(f", voters: [b, c], voting: {voting}")
    write_bundle(folder / "models" / "audio", weights, Speller.settings, bundle, "# Main\n")
    evaluate.evaluate("audio", "cpu")
    texts, rows, metrics, scores = results_of(folder)

    said = ["ABBA CAB", "BED CAD", "CAB E", "", "A ACE"]
    assert [row["vote"]["hypothesis"] for row in rows] == said
    assert [row["hypothesis"] for row in rows] == [text.replace("E", "D") for text in said]
    for row, before in zip(rows, alone_rows, strict=True):
        vote = row.pop("vote")
        assert row == before
        assert [each["text"] for each in vote["words"]] == vote["hypothesis"].split()
        places = [place for each in vote["characters"] for place in (each["start"], each["end"])]
        assert places == sorted(places) and all(place <= row["length"] for place in places)
        # E was written as a D: at the same place.
        assert [(e["start"], e["end"]) for e in vote["words"]] == [(e["start"], e["end"]) for e in row["words"]]
        assert [each["hypothesis"] for each in vote["voters"]] == [vote["hypothesis"]] * 2
    vote = metrics.pop("vote")
    assert metrics == alone_metrics
    assert {key: scores[key] for key in alone_scores} == alone_scores
    assert texts["errors.csv"] == alone["errors.csv"] and texts["lengths.csv"] == alone["lengths.csv"]
    # As of the model that hears well, in tests/test_evaluate.py.
    assert (vote["words"]["errors"], vote["characters"]["errors"]) == (4, 10)
    assert scores["vote_word_error_rate"] == 4 / 8 < scores["word_error_rate"]
    assert scores["vote_validation_word_error_rate"] == vote["validation"]["words"]["rate"] == 1 / 2
    assert (vote["method"], [each["model"] for each in vote["voters"]]) == (voting, ["b", "c"])
    for each in vote["voters"]:
        assert each["decoder"] == {"engine": "greedy"}
        assert each["words"] == vote["words"] and each["validation"]["exact"] == vote["validation"]["exact"]
    counted = vote["calibration"]["characters"]
    assert (counted["observations"], counted["right"]) == (8 + 7 + 5 + 5, 8 + 6 + 5 + 3)


@pytest.mark.parametrize("voting", ["confidences", "emissions"])
def test_voters_that_say_the_same_change_nothing(project, voting):
    folder = project(f", voters: [b, c, d], voting: {voting}")
    for name in ("b", "c", "d"):
        add_voter(folder, name, {})
    evaluate.evaluate("audio", "cpu")
    _, rows, metrics, scores = results_of(folder)
    for row in rows:
        vote = row["vote"]
        del vote["voters"]
        assert vote == {key: row[key] for key in vote}
    vote = metrics["vote"]
    assert all(vote[key] == metrics[key] for key in ("words", "characters", "exact", "by_group", "by_length", "line"))
    assert all(scores[f"vote_{key}"] == scores[key] for key in ("word_error_rate_low", "exact_share"))


def test_a_voter_of_other_splits_is_said(project, capsys):
    """Another seed makes other splits: such a voter has learnt what it is tested on."""
    folder = project(", voters: [b, c]")
    summary = json.loads((folder / "models" / "audio" / "bundle.json").read_text(encoding="utf-8"))["summary"]
    add_voter(folder, "b", {})
    add_voter(folder, "c", {}, summary={**summary, "samples_digest": "other"})
    evaluate.evaluate("audio", "cpu")
    said = [line for line in capsys.readouterr().err.splitlines() if "another list of samples" in line]
    assert len(said) == 1 and said[0].startswith("audio.evaluate.voters: c: ")


def test_without_voters_nothing_is_written_of_a_vote(project):
    folder = project(", voting: emissions, gap_weight: 0.5")
    evaluate.evaluate("audio", "cpu")
    texts, rows, metrics, scores = results_of(folder)
    assert "vote" not in metrics and not [row for row in rows if "vote" in row]
    assert not [key for key in scores if key.startswith("vote")]
    project()
    evaluate.evaluate("audio", "cpu")
    assert results_of(folder)[0] == texts


@pytest.mark.parametrize(
    ("description", "voting", "sentence"),
    [
        (None, "confidences", r"audio\.evaluate\.voters: no model folder or archive 'b'; looked for"),
        ({"modality": "ocr"}, "confidences", "voters: b: a model of modality 'ocr', the main model's is 'audio'"),
        (
            {"text_settings": {"case": "lower"}},
            "confidences",
            r"voters: b: normalises text otherwise than the main model: case 'lower', .*, not case 'upper'",
        ),
        (
            {"text_settings": {"case": "upper", "direction": "rtl"}},
            "confidences",
            r"voters: b: .*, direction 'rtl', not case 'upper', replace \{\}, direction 'ltr'",
        ),
        (
            {"slice_settings": {}},
            "confidences",
            r"voters: b: trained on other slices than the main model: \w+ None, not ",
        ),
        ({"alphabet": list(" ABCDX")}, "emissions", "voters: b: voting 'emissions' needs the main model's alphabet"),
    ],
)
def test_a_voter_that_does_not_fit_is_one_line(project, description, voting, sentence):
    folder = project(f", voters: [b], voting: {voting}")
    if description is not None:
        add_voter(folder, "b", {}, **description)
    with pytest.raises(GlyphoneError, match=sentence) as caught:
        evaluate.evaluate("audio", "cpu")
    assert "\n" not in str(caught.value)
    assert not (folder / "results").exists()


def test_a_voter_that_writes_nothing_of_the_whitelist_is_refused(project):
    """It would vote for nothing everywhere."""
    folder = project()
    add_voter(folder, "b", {}, alphabet=[*" AWXYZ"])
    main = read_bundle(folder / "models" / "audio")
    for whitelist, fits in (("BC ", False), ("AB ", True), (" ", True)):
        decoder = Decoder(main.alphabet, DecodingSettings(whitelist=whitelist))
        with nullcontext() if fits else pytest.raises(GlyphoneError, match="voters: b: writes none of the whitelist"):
            load_voters(["b"], [folder / "b"], main, decoder)


def test_a_voter_of_another_stride_may_vote_by_confidences_alone(project):
    torch.manual_seed(1)
    folder = project(", voters: [b], voting: emissions")
    settings = NetworkSettings.model_validate(
        {"convolutions": [{"channels": 2, "stride": [2, 2]}], "num_layers": 1, "num_hidden": 4}
    )
    bundle, _ = confused(folder, {}, alphabet=list(" ABCDE"))
    network = Network(settings, bundle["num_features"], len(SYMBOLS) + 1)
    write_bundle(folder / "b", network.state_dict(), settings, bundle, "# Strided\n")
    with pytest.raises(GlyphoneError, match="needs the main model's stride of 1 slices, not 2; 'confidences' does not"):
        evaluate.evaluate("audio", "cpu")
    project(", voters: [b]")
    evaluate.evaluate("audio", "cpu")
    assert results_of(folder)[2]["vote"]["samples"] == len(TEST)


def test_archives_vote_in_evaluate_as_their_folders_do(project):
    folder = project()
    for name in ("b", "c"):
        add_voter(folder, name, {"A": "B"})
        write_zip(folder / f"{name}.zip", name, {path.name: path.read_bytes() for path in (folder / name).iterdir()})
    written, digests = [], []
    for suffix in ("", ".zip"):
        project(f", voters: [b{suffix}, c{suffix}]")
        evaluate.evaluate("audio", "cpu")
        texts = results_of(folder)[0]
        written.append({name: text.replace(b"b.zip", b"b").replace(b"c.zip", b"c") for name, text in texts.items()})
        tree = {"modalities": ["audio"], "audio": {"evaluate": {"voters": [f"b{suffix}", f"c{suffix}"]}}}
        recipe.fill_voters_digests(tree)
        digests.append(tree["audio"]["evaluate"]["voters_digest"])
    assert written[0] == written[1] and digests[0] == digests[1]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"PK", r"audio\.evaluate\.voters: b\.zip: neither a model folder nor the zip archive of one"),
        (None, r"b\.zip: holds 0 models, folders with bundle\.json; one is needed"),
    ],
)
def test_files_that_are_no_archives_of_models_are_one_line(project, content, sentence):
    folder = project(", voters: [b.zip]")
    write_zip(folder / "b.zip", "b", {"README.md": b""})
    if content:
        (folder / "b.zip").write_bytes(content)
    tree = {"modalities": ["audio"], "audio": {"evaluate": {"voters": ["b.zip"]}}}
    for call in (lambda: evaluate.evaluate("audio", "cpu"), lambda: recipe.fill_voters_digests(tree)):
        with pytest.raises(GlyphoneError, match=sentence):
            call()


def test_the_recipe_fills_in_a_digest_so_that_dvc_sees_other_voters(project):
    folder = project()
    for name in ("b", "c"):
        add_voter(folder, name, {})
    tree = {"modalities": ["audio"], "audio": {"evaluate": {"voters": ["b", "c"]}}}

    def digest():
        recipe.fill_voters_digests(tree)
        return tree["audio"]["evaluate"]["voters_digest"]

    first = digest()
    assert first == digest() and len(first) == 32
    (folder / "c" / "language").mkdir()
    write_text(folder / "c" / "language" / "decoding.json", "{}")
    second = digest()
    add_voter(folder, "c", {"A": "B"})
    assert len({first, second, digest()}) == 3
    none = {"modalities": ["audio"], "audio": {"evaluate": {"bootstrap_samples": 5}}}
    recipe.fill_voters_digests(none)
    assert none["audio"]["evaluate"] == {"bootstrap_samples": 5}
    for voters, sentence in ((["b", "models/audio"], "is the model that is evaluated"), (["b", "./b"], "stands twice")):
        tree["audio"]["evaluate"]["voters"] = voters
        with pytest.raises(GlyphoneError, match=rf"audio\.evaluate\.voters: {voters[1]} {sentence}"):
            digest()


def test_impossible_settings_are_refused(project):
    project(", voters: b, voting: loudest, gap_weight: 0")
    with pytest.raises(GlyphoneError) as caught:
        read("audio", "evaluate")
    assert all(f"audio.evaluate.{key}" in str(caught.value) for key in ("voters", "voting", "gap_weight"))


def test_the_report_shows_the_model_and_the_vote(tmp_path):
    build(tmp_path, "audio", rows_of(40))
    path = tmp_path / "results" / "audio" / "metrics.json"
    metrics = json.loads(path.read_text(encoding="utf-8"))

    def page():
        sources = read_sources("audio", tmp_path)
        return render(gather(sources, "audio", "default", 3, 1, {"decoding": {"engine": "greedy"}}))

    assert "By model" not in page() and "vote of" not in page()
    parts = {key: metrics[key] for key in ("samples", "words", "characters", "exact")}
    metrics["vote"] = {**metrics, "method": "confidences", "voters": [{"model": "seeds/<2>", **parts}]}
    metrics["adapted"] = metrics["vote"]
    write_text(path, json.dumps(metrics))
    said = page()
    assert said.count("adapted to each group, without its texts") == 2  # the table and a remark
    for text in ("By model", "this model alone", "seeds/&lt;2&gt;", "vote of 2 models", "figures of this model alone"):
        assert text in said, text


# transcribe


def test_a_copy_of_the_model_does_not_vote(project):
    folder = project(", voters: [b]")
    shutil.copytree(folder / "models" / "audio", folder / "b")
    with pytest.raises(GlyphoneError, match=r"audio\.evaluate\.voters: b: has the weights of the model"):
        evaluate.evaluate("audio", "cpu")
