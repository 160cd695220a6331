"""Share of this machine's matrix-product speed that a whole training step of the default networks reaches.

One thread, processor time, in turn with a large product of torch in the same precision. The value is the smaller of
both networks' shares in the precision that training chooses here; ``detail`` has the other precision too. What counts
as an operation stands in ``benchmarks/training_flop.py``. ``--set audio.network.num_hidden=256`` tries another network.
"""

import statistics
import sys
import time
from collections.abc import Sequence
from typing import Any

import torch

from benchmarks.default_networks import MODALITIES, Default, asked_overrides, default
from benchmarks.result import Result
from benchmarks.training_flop import training_flop
from benchmarks.training_step import summary, training_step
from common.training.precision import choose_precision

NUM_BATCHES, NUM_ROUNDS = 8, 7
SIZE = 1024  # of the product; 2048 is no faster on the machine this was written on


def run(arguments: Sequence[str] = ()) -> Result:
    overrides = asked_overrides("training_roofline", arguments, __doc__)
    torch.set_num_threads(1)
    detail: dict[str, Any] = {"settings": overrides}
    values = []
    for modality in MODALITIES:
        subject = default(modality, overrides)
        chosen = choose_precision(subject.training, torch.device("cpu"))
        detail[modality] = {name(each): shares(subject, each) for each in {chosen: 0, torch.float32: 0}}
        detail[modality]["trained in"] = name(chosen)
        values.append(detail[modality][name(chosen)]["share"]["median"])
        print(modality, detail[modality], file=sys.stderr)
    return Result(min(values), "fraction", True, detail)


def shares(subject: Default, precision: torch.dtype) -> dict[str, Any]:
    """Speed of a step over that of a product, by round."""
    network = subject.new_network()
    step = training_step(network, subject.training, precision)
    batches = subject.batches(NUM_BATCHES)
    work = sum(training_flop(network, batch) for batch in batches)
    left, right = (torch.randn(SIZE, SIZE).to(precision) for _ in range(2))
    for batch in batches:
        step(batch)
    steps, products = [], []
    for _ in range(NUM_ROUNDS):
        products.append(max(product_speed(left, right) for _ in range(10)))
        started = time.process_time()
        for batch in batches:
            step(batch)
        steps.append(work / (time.process_time() - started))
    return {
        "share": summary([one / most for one, most in zip(steps, products, strict=True)]),
        "gflop_per_second": round(statistics.median(steps) / 1e9, 1),
        "product_gflop_per_second": round(statistics.median(products) / 1e9, 1),
        "gflop_a_step": round(work / len(batches) / 1e9, 3),
    }


def product_speed(left: torch.Tensor, right: torch.Tensor) -> float:
    """Operations a second of one product."""
    started = time.process_time()
    left @ right
    return 2 * SIZE**3 / (time.process_time() - started)


def name(precision: torch.dtype) -> str:
    return str(precision).removeprefix("torch.")
