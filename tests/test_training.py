"""The loop learns, resumes to the same weights, and names what it cannot use."""

import math
import os
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from common.alphabet import Alphabet
from common.errors import GlyphoneError
from common.network import Network
from common.network_settings import ConvolutionSettings, NetworkSettings
from common.training import loop
from common.training.batches import collate, draw_rows, padded_slices, padding_share, plan_epoch
from common.training.loop import train
from common.training.samples import Samples
from common.training.schedule import learning_rate
from common.training.settings import TrainingSettings
from pipelines.training_summary import write_history

SMALL = NetworkSettings(convolutions=(ConvolutionSettings(channels=4, stride=(1, 2)),), num_layers=1, num_hidden=24)
FAST = TrainingSettings(
    epochs=6, learning_rate=1e-2, batch_slices=400, precision="float32", num_threads=1, averaging=0.9
)


def toy(count: int, seed: int, corpus: str = "toy") -> Samples:
    """Texts over abc; each letter shows as four slices with its own pattern, and noise."""
    random = np.random.default_rng(seed)
    patterns = np.eye(3, 6, dtype=np.float32).repeat(2, axis=1)[:, :6] * 3
    texts = ["".join(random.choice(list("abc"), size=random.integers(1, 6))) for _ in range(count)]
    matrices = []
    for text in texts:
        rows = [np.concatenate([np.tile(patterns["abc".index(c)], (3, 1)), np.zeros((2, 6))]) for c in text]
        matrix = np.concatenate(rows)
        matrices.append((matrix + 0.3 * random.normal(size=matrix.shape)).astype(np.float16))
    lengths = np.array([len(matrix) for matrix in matrices])
    return Samples([f"{corpus}{i}" for i in range(count)], [corpus] * count, texts, lengths, matrices)


def noisy(slices, random, surface=None):
    return slices + 0.1 * (surface or random).normal(size=slices.shape).astype(np.float32)


def run(
    state: Path,
    settings: TrainingSettings = FAST,
    augment=noisy,
    samples: Samples | None = None,
    shape: NetworkSettings = SMALL,
    validation: Samples | None = None,
):
    torch.manual_seed(3)
    alphabet = Alphabet("abc")
    network = Network(shape, 6, len(alphabet))
    return train(network, samples or toy(160, 0), validation or toy(40, 1), alphabet, settings, augment, 7, state)


def test_the_loop_learns_a_toy_language(tmp_path):
    settings, samples = TrainingSettings(**{**FAST.model_dump(), "epochs": 12}), toy(160, 0)
    trained = run(tmp_path, settings)
    assert trained.progress.history[0]["validation_cer"] > 0.3
    assert trained.progress.best_error < 0.05
    plans = [plan_epoch(np.arange(160), samples.lengths, settings, 7, epoch) for epoch in range(12)]
    padded = sum(-(-max(samples.lengths[rows]) // 8) * 8 * len(rows) for plan in plans for rows in plan)
    assert trained.progress.padding == pytest.approx(1 - 12 * samples.lengths.sum() / padded, abs=5e-3)
    # Without the multiples of 8, which are much for samples of 10 slices, batches hold what is of like length.
    longest = sum(max(samples.lengths[rows]) * len(rows) for plan in plans for rows in plan)
    assert 1 - 12 * samples.lengths.sum() / longest < 0.2


KILLED = """
import os, signal, sys
sys.path[:0] = [{tests!r}, {root!r}]
from pathlib import Path
import test_training
from common.training import loop
steps = 0
real = loop.step
def step(*arguments):
    global steps
    steps += 1
    if steps == {kill_at}:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*arguments)
loop.step = step
test_training.run(Path({state!r}), test_training.CHECKPOINT_EACH_STEP)
"""
CHECKPOINT_EACH_STEP = TrainingSettings(**{**FAST.model_dump(), "epochs": 3, "checkpoint_minutes": 0})


def test_killed_and_resumed_ends_in_the_same_weights(tmp_path):
    whole = run(tmp_path / "whole", CHECKPOINT_EACH_STEP)
    tests = Path(__file__).parent
    for kill_at in (7, 11):  # in the first epoch, then in a later one
        script = KILLED.format(tests=str(tests), root=str(tests.parent), kill_at=kill_at, state=str(tmp_path / "cut"))
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, env={**os.environ})
        assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    resumed = run(tmp_path / "cut", CHECKPOINT_EACH_STEP)
    assert resumed.progress.history == whole.progress.history
    assert resumed.weights.keys() == whole.weights.keys()
    for name, weight in whole.weights.items():
        assert torch.equal(weight, resumed.weights[name]), name


def test_finished_state_gives_its_result_again(tmp_path):
    first = run(tmp_path, CHECKPOINT_EACH_STEP)
    again = run(tmp_path, CHECKPOINT_EACH_STEP)
    assert all(torch.equal(first.weights[name], again.weights[name]) for name in first.weights)
    assert again.progress.step == first.progress.step


def test_early_stop_keeps_the_best(tmp_path):
    trained = run(tmp_path, TrainingSettings(**{**FAST.model_dump(), "epochs": 40, "patience": 2}))
    errors = [row["validation_cer"] for row in trained.progress.history]
    assert trained.progress.epoch < 40
    assert errors.index(min(errors)) == trained.progress.best_epoch
    plans = [plan_epoch(np.arange(160), toy(160, 0).lengths, FAST, 7, epoch) for epoch in range(trained.progress.epoch)]
    shares = [padding_share(plan, toy(160, 0).lengths) for plan in plans]
    assert trained.progress.padding == pytest.approx(np.mean(shares))


def test_a_loss_that_is_no_number_names_its_samples(tmp_path, capsys):
    samples = toy(20, 0)
    samples.matrices[4][:] = np.nan
    with pytest.raises(GlyphoneError, match=r"max_nonfinite allows 2.*toy"):
        run(
            tmp_path, TrainingSettings(**{**FAST.model_dump(), "max_nonfinite": 2, "batch_samples": 4}), samples=samples
        )
    assert "toy4" in capsys.readouterr().err


def test_losses_that_there_are_none_of_are_not_called_perfect(tmp_path):
    """An epoch whose every step was left out, and validation texts whose characters no training text has."""
    samples = toy(6, 0)
    for matrix in samples.matrices:
        matrix[:] = np.nan
    strange = replace(toy(4, 1), texts=["xyz"] * 4)
    trained = run(tmp_path, TrainingSettings(**{**FAST.model_dump(), "epochs": 1}), samples=samples, validation=strange)
    row = trained.progress.history[0]
    assert math.isnan(row["train_loss"]) and math.isnan(row["validation_loss"]) and row["validation_cer"] >= 1
    write_history(tmp_path / "history.csv", trained.progress.history)
    assert (tmp_path / "history.csv").read_text("utf-8").splitlines()[1].startswith("1,,,")


def test_a_network_of_no_numbers_is_no_model(tmp_path):
    """One step of a far too high learning rate, which no batch of the epoch comes behind."""
    with pytest.raises(GlyphoneError, match=r"emissions are no numbers .* smaller training\.learning_rate"):
        run(tmp_path, TrainingSettings(**{**FAST.model_dump(), "epochs": 1, "learning_rate": 1e38}), samples=toy(5, 0))


def test_augmentation_never_makes_a_sample_too_short_for_its_text(tmp_path):
    trained = run(tmp_path, FAST, augment=lambda slices, random: slices[:1])
    assert trained.progress.nonfinite == 0


@given(
    lengths=st.lists(st.integers(1, 300), min_size=1, max_size=200),
    budget=st.integers(1, 2000),
    most=st.integers(1, 20),
    epoch=st.integers(0, 3),
)
@settings(max_examples=60)
def test_every_sample_stands_in_exactly_one_batch_within_the_budget(lengths, budget, most, epoch):
    sizes = np.array(lengths)
    chosen = TrainingSettings(batch_slices=budget, batch_samples=most)
    plan = plan_epoch(np.arange(len(sizes)), sizes, chosen, 1, epoch)
    assert sorted(row for rows in plan for row in rows.tolist()) == list(range(len(sizes)))
    for rows in plan:
        assert len(rows) == 1 or (len(rows) <= most and sizes[rows].max() * len(rows) <= budget)
    again = plan_epoch(np.arange(len(sizes)), sizes, chosen, 1, epoch)
    assert all((a == b).all() for a, b in zip(plan, again, strict=True))


def test_padding_is_small_in_a_bucketed_epoch():
    lengths = np.random.default_rng(0).integers(70, 640, 900)
    plan = plan_epoch(np.arange(900), lengths, TrainingSettings(batch_slices=6400), 1, 2)
    assert padding_share(plan, lengths) <= 0.08
    # As the batches really are, rounding up included.
    padded = sum(padded_slices(lengths[rows].max()) * len(rows) for rows in plan)
    assert padding_share(plan, lengths) == pytest.approx(1 - sum(lengths[rows].sum() for rows in plan) / padded)


def test_drawn_corpora_change_with_the_epoch_and_others_stay_whole():
    corpora = ["many"] * 100 + ["few"] * 10
    chosen = TrainingSettings(draw={"many": 30})
    first, second = draw_rows(corpora, chosen, 1, 0), draw_rows(corpora, chosen, 1, 1)
    assert Counter(corpora[row] for row in first) == Counter(many=30, few=10)
    assert len(set(first)) == 40 and set(first) != set(second)
    assert (first == draw_rows(corpora, chosen, 1, 0)).all()


def test_learning_rate_rises_to_the_peak_and_falls_to_the_end():
    chosen = TrainingSettings(learning_rate=1e-3, final_learning_rate=1e-6, warmup_share=0.1)
    rates = [learning_rate(step, 1000, chosen) for step in range(1000)]
    assert rates.index(max(rates)) in (99, 100) and math.isclose(max(rates), 1e-3)
    assert rates[:100] == sorted(rates[:100]) and rates[100:] == sorted(rates[100:], reverse=True)
    assert rates[-1] < 1e-5


def test_precision_that_the_processor_lacks_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    with pytest.raises(GlyphoneError, match="bfloat16"):
        run(tmp_path, TrainingSettings(**{**FAST.model_dump(), "precision": "bfloat16"}))
    assert loop.choose_precision(TrainingSettings(), torch.device("cpu")) == torch.float32


@given(st.lists(st.integers(1, 50), min_size=0, max_size=5))
def test_batches_share_few_widths(lengths):
    batch = collate(list(range(len(lengths))), [np.ones((length, 3)) for length in lengths], [[]] * len(lengths), 3)
    longest = max(lengths, default=1)
    assert batch.slices.shape[1] % 8 == 0 and longest <= batch.slices.shape[1] < longest + 8
    assert batch.slices.sum() == 3 * sum(lengths)


@pytest.mark.parametrize("seed", [0, 3])
def test_a_training_that_stopped_early_gives_its_result_again(seed: int, tmp_path: Path) -> None:
    changes = {"epochs": 12, "patience": 1, "learning_rate": 3e-2, "averaging": 0.2, "batch_slices": 800}
    chosen = TrainingSettings(**{**FAST.model_dump(), **changes})

    def once() -> loop.Trained:
        torch.manual_seed(seed)
        network = Network(SMALL, 6, 4)
        return train(network, toy(60, 0), toy(10, 1), Alphabet("abc"), chosen, noisy, 0, tmp_path)

    first, again = once(), once()
    assert first.progress.epoch < 12
    assert again.progress.history == first.progress.history
    assert all(torch.equal(first.weights[name], again.weights[name]) for name in first.weights)
