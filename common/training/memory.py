"""The memory plan: what every batch of a training will take, known before its first step.

A few pieces of the largest batch are run forward and backward on a copy of the network, from small to large. Their
peaks give the bytes of a batch of B rows and T slices as

    fixed + a · B · T + b · B · T²        with nothing below zero (b is attention's, and 0 for recurrent networks).

A batch that would take more than there is is computed in parts (``common.training.parts``).
"""

import copy
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.optimize import nnls

from common.errors import GlyphoneError
from common.files import write_json
from common.network import Network
from common.shapes import known_keys
from common.training import checkpoint
from common.training.batches import Batch
from common.training.footprint import GIB, free_bytes, give_back, peak_of, processes_here, taken_bytes

# Share of what is free that batches may take by prediction: augmentation and other programs want some too.
USABLE = 0.8
# Copies of the weights that are made later: gradient, two moments of the optimiser, the best weights.
LATER_COPIES = 4
# Pieces of the largest batch that are run: (share of its rows, share of its slices).
PIECES = ((0.0, 0.5), (0.0, 1.0), (0.25, 1.0), (0.5, 0.5), (0.5, 1.0), (1.0, 1.0))
FILE_NAME = "memory.json"


@known_keys
@dataclass(frozen=True)
class MemoryPlan:
    """How much of a batch is computed at once.

    Attributes:
        part_slices: padded slices of a view at most; 0 is no bound.
        allowed: bytes that a batch may take at most; 0 is no bound.
        coefficients: bytes: fixed, a row and slice, a row and slice². A row is a sample, all its views.
        kept: bytes a row and slice that a batch in parts keeps of all its rows.
        largest: (rows, slices, predicted bytes) of the largest batch.
        measured: bytes that it took, or the largest piece of it that was run.
        num_parted: batches that will be computed in parts, of ``num_batches`` different ones.
    """

    part_slices: int = 0
    allowed: int = 0
    coefficients: tuple[float, ...] = (0.0, 0.0, 0.0)
    kept: float = 0.0
    largest: tuple[int, int, int] = (0, 0, 0)
    measured: int = 0
    num_parted: int = 0
    num_batches: int = 0

    def predicted(self, num_rows: int, num_slices: int) -> float:
        """Bytes of a batch that is computed at once."""
        fixed, linear, square = self.coefficients
        return fixed + num_rows * num_slices * (linear + num_slices * square)

    def rows_at_once(self, num_rows: int, num_slices: int) -> int:
        """The most rows computed at once of a batch of ``num_rows`` rows of ``num_slices`` slices; at least 1."""
        rows = max(1, num_rows)
        if self.part_slices:
            rows = min(rows, max(1, self.part_slices // num_slices))
        if self.allowed and self.predicted(rows, num_slices) > self.allowed:
            left = self.allowed - self.kept * num_rows * num_slices - self.coefficients[0]
            rows = min(rows, max(1, int(left / max(1.0, self.predicted(1, num_slices) - self.coefficients[0]))))
        return rows

    def sentence(self) -> str:
        """For the log."""
        rows, slices, predicted = self.largest
        parted = f"{self.num_parted} of {self.num_batches} batches in parts" if self.num_parted else "no batch in parts"
        return (
            f"memory: the largest batch, {rows} x {slices} slices, takes {predicted / GIB:.2f} GiB by prediction "
            f"({self.measured / GIB:.2f} measured of what fits), {self.allowed / GIB:.2f} may be taken: {parted}"
        )


@known_keys
@dataclass(frozen=True)
class _Saved:
    key: dict[str, Any]
    plan: MemoryPlan


def plan_memory(
    network: Network,
    shapes: Sequence[tuple[int, int]],
    largest: Callable[[], Batch],
    run: Callable[[Network, Batch], None],
    *,
    part_slices: int,
    memory_gib: float,
    state: Path,
    key: dict[str, Any],
) -> MemoryPlan:
    """Measure, or take what was measured before a kill, so that a run that goes on cuts its batches alike.

    Args:
        shapes: (rows, slices) of every batch of the training.
        largest: makes the batch of the largest shape.
        run: forward and backward of a batch.
        memory_gib: what may be taken; 0 is what is free.
        key: what the measurement hangs on; another key measures again.
    """
    device = next(network.parameters()).device
    path = state / FILE_NAME
    saved = checkpoint.beside(path, _Saved)
    if saved is not None and saved.key == key:
        plan = saved.plan
        free = _allowed(network, device, memory_gib)
        # Some less is no reason to cut otherwise: what is usable was not all that is free.
        if free >= USABLE * min(plan.allowed, plan.largest[2]):
            return plan
        print(
            f"memory: {free / GIB:.2f} GiB may be taken, less than before ({plan.allowed / GIB:.2f}): batches are cut "
            "anew, and the weights will agree with those of an unbroken run up to rounding alone",
            file=sys.stderr,
        )
    plan = _measured(network, shapes, largest, run, MemoryPlan(part_slices, _allowed(network, device, memory_gib)))
    write_json(path, asdict(_Saved(key, plan)))
    return plan


def _allowed(network: Network, device: torch.device, memory_gib: float) -> int:
    later = LATER_COPIES * sum(each.numel() * each.element_size() for each in network.parameters())
    if not memory_gib:
        return int(USABLE * max(1, free_bytes(device) // processes_here() - later))
    taken = taken_bytes(device)
    allowed = int(memory_gib * GIB) - taken - later
    if allowed <= 0:
        raise GlyphoneError(
            f"training.memory_gib is {memory_gib:g}: before its first batch the training takes {taken / GIB:.2f} GiB "
            f"and will need {later / GIB:.2f} for its weights; allowed: more than that, or 0 for what is free"
        )
    return allowed


def _measured(
    network: Network,
    shapes: Sequence[tuple[int, int]],
    largest: Callable[[], Batch],
    run: Callable[[Network, Batch], None],
    plan: MemoryPlan,
) -> MemoryPlan:
    device = next(network.parameters()).device
    trial = copy.deepcopy(network).train()
    batch = largest()
    num_rows, num_slices = len(batch.rows), batch.slices.shape[1]
    rows: list[list[float]] = []
    peaks: list[int] = []
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(0)
        _run(trial, batch.piece(1, num_slices // 2), run)  # what is taken once: compiled code, threads
        give_back()
        before = taken_bytes(device)
        for row_share, slice_share in PIECES:
            piece = batch.piece(int(num_rows * row_share), int(num_slices * slice_share))
            shape = len(piece.rows), piece.slices.shape[1]
            if len(peaks) >= 3 and plan.predicted(*shape) > plan.allowed:
                break
            try:
                with peak_of(device) as peak:
                    _run(trial, piece, run)
            except torch.OutOfMemoryError:  # of a GPU; what fitted before tells the rest
                break
            give_back()
            rows.append([1.0, shape[0] * shape[1], shape[0] * shape[1] ** 2])
            peaks.append(max(0, peak.bytes - before))
            plan = replace(plan, coefficients=_fit(rows, peaks), measured=max(peaks))
    emitted = network.out_lengths(torch.tensor([num_slices])) / num_slices
    # Values and gradients of what stands between front end and encoder, float32.
    inputs = network.encoder_inputs
    plan = replace(plan, kept=float(emitted) * inputs * 8 * batch.num_views)
    heaviest = max(shapes, key=lambda shape: plan.predicted(*shape))
    longest = max(slices for _, slices in shapes)
    if plan.predicted(1, longest) > plan.allowed:
        print(
            f"memory: a single sample of {longest} slices takes {plan.predicted(1, longest) / GIB:.2f} GiB by "
            f"prediction, {plan.allowed / GIB:.2f} may be taken, and a sample cannot be cut: it may run out of memory",
            file=sys.stderr,
        )
    parted = sum(plan.rows_at_once(*shape) < shape[0] for shape in shapes)
    return replace(
        plan,
        largest=(*heaviest, int(plan.predicted(*heaviest))),
        num_parted=parted,
        num_batches=len(shapes),
    )


def _run(trial: Network, batch: Batch, run: Callable[[Network, Batch], None]) -> None:
    run(trial, batch)
    trial.zero_grad(set_to_none=True)


def _fit(rows: Sequence[Sequence[float]], peaks: Sequence[int]) -> tuple[float, ...]:
    """Coefficients that fit the peaks best and are not negative, every peak weighing alike."""
    matrix, values = np.array(rows), np.maximum(1.0, np.array(peaks, dtype=float))
    scale = matrix.max(axis=0)
    found, _ = nnls(matrix / scale / values[:, None], np.ones(len(values)))
    return tuple(float(each) for each in found / scale)
