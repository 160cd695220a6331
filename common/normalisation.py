"""Batch normalisation whose statistics leave padding out."""

import torch
from torch import Tensor, nn


class _NormaliseValid(torch.autograd.Function):
    """y = (x - mean) / sqrt(var + eps) with mean and variance a channel over the valid positions alone.

    x [B, C, T, F] is zero at padded positions; ``count`` is the number of valid positions a channel. The gradient is
    the textbook one of Ioffe and Szegedy 2015 with ``count`` in place of the batch's size; gradients at padded
    positions must be zero already, which the mask behind this layer sees to.
    """

    @staticmethod
    def forward(ctx, x: Tensor, count: float, epsilon: float) -> tuple[Tensor, Tensor, Tensor]:
        wide = torch.promote_types(x.dtype, torch.float32)  # sums of many bfloat16 values lose all digits
        mean = x.sum((0, 2, 3), dtype=wide) / count
        square = torch.linalg.vector_norm(x, dim=(0, 2, 3), dtype=wide).square() / count
        variance = (square - mean.square()).clamp_min_(0)
        scale = torch.rsqrt(variance + epsilon)
        shape = (1, -1, 1, 1)
        y = torch.addcmul((-mean * scale).to(x.dtype).view(shape), x, scale.to(x.dtype).view(shape))
        ctx.save_for_backward(y, scale)
        ctx.count = count
        ctx.mark_non_differentiable(mean, variance)
        return y, mean, variance

    @staticmethod
    def backward(ctx, gradient: Tensor, _mean: Tensor, _variance: Tensor) -> tuple[Tensor, None, None]:
        y, scale = ctx.saved_tensors
        shape = (1, -1, 1, 1)
        mean_gradient = gradient.sum((0, 2, 3), dtype=scale.dtype) / ctx.count
        mean_product = (gradient * y).sum((0, 2, 3), dtype=scale.dtype) / ctx.count
        projected = torch.addcmul(mean_gradient.to(y.dtype).view(shape), y, mean_product.to(y.dtype).view(shape))
        return (gradient - projected) * scale.to(y.dtype).view(shape), None, None


class MaskedBatchNorm(nn.Module):
    """Batch normalisation over [B, C, T, F] that counts a sample's own slices only.

    Running statistics use Bessel's correction as torch does. In evaluation it is one scale and shift a channel, so a
    sample's result never depends on its neighbours.
    """

    def __init__(self, num_channels: int, momentum: float = 0.1, epsilon: float = 1e-5) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(num_channels))
        self.bias = nn.Parameter(torch.zeros(num_channels))
        self.register_buffer("running_mean", torch.zeros(num_channels))
        self.register_buffer("running_var", torch.ones(num_channels))
        self.momentum = momentum
        self.epsilon = epsilon

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """x [B, C, T, F], zero where ``mask`` [B, T] is False → normalised x; padded positions hold no meaning."""
        shape = (1, -1, 1, 1)
        if not self.training:
            scale = self.weight * torch.rsqrt(self.running_var + self.epsilon)
            shift = self.bias - self.running_mean * scale
            return torch.addcmul(shift.to(x.dtype).view(shape), x, scale.to(x.dtype).view(shape))
        count = float(mask.sum()) * x.shape[3]
        y, mean, variance = _NormaliseValid.apply(x, count, self.epsilon)
        with torch.no_grad():
            self.running_mean.lerp_(mean.to(self.running_mean.dtype), self.momentum)
            self.running_var.lerp_((variance * (count / max(count - 1, 1))).to(self.running_var.dtype), self.momentum)
        return torch.addcmul(self.bias.to(x.dtype).view(shape), y, self.weight.to(x.dtype).view(shape))
