"""One step of gradient descent, on a whole batch, on parts of it, in one process or several."""

from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from common.network import Network
from common.recurrent.rows import part_of
from common.recurrent.transformer import TransformerEncoder
from common.training.batches import Batch
from common.training.memory import MemoryPlan
from common.training.objective import Objective
from common.training.parts import compute_in_parts, normalisations, sharing
from common.training.processes import Group
from common.training.settings import TrainingSettings


@dataclass(frozen=True)
class Machine:
    """What computes the steps."""

    network: Network
    optimizer: torch.optim.Optimizer
    settings: TrainingSettings
    precision: torch.dtype
    group: Group
    memory: MemoryPlan
    objective: Objective

    @property
    def parameters(self) -> list[torch.nn.Parameter]:
        return [*self.network.parameters(), *self.objective.parameters()]


def make_optimizer(network: Network, objective: Objective, settings: TrainingSettings) -> torch.optim.Optimizer:
    """Matrices decay; biases and the scales of normalisations do not. The loop sets the learning rate."""
    parameters = [*network.parameters(), *objective.parameters()]
    matrices = [parameter for parameter in parameters if parameter.ndim > 1]
    vectors = [parameter for parameter in parameters if parameter.ndim <= 1]
    groups = [
        {"params": matrices, "weight_decay": settings.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=0.0, fused=True)


@torch.no_grad()
def average(averaged: Network, network: Network, decay: float) -> None:
    """averaged = decay · averaged + (1 - decay) · network, running statistics included."""
    torch._foreach_lerp_(list(averaged.parameters()), list(network.parameters()), 1 - decay)
    if buffers := list(averaged.buffers()):  # none where no convolution normalises
        torch._foreach_lerp_(buffers, list(network.buffers()), 1 - decay)


def shares(num_rows: int, num_processes: int) -> list[slice]:
    """Consecutive rows of a batch for each process; the first ones get one more, the last ones none where too few."""
    ends = [round_up(num_rows * rank, num_processes) for rank in range(num_processes + 1)]
    return [slice(start, stop) for start, stop in pairwise(ends)]


def round_up(numerator: int, denominator: int) -> int:
    return -(-numerator // denominator)


def parts_of(num_rows: int, most: int) -> list[slice]:
    """Consecutive rows in as few parts as hold ``most`` rows each, of sizes as equal as can be."""
    return shares(num_rows, round_up(num_rows, most)) if num_rows else []


def step(machine: Machine, batch: Batch, num_rows: int, num_labels: int, seed: int) -> np.ndarray:
    """Returns the loss of each sample of the step, [num_rows]. No step is taken if one is not finite.

    Nor is one if the gradient is not finite, which would make all weights so: then the losses returned are all NaN.

    Args:
        batch: the samples of this process; all of them where it is alone.
        num_rows, num_labels: samples of the whole step and their labels, all processes together.
    """
    network, group, objective = machine.network, machine.group, machine.objective
    device = next(network.parameters()).device
    batch = batch.padded(group.largest(batch.slices.shape[1])).to(device)
    sizes = [share.stop - share.start for share in shares(num_rows, group.size)]
    most = machine.memory.rows_at_once(max(sizes), batch.slices.shape[1])
    statistics = [buffer.clone() for buffer in network.buffers()]
    machine.optimizer.zero_grad(set_to_none=True)
    objective.begin()
    if max(sizes) <= most and min(sizes) > 0:
        losses = _compute(machine, batch, num_rows, num_labels, seed)
    else:
        losses = compute_in_parts(
            network,
            batch,
            [_views(part, batch.num_views) for part in parts_of(len(batch.rows), most)],
            partial(objective.emit, network),
            partial(objective.losses, batch),
            num_rows=num_rows * batch.num_views,
            num_labels=num_labels,
            seed_of=lambda part: _seed(network, seed, batch.first * batch.num_views + part.start),
            precision=machine.precision,
            gather=partial(_gather, group, batch.first, num_rows),
            group=group,
        )
    if torch.isfinite(losses).all():
        group.sum_gradients(machine.parameters)
        norm = torch.nn.utils.clip_grad_norm_(machine.parameters, machine.settings.clip_norm)
        if torch.isfinite(norm):
            machine.optimizer.step()
            objective.follow(group)
            return losses.cpu().numpy()
        losses = torch.full_like(losses, torch.nan)
    # The running statistics of normalisation have seen the batch already.
    for buffer, kept in zip(network.buffers(), statistics, strict=True):
        buffer.copy_(kept)
    return losses.cpu().numpy()


def _compute(machine: Machine, batch: Batch, num_rows: int, num_labels: int, seed: int) -> Tensor:
    """Losses [num_rows], and the gradient of this process's rows in ``.grad`` if all are finite."""
    network, group, precision = machine.network, machine.group, machine.precision
    norms = normalisations(network) if group.size > 1 else []
    first, num_views = batch.first * batch.num_views, batch.num_views
    torch.manual_seed(_seed(network, seed, first))
    with part_of(first, num_rows * num_views), sharing({norm: lambda _, sums: group.sum(sums) for norm in norms}):
        with torch.autocast(batch.slices.device.type, precision, enabled=precision != torch.float32):
            emitted = machine.objective.emit(network, *network.front_end(batch.slices, batch.lengths))
        own = machine.objective.losses(batch, emitted, slice(0, len(batch.lengths)))
        losses = _gather(group, batch.first, num_rows, own.detach())
        if torch.isfinite(losses).all():
            # Weighed by the labels of the whole step and not by sample, so short samples do not weigh more.
            (own.sum() / num_labels).backward()
    return losses


def compute_alone(precision: torch.dtype, objective: Objective, network: Network, batch: Batch) -> None:
    """Forward and backward of a batch, for what they take."""
    with torch.autocast(batch.slices.device.type, precision, enabled=precision != torch.float32):
        emitted = objective.emit(network, *network.front_end(batch.slices, batch.lengths))
    objective.losses(batch, emitted, slice(0, len(batch.lengths))).sum().backward()


def _views(part: slice, num_views: int) -> slice:
    """Samples of a batch → its rows."""
    return slice(part.start * num_views, part.stop * num_views)


def _gather(group: Group, first: int, num_rows: int, own: Tensor) -> Tensor:
    if group.size == 1:
        return own
    losses = torch.zeros(num_rows, dtype=torch.float32, device=own.device)
    losses[first : first + len(own)] = own
    return group.sum(losses)


def _seed(network: Network, seed: int, first: int) -> int:
    """Of a part's random numbers. Masks by row are drawn for the whole batch (``common.recurrent.rows``), so each part
    begins alike; the transformer draws for the rows it is given, and must not draw the same for other rows."""
    return seed + first if isinstance(network.encoder, TransformerEncoder) else seed
