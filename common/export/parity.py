"""Does an exported model say what the network says?"""

from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import onnxruntime
import torch

from common.export.onnx_model import LENGTHS, LOG_PROBS, OUT_LENGTHS, SLICES
from common.network import Network

# Slices of the samples of a batch; the longest pads the others.
BATCHES = ((1,), (5, 1, 17), (64, 33, 200, 2), (400,))
LARGEST_DIFFERENCE = 1e-4  # of a log-probability, where the network's own rounding does not ask for more
TIMES_ROUNDING = 10
ERRORS_ONLY = 3  # of onnxruntime's levels of messages


class OnnxNetwork:
    """An ONNX model as something to call, on the CPU."""

    def __init__(self, model: bytes) -> None:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = ERRORS_ONLY
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def __call__(self, slices: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """slices float32 [B, T, F], lengths int64 [B] → log-probabilities [B, T', V], lengths [B] of them."""
        log_probs, out_lengths = self.session.run([LOG_PROBS, OUT_LENGTHS], {SLICES: slices, LENGTHS: lengths})
        return log_probs, out_lengths


@dataclass(frozen=True)
class Differences:
    """The largest difference of a log-probability from the network's in float64; infinite where lengths differ.

    Attributes:
        exported: of the exported model.
        rounding: of the network itself in float32, as it transcribes.
    """

    exported: float
    rounding: float

    @property
    def allowed(self) -> float:
        """Of the exported model: steep networks round more than flat ones, and kernels round differently."""
        return max(LARGEST_DIFFERENCE, TIMES_ROUNDING * self.rounding)


@torch.inference_mode()
def differences(network: Network, model: bytes) -> Differences:
    """On random slices."""
    exported, precise = OnnxNetwork(model), deepcopy(network).double()
    random = np.random.default_rng(0)
    largest = rounding = 0.0
    for batch in BATCHES:
        slices = random.normal(size=(len(batch), max(batch), network.num_features)).astype(np.float32)
        lengths = np.array(batch, np.int64)
        expected, expected_lengths = precise(torch.from_numpy(slices).double(), torch.from_numpy(lengths))
        own, _ = network(torch.from_numpy(slices), torch.from_numpy(lengths))
        found, found_lengths = exported(slices, lengths)
        if not np.array_equal(found_lengths, expected_lengths.numpy()) or found.shape != expected.shape:
            return Differences(float("inf"), rounding)
        for row, length in enumerate(found_lengths):
            right = expected[row, :length].numpy()
            largest = max(largest, float(np.abs(found[row, :length] - right).max()))
            rounding = max(rounding, float(np.abs(own[row, :length].numpy() - right).max()))
    return Differences(largest, rounding)
