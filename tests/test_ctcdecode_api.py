"""ctcdecode's interface: its own golden answers, the differences that are meant, and what it refuses."""

import json
import math
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.decoding import CTCBeamDecoder, beam
from common.decoding.alignment import align

LABELS = ["_", "a", "b", "c"]


def emissions(num_samples, num_slices, num_labels=4, seed=0, scale=2.0):
    logits = np.random.default_rng(seed).normal(size=(num_samples, num_slices, num_labels)) * scale
    return (logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))).astype(np.float32)


def golden_file():
    root = os.environ.get("GLYPHONE_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data"
    return Path(root) / "decoding" / "ctcdecode_golden.json"


needs_golden = pytest.mark.skipif(
    not golden_file().exists(), reason="no decoding/ctcdecode_golden.json in GLYPHONE_DATA"
)


@pytest.fixture(scope="module")
def golden():
    """Runs without a language model: input, arguments, answers."""
    content = json.loads(golden_file().read_text())
    return [
        (content["inputs"][run["input"]], run["params"], run["items"], run.get("truncated_to"))
        for run in content["runs"]
        if run["lm"] is None
    ]


def answer(given, params):
    """Ours for a golden run, its cutoff_prob said as a mass: the original keeps labels up to exp(cutoff_prob) - 1."""
    arguments = {"cutoff_prob": 1.0, **params}
    seq_lens = arguments.pop("seq_lens", None)
    arguments["cutoff_prob"] = min(1.0, math.exp(arguments["cutoff_prob"]) - 1)
    probs = np.array(given["probs"])
    probs = (np.log(probs) if arguments.get("log_probs_input") else probs).astype(np.float32)
    return CTCBeamDecoder(given["labels"], **arguments).decode(probs, seq_lens)


def possible(item):
    """The golden beams that have a probability."""
    return [i for i, score in enumerate(item["scores"]) if score < 3e38]


@needs_golden
def test_golden_texts_scores_and_order(golden):
    compared = 0
    for given_input, params, items, truncated_to in golden:
        labels, scores, _, lengths = answer(given_input, params)
        for b, item in enumerate(items):
            rows = possible(item)
            if truncated_to is None:
                assert np.isfinite(scores[b]).sum() == len(rows)
            for ours, theirs in enumerate(rows):
                assert labels[b, ours, : lengths[b, ours]].tolist() == item["labels"][theirs]
                assert scores[b, ours] == pytest.approx(item["scores"][theirs], rel=1e-4, abs=1e-4)
                compared += 1
    assert compared > 500


@needs_golden
def test_meant_difference_no_beams_without_probability(golden):
    # The original keeps prefixes of probability zero where there is room, as 3.4e38.
    impossible = 0
    for given_input, params, items, _ in golden:
        _, scores, _, lengths = answer(given_input, params)
        assert not ((scores > 1e30) & (scores < np.inf)).any()
        assert not lengths[scores == np.inf].any()
        impossible += sum(len(item["scores"]) - len(possible(item)) for item in items)
    assert impossible > 0


@needs_golden
def test_meant_difference_timesteps_are_of_the_best_alignment_and_never_go_backwards(golden):
    backwards = 0
    for given_input, params, items, _ in golden:
        _, scores, timesteps, lengths = answer(given_input, params)
        for b, k in np.argwhere(np.isfinite(scores)):
            assert (np.diff(timesteps[b, k, : lengths[b, k]]) > 0).all()
        backwards += sum((np.diff(row) < 0).any() for item in items for row in item["timesteps"] if len(row) > 1)
    assert backwards > 0


def test_meant_difference_cutoff_prob_is_a_probability_mass():
    # The original compares log(1 + mass): 0.5 would have kept 0.649 of it, and 0.7 everything.
    probs = np.array([[[0.5, 0.3, 0.15, 0.05]]], np.float32)
    for mass, kept in ((0.4, 1), (0.6, 2), (0.9, 3), (0.97, 4), (1.0, 4)):
        _, scores, _, _ = CTCBeamDecoder(LABELS, cutoff_prob=mass, beam_width=10).decode(probs)
        assert np.isfinite(scores).sum() == kept


def test_meant_difference_padding_is_zero_and_unused_scores_are_infinite():
    labels, scores, timesteps, lengths = CTCBeamDecoder(LABELS, beam_width=50).decode(np.exp(emissions(2, 3)), [3, 1])
    assert np.isfinite(scores[1]).sum() == 4
    assert (scores[1, 4:] == np.inf).all() and not lengths[1, 4:].any()
    for array in (labels, timesteps):
        assert array.dtype == np.int32 and array.shape == (2, 50, 3)
        assert not array[np.arange(3) >= lengths[..., None]].any()


def test_meant_difference_labels_may_be_long_and_stand_anywhere():
    log_probs = emissions(3, 12)
    names = ["blank", "sch", "a", "ough"]
    expected = CTCBeamDecoder(LABELS, log_probs_input=True).decode(log_probs)
    # The blank last: labels 1, 2, 3 are 0, 1, 2 there.
    moved = CTCBeamDecoder([*names[1:], "blank"], log_probs_input=True, blank_id=3).decode(log_probs[..., [1, 2, 3, 0]])
    written = np.arange(12) < expected[3][..., None]
    assert (moved[0] == np.where(written, expected[0] - 1, 0)).all()
    for ours, theirs in zip(moved[1:], expected[1:], strict=True):
        assert (ours == theirs).all()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"labels": []}, "labels: none"),
        ({"labels": [1, 2]}, "labels: a sequence of strings"),
        ({"beam_width": 0}, "beam_width is 0; a whole number from 1"),
        ({"beam_width": 2.5}, "beam_width is 2.5"),
        ({"cutoff_top_n": 0}, "cutoff_top_n is 0"),
        ({"cutoff_prob": 0.0}, "cutoff_prob is 0.0; a number above 0"),
        ({"cutoff_prob": math.nan}, "cutoff_prob is nan"),
        ({"num_processes": 0}, "num_processes is 0"),
        ({"blank_id": 4}, "blank_id is 4; a whole number from 0 to 3"),
        ({"blank_id": -1}, "blank_id is -1"),
        ({"alpha": "much"}, "alpha is 'much'; a finite number"),
        ({"beta": math.inf}, "beta is inf"),
        # Without a language model they say nothing; wrong they are all the same.
        ({"alpha": -1}, r"alpha is -1\.0; at least 0"),
        ({"alpha": 1e308}, r"alpha is 1e\+308; at least 0 and at most 1e\+06"),
        ({"beta": -1e308}, r"beta is -1e\+308; at least -1e\+06"),
        ({"beam_width": 10**12}, "beam_width is 1000000000000; a whole number from 1 to 1000000"),
        ({"model_path": "lm.arpa"}, "model_path 'lm.arpa'"),
    ],
)
def test_meant_difference_bad_arguments_raise(wrong, message):
    with pytest.raises(ValueError, match=message):
        CTCBeamDecoder(**{"labels": LABELS, **wrong})


@pytest.mark.parametrize(
    ("probs", "seq_lens", "message"),
    [
        (np.ones((2, 3)), None, r"shape \[2, 3\]; \[B, T, 4\]"),
        (np.ones((2, 3, 5)), None, r"shape \[2, 3, 5\]"),
        (np.full((1, 2, 4), -0.1), None, "sample 0 .* negative"),
        (np.full((1, 2, 4), np.nan), None, "sample 0 .* NaN"),
        (np.full((1, 2, 4), np.inf), None, "sample 0 .* infinite"),
        (np.ones((2, 3, 4)), [3], r"seq_lens has shape \[1\]; \[2\] is needed"),
        (np.ones((2, 3, 4)), 3, r"seq_lens has shape \[\]"),
        (np.ones((2, 3, 4)), np.array(3), r"seq_lens has shape \[\]"),
        (np.ones((2, 3, 4)), [3, 4], "seq_lens is 4; a whole number from 0 to 3"),
        (np.ones((2, 3, 4)), [-1, 3], "seq_lens is -1"),
        ("words", None, "an array of numbers"),
    ],
)
def test_meant_difference_bad_emissions_raise(probs, seq_lens, message):
    with pytest.raises(ValueError, match=message):
        CTCBeamDecoder(LABELS).decode(probs, seq_lens)


def test_values_behind_the_end_of_a_sample_do_not_matter():
    log_probs = emissions(2, 6)
    decoder = CTCBeamDecoder(LABELS, log_probs_input=True, beam_width=8)
    expected = decoder.decode(log_probs, [6, 4])
    log_probs[1, 4:] = np.nan
    for ours, theirs in zip(decoder.decode(log_probs, [6, 4]), expected, strict=True):
        assert (ours == theirs).all()


@settings(max_examples=40)
@given(st.integers(1, 25), st.integers(2, 6), st.sampled_from([0.3, 1.0, 5.0]), st.integers(0, 999), st.booleans())
def test_equals_the_search_and_the_alignment(num_slices, num_labels, scale, seed, logarithms):
    log_probs = emissions(1, num_slices, num_labels, seed, scale)
    decoder = CTCBeamDecoder([str(i) for i in range(num_labels)], beam_width=12, log_probs_input=logarithms)
    labels, scores, timesteps, lengths = decoder.decode(log_probs if logarithms else np.exp(log_probs))
    expected = beam.search(log_probs[0], 12, 12)
    assert np.isfinite(scores[0]).sum() == len(expected)
    for k, (text, score) in enumerate(expected):
        assert -scores[0, k] == pytest.approx(score, abs=1e-4)
        if logarithms:
            assert labels[0, k, : lengths[0, k]].tolist() == text
            starts = [start for start, _ in align(log_probs[0], text)]
            assert timesteps[0, k, : lengths[0, k]].tolist() == starts


@settings(max_examples=25)
@given(st.integers(1, 6), st.integers(0, 999), st.sampled_from([0.3, 3.0]))
def test_threads_batch_and_order_change_nothing(num_samples, seed, scale):
    log_probs = emissions(num_samples, 15, seed=seed, scale=scale)
    generator = np.random.default_rng(seed)
    seq_lens = generator.integers(0, 16, num_samples)
    arguments = {"beam_width": 7, "log_probs_input": True}
    expected = CTCBeamDecoder(LABELS, num_processes=1, **arguments).decode(log_probs, seq_lens)
    order = generator.permutation(num_samples)
    threaded = CTCBeamDecoder(LABELS, num_processes=3, **arguments)
    for ours, theirs in zip(threaded.decode(log_probs[order], seq_lens[order]), expected, strict=True):
        assert (ours == theirs[order]).all()
    for b in range(num_samples):
        for ours, theirs in zip(threaded.decode(log_probs[b : b + 1], seq_lens[b : b + 1]), expected, strict=True):
            assert (ours[0] == theirs[b]).all()


def test_zeros_and_ties_are_exact():
    certain = np.zeros((1, 5, 4), np.float32)
    certain[0, range(5), [0, 2, 2, 0, 2]] = 1.0
    labels, scores, timesteps, lengths = CTCBeamDecoder(LABELS).decode(certain)
    assert scores[0, 0] == 0.0 and np.isinf(scores[0, 1:]).all()
    assert labels[0, 0, : lengths[0, 0]].tolist() == [2, 2]
    assert timesteps[0, 0, :2].tolist() == [1, 4]
    labels, scores, _, lengths = CTCBeamDecoder(LABELS, beam_width=4).decode(np.full((1, 1, 4), 0.25, np.float32))
    assert labels[0, :, 0].tolist() == [0, 1, 2, 3] and lengths[0].tolist() == [0, 1, 1, 1]
    nothing = CTCBeamDecoder(LABELS, beam_width=4).decode(np.zeros((1, 3, 4), np.float32))
    assert (nothing[1] == np.inf).all() and not nothing[3].any()


def test_torch_in_torch_out():
    torch = pytest.importorskip("torch")
    log_probs = emissions(2, 9)
    decoder = CTCBeamDecoder(LABELS, log_probs_input=True, beam_width=5)
    expected = decoder.decode(log_probs, np.array([9, 5]))
    found = decoder.decode(torch.from_numpy(log_probs), torch.tensor([9, 5]))
    assert [part.dtype for part in found] == [torch.int32, torch.float32, torch.int32, torch.int32]
    for ours, theirs in zip(found, expected, strict=True):
        assert (ours.numpy() == theirs).all()


def test_questions_about_a_language_model_without_one():
    decoder = CTCBeamDecoder(LABELS)
    assert decoder.character_based() is decoder.max_order() is decoder.dict_size() is None
    decoder.reset_params(0.5, 1.5)
    with pytest.raises(ValueError, match="alpha is nan"):
        decoder.reset_params(math.nan, 0.0)
    with pytest.raises(ValueError, match="alpha is -1"):
        decoder.reset_params(-1.0, 0.0)


def test_empty_batches_and_samples():
    labels, scores, _, lengths = CTCBeamDecoder(LABELS, beam_width=3).decode(np.zeros((2, 0, 4)))
    assert labels.shape == (2, 3, 0) and not lengths.any()
    assert (scores[:, 0] == 0).all() and (scores[:, 1:] == np.inf).all()
    assert CTCBeamDecoder(LABELS, beam_width=3).decode(np.zeros((0, 5, 4)))[0].shape == (0, 3, 5)


@pytest.mark.parametrize("labels", [None, 5])
def test_labels_that_are_no_sequence(labels):
    with pytest.raises(ValueError, match="labels: a sequence of strings"):
        CTCBeamDecoder(labels)
