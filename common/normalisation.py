"""Batch normalisation and ReLU in one step, with statistics that leave padding out."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

# (is it the backward pass, sums over the positions of a part of the batch) → the same sums over the whole batch.
ShareSums = Callable[[bool, Tensor], Tensor]


def _channels(vector: Tensor, like: Tensor) -> Tensor:
    """A value a channel, ready to broadcast over [B, C, T, F]."""
    return vector.to(like.dtype).view(1, -1, 1, 1)


class _NormaliseRectify(torch.autograd.Function):
    """relu(weight · (x - mean) / sqrt(var + eps) + bias), zero where ``valid`` is, statistics over valid positions.

    x [B, C, T, F], valid [B, 1, T, 1] of ones and zeros. The gradient is the textbook one of Ioffe and Szegedy 2015,
    with the number of valid positions in place of the batch's size; with ``share``, of all parts of a batch. By hand,
    since torch's own operations one after the other would walk through memory twice as often, which on a CPU is what
    this layer costs.
    """

    @staticmethod
    def forward(
        ctx,
        x: Tensor,
        valid: Tensor,
        weight: Tensor,
        bias: Tensor,
        count: float,
        epsilon: float,
        share: ShareSums | None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        x = x * valid
        wide = torch.promote_types(x.dtype, torch.float32)  # sums of many bfloat16 values lose all digits
        total = x.sum((0, 2, 3), dtype=wide)
        squares = torch.linalg.vector_norm(x, dim=(0, 2, 3), dtype=wide).square()
        if share is not None:
            positions = torch.tensor([count], dtype=torch.float64, device=x.device)
            sums = share(False, torch.cat([total.double(), squares.double(), positions]))
            total, squares = sums[:-1].to(wide).chunk(2)
            count = float(sums[-1])
        mean = total / count
        variance = (squares / count - mean.square()).clamp_min_(0)
        inverse = torch.rsqrt(variance + epsilon)
        scale = weight * inverse
        y = torch.addcmul(_channels(bias - mean * scale, x), x, _channels(scale, x)).relu_().mul_(valid)
        ctx.save_for_backward(x, y, valid, mean, inverse, weight)
        ctx.count, ctx.share = count, share
        unbiased = variance * (count / max(count - 1, 1))
        ctx.mark_non_differentiable(mean, unbiased)
        return y, mean, unbiased

    @staticmethod
    def backward(ctx, gradient: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        x, y, valid, mean, inverse, weight = ctx.saved_tensors
        # y is zero at padding too, so this is both masks in one.
        gradient = torch.ops.aten.threshold_backward(gradient, y, 0)
        bias_gradient = gradient.sum((0, 2, 3), dtype=mean.dtype)
        product = (gradient * x).sum((0, 2, 3), dtype=mean.dtype)
        weight_gradient = (product - mean * bias_gradient) * inverse
        # dx = weight · inverse · (g - mean(g) - x_hat · mean(g · x_hat)) with x_hat = (x - mean) · inverse
        whole_weight, whole_bias = weight_gradient, bias_gradient
        if ctx.share is not None:
            sums = ctx.share(True, torch.cat([weight_gradient, bias_gradient]).double())
            whole_weight, whole_bias = sums.to(mean.dtype).chunk(2)
        slope = -weight * inverse.square() * whole_weight / ctx.count
        offset = -weight * inverse * whole_bias / ctx.count - slope * mean
        result = torch.addcmul(_channels(offset, x), x, _channels(slope, x))
        result = result.addcmul_(gradient, _channels(weight * inverse, x)).mul_(valid)
        return result, None, weight_gradient.to(weight.dtype), bias_gradient.to(weight.dtype), None, None, None


class NormaliseRectify(nn.Module):
    """Batch normalisation that counts a sample's own slices only, and ReLU: [B, C, T, F] → [B, C, T, F].

    Running statistics use Bessel's correction as torch does. In evaluation it is one scale and shift a channel, so a
    sample's result never depends on its neighbours.

    Attributes:
        share: where a batch is computed in parts, turns a part's sums into the whole's; None: the batch is whole.
        follows: whether a training pass moves the running statistics.
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
        self.share: ShareSums | None = None
        self.follows = True

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """x [B, C, T, F], mask [B, T] → normalised and rectified, zero where ``mask`` is False."""
        valid = mask[:, None, :, None].to(x.dtype)
        if not self.training:
            scale = self.weight * torch.rsqrt(self.running_var + self.epsilon)
            shift = self.bias - self.running_mean * scale
            return torch.addcmul(_channels(shift, x), x, _channels(scale, x)).relu_().mul_(valid)
        count = float(mask.sum()) * x.shape[3]
        y, mean, unbiased = _NormaliseRectify.apply(x, valid, self.weight, self.bias, count, self.epsilon, self.share)
        if self.follows:
            with torch.no_grad():
                self.running_mean.lerp_(mean.to(self.running_mean.dtype), self.momentum)
                self.running_var.lerp_(unbiased.to(self.running_var.dtype), self.momentum)
        return y
