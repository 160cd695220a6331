"""Texts that a search found, in the order of another model: against brute force, and through the stages."""

import itertools
import json
import math
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from common.alphabet import Alphabet
from common.decoding import DecodingSettings, decode
from common.decoding.decoder import Decoder, chosen_settings, decoder_of
from common.decoding.fusion import FusedSearch, Weights
from common.decoding.language_search import FusedBeam
from common.decoding.rescoring import rescore
from common.decoding.settings import RescoringSettings
from common.errors import GlyphoneError, SettingsError
from common.files import write_json, write_jsonl, write_text
from common.language import character_training
from common.language.character_folder import read_characters
from common.language.kneser_ney import train
from pipelines import evaluate, generate, transcribe
from pipelines.lm import learn_language
from pipelines.recogniser import Recogniser
from pipelines.tune import tune
from tests import test_evaluate
from tests.test_character_model import model_of
from tests.test_decoding_engines import emissions

ALPHABET = Alphabet(" ab")


class Table:
    """ln P of texts from a table."""

    def __init__(self, scores):
        self._scores = scores

    def scores(self, texts):
        return np.array([self._scores[text] for text in texts])


def log_sum(values):
    most = max(values)
    return most + math.log(sum(math.exp(value - most) for value in values))


def all_texts(log_probs):
    """Label string → ln of its probability, summed over all alignments, one by one."""
    found = {}
    for path in itertools.product(range(log_probs.shape[1]), repeat=len(log_probs)):
        labels = tuple(label for label, _ in itertools.groupby(path) if label)
        found.setdefault(labels, []).append(float(sum(log_probs[range(len(path)), path])))
    return {labels: log_sum(values) for labels, values in found.items()}


@settings(max_examples=25)
@given(st.integers(0, 999), st.integers(1, 4), st.floats(0, 3), st.floats(-2, 2), st.booleans())
def test_the_best_text_is_that_of_an_exhaustive_search(seed, num_slices, weight, bonus, fuses):
    """Acoustic + alpha n-gram as found in the search + weight · ln P + bonus · characters, over all texts."""
    log_probs = emissions(num_slices, seed)
    model = model_of(characters="ab ", seed=seed % 5)
    fused = None
    if fuses:
        ngrams, _ = train([list("abba"), list("baab"), ["<space>", "a"]], 2)
        fused = FusedSearch(ALPHABET.symbols, ngrams, "char", Weights(alpha=0.7, beta=0.3))
    chosen = DecodingSettings(
        engine="beam_lm" if fuses else "beam",
        beam_width=400,
        num_alternatives=3,
        rescoring=RescoringSettings(num_texts=400, weight=weight, length_bonus=bonus),
    )
    found = decode(log_probs, ALPHABET, chosen, fused, model)
    totals = {}
    for labels, acoustic in all_texts(log_probs).items():
        text = ALPHABET.decode(labels)
        read = " ".join(text.split())
        before = acoustic
        if fuses:
            tokens = ["<space>" if each == " " else each for each in text]
            before += 0.7 * math.log(10) * sum(ngrams.score(tokens)) + 0.3 * len(text)
        totals[text] = before + weight * model.scores([read])[0] + bonus * len(read)
    best = sorted(totals.values(), reverse=True)
    assert totals[found.text] == pytest.approx(best[0], abs=2e-3)
    assert found.score == pytest.approx(all_texts(log_probs)[tuple(ALPHABET.encode(found.text))], abs=1e-4)
    assert found.character_score == model.scores([" ".join(found.text.split())])[0]
    assert [score for _, score in found.alternatives] == pytest.approx(best[1:4], abs=2e-3)


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(-4, 0), st.integers(-4, 0)), min_size=1, max_size=8), st.sampled_from([0, 1, 2]))
def test_equal_scores_keep_the_order_of_the_search(values, weight):
    texts = ["a" * place for place in range(len(values))]
    beams = [FusedBeam(ALPHABET.encode(t), float(v), -1.0, 0.0) for t, (v, _) in zip(texts, values, strict=True)]
    scorer = Table({text: float(score) for text, (_, score) in zip(texts, values, strict=True)})
    found = rescore(beams, ALPHABET, scorer, RescoringSettings(weight=weight))
    wanted = sorted(range(len(values)), key=lambda place: (-values[place][0] - weight * values[place][1], place))
    assert [len(beam.labels) for beam in found] == wanted
    assert [beam.score for beam in found] == [values[place][0] + weight * values[place][1] for place in wanted]


def test_only_so_many_texts_are_looked_at():
    log_probs = np.log(np.array([[0.1, 0.1, 0.5, 0.3]], np.float32))
    scorer = Table({"": -1.0, "a": -9.0, "b": -8.0})  # the empty text would win
    chosen = {num: RescoringSettings(num_texts=num, weight=1.0) for num in (2, 3, 4)}
    found = [
        decode(log_probs, ALPHABET, DecodingSettings(engine="beam", rescoring=each), None, scorer).text
        for each in chosen.values()
    ]
    assert found == ["b", "", ""]  # of "a b", and of more


@settings(max_examples=40)
@given(st.integers(0, 999), st.integers(2, 5), st.integers(1, 30))
def test_further_texts_do_not_change_the_best_one(seed, num_texts, num_alternatives):
    log_probs, model = emissions(4, seed), model_of(characters="ab ", seed=seed % 5)
    chosen = DecodingSettings(engine="beam", rescoring=RescoringSettings(num_texts=num_texts, weight=3.0))
    more = chosen.model_copy(update={"num_alternatives": num_alternatives})
    alone, beside = (decode(log_probs, ALPHABET, each, None, model) for each in (chosen, more))
    assert (beside.text, beside.score, beside.total) == (alone.text, alone.score, alone.total)
    assert len(beside.alternatives) < num_texts
    assert [beside.total, *(score for _, score in beside.alternatives)] == sorted(
        [beside.total, *(score for _, score in beside.alternatives)], reverse=True
    )


def test_spaces_are_scored_as_they_are_read():
    log_probs = np.log(np.array([[0.05, 0.9, 0.03, 0.02], [0.05, 0.05, 0.85, 0.05]], np.float32))  # " a"
    scorer = Table({"": -1.0, "a": -1.5, "b": -1.5})
    chosen = DecodingSettings(engine="beam", rescoring=RescoringSettings(weight=1.0, num_texts=2))
    assert decode(log_probs, ALPHABET, chosen, None, scorer).character_score == -1.5


def test_settings_that_do_not_go_together_are_refused():
    for engine in ("greedy", "ctcdecode"):
        with pytest.raises(ValidationError, match=f"engine {engine} finds no texts to choose from; allowed: beam, bea"):
            DecodingSettings(engine=engine, rescoring=RescoringSettings())
    with pytest.raises(ValidationError):
        DecodingSettings(engine="beam", rescoring={"num_texts": 1})
    assert DecodingSettings().rescoring is None


PARAMS = """
seed: 5
modalities: [audio]
audio:
  corpora: [{reader: synthetic}]
  text: {case: upper}
  language: LANGUAGE
  decoding: DECODING
  tune: {alphas: [0.0], betas: [0.0], beam_widths: [60], rescoring_weights: [0.5, 2.0], length_bonuses: [0.0, 0.5]}
  evaluate: {bootstrap_samples: 50}
"""
CHARACTERS = "{num_hidden: 12, num_embedded: 6, dropout: 0.0, epochs: 12, batch_texts: 4, learning_rate: 2e-2}"
SAMPLES = [(f"t{i}", "train", text) for i, text in enumerate(["BAD CAB", "BAD", "CAB", "BAD CAB BAD", "CAB BAD"] * 6)]
SAMPLES += [("v1", "validation", "BAD CAB"), ("v2", "validation", "BAD"), ("e1", "test", "DEED")]
# What the network says of BAD and CAB is BED and CEB.
VALIDATION = [("v1", "s/v", "BAD CAB", "BED CEB"), ("v2", "s/v", "BAD", "BED")]
TEST = [("e1", "clean/a", "CAB BAD", "CEB BED"), ("e2", "clean/b", "BAD", "BAD"), ("e3", "clean/b", "CAB", None)]
FILES = ("characters.json", "characters.safetensors")


def nearly_deaf(weights):
    """Weights of the speller that is sure of all characters but E, where A is little worse."""
    at = {symbol: label for label, symbol in enumerate(test_evaluate.SYMBOLS, 1)}
    weights["head.weight"] *= 4.0
    weights["head.weight"][at["A"], at["E"]] = 2.3
    return weights


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Makes a folder after prepare, extract and train."""
    weights = nearly_deaf(test_evaluate.Speller.weights())
    monkeypatch.setattr(test_evaluate.Speller, "weights", lambda: weights)

    def make(language=f"{{characters: {CHARACTERS}}}", decoding="{engine: beam, beam_width: 60, rescoring: {}}"):
        monkeypatch.setattr(test_evaluate, "VALIDATION", VALIDATION)
        monkeypatch.setattr(test_evaluate, "TEST", TEST)
        monkeypatch.setattr(test_evaluate.write_stores, "__defaults__", (test_evaluate.SLICE_SETTINGS, TEST))
        test_evaluate.make_project(tmp_path, "greedy")
        rows = [{"id": id, "path": "x", "text": text, "group": "g", "split": split} for id, split, text in SAMPLES]
        write_jsonl(tmp_path / "data" / "audio" / "samples.jsonl", rows)
        write_text(tmp_path / "params.yaml", PARAMS.replace("LANGUAGE", language).replace("DECODING", decoding))
        monkeypatch.chdir(tmp_path)
        return tmp_path

    return make


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("engine", ["beam", "beam_lm"])
def test_from_texts_to_fewer_errors(project, engine, capsys):
    language = f"{{unit: {'char' if engine == 'beam_lm' else 'none'}, order: 2, characters: {CHARACTERS}}}"
    folder = project(language, f"{{engine: {engine}, beam_width: 60, rescoring: {{num_texts: 40}}}}")
    learn_language("audio")
    description = read(folder / "data/audio/language/characters.json")
    assert description["characters"] == list(" ABCD")  # of the training texts alone
    assert description["validation"]["perplexity"] < description["validation"]["ngrams"]["perplexity"] * 2
    order = 2 if engine == "beam_lm" else 6
    said = capsys.readouterr().err.splitlines()[-1]
    assert "character model, epoch" in said and f"of {order}-grams of characters" in said
    kept = (folder / "data/audio/slices/test.arrow").read_bytes()
    (folder / "data/audio/slices/test.arrow").unlink()
    tune("audio", "cpu")
    (folder / "data/audio/slices/test.arrow").write_bytes(kept)
    model = folder / "models/audio"
    tried = read(model / "language/decoding.json")["rescoring_tried"]
    assert [(each["weight"], each["length_bonus"]) for each in tried].count((0.0, 0.0)) == 1
    assert len(tried) == 1 + 2 * 2
    assert tried[0]["word_errors"] == min(each["word_errors"] for each in tried)
    without = next(each for each in tried if not each["weight"])
    assert tried[0]["word_errors"] == 0 < without["word_errors"]
    chosen = chosen_settings(model)
    assert (chosen.rescoring.weight, chosen.rescoring.length_bonus, chosen.rescoring.num_texts) == (
        tried[0]["weight"], tried[0]["length_bonus"], 40
    )  # fmt: skip
    evaluate.evaluate("audio", "cpu")
    metrics = read(folder / "results/audio/metrics.json")
    assert metrics["validation"]["words"]["errors"] == 0
    rows = [json.loads(line) for line in (folder / "results/audio/hypotheses.jsonl").read_text().splitlines()]
    assert [row["hypothesis"] for row in rows] == ["CAB BAD", "BAD", ""]
    scorer, _ = read_characters(model / "language")
    assert rows[0]["character_score"] == pytest.approx(scorer.scores(["CAB BAD"])[0], abs=1e-4)

    # The bundle alone, wherever it is, does the same; --engine and --no-rescoring leave the model out.
    moved = folder / "elsewhere"
    model.rename(moved)
    recogniser = Recogniser.load(moved)
    assert recogniser.decoder.scorer is not None
    # Rescored texts are other texts than train calibrated confidences for, with whatever engine.
    assert recogniser.bundle.calibration_errors == read(moved / "language/decoding.json")["calibration"]
    parse = transcribe._parser().parse_args
    assert transcribe._decoding(parse([str(moved), "x.wav"])) == recogniser.decoding
    for options in (["--no-rescoring"], ["--engine", "greedy"]):
        plain = transcribe._decoding(parse([str(moved), "x.wav", *options]))
        assert plain.rescoring is None
        # The calibration of rescored texts is not theirs, with the same engine either.
        assert Recogniser.load(moved, decoding=plain).bundle.calibration_errors is None
    before = transcribe._engine(recogniser.decoding, moved)
    generate.main([str(moved), "--temperature", "0", "--prompt", "b"])
    assert capsys.readouterr().out.splitlines()[-1].startswith("B")
    write_text(moved / "language" / "characters.json", "{}")
    assert transcribe._engine(recogniser.decoding, moved) != before
    with pytest.raises(GlyphoneError, match="format_version is None"):
        decoder_of(moved, recogniser.bundle.alphabet, chosen)


def test_the_same_texts_and_seed_give_the_same_bytes(project):
    folder = project()
    learn_language("audio")
    before = [(folder / "data/audio/language" / name).read_bytes() for name in FILES]
    (folder / ".state/language/audio").rename(folder / "gone")
    learn_language("audio")
    assert [(folder / "data/audio/language" / name).read_bytes() for name in FILES] == before


def test_a_model_that_begins_anew_beside_an_interrupted_one_says_why(project, monkeypatch, capsys):
    """It was silent: hours of work looked lost."""
    folder = project()
    real = character_training.checkpoint.save

    def killed(state, parts):
        real(state, parts)
        raise KeyboardInterrupt

    def said():
        capsys.readouterr()
        learn_language("audio")
        return [line for line in capsys.readouterr().err.splitlines() if "anew" in line]

    monkeypatch.setattr(character_training.checkpoint, "save", killed)
    with pytest.raises(KeyboardInterrupt):
        learn_language("audio")
    monkeypatch.undo()
    monkeypatch.chdir(folder)
    params = (folder / "params.yaml").read_text(encoding="utf-8")
    write_text(folder / "params.yaml", params.replace("epochs: 12", "epochs: 13"))
    (line,) = said()
    assert line.startswith("begins anew, not where .state/language/audio/")
    assert line.endswith(" was interrupted: audio.language.characters.epochs was 12, is 13")
    write_text(folder / "params.yaml", params.replace("epochs: 12", "epochs: 14"))
    assert not said()  # that one was finished


def test_rescoring_that_does_not_help_is_left_out(project):
    # Trained on what the network says anyway.
    folder = project()
    rows = [{"id": f"{n}", "path": "x", "text": "BED CEB", "group": "g", "split": "train"} for n in range(20)]
    rows.append({"id": "v", "path": "x", "text": "BED", "group": "g", "split": "validation"})
    write_jsonl(folder / "data" / "audio" / "samples.jsonl", rows)
    learn_language("audio")
    tune("audio", "cpu")
    assert chosen_settings(folder / "models/audio").rescoring is None
    # pipelines.generate finds it none the less; and a model of earlier settings does not stay.
    assert all((folder / "models/audio/language" / name).is_file() for name in FILES)
    project("{unit: none}", "{engine: beam}")
    learn_language("audio")
    tune("audio", "cpu")
    assert not any((folder / top / "audio/language" / name).exists() for top in ("data", "models") for name in FILES)


@pytest.mark.parametrize("engine", ["beam", "beam_lm"])
def test_rescoring_that_was_switched_since_tune_is_told(tmp_path, engine):
    """Alone it changes no other setting: evaluate would measure another decoder than params.yaml names."""

    def decoder_for(rescoring, tuned, **written):
        content = {"settings": DecodingSettings(engine=engine, rescoring=tuned).model_dump(mode="json"), **written}
        write_json(tmp_path / "language" / "decoding.json", content)
        evaluate.decoder_for(
            SimpleNamespace(alphabet=ALPHABET), tmp_path, DecodingSettings(engine=engine, rescoring=rescoring)
        )

    some, more = RescoringSettings(num_texts=20), RescoringSettings(num_texts=30)
    for rescoring, tuned, written, sentence in (
        (some, None, {}, "decoding.rescoring: switched since: .* was tuned without it; run stage tune again"),
        (None, some, {}, "was tuned with it"),
        (None, None, {"rescoring_tried": []}, "was tuned with it"),
        (more, some, {}, "decoding.rescoring.num_texts: 30: .* was tuned with 20"),
        # In order: what stops these are the models that this folder lacks.
        (some, some, {}, "characters.json is missing" if engine == "beam" else "language"),
    ):
        with pytest.raises(GlyphoneError, match=sentence):
            decoder_for(rescoring, tuned, **written)
    if engine == "beam":
        decoder_for(some, None, rescoring_tried=[])  # it did not help


def test_mistakes_end_before_the_network_runs(project):
    project("{unit: none}")
    with pytest.raises(SettingsError, match=r"decoding.rescoring: there is no character model"):
        learn_language("audio")
    folder = project()  # whose stage lm did not run
    for path in folder.rglob("*.arrow"):
        path.unlink()
    with pytest.raises(GlyphoneError, match=r"characters.json is missing; set language.characters, run stages"):
        tune("audio", "cpu")
    project("{characters: {cell: transformer, epochs: 0, hidden: 3}}", "{engine: greedy, rescoring: {weight: -1}}")
    told = r"(?s)characters.cell.*characters.epochs.*characters.hidden: 3: unknown key.*decoding.rescoring"
    with pytest.raises(SettingsError, match=told):
        learn_language("audio")
    with pytest.raises(ValueError, match="rescoring needs a model"):
        Decoder(ALPHABET, DecodingSettings(engine="beam", rescoring=RescoringSettings()))(emissions(2, 0))
