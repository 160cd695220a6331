"""A training step by itself, without the loop around it: forward, loss, backward, clipping, optimiser."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence

import torch

from common.network import Network
from common.training.batches import Batch
from common.training.settings import TrainingSettings

LEARNING_RATE = 1e-4  # small, so that a hundred steps over the same batches stay finite


def training_step(network: Network, settings: TrainingSettings, precision: torch.dtype) -> Callable[[Batch], None]:
    """A function that takes one step over a batch, in ``precision`` by autocast where that is not float32."""
    optimizer = torch.optim.AdamW(network.parameters(), LEARNING_RATE, fused=True)

    def step(batch: Batch) -> None:
        with torch.autocast("cpu", precision, enabled=precision != torch.float32):
            log_probs, lengths = network(batch.slices, batch.lengths)
        losses = torch.nn.functional.ctc_loss(
            log_probs.transpose(0, 1), batch.targets, lengths, batch.target_lengths, reduction="none"
        )
        optimizer.zero_grad(set_to_none=True)
        (losses.sum() / len(batch.targets)).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), settings.clip_norm)
        optimizer.step()

    return step


def in_turn(
    steps: Mapping[str, Callable[[Batch], None]], batches: Sequence[Batch], num_rounds: int
) -> dict[str, list[dict[str, float]]]:
    """Seconds of all batches by each function, one after the other in every round: name → rounds of cpu and wall.

    Each goes over the batches once before the clock runs: that compiles, and makes the kernels for these shapes anew
    that the others have pushed out of oneDNN's cache, as no training beside its own would.
    """
    rounds: dict[str, list[dict[str, float]]] = {name: [] for name in steps}
    for number in range(num_rounds):
        order = list(steps)[:: 1 if number % 2 else -1]
        for name in order:
            for batch in batches:
                steps[name](batch)
            wall, cpu = time.perf_counter(), time.process_time()
            for batch in batches:
                steps[name](batch)
            rounds[name].append({"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall})
    return rounds


def ratios(slow: Sequence[Mapping[str, float]], fast: Sequence[Mapping[str, float]], clock: str) -> list[float]:
    """Time of the first over that of the second, by round."""
    return [one[clock] / other[clock] for one, other in zip(slow, fast, strict=True)]


def summary(values: Sequence[float]) -> dict[str, float]:
    """Median, least and greatest."""
    return {
        "median": round(statistics.median(values), 3),
        "least": round(min(values), 3),
        "most": round(max(values), 3),
    }
