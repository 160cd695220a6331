"""The loop learns with each switch of the objective, and goes on behind a kill in the same bits."""

import numpy as np
import pytest
import torch
from test_objective import EVERYTHING, SWITCHES
from test_training import FAST, SMALL, run, toy

from common.network_settings import NetworkSettings
from common.training import checkpoint, loop
from common.training.batches import padded_slices, plan_epoch
from common.training.settings import TrainingSettings

SHAPE = {**SMALL.model_dump(), "num_layers": 2}


@pytest.mark.parametrize(("shape", "more"), SWITCHES.values(), ids=SWITCHES)
def test_the_loop_learns(tmp_path, shape, more):
    chosen = TrainingSettings(**{**FAST.model_dump(), "epochs": 8, "learning_rate": 2e-2, **more})
    trained = run(tmp_path, chosen, shape=NetworkSettings(**{**SHAPE, **shape}))
    assert trained.progress.history[0]["validation_cer"] > 0.3
    assert trained.progress.best_error < 0.15
    # The bundle is the network's: training's own weights stay behind.
    assert trained.weights.keys() == loop.Network(NetworkSettings(**{**SHAPE, **shape}), 6, 4).state_dict().keys()


class Killed(BaseException):
    pass


def test_killed_and_resumed_ends_in_the_same_bits(tmp_path, monkeypatch):
    shape = NetworkSettings(**{**SHAPE, **EVERYTHING[0], "dropout": 0.2})
    more = {**EVERYTHING[1], "epochs": 2, "checkpoint_minutes": 0}
    chosen = TrainingSettings(**{**FAST.model_dump(), **more})
    whole = run(tmp_path / "whole", chosen, shape=shape)
    real, steps = loop.step, iter(range(100))

    def step(*arguments):
        if next(steps) == 7:
            raise Killed
        return real(*arguments)

    monkeypatch.setattr(loop, "step", step)
    with pytest.raises(Killed):
        run(tmp_path / "cut", chosen, shape=shape)
    saved = checkpoint.load(tmp_path / "cut")
    assert saved is not None and saved["progress"]["step"] == 7
    assert saved["objective"].keys() == {"prior.mean", "short_cut.convolution.weight", "short_cut.convolution.bias"}
    resumed = run(tmp_path / "cut", chosen, shape=shape)
    assert resumed.progress.history == whole.progress.history
    for name, weight in whole.weights.items():
        assert torch.equal(weight, resumed.weights[name]), name


def test_the_memory_plan_counts_both_views(tmp_path):
    one = run(tmp_path / "one", TrainingSettings(**{**FAST.model_dump(), "epochs": 1}))
    more = {"epochs": 1, "consistency": 0.2, "part_slices": 200}
    two = run(tmp_path / "two", TrainingSettings(**{**FAST.model_dump(), **more}))
    # A row is a sample, however many views it has. Which batch takes most is measured, and of a network so small noise.
    lengths = toy(160, 0).lengths
    shapes = [
        (len(rows), padded_slices(max(lengths[rows]))) for rows in plan_epoch(np.arange(160), lengths, FAST, 7, 0)
    ]
    assert {one.memory.largest[:2], two.memory.largest[:2]} <= set(shapes)
    assert two.memory.num_batches == one.memory.num_batches == len(shapes)
    assert two.memory.kept == 2 * one.memory.kept
    assert two.memory.rows_at_once(50, 10) == 10 and two.memory.num_parted > 0
