"""Batch normalisation with ReLU over the slices of samples, compiled: sums, the result, and the same backwards.

Arrays are as a convolution leaves them in channels-last order, a slice's features and channels side by side: x, y,
gradient [B, T, F · C]; valid [B, T]; values of a channel are given F times over, [F · C]. Sums are float64.
bfloat16 comes as its bits in uint16; arithmetic on it is float32 and rounds once, at the end.
"""

import numpy as np

from common.recurrent.elementwise import ZERO, kernel, narrow, widen


@kernel
def sums(x, valid, total, squares):
    """Add the values of valid slices and their squares to ``total`` and ``squares`` [F · C], float64."""
    width = x.shape[2]
    for b in range(x.shape[0]):
        for t in range(x.shape[1]):
            if valid[b, t]:
                row = x[b, t]
                for j in range(width):
                    total[j] += widen(row[j])
                for j in range(width):
                    value = np.float64(widen(row[j]))  # exact, since the variance is a small difference of large sums
                    squares[j] += value * value


@kernel
def forward(x, valid, scale, shift, y):
    """y = relu(scale · x + shift), zero where a slice is not valid."""
    width = x.shape[2]
    for b in range(x.shape[0]):
        for t in range(x.shape[1]):
            row, out = x[b, t], y[b, t]
            if not valid[b, t]:
                out[:] = 0
                continue
            for j in range(width):
                value = scale[j] * widen(row[j]) + shift[j]
                out[j] = narrow(value if value > ZERO else value * ZERO, out)  # what is no number stays none


@kernel
def gradient_sums(x, y, gradient, valid, total, products):
    """Add the gradient behind the ReLU, and its product with x, to ``total`` and ``products`` [F · C], float64."""
    width = x.shape[2]
    for b in range(x.shape[0]):
        for t in range(x.shape[1]):
            if valid[b, t]:
                row, out, slope = x[b, t], y[b, t], gradient[b, t]
                for j in range(width):
                    g, o = widen(slope[j]), widen(out[j])
                    total[j] += g if o > ZERO else ZERO
                for j in range(width):
                    g, o = widen(slope[j]) * widen(row[j]), widen(out[j])
                    products[j] += g if o > ZERO else ZERO


@kernel
def backward(x, y, gradient, valid, scale, slope, offset, dx):
    """dx = scale · g + slope · x + offset with g the gradient behind the ReLU; zero where a slice is not valid."""
    width = x.shape[2]
    for b in range(x.shape[0]):
        for t in range(x.shape[1]):
            row, out, above, result = x[b, t], y[b, t], gradient[b, t], dx[b, t]
            if not valid[b, t]:
                result[:] = 0
                continue
            for j in range(width):
                value, g, o = slope[j] * widen(row[j]) + offset[j], scale[j] * widen(above[j]), widen(out[j])
                result[j] = narrow(value + (g if o > ZERO else ZERO), result)
