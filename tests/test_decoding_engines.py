"""What all engines hold alike: texts, places, confidences, and refusals."""

import math
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from common.alphabet import Alphabet
from common.decoding import DecodingSettings, EmissionsError, beam, decode, in_units
from common.decoding.decoder import Decoder, fused
from common.errors import GlyphoneError
from common.language.folder import NO_LANGUAGE

ALPHABET = Alphabet(" ab")
ENGINES = ["greedy", "beam"]


def emissions(num_slices, seed, scale=3.0, num_labels=4):
    logits = np.random.default_rng(seed).normal(size=(num_slices, num_labels)) * scale
    return (logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))).astype(np.float32)


def peaked(path, probability):
    """Emissions that give each slice's label of the path the probability, and the others equal shares."""
    probs = np.full((len(path), 4), (1 - probability) / 3)
    probs[np.arange(len(path)), path] = probability
    return np.log(probs).astype(np.float32)


@pytest.mark.parametrize("engine", ENGINES)
def test_repeats_merge_and_blanks_part(engine):
    #       a  a  -  a  ' ' b  -  -  ' '
    path = [2, 2, 0, 2, 1, 3, 0, 0, 1]
    found = decode(peaked(path, 0.97), ALPHABET, DecodingSettings(engine=engine))
    assert found.text == "aa b "
    assert [(symbol.start, symbol.end) for symbol in found.symbols] == [(0, 2), (3, 4), (4, 5), (5, 6), (8, 9)]
    assert [(word.text, word.start, word.end) for word in found.words] == [("aa", 0, 4), ("b", 5, 6)]
    assert found.confidence == pytest.approx(0.97, abs=1e-5)
    assert all(word.confidence == pytest.approx(0.97, abs=1e-5) for word in found.words)


def test_confidence_is_the_geometric_mean():
    log_probs = np.log([[0.2, 0.1, 0.5, 0.2], [0.05, 0.05, 0.8, 0.1]]).astype(np.float32)
    found = decode(log_probs, ALPHABET, DecodingSettings())
    assert found.symbols[0].confidence == pytest.approx(math.sqrt(0.5 * 0.8), abs=1e-5)


@settings(max_examples=60)
@given(st.sampled_from(ENGINES), st.integers(0, 40), st.integers(0, 999), st.sampled_from([0.3, 3.0]))
def test_parts_agree_with_the_whole(engine, num_slices, seed, scale):
    found = decode(emissions(num_slices, seed, scale), ALPHABET, DecodingSettings(engine=engine))
    assert "".join(symbol.text for symbol in found.symbols) == found.text
    assert [word.text for word in found.words] == found.text.split()
    borders = [border for symbol in found.symbols for border in (symbol.start, symbol.end)]
    assert borders == sorted(borders)
    assert all(0 <= part.start < part.end <= num_slices for part in (*found.symbols, *found.words))
    assert all(0 <= part.confidence <= 1 for part in (found, *found.symbols, *found.words))
    assert found.score <= 1e-5


@settings(max_examples=30)
@given(st.integers(1, 40), st.integers(0, 999))
def test_greedy_scores_at_most_what_the_beam_scores(num_slices, seed):
    log_probs = emissions(num_slices, seed)
    by_greedy = decode(log_probs, ALPHABET, DecodingSettings())
    by_beam = decode(log_probs, ALPHABET, DecodingSettings(engine="beam", beam_width=64))
    assert by_greedy.score <= by_beam.score + 1e-5


@pytest.mark.parametrize("engine", ENGINES)
@settings(max_examples=30)
@given(
    whitelist=st.sampled_from([" ", "a", "b ", "ab ", "aa"]), num_slices=st.integers(0, 20), seed=st.integers(0, 999)
)
def test_a_whitelist_masks_the_emissions(engine, whitelist, num_slices, seed):
    log_probs = emissions(num_slices, seed)
    found = decode(log_probs, ALPHABET, DecodingSettings(engine=engine, whitelist=whitelist))
    assert set(found.text) <= set(whitelist)
    # What is left out may as well not exist.
    columns = [0, *(1 + at for at, character in enumerate(ALPHABET.symbols) if character in whitelist)]
    smaller = Alphabet([ALPHABET.symbols[column - 1] for column in columns[1:]])
    expected = decode(np.ascontiguousarray(log_probs[:, columns]), smaller, DecodingSettings(engine=engine))
    assert (found.text, found.symbols) == (expected.text, expected.symbols)
    assert found.score == pytest.approx(expected.score, abs=1e-5)


def test_a_whitelist_outside_the_alphabet_is_refused():
    with pytest.raises(GlyphoneError, match=r"not in the alphabet of 3: \['x'\]"):
        decode(emissions(3, 0), ALPHABET, DecodingSettings(whitelist="ax"))
    # And before anything is decoded.
    with pytest.raises(GlyphoneError, match="whitelist 'ax': the model writes no 'x'"):
        Decoder(ALPHABET, DecodingSettings(whitelist="ax"))


def test_hotwords_are_composed_as_texts_are():
    """An alphabet may have the accent by itself, for letters that no character joins it with."""
    assert DecodingSettings(hotwords={"scho\u0308n": 1.0}).hotwords == {"sch\u00f6n": 1.0}


def test_without_its_package_the_engine_ctcdecode_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "ctcdecode", None)
    with pytest.raises(GlyphoneError, match="engine ctcdecode: the package ctcdecode cannot be imported"):
        decode(emissions(3, 0), ALPHABET, DecodingSettings(engine="ctcdecode"))


def test_the_engine_ctcdecode_reads_the_package(monkeypatch):
    """A stand-in that answers in the original's way: rows that it did not write hold anything."""
    torch = pytest.importorskip("torch")

    class CTCBeamDecoder:
        def __init__(self, labels, model_path=None, alpha=0, beta=0, cutoff_top_n=40, cutoff_prob=1.0, beam_width=100,
                     num_processes=4, blank_id=0, log_probs_input=False):  # fmt: skip
            assert len(labels) == cutoff_top_n == 4 and blank_id == 0 and log_probs_input
            self.width = beam_width

        def decode(self, probs, seq_lens=None):
            assert probs.shape == (1, 6, 4) and torch.isfinite(probs).all()
            found = beam.search(probs[0].numpy(), 3, 3)
            labels, scores = torch.full((1, self.width, 6), 77), torch.full((1, self.width), 0.5)
            lengths = torch.zeros((1, self.width), dtype=torch.int32)
            for k, (text, score) in enumerate(found):
                labels[0, k, : len(text)] = torch.tensor(text)
                scores[0, k], lengths[0, k] = -score, len(text)
            return labels, scores, torch.zeros_like(labels), lengths

    monkeypatch.setitem(sys.modules, "ctcdecode", SimpleNamespace(CTCBeamDecoder=CTCBeamDecoder))
    log_probs = emissions(6, 3)
    log_probs[2, 1] = -np.inf
    arguments = {"beam_width": 3, "num_alternatives": 2}
    found = decode(log_probs, ALPHABET, DecodingSettings(engine="ctcdecode", **{**arguments, "beam_width": 5}))
    expected = decode(log_probs, ALPHABET, DecodingSettings(engine="beam", **arguments))
    assert [found.text, *(text for text, _ in found.alternatives)] == [
        expected.text,
        *(text for text, _ in expected.alternatives),
    ]
    assert decode(log_probs[:0], ALPHABET, DecodingSettings(engine="ctcdecode")).text == ""


def test_the_sum_over_alignments_can_beat_the_best_path():
    # Graves (2006), figure 2: the best path is all blanks (0.36), yet "a" has 0.64.
    log_probs = np.log([[0.6, 1e-9, 0.4, 1e-9]] * 2).astype(np.float32)
    assert decode(log_probs, ALPHABET, DecodingSettings()).text == ""
    best = decode(log_probs, ALPHABET, DecodingSettings(engine="beam"))
    assert best.text == "a"
    assert math.exp(best.score) == pytest.approx(0.64, abs=1e-5)


def test_alternatives_are_ordered_and_without_the_best():
    found = decode(emissions(20, 1, 1.0), ALPHABET, DecodingSettings(engine="beam", num_alternatives=5))
    assert len(found.alternatives) == 5
    scores = [found.score, *(score for _, score in found.alternatives)]
    assert scores == sorted(scores, reverse=True)
    assert found.text not in [text for text, _ in found.alternatives]


@pytest.mark.parametrize("engine", ENGINES)
def test_no_slices(engine):
    found = decode(np.zeros((0, 4), np.float32), ALPHABET, DecodingSettings(engine=engine))
    assert (found.text, found.score, found.confidence, found.symbols, found.words) == ("", 0.0, 0.0, (), ())


@pytest.mark.parametrize("engine", ENGINES)
def test_impossible_emissions_have_no_text_and_no_confidence(engine):
    found = decode(np.full((3, 4), -np.inf, np.float32), ALPHABET, DecodingSettings(engine=engine))
    assert (found.text, found.score, found.confidence) == ("", -math.inf, 0.0)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_no_probabilities_are_refused(engine, value):
    log_probs = emissions(5, 0)
    log_probs[3, 1] = value
    with pytest.raises(EmissionsError, match="slice 3 of 5"):
        decode(log_probs, ALPHABET, DecodingSettings(engine=engine))


def test_shapes_that_do_not_fit_the_alphabet_are_refused():
    with pytest.raises(GlyphoneError, match=r"shape \[5, 7\].*\[T, 4\]"):
        decode(emissions(5, 0, num_labels=7), ALPHABET, DecodingSettings())
    with pytest.raises(GlyphoneError, match=r"shape \[4\]"):
        decode(np.zeros(4, np.float32), ALPHABET, DecodingSettings())


def test_units():
    found = decode(peaked([2, 0, 3], 0.9), ALPHABET, DecodingSettings())
    in_seconds = in_units(found, 0.04)
    assert [(symbol.start, symbol.end) for symbol in in_seconds.symbols] == [(0.0, 0.04), (0.08, 0.12)]
    assert (in_seconds.words[0].start, in_seconds.words[0].end) == (0.0, 0.12)
    assert in_seconds.text == found.text


@pytest.mark.parametrize(
    "wrong", [{"engine": "magic"}, {"beam_width": 0}, {"width": 3}, {"num_alternatives": -1}, {"whitelist": ""}]
)
def test_settings_refuse(wrong):
    with pytest.raises(ValidationError):
        DecodingSettings(**wrong)


@pytest.mark.parametrize(("word", "missing"), [("Ab", "A"), ("über", "e r ü")])
def test_a_hotword_that_the_model_cannot_spell_is_refused(word, missing):
    settings = DecodingSettings(engine="beam_lm", hotwords={word: 5.0})
    with pytest.raises(GlyphoneError, match=f"the model writes no {missing}; write it as") as caught:
        fused(ALPHABET, settings, NO_LANGUAGE)
    assert "\n" not in str(caught.value)
