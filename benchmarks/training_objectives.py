"""A training step of the default networks with each term of the objective, against the plain step; value: the dearest.

Processor time of one thread, each variant in turn with the plain step over the same batches, by the training loop's own
step in the precision that training chooses here. The second view of ``consistency`` is the first with noise: what
augmentation takes is not in it, since that runs in a thread beside the steps. ``detail`` has every ratio.
"""

import os
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch

from benchmarks.default_networks import MODALITIES, SEED, Default, default
from benchmarks.result import Result
from benchmarks.training_step import in_turn, ratios, summary
from common.network import Network
from common.training.batches import Batch
from common.training.memory import MemoryPlan
from common.training.objective import Objective
from common.training.precision import choose_precision
from common.training.processes import ALONE
from common.training.settings import TrainingSettings
from common.training.step import Machine, make_optimizer, step

NUM_BATCHES, NUM_ROUNDS = 4, 3
# So many that none of a variant's kernels drives out one of the plain step's: a training has but one of them.
NUM_KERNELS = 2048
PLAIN = "plain"
INTERMEDIATE = {"intermediate_layers": (1,)}
# Name → what differs of the network, and of training.
VARIANTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "consistency": ({}, {"consistency": 0.2}),
    "intermediate_layers": (INTERMEDIATE, {}),
    "self_conditioned": ({**INTERMEDIATE, "self_conditioned": True}, {}),
    "short_cut": ({}, {"short_cut": 0.1}),
    "label_smoothing": ({}, {"label_smoothing": 0.05}),
    "label_prior": ({}, {"label_prior": 0.3}),
}


def run() -> Result:
    os.environ["ONEDNN_PRIMITIVE_CACHE_CAPACITY"] = str(NUM_KERNELS)  # read at the first product
    torch.set_num_threads(1)
    detail = {modality: compare(default(modality)) for modality in MODALITIES}
    most = max(each["median"] for found in detail.values() for each in found["ratio"].values())
    return Result(most, "ratio", False, detail)


def compare(subject: Default) -> dict[str, Any]:
    """The ratios of one network, and the milliseconds of its plain step."""
    batches = subject.batches(NUM_BATCHES)
    plain = _step(subject, {}, {})
    found: dict[str, Any] = {}
    milliseconds: list[float] = []
    for name, more in VARIANTS.items():
        rounds = in_turn({PLAIN: plain, name: _step(subject, *more)}, batches, NUM_ROUNDS)
        found[name] = summary(ratios(rounds[name], rounds[PLAIN], "cpu"))
        milliseconds += [1000 * each["cpu"] / NUM_BATCHES for each in rounds[PLAIN]]
        print(name, found[name], file=sys.stderr, flush=True)
    precision = str(choose_precision(subject.training, CPU))
    return {"ratio": found, "plain step, ms": summary(milliseconds), "precision": precision}


CPU = torch.device("cpu")


def _step(subject: Default, shape: dict[str, Any], more: dict[str, Any]) -> Callable[[Batch], None]:
    settings = TrainingSettings(**{**subject.training.model_dump(), **more})
    torch.manual_seed(SEED)
    chosen = subject.network.model_copy(update=shape)
    network = Network(chosen, subject.store.metadata.num_features, len(subject.alphabet)).train()
    objective = Objective(settings, network)
    optimizer = make_optimizer(network, objective, settings)
    machine = Machine(network, optimizer, settings, choose_precision(settings, CPU), ALONE, MemoryPlan(), objective)

    def run_step(batch: Batch) -> None:
        if objective.num_views == 2:
            batch = _twice(batch)
        step(machine, batch, len(batch.rows), len(batch.targets) // batch.num_views, SEED)

    return run_step


def _twice(batch: Batch) -> Batch:
    noisy = batch.slices + 0.1 * torch.randn(batch.slices.shape)
    targets = batch.targets.split(batch.target_lengths.tolist())
    return replace(
        batch,
        slices=torch.stack([batch.slices, noisy], 1).flatten(0, 1),
        lengths=batch.lengths.repeat_interleave(2),
        targets=torch.cat([target for target in targets for _ in range(2)]),
        target_lengths=batch.target_lengths.repeat_interleave(2),
        num_views=2,
    )
