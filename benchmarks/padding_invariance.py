"""Largest difference of a sample's emissions alone and in any batch: every cell, in float32 and float64.

Random lengths, orders and batch sizes; garbage in the padding; convolutions, pooling and normalisation included, their
statistics and the size of the logits as after training. The value is that of float32 through ``emissions`` with
``exact``; ``detail`` has that of plain batches too.
"""

import sys
from typing import get_args

import numpy as np
import torch

from benchmarks.result import Result
from common.emissions import emissions
from common.network import Network
from common.network_settings import ConvolutionSettings, NetworkSettings
from common.recurrent.lengths import mask_of

NUM_ROUNDS, MAX_SAMPLES, MAX_SLICES = 12, 24, 300
NUM_FEATURES, NUM_LABELS = 40, 30
LOGIT_SIZE = 20.0  # the largest logits of the trained default networks (measured: 19.5 and 21.3)
FRONT_END = (
    ConvolutionSettings(channels=32, stride=(2, 2)),
    ConvolutionSettings(channels=32, pool=(2, 2)),
    ConvolutionSettings(channels=32, stride=(1, 2)),
)
CELLS: tuple[str, ...] = get_args(NetworkSettings.model_fields["cell"].annotation)


def run() -> Result:
    torch.set_num_threads(1)
    table = {}
    for cell in CELLS:
        table[cell] = {
            "float64": differences(cell, torch.float64),
            "float32": differences(cell, torch.float32),
            "float32 exact": exact_difference(cell),
        }
        print(f"{cell:<18}" + "  ".join(f"{name} {value:.2g}" for name, value in table[cell].items()), file=sys.stderr)
    largest = {name: max(row[name] for row in table.values()) for name in ("float64", "float32", "float32 exact")}
    return Result(
        largest["float32 exact"], "difference of log-probabilities", False, {"largest": largest, "cells": table}
    )


def trained_size(cell: str, dtype: torch.dtype) -> Network:
    """A network with weights from a generator, but statistics, logits and state as large as those of trained ones."""
    torch.manual_seed(0)
    settings = NetworkSettings.model_validate(
        {"convolutions": FRONT_END, "cell": cell, "num_layers": 2, "num_hidden": 64}
    )
    network = Network(settings, NUM_FEATURES, NUM_LABELS).to(dtype)
    x, lengths = torch.randn(8, 100, NUM_FEATURES, dtype=dtype), torch.full((8,), 100)
    with torch.no_grad():
        for name, buffer in network.named_buffers():
            buffer.uniform_(0.5, 2) if name.endswith("var") else buffer.normal_()
        for name, parameter in network.named_parameters():
            if "peephole" in name or "gain" in name or "bias" in name:
                parameter.add_(0.2 * torch.randn_like(parameter))
        network.eval()
        inner, inner_lengths = network.front_end(x, lengths)
        largest = network.head(network.encoder(inner, inner_lengths)).abs().max()
        network.head.weight.mul_(LOGIT_SIZE / largest)
    return network


def batches(dtype: torch.dtype) -> list[list[torch.Tensor]]:
    """Samples [T, F] in batches of random sizes."""
    random = np.random.default_rng(0)
    sizes = random.integers(2, MAX_SAMPLES, NUM_ROUNDS)
    return [
        [torch.from_numpy(random.normal(size=(length, NUM_FEATURES))).to(dtype) for length in lengths]
        for lengths in (random.integers(1, MAX_SLICES, size) for size in sizes)
    ]


@torch.inference_mode()
def differences(cell: str, dtype: torch.dtype) -> float:
    """Alone against in a batch, the plain way."""
    network, largest = trained_size(cell, dtype), 0.0
    for samples in batches(dtype):
        lengths = torch.tensor([len(x) for x in samples])
        padded = torch.full((len(samples), int(lengths.max()) + 5, NUM_FEATURES), 1e3, dtype=dtype)
        for row, x in enumerate(samples):
            padded[row, : len(x)] = x
        assert (padded[~mask_of(lengths, padded.shape[1])] == 1e3).all()
        together, emitted = network(padded, lengths)
        for row, x in enumerate(samples):
            alone, _ = network(x[None], lengths[row : row + 1])
            largest = max(largest, float((together[row, : emitted[row]] - alone[0]).abs().max()))
    return largest


def exact_difference(cell: str) -> float:
    """Alone against among others in two orders, through ``emissions`` with ``exact``."""
    network, largest = trained_size(cell, torch.float32), 0.0
    for samples in batches(torch.float32):
        matrices = [x.numpy() for x in samples]
        forwards = list(emissions(network, matrices, exact=True))
        backwards = list(emissions(network, matrices[::-1], exact=True, batch_samples=5))[::-1]
        for row, matrix in enumerate(matrices):
            (alone,) = emissions(network, [matrix], exact=True)
            for other in (forwards[row], backwards[row]):
                largest = max(largest, float(np.abs(other - alone).max()))
    return largest
