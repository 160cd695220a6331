"""Joined and mixed samples seen twice: each view is mixed with that of the other, and all terms count both texts."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from test_objective import EVERYTHING, SWITCHES, check_alike, outcome
from test_training import FAST, SMALL, noisy, run, toy
from test_training_mixing import feed_of
from test_training_parts import make_network

from common.network_settings import NetworkSettings
from common.training import loop, terms
from common.training.batches import Batch, collate, with_seconds
from common.training.settings import TrainingSettings
from common.training.texts import texts_of

BOTH = {"joined": 0.5, "joined_slices": 80, "joined_gap": 3, "mixup": 0.6}


def test_each_view_is_mixed_with_that_of_the_other_sample():
    samples = toy(60, 0)
    plain = feed_of(samples, {**BOTH, "mixup": 0.0, "consistency": 0.2}, augment=noisy)
    once, twice = (feed_of(samples, {**BOTH, "consistency": weight}, augment=noisy) for weight in (0.0, 0.2))
    num_mixed = 0
    for rows in twice.plans[1]:
        batch, alone, single = twice.make(1, rows), plain.make(1, rows), once.make(1, rows)
        assert batch.seconds is not None and single.seconds is not None
        assert batch.num_views == 2 and len(batch.slices) == 2 * len(rows) == 2 * len(single.slices)
        assert torch.equal(batch.slices[::2], single.slices) and torch.equal(batch.lengths[::2], batch.lengths[1::2])
        assert torch.equal(batch.seconds.weights[1::2], single.seconds.weights)
        for name in ("targets", "target_lengths"):
            own, theirs = getattr(batch.seconds, name), getattr(single.seconds, name)
            assert len(own) == 2 * len(theirs)
        places, weights = twice._mixtures(1, rows)
        for place, (other, weight) in enumerate(zip(places, weights, strict=True)):
            for view in range(2):
                expected = alone.slices[2 * place + view]
                if other >= 0:
                    expected = weight * expected + (1 - weight) * alone.slices[2 * other + view]
                torch.testing.assert_close(batch.slices[2 * place + view], expected, atol=1e-5, rtol=1e-5)
            num_mixed += other >= 0
    assert num_mixed > 15


def mixed_batch() -> Batch:
    random = np.random.default_rng(0)
    matrices = [random.normal(size=(length, 6)) for length in (24, 22, 20, 23, 21)]
    targets, others = [[1, 2], [3], [4, 1], [2], [1]], [[2], [], [1, 3], [4], []]
    batch = collate(range(5), matrices, targets, 6)
    return with_seconds(batch, others, np.array([0.6, 1, 0.8, 0.5, 1], np.float32))


@pytest.mark.parametrize(("shape", "more"), [*SWITCHES.values(), EVERYTHING], ids=[*SWITCHES, "everything"])
def test_each_term_counts_both_texts_and_parts_are_the_whole(shape, more):
    """Terms without a text are the same for both, so the whole loss is that of both texts, weighed."""
    more = {name: weight for name, weight in more.items() if name != "consistency"}
    network, batch = make_network(convolutions=(), dropout=0.0, **shape), mixed_batch()
    whole = outcome(network, batch, more)
    check_alike(outcome(network, batch, more, 50), whole)
    seconds = batch.seconds
    assert seconds is not None
    own = outcome(network, replace(batch, seconds=None), more)["losses"]
    theirs = replace(batch, targets=seconds.targets, target_lengths=seconds.target_lengths, seconds=None)
    others = outcome(network, theirs, more)["losses"]
    torch.testing.assert_close(whole["losses"], seconds.weights * own + (1 - seconds.weights) * others)


def test_parts_of_mixed_views_are_the_whole():
    network, batch = make_network(**EVERYTHING[0]), mixed_batch()
    whole = outcome(network, batch, EVERYTHING[1])
    check_alike(outcome(network, batch, EVERYTHING[1], 50), whole)
    assert not torch.equal(whole["losses"], outcome(network, replace(batch, seconds=None), EVERYTHING[1])["losses"])


def test_a_weight_that_is_rounded_to_one_leaves_the_other_texts_in_place():
    log_probs = torch.randn(3, 9, 5, generator=torch.Generator().manual_seed(0)).log_softmax(-1)
    lengths, weights = torch.tensor([9, 9, 9]), np.array([1, 0.6, 0.7], np.float32)
    plain = collate(range(3), [np.zeros((9, 2))] * 3, [[1], [2], [3]], 2)
    rounded, none = with_seconds(plain, [[4, 4], [1], [2]], weights), with_seconds(plain, [[], [1], [2]], weights)
    found, expected = (texts_of(each, slice(0, 3)).loss(terms.ctc, log_probs, lengths) for each in (rounded, none))
    assert torch.equal(found, expected)


def test_a_training_with_all_switches_learns_and_goes_on_to_the_same_weights(tmp_path, monkeypatch):
    shape = NetworkSettings(**{**SMALL.model_dump(), "num_layers": 2, **EVERYTHING[0]})
    more = {**EVERYTHING[1], "joined": 0.3, "joined_slices": 60, "mixup": 0.3, "checkpoint_minutes": 0.0}
    chosen = TrainingSettings(**{**FAST.model_dump(), **more, "epochs": 2})
    whole = run(tmp_path / "whole", chosen, shape=shape)
    assert whole.progress.nonfinite == 0
    assert whole.progress.history[1]["train_loss"] < whole.progress.history[0]["train_loss"]

    real, steps = loop.step, iter(range(100))

    def step(*arguments):
        if next(steps) == 9:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(loop, "step", step)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", chosen, shape=shape)
    resumed = run(tmp_path / "cut", chosen, shape=shape)
    assert resumed.progress.history == whole.progress.history
    for name, weight in whole.weights.items():
        assert torch.equal(weight, resumed.weights[name]), name
