"""Many slice matrices through one network, each as if it were alone."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain, islice

import numpy as np
import torch

from common.alphabet import BLANK
from common.network import Network
from common.recurrent.layers import ROWS

# Samples looked at together: enough to find neighbours of like length, few enough to stream.
WINDOW = 256
# Log-probability of each label that silence does not have: as good as none, and finite for all who add up.
NEVER = -100.0


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
    ``Network.alone``. A matrix without slices gives an emission without slices; one of zeros alone, which is silence or
    a blank picture, gives blanks: networks have never heard it, and made words of it (measured: "six", at 0.98).
    """
    stream = iter(matrices)
    network.eval()
    exact = exact and next(network.parameters()).device.type == "cpu"
    while window := list(islice(stream, WINDOW)):
        lengths = [len(matrix) if np.any(matrix) else 0 for matrix in window]
        results = [blanks(int(network.out_lengths(torch.tensor(len(each)))), network.num_labels) for each in window]
        batches = _batches(lengths, batch_slices, batch_samples)
        found = (_exact if exact else _batched)(network, [[window[place] for place in batch] for batch in batches])
        for batch, emitted in zip(batches, found, strict=True):
            for place, emission in zip(batch, emitted, strict=True):
                results[place] = emission
        yield from results


def blanks(num_emissions: int, num_labels: int) -> np.ndarray:
    """What slices without anything in them emit, [T', V]."""
    result = np.full((num_emissions, num_labels), NEVER, np.float32)
    result[:, BLANK] = 0
    return result


def _batches(lengths: list[int], batch_slices: int, batch_samples: int) -> list[list[int]]:
    """Places of samples of like length, the longest first; those of length 0 are in none."""
    order = sorted((place for place, length in enumerate(lengths) if length), key=lambda place: lengths[place])
    batches = []
    while order:
        batch = [order.pop()]
        while order and len(batch) < batch_samples and (len(batch) + 1) * lengths[batch[0]] <= batch_slices:
            batch.append(order.pop())
        batches.append(batch)
    return batches


def _batched(network: Network, batches: list[list[np.ndarray]]) -> Iterator[list[np.ndarray]]:
    return (_run(network, batch) for batch in batches)


def _exact(network: Network, batches: list[list[np.ndarray]]) -> list[list[np.ndarray]]:
    """A thread a piece, and never several for one: on some processors their number decides the order of summation."""
    num_threads = torch.get_num_threads()
    pieces = [batch[first : first + ROWS] for batch in batches for first in range(0, len(batch), ROWS)]
    try:
        if num_threads == 1 or len(pieces) < 2:
            torch.set_num_threads(1)
            return [_alone(network, batch) for batch in batches]
        with ThreadPoolExecutor(num_threads, initializer=partial(torch.set_num_threads, 1)) as pool:
            emitted = chain.from_iterable(pool.map(partial(_alone, network), pieces))
            return [list(islice(emitted, len(batch))) for batch in batches]
    finally:
        torch.set_num_threads(num_threads)  # of threads to come, which the workers' own setting reaches too


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
