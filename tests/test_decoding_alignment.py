"""Forced alignment against enumeration of all paths."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.alphabet import needed_slices
from common.decoding.alignment import align


def emissions(num_slices, num_labels, seed):
    logits = np.random.default_rng(seed).normal(size=(num_slices, num_labels)) * 2
    return (logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))).astype(np.float32)


def collapsed(path):
    return [label for label, _ in itertools.groupby(path) if label]


def best_path_score(log_probs, labels):
    paths = itertools.product(range(log_probs.shape[1]), repeat=len(log_probs))
    return max(
        sum(float(log_probs[t, label]) for t, label in enumerate(path)) for path in paths if collapsed(path) == labels
    )


def painted(spans, labels, num_slices):
    """The path that the spans describe: blanks around them."""
    path = [0] * num_slices
    for label, (start, end) in zip(labels, spans, strict=True):
        path[start:end] = [label] * (end - start)
    return path


@settings(max_examples=80)
@given(st.integers(1, 6), st.lists(st.integers(1, 3), max_size=4), st.integers(0, 999))
def test_the_alignment_is_the_best_path(num_slices, labels, seed):
    log_probs = emissions(num_slices, 4, seed)
    if needed_slices("".join(map(str, labels))) > num_slices:
        with pytest.raises(ValueError, match=f"{num_slices} slices cannot be aligned to {len(labels)} labels"):
            align(log_probs, labels)
        return
    path = painted(align(log_probs, labels), labels, num_slices)
    assert collapsed(path) == labels
    score = sum(float(log_probs[t, label]) for t, label in enumerate(path))
    assert score == pytest.approx(best_path_score(log_probs, labels), abs=1e-5)


@settings(max_examples=60)
@given(st.lists(st.integers(1, 5), min_size=1, max_size=20), st.integers(0, 20), st.integers(0, 999))
def test_spans_are_ordered_and_disjoint(labels, spare, seed):
    num_slices = needed_slices("".join(map(str, labels))) + spare
    spans = align(emissions(num_slices, 6, seed), labels)
    borders = [border for span in spans for border in span]
    assert borders == sorted(borders)
    assert all(start < end for start, end in spans)
    assert borders[0] >= 0 and borders[-1] <= num_slices


def test_no_labels_need_no_slices():
    assert align(np.zeros((0, 3), np.float32), []) == []
    assert align(np.zeros((4, 3), np.float32), []) == []


def test_labels_of_probability_zero_are_refused():
    log_probs = emissions(4, 3, 0)
    log_probs[:, 2] = -np.inf
    with pytest.raises(ValueError, match="cannot be aligned"):
        align(log_probs, [1, 2])
