"""Properties of training and transcribing that hold for every network and objective that the settings allow."""

import copy
from dataclasses import replace

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_training_parts import check_alike

from common.network import Network
from common.network_settings import NetworkSettings
from common.training.batches import Batch, collate, with_seconds
from common.training.memory import MemoryPlan
from common.training.objective import Objective
from common.training.processes import ALONE
from common.training.settings import TrainingSettings
from common.training.step import Machine, step

CELLS = NetworkSettings.model_fields["cell"].annotation.__args__
NUM_FEATURES, NUM_LABELS = 6, 5
SHARES = st.sampled_from([0.0, 0.3])


@st.composite
def networks(draw, dropped: bool = True) -> NetworkSettings:
    """Small ones of every kind; ``dropped`` is whether dropout and its like may be on."""
    cell = draw(st.sampled_from(CELLS))
    num_layers = draw(st.integers(1, 3))
    blocks = st.fixed_dictionaries(
        {
            "channels": st.integers(1, 4),
            "kernel": st.tuples(st.sampled_from([1, 3, 5]), st.sampled_from([1, 3, 5])),
            "stride": st.tuples(st.integers(1, 2), st.integers(1, 3)),
            "pool": st.tuples(st.integers(1, 2), st.integers(1, 3)),
        }
    )
    layers = sorted(draw(st.sets(st.integers(1, num_layers - 1)))) if num_layers > 1 else []
    random = dropped and cell != "transformer"  # which draws for the rows of a part, and so others than for the whole
    return NetworkSettings.model_validate(
        {
            "convolutions": draw(st.lists(blocks, max_size=2)),
            "cell": cell,
            "num_layers": num_layers,
            "num_hidden": draw(st.sampled_from([2, 4, 6])),
            "num_heads": 2,
            "bidirectional": draw(st.booleans()),
            "residual": draw(st.booleans()),
            "forget_bias": draw(st.sampled_from([0.0, 1.0])),
            "dropout": draw(SHARES) if random else 0.0,
            "recurrent_dropout": draw(SHARES) if random else 0.0,
            "zoneout": draw(SHARES) if random else 0.0,
            "intermediate_layers": layers,
            "self_conditioned": bool(layers) and draw(st.booleans()),
        }
    )


@st.composite
def objectives(draw) -> TrainingSettings:
    return TrainingSettings.model_validate(
        {
            "clip_norm": draw(st.sampled_from([1e-3, 1e9])),
            "consistency": draw(SHARES),
            "label_smoothing": draw(SHARES),
            "short_cut": draw(SHARES),
            "label_prior": draw(SHARES),
            "mixup": draw(SHARES),
        }
    )


def made(shape: NetworkSettings) -> Network:
    torch.manual_seed(0)
    network = Network(shape, NUM_FEATURES, NUM_LABELS).double()
    with torch.no_grad():  # as after training: statistics, peepholes, gains and biases that matter
        for name, buffer in network.named_buffers():
            buffer.uniform_(0.5, 2) if name.endswith("var") else buffer.normal_()
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return network


def batch_of(lengths: list[int], chosen: TrainingSettings) -> Batch:
    random = np.random.default_rng(1)
    views = chosen.num_views
    matrices = [random.normal(size=(length, NUM_FEATURES)) for length in lengths for _ in range(views)]
    targets = [random.integers(1, NUM_LABELS, random.integers(1, 3)).tolist() for _ in lengths]
    batch = collate(range(len(lengths)), matrices, targets, NUM_FEATURES, num_views=views)
    if chosen.mixup:
        seconds = [[] if place % 2 else targets[place - 1] for place in range(len(lengths))]
        weights = np.where([len(each) > 0 for each in seconds], 0.7, 1.0).astype(np.float32)
        batch = with_seconds(batch, seconds, weights)
    return replace(batch, slices=batch.slices.double())


def outcome(network: Network, chosen: TrainingSettings, batch: Batch, part_slices: int) -> dict[str, torch.Tensor]:
    """Losses, clipped gradients and all that a step changes; the learning rate is 0, so that weights stay."""
    network = copy.deepcopy(network).train()
    torch.manual_seed(2)
    objective = Objective(chosen, network).double()
    optimizer = torch.optim.SGD([*network.parameters(), *objective.parameters()], lr=0.0)
    machine = Machine(network, optimizer, chosen, torch.float32, ALONE, MemoryPlan(part_slices), objective)
    found = {"losses": torch.from_numpy(step(machine, batch, len(batch.rows), len(batch.targets), seed=11))}
    for module in (network, objective):
        found |= {name: parameter.grad for name, parameter in module.named_parameters()} | dict(module.named_buffers())
    return found


LENGTHS = st.lists(st.integers(60, 90), min_size=1, max_size=5)


@given(networks(), objectives(), LENGTHS, st.integers(1, 300))
@settings(max_examples=40)
def test_parts_give_the_step_of_the_whole_batch(shape, chosen, lengths, part_slices):
    network, batch = made(shape), batch_of(lengths, chosen)
    whole = outcome(network, chosen, batch, 0)
    assert torch.isfinite(whole["losses"]).all()
    check_alike(outcome(network, chosen, batch, part_slices), whole)


@given(networks(dropped=False), LENGTHS)
@settings(max_examples=30)
def test_the_step_of_a_batch_is_the_sum_of_its_samples(shape, lengths):
    """Without normalisation over the batch, each sample alone gives its loss and its part of the gradient."""
    shape = shape.model_copy(update={"convolutions": ()})
    chosen = TrainingSettings(clip_norm=1e9)
    network, batch = made(shape), batch_of(lengths, chosen)
    whole = outcome(network, chosen, batch, 0)
    total = {name: torch.zeros_like(value) for name, value in whole.items() if name != "losses"}
    first = 0
    for row, length in enumerate(batch.target_lengths.tolist()):
        alone = replace(
            batch,
            rows=[row],
            slices=batch.slices[row : row + 1, : lengths[row]],
            lengths=batch.lengths[row : row + 1],
            targets=batch.targets[first : first + length],
            target_lengths=batch.target_lengths[row : row + 1],
        )
        first += length
        found = outcome(network, chosen, alone, 0)
        torch.testing.assert_close(found.pop("losses")[0], whole["losses"][row], rtol=1e-9, atol=1e-12)
        for name, value in found.items():
            total[name] += value * length / len(batch.targets)
    check_alike(total, {name: value for name, value in whole.items() if name != "losses"})
