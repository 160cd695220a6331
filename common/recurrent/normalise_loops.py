"""Batch normalisation with ReLU over the slices of samples, compiled: sums, the result, and the same backwards.

Arrays are as a convolution leaves them in channels-last order, a slice's features and channels side by side: x, y,
gradient [B, T, F · C]; valid [B, T]; values of a channel are given F times over, [F · C]. Sums run in float32 along a
sample and in float64 over samples. bfloat16 comes as its bits in uint16; arithmetic on it is float32 and rounds once,
at the end.
"""

import numpy as np

from common.recurrent.elementwise import ZERO, kernel, narrow, widen


@kernel
def sums(x, valid, like, total, squares):
    """Add the values of valid slices and their squares to ``total`` and ``squares`` [F · C], float64.

    ``like`` is an empty array of the type that sums along a sample have.
    """
    width = x.shape[2]
    part, part_squares = np.zeros(width, like.dtype), np.zeros(width, like.dtype)
    for b in range(x.shape[0]):
        part[:] = 0
        part_squares[:] = 0
        for t in range(x.shape[1]):
            if valid[b, t]:
                row = x[b, t]
                for j in range(width):
                    part[j] += widen(row[j])
                for j in range(width):
                    part_squares[j] += widen(row[j]) * widen(row[j])
        for j in range(width):
            total[j] += part[j]
        for j in range(width):
            squares[j] += part_squares[j]


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
def gradient_sums(x, y, gradient, valid, like, total, products):
    """Add the gradient behind the ReLU, and its product with x, to ``total`` and ``products`` [F · C], float64."""
    width = x.shape[2]
    part, part_products = np.zeros(width, like.dtype), np.zeros(width, like.dtype)
    for b in range(x.shape[0]):
        part[:] = 0
        part_products[:] = 0
        for t in range(x.shape[1]):
            if valid[b, t]:
                row, out, slope = x[b, t], y[b, t], gradient[b, t]
                for j in range(width):
                    g, o = widen(slope[j]), widen(out[j])
                    part[j] += g if o > ZERO else ZERO
                for j in range(width):
                    g, o = widen(slope[j]) * widen(row[j]), widen(out[j])
                    part_products[j] += g if o > ZERO else ZERO
        for j in range(width):
            total[j] += part[j]
        for j in range(width):
            products[j] += part_products[j]


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
