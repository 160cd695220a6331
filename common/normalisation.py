"""Batch normalisation and ReLU in one step, with statistics that leave padding out."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from common.recurrent import normalise_loops, pool_loops
from common.recurrent.memory import array, arrays

# (is it the backward pass, sums over the positions of a part of the batch) → the same sums over the whole batch.
ShareSums = Callable[[bool, Tensor], Tensor]


def _channels(vector: Tensor, like: Tensor) -> Tensor:
    """A value a channel, ready to broadcast over [B, C, T, F]."""
    return vector.to(like.dtype).view(1, -1, 1, 1)


class _NormaliseRectify(torch.autograd.Function):
    """relu(weight · (x - mean) / sqrt(var + eps) + bias), zero but where ``valid``, statistics over valid positions.

    x [B, C, T, F], valid bool [B, T]; behind it the greatest of windows ``pool`` [T, F]. The gradient is the textbook
    one of Ioffe and Szegedy 2015, with the number of valid positions in place of the batch's size; with ``share``, of
    all parts of a batch. By hand, since torch's own operations one after the other walk through memory many times,
    which on a CPU is what this layer costs.
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
        pool: tuple[int, int],
    ) -> tuple[Tensor, Tensor, Tensor]:
        steps = _Operations if x.device.type != "cpu" else _Compiled if pool == (1, 1) else _Pooled(pool)
        total, squares = steps.sums(x, valid)
        if share is not None:
            positions = torch.tensor([count], dtype=torch.float64, device=x.device)
            sums = share(False, torch.cat([total.double(), squares.double(), positions]))
            total, squares = sums[:-1].to(total.dtype).chunk(2)
            count = float(sums[-1])
        mean = total / count
        variance = (squares / count - mean.square()).clamp_min_(0)
        # In float64 on a CPU, where the difference above was taken, and from here on as wide as the weights.
        mean, variance = mean.to(weight.dtype), variance.to(weight.dtype)
        inverse = torch.rsqrt(variance + epsilon)
        scale = weight * inverse
        y, *kept = steps.rectified(x, valid, scale, bias - mean * scale)
        ctx.save_for_backward(x, valid, mean, inverse, weight, *kept)
        ctx.count, ctx.steps, ctx.share = count, steps, share
        unbiased = variance * (count / max(count - 1, 1))
        ctx.mark_non_differentiable(mean, unbiased)
        return y, mean, unbiased

    @staticmethod
    def backward(ctx, gradient: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        x, valid, mean, inverse, weight, *kept = ctx.saved_tensors
        bias_gradient, product = ctx.steps.gradient_sums(x, kept, gradient, valid)
        weight_gradient = ((product - mean * bias_gradient) * inverse).to(weight.dtype)
        bias_gradient = bias_gradient.to(weight.dtype)
        whole_weight, whole_bias = weight_gradient, bias_gradient
        if ctx.share is not None:
            sums = ctx.share(True, torch.cat([weight_gradient, bias_gradient]).double())
            whole_weight, whole_bias = sums.to(weight.dtype).chunk(2)
        # dx = weight · inverse · (g - mean(g) - x_hat · mean(g · x_hat)) with x_hat = (x - mean) · inverse
        slope = -weight * inverse.square() * whole_weight / ctx.count
        offset = -weight * inverse * whole_bias / ctx.count - slope * mean
        result = ctx.steps.gradient(x, kept, gradient, valid, weight * inverse, slope, offset)
        return result, None, weight_gradient, bias_gradient, None, None, None, None


class _Operations:
    """The parts of ``_NormaliseRectify`` that walk through memory, in torch's operations: for every device."""

    @staticmethod
    def sums(x: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        x = x * _positions(valid, x)
        wide = _wide(x)  # sums of many bfloat16 values lose all digits
        return x.sum((0, 2, 3), dtype=wide), torch.linalg.vector_norm(x, dim=(0, 2, 3), dtype=wide).square()

    @staticmethod
    def rectified(x: Tensor, valid: Tensor, scale: Tensor, shift: Tensor) -> tuple[Tensor, ...]:
        y = torch.addcmul(_channels(shift, x), x, _channels(scale, x)).relu_().mul_(_positions(valid, x))
        return y, y

    @staticmethod
    def gradient_sums(x: Tensor, kept: Sequence[Tensor], gradient: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        (y,) = kept
        wide = _wide(x)
        gradient = torch.ops.aten.threshold_backward(gradient, y, 0)  # y is zero at padding too
        return gradient.sum((0, 2, 3), dtype=wide), (gradient * x).sum((0, 2, 3), dtype=wide)

    @staticmethod
    def gradient(
        x: Tensor, kept: Sequence[Tensor], gradient: Tensor, valid: Tensor, scale: Tensor, slope: Tensor, offset: Tensor
    ) -> Tensor:
        (y,) = kept
        gradient = torch.ops.aten.threshold_backward(gradient, y, 0)
        result = torch.addcmul(_channels(offset, x), x, _channels(slope, x))
        return result.addcmul_(gradient, _channels(scale, x)).mul_(_positions(valid, x))


class _Compiled:
    """The same on a CPU, each part one walk through memory (measured: a training step takes 0.7 times as long)."""

    @staticmethod
    def sums(x: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        rows = _rows(x)
        total, square = np.zeros(rows.shape[2]), np.zeros(rows.shape[2])
        normalise_loops.sums(array(rows), valid.numpy(), total, square)
        return _by_channel(total, x), _by_channel(square, x)

    @staticmethod
    def rectified(x: Tensor, valid: Tensor, scale: Tensor, shift: Tensor) -> tuple[Tensor, ...]:
        y = torch.empty_like(x, memory_format=torch.channels_last)
        normalise_loops.forward(array(_rows(x)), valid.numpy(), *_tiled(x, scale, shift), array(_rows(y)))
        return y, y

    @staticmethod
    def gradient_sums(x: Tensor, kept: Sequence[Tensor], gradient: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        seen = arrays(_rows(x), _rows(kept[0]), _rows(gradient))
        total, product = np.zeros(seen[0].shape[2]), np.zeros(seen[0].shape[2])
        normalise_loops.gradient_sums(*seen, valid.numpy(), total, product)
        return _by_channel(total, x), _by_channel(product, x)

    @staticmethod
    def gradient(
        x: Tensor, kept: Sequence[Tensor], gradient: Tensor, valid: Tensor, scale: Tensor, slope: Tensor, offset: Tensor
    ) -> Tensor:
        seen = arrays(_rows(x), _rows(kept[0]), _rows(gradient))
        dx = torch.empty_like(x, memory_format=torch.channels_last)
        normalise_loops.backward(*seen, valid.numpy(), *_tiled(x, scale, slope, offset), array(_rows(dx)))
        return dx


class _Pooled:
    """The same with max pooling behind it, on a CPU: what stands between the two is never written to memory."""

    def __init__(self, pool: tuple[int, int]) -> None:
        self.pool = pool

    sums = staticmethod(_Compiled.sums)

    def rectified(self, x: Tensor, valid: Tensor, scale: Tensor, shift: Tensor) -> tuple[Tensor, ...]:
        size = (*x.shape[:2], *(-(-length // window) for length, window in zip(x.shape[2:], self.pool, strict=True)))
        types = (x.dtype, x.dtype, torch.uint8)
        y, picked, place = (torch.empty(size, dtype=each, memory_format=torch.channels_last) for each in types)
        values = arrays(*(value.to(_wide(x)) for value in (scale, shift)))
        results = arrays(*(_rows(each) for each in (y, picked, place)))
        pool_loops.forward(array(_rows(x)), valid.numpy(), *values, self.pool, *results)
        return y, picked, place

    @staticmethod
    def gradient_sums(x: Tensor, kept: Sequence[Tensor], gradient: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        seen = arrays(*(_rows(each) for each in (*kept, gradient)))
        total, product = np.zeros(seen[0].shape[2]), np.zeros(seen[0].shape[2])
        pool_loops.gradient_sums(*seen, total, product)
        return _by_channel(total, gradient), _by_channel(product, gradient)

    def gradient(
        self,
        x: Tensor,
        kept: Sequence[Tensor],
        gradient: Tensor,
        valid: Tensor,
        scale: Tensor,
        slope: Tensor,
        offset: Tensor,
    ) -> Tensor:
        seen = arrays(*(_rows(each) for each in (x, kept[1], gradient)))
        dx = torch.empty_like(x, memory_format=torch.channels_last)
        values = arrays(*(value.to(_wide(x)) for value in (scale, slope, offset)))
        pool_loops.backward(*seen, valid.numpy(), *values, self.pool, array(_rows(dx)))
        return dx


def _wide(x: Tensor) -> torch.dtype:
    """The precision of the arithmetic on x."""
    return torch.promote_types(x.dtype, torch.float32)


def _positions(valid: Tensor, like: Tensor) -> Tensor:
    """bool [B, T] → ones and zeros, ready to broadcast over [B, C, T, F]."""
    return valid[:, None, :, None].to(like.dtype)


def _rows(x: Tensor) -> Tensor:
    """[B, C, T, F] → [B, T, F · C], a view where x stands in channels-last order."""
    return x.permute(0, 2, 3, 1).contiguous().flatten(2)


def _tiled(x: Tensor, *values: Tensor) -> list[np.ndarray]:
    """Values a channel, [C] → [F · C] each, in the precision of the arithmetic on x."""
    return [array(value.to(_wide(x)).repeat(x.shape[3])) for value in values]


def _by_channel(total: np.ndarray, x: Tensor) -> Tensor:
    """Sums [F · C] → [C]."""
    return torch.from_numpy(total).view(x.shape[3], x.shape[1]).sum(0)


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

    def forward(self, x: Tensor, mask: Tensor, pool: tuple[int, int] = (1, 1)) -> Tensor:
        """x [B, C, T, F], mask [B, T] → normalised and rectified, zero where ``mask`` is False.

        ``pool`` takes the greatest of windows [T, F] of that, those beyond the end cut: [B, C, ceil(T / pool), …].
        """
        if not self.training:
            scale = self.weight * torch.rsqrt(self.running_var + self.epsilon)
            shift = self.bias - self.running_mean * scale
            y = torch.addcmul(_channels(shift, x), x, _channels(scale, x)).relu_().mul_(_positions(mask, x))
            return _pooled(y, pool)
        at_once = x.device.type == "cpu" and math.prod(pool) < pool_loops.NONE
        y, mean, unbiased = _NormaliseRectify.apply(
            x,
            mask,
            self.weight,
            self.bias,
            float(mask.sum()) * x.shape[3],
            self.epsilon,
            self.share,
            pool if at_once else (1, 1),
        )
        if self.follows:
            with torch.no_grad():
                self.running_mean.lerp_(mean.to(self.running_mean.dtype), self.momentum)
                self.running_var.lerp_(unbiased.to(self.running_var.dtype), self.momentum)
        return y if at_once else _pooled(y, pool)


def _pooled(y: Tensor, pool: tuple[int, int]) -> Tensor:
    return y if pool == (1, 1) else nn.functional.max_pool2d(y, pool, ceil_mode=True)
