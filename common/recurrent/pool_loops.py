"""Batch normalisation, ReLU and max pooling in one walk over the slices of samples, compiled, and the same backwards.

Arrays are as in ``normalise_loops``, those behind the pooling [B, T', F' · C]; values of a channel are given once, [C].
``place`` says which position of its window a pooled value came from, numbered along features first, or ``NONE`` where
the ReLU left nothing; ``picked`` is x at that place. Gradients need no more than these two.
"""

import numpy as np

from common.recurrent.elementwise import ZERO, kernel, narrow, widen

NONE = np.uint8(255)


@kernel
def forward(x, valid, scale, shift, window, y, picked, place):
    """y = the greatest of relu(scale · x + shift) in windows of ``window`` [T, F] positions; padding counts as zero."""
    channels, (along, across) = len(scale), window
    num_features = x.shape[2] // channels
    best, least, where = np.zeros_like(scale), np.zeros_like(scale), np.zeros(channels, np.uint8)
    for b in range(x.shape[0]):
        for t in range(y.shape[1]):
            for f in range(y.shape[2] // channels):
                best[:] = 0
                least[:] = 0
                where[:] = NONE
                for step in range(t * along, min((t + 1) * along, x.shape[1])):
                    if not valid[b, step]:
                        continue
                    for feature in range(f * across, min((f + 1) * across, num_features)):
                        row = x[b, step, feature * channels : (feature + 1) * channels]
                        number = np.uint8((step - t * along) * across + feature - f * across)
                        for j in range(channels):
                            value = scale[j] * widen(row[j]) + shift[j]
                            more = (value > best[j]) | (value != value)  # what is no number stays none
                            best[j] = value if more else best[j]
                            least[j] = widen(row[j]) if more else least[j]
                            where[j] = number if more else where[j]
                begin = f * channels
                for j in range(channels):
                    y[b, t, begin + j] = narrow(best[j], y)
                for j in range(channels):
                    picked[b, t, begin + j] = narrow(least[j], picked)
                place[b, t, begin : begin + channels] = where


@kernel
def gradient_sums(picked, place, gradient, total, products):
    """Add the gradient behind the ReLU, and its product with x, to ``total`` and ``products`` [F' · C], float64."""
    width = picked.shape[2]
    for b in range(picked.shape[0]):
        for t in range(picked.shape[1]):
            row, where, slope = picked[b, t], place[b, t], gradient[b, t]
            for j in range(width):
                g = widen(slope[j])
                total[j] += g if where[j] != NONE else ZERO
            for j in range(width):
                g = widen(slope[j]) * widen(row[j])
                products[j] += g if where[j] != NONE else ZERO


@kernel
def backward(x, place, gradient, valid, scale, slope, offset, window, dx):
    """dx = scale · g + slope · x + offset with g the gradient at the places that were picked, else zero."""
    channels, (along, across) = len(scale), window
    for b in range(x.shape[0]):
        for t in range(x.shape[1]):
            if not valid[b, t]:
                dx[b, t] = 0
                continue
            pooled = t // along
            for f in range(x.shape[2] // channels):
                begin, source = f * channels, f // across * channels
                row, result = x[b, t, begin : begin + channels], dx[b, t, begin : begin + channels]
                above = gradient[b, pooled, source : source + channels]
                where = place[b, pooled, source : source + channels]
                number = np.uint8((t - pooled * along) * across + f % across)
                for j in range(channels):
                    value, g = slope[j] * widen(row[j]) + offset[j], scale[j] * widen(above[j])
                    result[j] = narrow(value + (g if where[j] == number else ZERO), result)
