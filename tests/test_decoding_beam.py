"""Prefix beam search against enumeration of all alignments, and against a slow textbook implementation."""

import errno
import gc
import importlib.util
import itertools
import math
import os
from collections import defaultdict
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.decoding import beam, greedy
from common.decoding.compiled import compiled


def log_softmax(logits):
    logits = np.asarray(logits, np.float64)
    return (logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))).astype(np.float32)


def random_emissions(num_slices, num_labels, seed, scale=1.0):
    return log_softmax(np.random.default_rng(seed).normal(size=(num_slices, num_labels)) * scale)


def enumerated(log_probs):
    """Every label string and its log-probability, by adding up all V^T alignments."""
    probs = np.exp(log_probs.astype(np.float64))
    sums = defaultdict(float)
    for path in itertools.product(range(log_probs.shape[1]), repeat=len(log_probs)):
        labels = tuple(label for label, _ in itertools.groupby(path) if label)
        sums[labels] += math.prod(probs[t, label] for t, label in enumerate(path))
    return {labels: math.log(value) for labels, value in sums.items() if value > 0}


# Logits with many ties, and probabilities that are exactly zero.
logits = st.one_of(st.integers(-3, 3).map(float), st.floats(-8, 8), st.just(-math.inf))


@st.composite
def small_emissions(draw):
    num_labels = draw(st.integers(1, 4))
    num_slices = draw(st.integers(0, 6 if num_labels < 4 else 5))
    rows = draw(st.lists(st.tuples(*[logits] * num_labels), min_size=num_slices, max_size=num_slices))
    rows = [row if max(row) > -math.inf else (0.0, *row[1:]) for row in rows]
    return log_softmax(np.array(rows).reshape(num_slices, num_labels))


@settings(max_examples=150)
@given(small_emissions())
def test_exhaustive_beam_equals_enumeration(log_probs):
    expected = enumerated(log_probs)
    found = beam.search(log_probs, beam_width=4**6, num_best=4**6)
    assert {tuple(labels) for labels, _ in found} == set(expected)
    for labels, score in found:
        assert score == pytest.approx(expected[tuple(labels)], abs=1e-5)
    scores = [score for _, score in found]
    assert scores == sorted(scores, reverse=True)


def paths_and_texts(num_slices, num_labels):
    """All paths [V^T, T], the label strings that they write, and which path writes which."""
    paths = np.array(list(itertools.product(range(num_labels), repeat=num_slices)), np.int64)
    paths = paths.reshape(num_labels**num_slices, num_slices)
    texts: dict[tuple[int, ...], int] = {}
    writes = [
        texts.setdefault(tuple(c for c, _ in itertools.groupby(path) if c), len(texts)) for path in paths.tolist()
    ]
    return paths, list(texts), np.array(writes)


@pytest.mark.parametrize("num_labels", [1, 2, 3, 4])
@pytest.mark.parametrize("num_slices", [1, 2, 3, 4, 5, 6])
def test_exhaustive_beam_equals_enumeration_on_thousands_of_cases(num_slices, num_labels):
    paths, texts, writes = paths_and_texts(num_slices, num_labels)
    for seed in range(90):
        log_probs = random_emissions(num_slices, num_labels, seed, scale=(0.3, 2.0, 8.0)[seed % 3])
        probs = np.exp(log_probs.astype(np.float64))
        expected = np.log(np.bincount(writes, probs[np.arange(num_slices), paths].prod(axis=1)))
        found = {tuple(labels): score for labels, score in beam.search(log_probs, len(texts), len(texts))}
        assert found.keys() == set(texts)
        assert [found[text] for text in texts] == pytest.approx(expected, abs=1e-5)


def textbook(log_probs, width):
    """Prefix beam search in its shortest form: a dictionary of tuples, in linear probabilities."""
    beams = {(): (1.0, 0.0)}
    for row in np.exp(log_probs.astype(np.float64)):
        following = defaultdict(lambda: [0.0, 0.0])
        for prefix, (blank, letter) in beams.items():
            following[prefix][0] += (blank + letter) * row[0]
            if prefix:
                following[prefix][1] += letter * row[prefix[-1]]
            for label in range(1, len(row)):
                source = blank if prefix[-1:] == (label,) else blank + letter
                following[(*prefix, label)][1] += source * row[label]
        best = sorted(following, key=lambda p: (-sum(following[p]), p[-1] if p else -1))
        beams = {prefix: tuple(following[prefix]) for prefix in best[:width] if sum(following[prefix]) > 0}
    return [(prefix, math.log(sum(value))) for prefix, value in beams.items()]


@settings(max_examples=60)
@given(st.integers(1, 30), st.integers(2, 9), st.integers(1, 12), st.sampled_from([0.5, 2.0, 6.0]), st.integers(0, 999))
def test_narrow_beam_equals_the_textbook(num_slices, num_labels, width, scale, seed):
    log_probs = random_emissions(num_slices, num_labels, seed, scale)
    expected = textbook(log_probs, width)
    found = beam.search(log_probs, width, width)
    assert [tuple(labels) for labels, _ in found] == [prefix for prefix, _ in expected]
    assert [score for _, score in found] == pytest.approx([score for _, score in expected], abs=1e-5)


def golden_folder():
    root = os.environ.get("GLYPHONE_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data"
    return Path(root) / "decoding"


@pytest.mark.skipif(
    not (golden_folder() / "reference_pbs.py").exists(), reason="no decoding/reference_pbs.py in GLYPHONE_DATA"
)
def test_equals_the_reference_implementation():
    spec = importlib.util.spec_from_file_location("reference_pbs", golden_folder() / "reference_pbs.py")
    reference = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(reference)
    for seed in range(20):
        log_probs = random_emissions(25, 6, seed, scale=1 + seed % 3)
        width = 3 + seed
        # The reference keeps prefixes of probability zero where there is room; they come last.
        expected = [(labels, -score) for labels, score, _ in reference.decode(log_probs, width) if score < math.inf]
        found = beam.search(log_probs, width, width)
        assert [labels for labels, _ in found] == [labels for labels, _ in expected]
        assert [score for _, score in found] == pytest.approx([score for _, score in expected], abs=1e-4)


@settings(max_examples=60)
@given(st.integers(1, 40), st.integers(2, 8), st.integers(0, 999), st.sampled_from([1.0, 4.0]))
def test_beam_finds_at_least_the_greedy_path(num_slices, num_labels, seed, scale):
    log_probs = random_emissions(num_slices, num_labels, seed, scale)
    _, _, greedy_score = greedy.search(log_probs)
    # The greedy path is the most probable one: whatever string wins a wide beam holds as much.
    assert beam.search(log_probs, 64)[0][1] >= greedy_score - 1e-5


@settings(max_examples=60)
@given(st.integers(1, 15), st.integers(2, 5), st.integers(0, 999))
def test_score_grows_to_the_exact_one_with_the_beam(num_slices, num_labels, seed):
    log_probs = random_emissions(num_slices, num_labels, seed)
    exact = {tuple(labels): score for labels, score in beam.search(log_probs, 5000, 5000)}
    for width in (1, 2, 8, 64):
        for labels, score in beam.search(log_probs, width, width):
            # A beam sums over some of the alignments, never over more than there are.
            assert score <= exact.get(tuple(labels), math.inf) + 1e-5


@settings(max_examples=60)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=40), st.integers(0, 999))
def test_a_beam_of_one_is_greedy_where_the_network_is_sure(path, seed):
    probs = np.random.default_rng(seed).dirichlet(np.ones(5), len(path)) * 0.1
    probs[np.arange(len(path)), path] += 0.9
    log_probs = np.log(probs).astype(np.float32)
    assert beam.search(log_probs, 1)[0][0] == greedy.search(log_probs)[0]


def test_a_beam_of_one_is_not_greedy_elsewhere():
    # "a" stays by two ways, blank and a again, 0.3 each: more than "b" has by one. Greedy looks at single labels.
    log_probs = np.log([[0.1, 0.8, 0.1], [0.3, 0.3, 0.4]]).astype(np.float32)
    assert greedy.search(log_probs)[0] == [1, 2]
    assert beam.search(log_probs, 1)[0][0] == [1]


def test_nothing_grows_over_ten_thousand_decodes():
    log_probs = random_emissions(15, 6, 0)
    process = psutil.Process()
    for count in (2_000, 10_000):
        for _ in range(count):
            beam.search(log_probs, 8, 8)
        gc.collect()
        if count == 2_000:
            before = process.memory_info().rss
    assert process.memory_info().rss - before < 2**20


def test_ties_go_to_the_smaller_label():
    equal = np.full((1, 4), math.log(0.25), np.float32)
    assert [labels for labels, _ in beam.search(equal, 4, 4)] == [[], [1], [2], [3]]
    assert beam.search(equal[:, 1:] * 0 + np.float32([-9, -1, -1]), 1)[0][0] == [1]


def test_no_slices_and_blank_alone():
    assert beam.search(np.zeros((0, 5), np.float32), 16, 16) == [([], 0.0)]
    assert beam.search(np.zeros((7, 1), np.float32), 16, 16) == [([], 0.0)]


def test_emissions_that_allow_nothing_give_the_empty_text():
    log_probs = random_emissions(5, 4, 0)
    log_probs[3] = -np.inf
    assert beam.search(log_probs, 16, 16) == [([], -math.inf)]


def test_certain_emissions_give_one_result():
    path = [0, 2, 2, 0, 2, 1]
    log_probs = np.full((6, 3), -np.inf, np.float32)
    log_probs[np.arange(6), path] = 0.0
    assert beam.search(log_probs, 16, 16) == [([2, 2, 1], 0.0)]


def test_very_small_probabilities_do_not_vanish():
    log_probs = random_emissions(50, 4, 1) - np.float32(1000)
    found = beam.search(log_probs, 8, 8)
    expected = beam.search(log_probs + np.float32(1000), 8, 8)
    assert [labels for labels, _ in found] == [labels for labels, _ in expected]
    assert found[0][1] == pytest.approx(expected[0][1] - 50_000, abs=0.05)


def test_a_pruned_prefix_that_comes_back_is_the_same_prefix():
    # Wide alphabets on flat emissions prune and revive prefixes all the time: no string may stand twice.
    for seed in range(5):
        found = beam.search(random_emissions(60, 12, seed, 0.3), 40, 40)
        strings = [tuple(labels) for labels, _ in found]
        assert len(set(strings)) == len(strings)


def test_without_a_folder_for_its_cache_it_compiles_anyway(monkeypatch):
    def njit(cache=False, **options):
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return lambda function: function

    monkeypatch.setattr("common.decoding.compiled.numba.njit", njit)
    assert compiled(textbook) is textbook


def add_one(number):
    return number + 1


def test_without_room_for_its_cache_it_computes_anyway(monkeypatch):
    """A full disk ended whatever computed, in a line that named no file."""
    full = Mock(side_effect=OSError(errno.ENOSPC, "No space left on device"))
    monkeypatch.setattr("numba.core.caching.FunctionCache.save_overload", full)
    assert compiled(add_one)(1) == 2 and full.called


@pytest.mark.parametrize(("width", "num_best"), [(0, 1), (-3, 1), (4, 0)])
def test_impossible_widths_are_refused(width, num_best):
    with pytest.raises(ValueError, match="at least 1"):
        beam.search(np.zeros((2, 3), np.float32), width, num_best)
