"""A batch in parts has the loss, the gradient and the running statistics of the whole, whatever it is cut into."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from common.network import Network
from common.network_settings import ConvolutionSettings, NetworkSettings
from common.training.batches import Batch, collate
from common.training.memory import MemoryPlan
from common.training.objective import Objective
from common.training.processes import ALONE
from common.training.settings import TrainingSettings
from common.training.step import Machine, make_optimizer, parts_of, shares, step

NUM_FEATURES, NUM_LABELS = 6, 5
FRONT_END = (ConvolutionSettings(channels=3, stride=(1, 2)), ConvolutionSettings(channels=4, pool=(2, 2)))


def make_batch(lengths: list[int], seed: int = 0) -> Batch:
    random = np.random.default_rng(seed)
    matrices = [random.normal(size=(length, NUM_FEATURES)) for length in lengths]
    targets = [random.integers(1, NUM_LABELS, max(1, length // 6)).tolist() for length in lengths]
    batch = collate(range(len(lengths)), matrices, targets, NUM_FEATURES)
    return batch


def make_network(**more) -> Network:
    torch.manual_seed(0)
    chosen = {"convolutions": FRONT_END, "num_layers": 2, "num_hidden": 8, "dropout": 0.3, **more}
    return Network(NetworkSettings(**chosen), NUM_FEATURES, NUM_LABELS).double()


def outcome(network: Network, batch: Batch, part_slices: int) -> dict[str, torch.Tensor]:
    """Losses, gradients and statistics of one step; the learning rate is 0, so that weights stay."""
    network = copy.deepcopy(network).train()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.0)
    chosen = TrainingSettings(clip_norm=1e9)
    machine = Machine(
        network, optimizer, chosen, torch.float32, ALONE, MemoryPlan(part_slices), Objective(chosen, network)
    )
    batch = replace(batch, slices=batch.slices.double())
    losses = step(machine, batch, len(batch.rows), int(batch.target_lengths.sum()), seed=11)
    result = {"losses": torch.from_numpy(losses)}
    result |= {name: parameter.grad for name, parameter in network.named_parameters()}
    return result | dict(network.named_buffers())


def check_alike(
    found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor], rtol: float = 1e-9, atol: float = 1e-12
) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=rtol, atol=atol, msg=lambda text, name=name: name + text)


CELLS = [{"cell": "lstm"}, {"cell": "gru_reset_before", "zoneout": 0.2, "recurrent_dropout": 0.2}, {"convolutions": ()}]


@pytest.mark.parametrize("more", [*CELLS, {"cell": "transformer", "dropout": 0.0}], ids=str)
@given(lengths=st.lists(st.integers(8, 24), min_size=1, max_size=6), part_slices=st.integers(1, 100))
@settings(max_examples=5)
def test_parts_give_the_step_of_the_whole_batch(more, lengths, part_slices):
    network, batch = make_network(**more), make_batch(lengths)
    check_alike(outcome(network, batch, part_slices), outcome(network, batch, 0))


def test_a_transformer_draws_other_numbers_for_each_part():
    network = make_network(cell="transformer", dropout=0.5)
    batch = make_batch([20])
    twice = collate([0, 1], [batch.slices[0].numpy()] * 2, [batch.targets.tolist()] * 2, NUM_FEATURES)
    first, second = outcome(network, twice, 1)["losses"]
    assert first != second


def test_a_loss_that_is_no_number_leaves_weights_and_statistics_as_they_were():
    network, batch = make_network(), make_batch([20, 20, 20])
    batch.slices[1, 3] = float("nan")
    before = {name: value.clone() for name, value in network.state_dict().items()}
    result = outcome(network, batch, 20)
    assert not torch.isfinite(result["losses"]).all() and len(result["losses"]) == 3
    for name, _ in network.named_buffers():
        assert torch.equal(result[name], before[name])


@pytest.mark.parametrize("part_slices", [0, 20])
def test_a_gradient_that_is_no_number_leaves_weights_and_statistics_as_they_were(monkeypatch, part_slices):
    """Its losses may be fine: clipped by a norm that is none, it would make all weights so for good."""
    real = torch.nn.functional.ctc_loss

    def endless(log_probs, *arguments, **options):
        log_probs = log_probs.clone()
        log_probs.register_hook(lambda gradient: gradient * float("inf"))
        return real(log_probs, *arguments, **options)

    monkeypatch.setattr(torch.nn.functional, "ctc_loss", endless)
    network, batch = make_network().train(), make_batch([20, 20, 20])
    chosen = TrainingSettings()
    objective = Objective(chosen, network)
    optimizer = make_optimizer(network, objective, chosen)
    optimizer.param_groups[0]["lr"] = optimizer.param_groups[1]["lr"] = 0.1
    machine = Machine(network, optimizer, chosen, torch.float32, ALONE, MemoryPlan(part_slices), objective)
    before = copy.deepcopy(network.state_dict())
    losses = step(machine, replace(batch, slices=batch.slices.double()), 3, int(batch.target_lengths.sum()), seed=11)
    assert np.isnan(losses).all() and len(losses) == 3
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert not optimizer.state


def test_memory_of_a_step_is_that_of_a_part(monkeypatch):
    """The encoder never sees more rows than fit at once, and sees each of them once."""
    network, seen = make_network(), []
    real = Network.emit
    monkeypatch.setattr(Network, "emit", lambda self, x, lengths: seen.append(len(x)) or real(self, x, lengths))
    outcome(network, make_batch([20] * 7), 60)
    assert max(seen) <= 3 and sum(seen) == 7


@given(num_rows=st.integers(0, 50), num=st.integers(1, 8))
def test_shares_are_consecutive_and_even(num_rows, num):
    rows = list(range(num_rows))
    for pieces in (shares(num_rows, num), parts_of(num_rows, num)):
        assert [row for piece in pieces for row in rows[piece]] == rows
        sizes = [piece.stop - piece.start for piece in pieces]
        assert max(sizes, default=0) - min(sizes, default=0) <= 1
    assert max(sizes, default=0) <= num
