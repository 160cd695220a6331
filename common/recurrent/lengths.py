"""Padding: masks, and the reversal of each sample within its own length."""

import torch
from torch import Tensor


def mask_of(lengths: Tensor, num_slices: int) -> Tensor:
    """True where a slice belongs to its sample: lengths [B] → bool [B, T]."""
    return torch.arange(num_slices, device=lengths.device) < lengths[:, None]


def reversal(lengths: Tensor, num_slices: int) -> Tensor:
    """Row numbers [B · T] that turn every sample of a flattened [B · T, F] round, padding staying where it is."""
    positions = torch.arange(num_slices, device=lengths.device).expand(len(lengths), num_slices)
    ends = lengths[:, None]
    turned = torch.where(positions < ends, ends - 1 - positions, positions)
    return (turned + num_slices * torch.arange(len(lengths), device=lengths.device)[:, None]).reshape(-1)


class _Reverse(torch.autograd.Function):
    # The permutation is its own inverse, so its gradient is one more gather; torch's own would scatter and add.
    @staticmethod
    def forward(ctx, x: Tensor, index: Tensor) -> Tensor:
        ctx.save_for_backward(index)
        return x.reshape(-1, x.shape[-1]).index_select(0, index).view(x.shape)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:
        (index,) = ctx.saved_tensors
        return gradient.reshape(-1, gradient.shape[-1]).index_select(0, index).view(gradient.shape), None


def reverse(x: Tensor, index: Tensor) -> Tensor:
    """Turn the slices of each sample round: x [B, T, F], index from ``reversal`` → [B, T, F]. Twice gives x again."""
    return _Reverse.apply(x, index)
