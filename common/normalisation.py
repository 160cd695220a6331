"""Batch normalisation and ReLU in one step, with statistics that leave padding out."""

import torch
from torch import Tensor, nn


def _channels(vector: Tensor, like: Tensor) -> Tensor:
    """A value a channel, ready to broadcast over [B, C, T, F]."""
    return vector.to(like.dtype).view(1, -1, 1, 1)


class _NormaliseRectify(torch.autograd.Function):
    """relu(weight · (x - mean) / sqrt(var + eps) + bias), zero where ``valid`` is, statistics over valid positions.

    x [B, C, T, F], valid [B, 1, T, 1] of ones and zeros. The gradient is the textbook one of Ioffe and Szegedy 2015,
    with the number of valid positions in place of the batch's size. By hand, since torch's own operations one after the
    other would walk through memory twice as often, which on a CPU is what this layer costs.
    """

    @staticmethod
    def forward(
        ctx, x: Tensor, valid: Tensor, weight: Tensor, bias: Tensor, count: float, epsilon: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        x = x * valid
        wide = torch.promote_types(x.dtype, torch.float32)  # sums of many bfloat16 values lose all digits
        mean = x.sum((0, 2, 3), dtype=wide) / count
        square = torch.linalg.vector_norm(x, dim=(0, 2, 3), dtype=wide).square() / count
        variance = (square - mean.square()).clamp_min_(0)
        inverse = torch.rsqrt(variance + epsilon)
        scale = weight * inverse
        y = torch.addcmul(_channels(bias - mean * scale, x), x, _channels(scale, x)).relu_().mul_(valid)
        ctx.save_for_backward(x, y, valid, mean, inverse, weight)
        ctx.count = count
        ctx.mark_non_differentiable(mean, variance)
        return y, mean, variance

    @staticmethod
    def backward(ctx, gradient: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        x, y, valid, mean, inverse, weight = ctx.saved_tensors
        # y is zero at padding too, so this is both masks in one.
        gradient = torch.ops.aten.threshold_backward(gradient, y, 0)
        bias_gradient = gradient.sum((0, 2, 3), dtype=mean.dtype)
        product = (gradient * x).sum((0, 2, 3), dtype=mean.dtype)
        weight_gradient = (product - mean * bias_gradient) * inverse
        # dx = weight · inverse · (g - mean(g) - x_hat · mean(g · x_hat)) with x_hat = (x - mean) · inverse
        slope = -weight * inverse.square() * weight_gradient / ctx.count
        offset = -weight * inverse * bias_gradient / ctx.count - slope * mean
        result = torch.addcmul(_channels(offset, x), x, _channels(slope, x))
        result = result.addcmul_(gradient, _channels(weight * inverse, x)).mul_(valid)
        return result, None, weight_gradient.to(weight.dtype), bias_gradient.to(weight.dtype), None, None


class NormaliseRectify(nn.Module):
    """Batch normalisation that counts a sample's own slices only, and ReLU: [B, C, T, F] → [B, C, T, F].

    Running statistics use Bessel's correction as torch does. In evaluation it is one scale and shift a channel, so a
    sample's result never depends on its neighbours.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, num_channels: int, momentum: float = 0.1, epsilon: float = 1e-5) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(num_channels))
        self.bias = nn.Parameter(torch.zeros(num_channels))
        self.register_buffer("running_mean", torch.zeros(num_channels))
        self.register_buffer("running_var", torch.ones(num_channels))
        self.momentum = momentum
        self.epsilon = epsilon

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """x [B, C, T, F], mask [B, T] → normalised and rectified, zero where ``mask`` is False."""
        valid = mask[:, None, :, None].to(x.dtype)
        if not self.training:
            scale = self.weight * torch.rsqrt(self.running_var + self.epsilon)
            shift = self.bias - self.running_mean * scale
            return torch.addcmul(_channels(shift, x), x, _channels(scale, x)).relu_().mul_(valid)
        count = float(mask.sum()) * x.shape[3]
        y, mean, variance = _NormaliseRectify.apply(x, valid, self.weight, self.bias, count, self.epsilon)
        with torch.no_grad():
            self.running_mean.lerp_(mean.to(self.running_mean.dtype), self.momentum)
            self.running_var.lerp_((variance * (count / max(count - 1, 1))).to(self.running_var.dtype), self.momentum)
        return y
