"""Decoding in chunks: chunking, threads and other streams change nothing."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.decoding import CTCBeamDecoder, DecoderState, OnlineCTCBeamDecoder

LABELS = ["_", "a", "b", "c"]


def emissions(num_samples, num_slices, seed=0, scale=2.0):
    logits = np.random.default_rng(seed).normal(size=(num_samples, num_slices, 4)) * scale
    return (logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))).astype(np.float32)


def same(found, expected):
    """The same beams, whatever the room behind them."""
    labels, scores, timesteps, lengths = found
    assert (scores == expected[1]).all() and (lengths == expected[3]).all()
    room = labels.shape[2]
    assert (labels == expected[0][..., :room]).all() and (timesteps == expected[2][..., :room]).all()
    assert room == lengths.max(initial=0)


@settings(max_examples=40)
@given(st.integers(0, 30), st.lists(st.integers(0, 30), max_size=6), st.integers(0, 999), st.sampled_from([0.3, 3.0]))
def test_chunking_changes_nothing(num_slices, cuts, seed, scale):
    log_probs = emissions(1, num_slices, seed, scale)
    arguments = {"beam_width": 9, "log_probs_input": True, "cutoff_top_n": 3}
    expected = CTCBeamDecoder(LABELS, **arguments).decode(log_probs)
    decoder = OnlineCTCBeamDecoder(LABELS, **arguments)
    state = DecoderState(decoder)
    borders = [0, *sorted(min(cut, num_slices) for cut in cuts), num_slices]
    for number, (start, end) in enumerate(pairwise(borders), 1):
        found = decoder.decode(log_probs[:, start:end], [state], [number == len(borders) - 1])
        same(found, CTCBeamDecoder(LABELS, **arguments).decode(log_probs[:, :end]))
    same(found, expected)


def test_streams_of_other_lengths_in_one_batch():
    log_probs = emissions(3, 12)
    seq_lens = [12, 5, 8]
    decoder = OnlineCTCBeamDecoder(LABELS, beam_width=6, log_probs_input=True, num_processes=2)
    states = [DecoderState(decoder) for _ in seq_lens]
    for start in (0, 4, 8):
        left = [min(4, max(0, length - start)) for length in seq_lens]
        found = decoder.decode(log_probs[:, start : start + 4], states, [start == 8] * 3, left)
    offline = CTCBeamDecoder(LABELS, beam_width=6, log_probs_input=True)
    same(found, offline.decode(log_probs, seq_lens))


def test_a_stream_without_any_text_left_stays_so():
    decoder = OnlineCTCBeamDecoder(LABELS, beam_width=4)
    state = DecoderState(decoder)
    for probs in (np.full((1, 2, 4), 0.25), np.zeros((1, 1, 4)), np.full((1, 2, 4), 0.25)):
        _, scores, _, lengths = decoder.decode(probs, [state], [False])
    assert (scores == np.inf).all() and not lengths.any()


def test_refusals_change_no_state():
    decoder, other = OnlineCTCBeamDecoder(LABELS), OnlineCTCBeamDecoder(LABELS)
    first, second, ended = (DecoderState(decoder) for _ in range(3))
    probs = np.exp(emissions(2, 3))
    decoder.decode(probs[:1], [ended], [True])
    for states, ends, message in [
        ([first], [False], "2 samples, 1 states and 1 ends"),
        ([first, second], [False], "2 samples, 2 states and 1 ends"),
        ([first, first], [False, False], "one stands twice"),
        ([first, DecoderState(other)], [False, False], "sample 1 was made for another decoder"),
        ([first, ended], [False, False], "sample 1 has ended"),
    ]:
        with pytest.raises(ValueError, match=message):
            decoder.decode(probs, states, ends)
    probs[1, 2, 0] = np.nan
    with pytest.raises(ValueError, match="sample 1"):
        decoder.decode(probs, [first, second], [False, False])
    assert len(first.log_probs) == len(second.log_probs) == 0
    same(decoder.decode(probs[:1], [first], [False]), CTCBeamDecoder(LABELS).decode(probs[:1]))


@pytest.mark.parametrize(
    ("states", "ends", "message"),
    [
        ("state", [True], "states is "),
        ("[state]", True, "is_eos_s is True"),
        ("[None]", [True], "states: that of sample 0"),
    ],
)
def test_states_and_ends_that_are_none(states, ends, message):
    decoder = OnlineCTCBeamDecoder(["_", "a", "b"])
    given_states = {"state": DecoderState(decoder), "[state]": [DecoderState(decoder)], "[None]": [None]}[states]
    with pytest.raises(ValueError, match=message):
        decoder.decode(np.full((1, 5, 3), 1 / 3), given_states, ends)


@pytest.mark.parametrize("decoder", [None, CTCBeamDecoder(["_", "a"])])
def test_a_state_is_of_an_online_decoder(decoder):
    with pytest.raises(ValueError, match=r"decoder is .*; the OnlineCTCBeamDecoder that the stream is for is needed"):
        DecoderState(decoder)
