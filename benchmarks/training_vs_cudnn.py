"""On a GPU: steps a second of training the default networks over those of the same network on packed cuDNN layers.

Whole steps of the training loop, transfer of the batch and clipping included, wall time, in turn over the same
batches; the smaller of both networks' ratios, each to the faster of the packed network in bfloat16 and in float32.
Batches are the recipe's and ``LARGER`` times as large, as one takes them on a GPU; the value is of the larger ones.
``detail`` has how long the GPU computes anything during our steps (by torch's profiler), and milliseconds a step.
"""

import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import torch

from benchmarks.default_networks import MODALITIES, Default, asked_overrides, default
from benchmarks.packed_network import packed
from benchmarks.result import Result
from benchmarks.training_step import LEARNING_RATE, in_turn, ratios, summary
from common.device import choose_device
from common.errors import GlyphoneError
from common.network import Network
from common.training.batches import Batch
from common.training.memory import MemoryPlan
from common.training.objective import Objective
from common.training.precision import choose_precision
from common.training.processes import ALONE
from common.training.settings import TrainingSettings
from common.training.step import Machine, make_optimizer, step

NUM_BATCHES, NUM_ROUNDS = 8, 5
LARGER = 8


def run(arguments: Sequence[str] = ()) -> Result:
    overrides = asked_overrides("training_vs_cudnn", arguments, __doc__)
    if not torch.cuda.is_available():
        raise GlyphoneError("training_vs_cudnn: torch sees no GPU here, and one is what is measured")
    device = torch.device(choose_device("cuda", "device"))
    detail: dict[str, Any] = {"settings": overrides, "gpu": torch.cuda.get_device_name(device)}
    for modality in MODALITIES:
        subject = default(modality, overrides)
        detail[modality] = {str(scale): compare(larger(subject, scale), device) for scale in (1, LARGER)}
        print(modality, detail[modality], file=sys.stderr)
    value = min(detail[modality][str(LARGER)]["ratio"]["median"] for modality in MODALITIES)
    return Result(value, "ratio", True, detail)


def larger(subject: Default, scale: int) -> Default:
    """With so many times the slices and samples a batch."""
    chosen = subject.training
    more = {"batch_slices": scale * chosen.batch_slices, "batch_samples": scale * chosen.batch_samples}
    return replace(subject, training=chosen.model_copy(update=more))


def compare(subject: Default, device: torch.device) -> dict[str, Any]:
    """The ratio of one network, milliseconds a step, and the share of our steps in which the GPU computes."""
    batches = subject.batches(NUM_BATCHES)
    precision = choose_precision(subject.training, device)
    steps = {"ours": whole_step(subject.new_network(), subject.training, precision, device)}
    for each in dict.fromkeys((precision, torch.float32)):
        name = f"packed in {str(each).removeprefix('torch.')}"
        steps[name] = whole_step(packed(subject.new_network(), True), subject.training, each, device)
    rounds = in_turn({name: waiting(run, device) for name, run in steps.items()}, batches, NUM_ROUNDS)
    times = {name: [1e3 * one["wall"] / len(batches) for one in each] for name, each in rounds.items()}
    fastest = min((name for name in times if name != "ours"), key=lambda name: sum(times[name]))
    return {
        "ratio": summary(ratios(rounds[fastest], rounds["ours"], "wall")),
        "beside": fastest,
        "precision": str(precision).removeprefix("torch."),
        "busy": round(busy(lambda: [steps["ours"](batch) for batch in batches], device), 3),
        "batches": [list(batch.slices.shape) for batch in batches],
        **{f"ms a step, {name}": summary(each) for name, each in times.items()},
    }


def whole_step(
    network: Network, settings: TrainingSettings, precision: torch.dtype, device: torch.device
) -> Callable[[Batch], None]:
    """A step as the training loop takes it, over a batch that lies in main memory."""
    network = network.to(device)
    objective = Objective(settings, network).to(device)
    optimizer = make_optimizer(network, objective, settings)
    for group in optimizer.param_groups:
        group["lr"] = LEARNING_RATE
    machine = Machine(network, optimizer, settings, precision, ALONE, MemoryPlan(), objective)

    def run(batch: Batch) -> None:
        step(machine, batch, len(batch.rows), int(batch.target_lengths.sum()), seed=0)

    return run


def waiting(run: Callable[[Batch], None], device: torch.device) -> Callable[[Batch], None]:
    """The same, done when it returns: a GPU is still computing when its calls come back."""

    def waited(batch: Batch) -> None:
        run(batch)
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    return waited


def busy(run: Callable[[], object], device: torch.device) -> float:
    """Share of the wall time of ``run`` in which the GPU computes or copies; 0 where there is none."""
    if device.type != "cuda":
        return 0.0
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profile:
        torch.cuda.synchronize(device)
        started = time.perf_counter()
        run()
        torch.cuda.synchronize(device)
        seconds = time.perf_counter() - started
    return union(spans_of(profile.events() or ())) / 1e6 / seconds


def spans_of(events: Iterable[Any]) -> list[tuple[float, float]]:
    """From when to when the GPU works, by the profiler's events; those of the calls that start it are the CPU's."""
    on_gpu = (each for each in events if each.device_type == torch.autograd.DeviceType.CUDA)
    return [(each.time_range.start, each.time_range.end) for each in on_gpu]


def union(spans: Iterable[tuple[float, float]]) -> float:
    """Length of what any of the spans (from, to) covers."""
    total, end = 0.0, float("-inf")
    for start, stop in sorted(spans):
        total += max(0.0, stop - max(start, end))
        end = max(end, stop)
    return total
