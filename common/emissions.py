"""Many slice matrices through one network, each as if it were alone."""

from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np
import torch

from common.network import Network

# Samples looked at together: enough to find neighbours of like length, few enough to stream.
WINDOW = 256


def emissions(
    network: Network,
    matrices: Iterable[np.ndarray],
    batch_slices: int = 16000,
    batch_samples: int = 32,
    exact: bool = False,
) -> Iterator[np.ndarray]:
    """Log-probabilities float32 [T', V] of slice matrices [T, F], in the order of the matrices.

    Runs in float32 whatever precision the training used, so that a sample's result hangs on its batch by rounding alone
    (measured: up to 1.5e-5 with the default networks). With ``exact``, on a CPU, not even by that: see
    ``Network.alone``. A matrix without slices gives an emission without slices.
    """
    stream = iter(matrices)
    network.eval()
    while window := list(islice(stream, WINDOW)):
        results: list[np.ndarray] = [np.zeros((0, network.num_labels), np.float32)] * len(window)
        order = sorted((place for place in range(len(window)) if len(window[place])), key=lambda at: len(window[at]))
        while order:
            batch = [order.pop()]
            longest = len(window[batch[0]])
            while order and len(batch) < batch_samples and (len(batch) + 1) * longest <= batch_slices:
                batch.append(order.pop())
            run = _alone if exact and next(network.parameters()).device.type == "cpu" else _run
            for place, emission in zip(batch, run(network, [window[place] for place in batch]), strict=True):
                results[place] = emission
        yield from results


@torch.inference_mode()
def _run(network: Network, matrices: list[np.ndarray]) -> list[np.ndarray]:
    device = next(network.parameters()).device
    lengths = torch.tensor([len(matrix) for matrix in matrices])
    padded = np.zeros((len(matrices), int(lengths.max()), matrices[0].shape[1]), np.float32)
    for place, matrix in enumerate(matrices):
        padded[place, : len(matrix)] = matrix
    log_probs, out_lengths = network(torch.from_numpy(padded).to(device), lengths.to(device))
    return [row[:length].cpu().numpy() for row, length in zip(log_probs, out_lengths.tolist(), strict=True)]


@torch.inference_mode()
def _alone(network: Network, matrices: list[np.ndarray]) -> list[np.ndarray]:
    samples = [torch.from_numpy(np.array(matrix, np.float32)) for matrix in matrices]
    return [emission.numpy() for emission in network.alone(samples)]
