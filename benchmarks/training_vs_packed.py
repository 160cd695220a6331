"""A training step of the default networks against the same network on packed nn.LSTM, the smaller of both ratios.

Processor time of one thread over the same batches in turn. Ours runs in the precision that training chooses here, the
packed one in float32, as code in the field does; ``detail`` has ours in float32 too, and a packed one around our own
front end. Only the LSTM is packed there, so it shows what that alone gives. Another network:
``--set audio.network.num_hidden=256``.
"""

import sys
from collections.abc import Sequence
from typing import Any

import torch

from benchmarks.default_networks import MODALITIES, Default, asked_overrides, default
from benchmarks.packed_network import packed
from benchmarks.result import Result
from benchmarks.training_step import in_turn, ratios, summary, training_step
from common.training.precision import choose_precision

NUM_BATCHES, NUM_ROUNDS = 8, 7


def run(arguments: Sequence[str] = ()) -> Result:
    overrides = asked_overrides("training_vs_packed", arguments, __doc__)
    torch.set_num_threads(1)
    found = {modality: compare(default(modality, overrides)) for modality in MODALITIES}
    value = min(each["ratio"]["median"] for each in found.values())
    return Result(value, "ratio", True, {**found, "settings": overrides})


def compare(subject: Default) -> dict[str, Any]:
    """The ratios of one network, and the milliseconds a step behind them."""
    batches = subject.batches(NUM_BATCHES)
    precision = choose_precision(subject.training, torch.device("cpu"))
    settings = subject.training
    steps = {
        "ours": training_step(subject.new_network(), settings, precision),
        "packed": training_step(packed(subject.new_network(), True), settings, torch.float32),
        "ours in float32": training_step(subject.new_network(), settings, torch.float32),
        "packed, our front end": training_step(packed(subject.new_network(), False), settings, torch.float32),
    }
    rounds = in_turn(steps, batches, NUM_ROUNDS)
    found: dict[str, Any] = {
        "ratio": summary(ratios(rounds["packed"], rounds["ours"], "cpu")),
        "ratio in wall time": summary(ratios(rounds["packed"], rounds["ours"], "wall")),
        "ratio, ours in float32": summary(ratios(rounds["packed"], rounds["ours in float32"], "cpu")),
        "ratio, packed with our front end": summary(ratios(rounds["packed, our front end"], rounds["ours"], "cpu")),
        "precision": str(precision).removeprefix("torch."),
        "peer's precision": "float32",
        "batches": [list(batch.slices.shape) for batch in batches],
    }
    for name, each in rounds.items():
        found[f"ms a step, {name}"] = summary([1e3 * one["cpu"] / len(batches) for one in each])
    print(found, file=sys.stderr)
    return found
