"""The parts of the beam search: selection, sums, the trie, cutoffs, alignment of many strings, compilation."""

import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from common.decoding import beam, cutoffs, prefixes
from common.decoding.alignment import align
from common.decoding.log_add import log_add
from common.decoding.selection import num_buckets, select
from common.decoding.shared_alignment import starts


def random_emissions(num_slices, num_labels, seed, scale=1.0):
    logits = np.random.default_rng(seed).normal(size=(num_slices, num_labels)) * scale
    return (logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))).astype(np.float32)


scores = st.one_of(st.integers(-3, 0).map(float), st.floats(-1e5, 0), st.floats(-1e-300, 0))


@settings(max_examples=200)
@given(st.lists(st.tuples(scores, st.integers(-1, 3)), min_size=1, max_size=80), st.integers(1, 40))
@example([(-5.739412371259422e-301, 0), (-2.225073858507203e-309, 0)], 2)
def test_selection_takes_the_best_in_the_order_of_the_beam(candidates, width):
    num = len(candidates)
    values = np.array([score for score, _ in candidates])
    labels = np.array([label % 2**32 for _, label in candidates], np.uint32)
    sources, chosen = np.arange(num, dtype=np.uint32), np.zeros(num, np.uint32)
    counts = np.zeros(num_buckets(width) + 1, np.uint32)
    slack = select(values, labels, sources, num, width, np.zeros(num, np.uint32), counts, chosen)
    kept = chosen[: min(num, width)].tolist()
    in_order = sorted(range(num), key=lambda i: (-candidates[i][0], candidates[i][1], i))
    assert sorted(kept) == sorted(in_order[:width])
    worst_so_far = math.inf
    for i in kept:
        assert values[i] - worst_so_far <= slack  # the sum of the worst and the slack may round to below the best
        worst_so_far = min(worst_so_far, values[i])


@settings(max_examples=300)
@given(st.one_of(st.floats(-200, 50), st.just(-math.inf)), st.one_of(st.floats(-200, 50), st.just(-math.inf)))
def test_sums_are_those_of_numpy(first, second):
    found = log_add(first, second)
    assert found == log_add(second, first)
    assert found == pytest.approx(float(np.logaddexp(first, second)), abs=1e-9)


def test_a_trie_that_is_cleared_changes_nothing():
    log_probs = random_emissions(2800, 60, 0, 0.3)
    cleared = beam.extended(beam.new_beam(200), log_probs)
    # One that has room for all from the beginning is never cleared.
    roomy, *rest = beam.new_beam(200)
    larger = prefixes.new_trie(1_000_000)
    larger[: len(roomy)] = roomy
    whole = beam.extended((larger, *rest), log_probs)
    assert whole[6][0] > prefixes._MANY >= len(cleared[0]) > cleared[6][0]
    for ours, theirs in zip(beam.results(cleared, 200), beam.results(whole, 200), strict=True):
        assert (ours == theirs).all()


@settings(max_examples=60)
@given(st.integers(1, 8), st.integers(1, 12), st.integers(1, 12), st.floats(0.01, 1.0), st.integers(0, 999))
def test_cutoffs_keep_the_most_probable_labels(num_slices, num_labels, top_n, mass, seed):
    log_probs = np.round(random_emissions(num_slices, num_labels, seed, 2.0) * 2) / 2  # with ties
    found = cutoffs.cut(log_probs, top_n, mass)
    for row, kept in zip(log_probs, found, strict=True):
        expected, total = set(), 0.0
        for label in sorted(range(num_labels), key=lambda c: (-row[c], c))[:top_n]:
            expected.add(label)
            total += math.exp(row[label])
            if mass < 1 and total >= mass:
                break
        assert set(np.flatnonzero(kept > -np.inf).tolist()) == expected
        assert all(kept[label] == row[label] for label in expected)


def test_cutoffs_leave_impossible_labels_out():
    log_probs = np.full((2, 4), -np.inf, np.float32)
    log_probs[0, 2] = 0.0
    assert (cutoffs.cut(log_probs, 2, 0.5) == log_probs).all()


@settings(max_examples=80)
@given(st.integers(1, 25), st.integers(2, 5), st.sampled_from([0.0, 0.5, 2.0]), st.integers(0, 999), st.booleans())
def test_many_strings_are_aligned_as_each_alone(num_slices, num_labels, scale, seed, ties):
    log_probs = random_emissions(num_slices, num_labels, seed, scale)
    if ties:
        log_probs = np.round(log_probs)
    labels, lengths, _ = beam.results(beam.extended(beam.new_beam(15), log_probs), 15)
    places = starts(log_probs, labels, lengths)
    for row, length, found in zip(labels, lengths, places, strict=True):
        assert found[:length].tolist() == [start for start, _ in align(log_probs, row[:length].tolist())]
        assert not found[length:].any()


def test_a_string_that_nothing_writes_has_no_places():
    log_probs = random_emissions(3, 3, 0)
    labels = np.array([[1, 1, 1], [1, 2, 0]], np.int32)
    places = starts(log_probs, labels, np.array([3, 2], np.int32))
    assert places[0].tolist() == [0, 0, 0]
    assert places[1, :2].tolist() == [start for start, _ in align(log_probs, [1, 2])]


CALLER = """
from common.decoding.compiled import compiled
from rooms.callee import seven
@compiled
def doubled():
    return 2 * seven()
"""
CALLEE = """
from common.decoding.compiled import compiled
@compiled
def seven():
    return {}
"""


def test_a_change_in_a_called_file_is_compiled_anew(tmp_path, repository):
    folder = tmp_path / "rooms"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "caller.py").write_text(CALLER)
    command = [sys.executable, "-c", "from rooms.caller import doubled; print(doubled())"]
    # Python's own cache takes a file changed within the second, of the same size, for unchanged.
    environment = {"PYTHONPATH": f"{tmp_path}:{repository}", "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    environment["PYTHONDONTWRITEBYTECODE"] = "1"
    for value in (7, 8):
        (folder / "callee.py").write_text(CALLEE.format(value))
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        assert done.stdout == f"{2 * value}\n"
