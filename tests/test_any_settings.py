"""Properties of training and transcribing that hold for every network and objective that the settings allow."""

import copy
import multiprocessing
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from test_training_parts import check_alike as check_to_the_last_places

from common.network import Network
from common.network_settings import NetworkSettings
from common.training.batches import Batch, collate, padded_slices, with_seconds
from common.training.memory import MemoryPlan
from common.training.objective import Objective
from common.training.processes import ALONE, Group
from common.training.settings import TrainingSettings
from common.training.step import Machine, shares, step

# Some of these networks pass a rounding of 1e-16 on as one of 1e-10.
check_alike = partial(check_to_the_last_places, rtol=1e-6, atol=1e-8)
# Making a failing example small takes many minutes of training steps.
settings = partial(hypothesis_settings, phases=(Phase.explicit, Phase.generate))
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


def outcome(
    network: Network, chosen: TrainingSettings, batch: Batch, part_slices: int, group: Group = ALONE
) -> dict[str, torch.Tensor]:
    """Losses, clipped gradients and all that a step changes; the learning rate is 0, so that weights stay.

    ``batch`` is all of the step, of which each process of the group takes its share.
    """
    network = copy.deepcopy(network).train()
    torch.manual_seed(2)
    objective = Objective(chosen, network).double()
    optimizer = torch.optim.SGD([*network.parameters(), *objective.parameters()], lr=0.0)
    machine = Machine(network, optimizer, chosen, torch.float32, group, MemoryPlan(part_slices), objective)
    own = share_of(batch, shares(len(batch.rows), group.size)[group.rank])
    found = {"losses": torch.from_numpy(step(machine, own, len(batch.rows), len(batch.targets), seed=11))}
    for module in (network, objective):
        found |= {name: parameter.grad for name, parameter in module.named_parameters()} | dict(module.named_buffers())
    return found


def share_of(batch: Batch, samples: slice) -> Batch:
    """Some samples of a batch, as a process of a training makes them: padded to the longest of its own."""
    rows = slice(samples.start * batch.num_views, samples.stop * batch.num_views)
    own = int(batch.target_lengths[: rows.start].sum())
    end = own + int(batch.target_lengths[rows].sum())
    seconds = batch.seconds
    if seconds is not None:
        first, last = (int(seconds.target_lengths[:place].sum()) for place in (rows.start, rows.stop))
        targets, lengths = seconds.targets[first:last], seconds.target_lengths[rows]
        seconds = replace(seconds, targets=targets, target_lengths=lengths, weights=seconds.weights[rows])
    return replace(
        batch,
        rows=batch.rows[samples],
        slices=batch.slices[rows, : padded_slices(max(batch.lengths[rows].tolist(), default=1))],
        lengths=batch.lengths[rows],
        targets=batch.targets[own:end],
        target_lengths=batch.target_lengths[rows],
        first=samples.start,
        seconds=seconds,
    )


LENGTHS = st.lists(st.integers(60, 90), min_size=1, max_size=5)


@given(networks(), objectives(), LENGTHS, st.integers(1, 300))
@settings(max_examples=25)
def test_parts_give_the_step_of_the_whole_batch(shape, chosen, lengths, part_slices):
    network, batch = made(shape), batch_of(lengths, chosen)
    whole = outcome(network, chosen, batch, 0)
    assert torch.isfinite(whole["losses"]).all()
    check_alike(outcome(network, chosen, batch, part_slices), whole)


NUM_PROCESSES = 2


def work(rank: int, meeting: Path, pipe: Connection) -> None:
    """A process of the group: takes (network, objective, lengths, part_slices) and gives its outcome, until None."""
    torch.set_num_threads(1)
    meet = f"file://{meeting}"
    torch.distributed.init_process_group("gloo", init_method=meet, rank=rank, world_size=NUM_PROCESSES)
    while (asked := pipe.recv()) is not None:
        shape, chosen, lengths, part_slices = asked
        found = outcome(made(shape), chosen, batch_of(lengths, chosen), part_slices, Group(rank, NUM_PROCESSES))
        pipe.send({name: value.numpy() for name, value in found.items()})
    torch.distributed.destroy_process_group()


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., list[dict[str, torch.Tensor]]]]:
    """What each process of a group has of a step."""
    meeting = tmp_path_factory.mktemp("meeting") / "place"
    context = multiprocessing.get_context("spawn")
    pipes, processes = [], []
    for rank in range(NUM_PROCESSES):
        here, there = context.Pipe()
        processes.append(context.Process(target=work, args=(rank, meeting, there), daemon=True))
        processes[-1].start()
        there.close()
        pipes.append(here)

    def ask(*asked: object) -> list[dict[str, torch.Tensor]]:
        for pipe in pipes:
            pipe.send(asked)
        return [{name: torch.from_numpy(value) for name, value in pipe.recv().items()} for pipe in pipes]

    yield ask
    for pipe, process in zip(pipes, processes, strict=True):
        if process.is_alive():
            pipe.send(None)
        process.join()


@given(shape=networks(), chosen=objectives(), lengths=LENGTHS, part_slices=st.sampled_from([0, 0, 100]))
@settings(max_examples=15)
def test_processes_take_the_step_of_one(outcomes, shape, chosen, lengths, part_slices):
    expected = outcome(made(shape), chosen, batch_of(lengths, chosen), 0)
    for rank, found in enumerate(outcomes(shape, chosen, lengths, part_slices)):
        # Exchanged in float32.
        torch.testing.assert_close(found["losses"].float(), expected["losses"].float(), rtol=1e-5, atol=1e-6)
        # Without rows of its own a process sees nothing that its running statistics could follow; the first has some.
        kept = [name for name in expected if name != "losses" and (rank == 0 or len(lengths) > rank)]
        check_alike({name: found[name] for name in kept}, {name: expected[name] for name in kept})


@given(networks(dropped=False), LENGTHS)
@settings(max_examples=15)
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
