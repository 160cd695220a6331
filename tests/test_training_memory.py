"""The memory plan: predictions hold, batches that do not fit are cut, and neither weights nor a kill notice."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from test_training import FAST, run

from common.errors import GlyphoneError
from common.training import footprint, memory, trials
from common.training.memory import MemoryPlan
from common.training.settings import TrainingSettings

MIB = 2**20


def with_settings(**more):
    return TrainingSettings(**{**FAST.model_dump(), "epochs": 1, **more})


def test_a_peak_counts_what_was_taken_and_given_back():
    before = footprint.resident_bytes()
    with footprint.peak_of(torch.device("cpu")) as peak:
        taken = np.ones(64 * MIB, np.uint8)
        del taken
    assert 50 * MIB < peak.bytes - before < 100 * MIB


@given(
    allowed=st.integers(1, 10**9),
    coefficients=st.tuples(st.floats(0, 1e6), st.floats(1, 1e5), st.floats(0, 10)),
    num_rows=st.integers(1, 200),
    num_slices=st.integers(1, 5000),
)
def test_what_is_computed_at_once_fits(allowed, coefficients, num_rows, num_slices):
    plan = MemoryPlan(allowed=allowed, coefficients=coefficients)
    rows = plan.rows_at_once(num_rows, num_slices)
    assert 1 <= rows <= num_rows
    assert rows == 1 or plan.predicted(rows, num_slices) <= allowed * 1.0001
    assert rows == num_rows or plan.predicted(num_rows, num_slices) > allowed


def test_the_fit_finds_the_law_behind_the_peaks():
    shapes = [(1, 50), (1, 100), (5, 100), (10, 50), (10, 100), (20, 100)]
    rows = [[1.0, b * t, b * t * t] for b, t in shapes]
    fixed, linear, square = memory._fit(rows, [int(1e6 + 3e3 * b * t + 7 * b * t * t) for b, t in shapes])
    assert (fixed, linear, square) == pytest.approx((1e6, 3e3, 7), rel=1e-3)


@pytest.fixture
def known_law(monkeypatch):
    """A machine with 20 kB free, on which a slice of a row takes 100 bytes."""
    monkeypatch.setattr(memory, "free_bytes", lambda device: 20_000 + memory.LATER_COPIES * 4 * 7000)
    monkeypatch.setattr(memory, "_fit", lambda rows, peaks: (0.0, 100.0, 0.0))


def test_batches_that_do_not_fit_are_cut_with_the_same_losses(tmp_path, known_law, capsys):
    cut = run(tmp_path / "cut", with_settings())
    assert cut.memory.num_parted > 0 and "batches in parts" in capsys.readouterr().err
    whole = run(tmp_path / "whole", with_settings(memory_gib=64.0))
    assert whole.memory.num_parted == 0
    assert cut.progress.history[0]["train_loss"] == pytest.approx(whole.progress.history[0]["train_loss"], rel=1e-3)


def test_planning_changes_no_bit_of_the_weights(tmp_path, monkeypatch):
    planned = run(tmp_path / "planned", with_settings())
    monkeypatch.setattr(trials, "plan_memory", lambda *_, **__: MemoryPlan())
    unplanned = run(tmp_path / "unplanned", with_settings())
    assert planned.memory.largest[2] > 0 and planned.progress.history == unplanned.progress.history
    assert all(torch.equal(planned.weights[name], weight) for name, weight in unplanned.weights.items())


def test_a_run_that_goes_on_keeps_its_plan_and_says_when_it_cannot(tmp_path, monkeypatch, capsys):
    first = run(tmp_path, with_settings())
    monkeypatch.setattr(memory, "_measured", None)  # measures nothing
    assert run(tmp_path, with_settings()).memory == first.memory
    saved = json.loads((tmp_path / memory.FILE_NAME).read_text())
    assert tuple(saved["plan"]["largest"]) == first.memory.largest
    monkeypatch.undo()
    monkeypatch.setattr(memory, "free_bytes", lambda device: 1)
    capsys.readouterr()
    run(tmp_path, with_settings())
    assert "less than before" in capsys.readouterr().err


def test_too_little_is_refused_in_one_line(tmp_path):
    with pytest.raises(GlyphoneError, match=r"training.memory_gib is 0.001: .* or 0 for what is free"):
        run(tmp_path, with_settings(memory_gib=0.001))
