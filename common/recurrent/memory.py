"""Memory of the scans: tensors as the compiled loops see them, and products over all steps at once."""

import numpy as np
import torch
from torch import Tensor


def array(tensor: Tensor) -> np.ndarray:
    """The memory of a contiguous tensor as NumPy sees it; bfloat16 as its bits in uint16."""
    return (tensor.view(torch.uint16) if tensor.dtype == torch.bfloat16 else tensor).detach().numpy()


def arrays(*tensors: Tensor) -> list[np.ndarray]:
    """``array`` of each."""
    return [array(tensor) for tensor in tensors]


def before(out: Tensor, start: Tensor) -> Tensor:
    """The state that every step began with: out [B, T, D, H] with zeros behind each sample's end, start [D, B, H].

    Direction 1 begins at each sample's end, with zeros: only one direction can be streamed.
    """
    states = torch.zeros_like(out)
    states[:, 1:, 0] = out[:, :-1, 0]
    states[:, 0, 0] = start[0]
    if out.shape[2] == 2:
        states[:, :-1, 1] = out[:, 1:, 1]
    return states


def weight_gradient(drec: Tensor, states: Tensor) -> Tensor:
    """Gradient of recurrent weights, one product over all steps: drec [B, T, D, N], states [B, T, D, H] → [D, N, H]."""
    left, right = drec.flatten(0, 1), states.to(drec.dtype).flatten(0, 1)
    return torch.stack([left[:, d].T @ right[:, d] for d in range(drec.shape[2])])
