"""One step of a layer-normalised LSTM over all rows of a batch, compiled: forward, and backward from what was saved.

Ba, Kiros and Hinton 2016, "Layer Normalization": gates = input_gain · norm(pre) + bias + gain · norm(R h) with
pre = W x, and h = o · tanh(cell_gain · norm(c) + cell_bias). Arrays and rules as in ``lstm_loops``; ``hats``
[B, T, D, 4 H] and ``scales`` [B, T, D] keep norm(R h) and 1 / its deviation, input_gain, bias and gain are [D, 4 H],
cell_gain and cell_bias [D, H].

No gradient goes back through norm(R h) where R h is zero, as in a row whose whole input dropout took: its norms would
multiply the gradient by up to 1 / epsilon at each step, until it is no number.
"""

import numpy as np

from common.recurrent.elementwise import ONE, kernel, narrow, sigmoid, tanh, widen
from common.recurrent.state_loops import advance, arrive

EPSILON = 1e-5


@kernel
def normalise(x, hat):
    """hat = (x - mean) / sqrt(variance + epsilon); returns the factor 1 / sqrt(…)."""
    mean = variance = hat.dtype.type(0)
    size = hat.dtype.type(hat.size)
    for j in range(hat.size):
        mean += widen(x[j])
    mean /= size
    for j in range(hat.size):
        hat[j] = widen(x[j]) - mean
    for j in range(hat.size):
        variance += hat[j] * hat[j]
    scale = ONE / np.sqrt(variance / size + hat.dtype.type(EPSILON))
    for j in range(hat.size):
        hat[j] *= scale
    return scale


@kernel
def denormalise(gradient, hat, scale):
    """From the gradient of hat to that of x, in place: scale · (g - mean(g) - hat · mean(g · hat))."""
    mean = product = hat.dtype.type(0)
    size = hat.dtype.type(hat.size)
    for j in range(hat.size):
        mean += gradient[j]
    for j in range(hat.size):
        product += gradient[j] * hat[j]
    mean /= size
    product /= size
    for j in range(hat.size):
        gradient[j] = scale * (gradient[j] - mean - hat[j] * product)


@kernel
def forward(
    step, lengths, pre, rec, gates, hats, scales, cells, out, h, c, operand,
    input_gain, bias, gain, cell_gain, cell_bias, keep_h, keep_c,
):  # fmt: skip
    """Advance h and c by one step."""
    num_directions, num_rows, H = h.shape
    hat_c, hat_x = np.zeros(H, h.dtype), np.zeros(4 * H, h.dtype)
    for d in range(num_directions):
        gx, bx = input_gain[d], bias[d]
        for b in range(num_rows):
            if step >= lengths[b]:
                continue
            t = step if d == 0 else lengths[b] - 1 - step
            z, x, hat, a, gd = gates[b, t, d], pre[b, t, d], hats[b, t, d], operand[d, b], gain[d]
            hb, cb, cell, y, gc, bc = h[d, b], c[d, b], cells[b, t, d], out[b, t, d], cell_gain[d], cell_bias[d]
            i, f, g, o = z[:H], z[H : 2 * H], z[2 * H : 3 * H], z[3 * H :]
            scale = normalise(rec[d, b], hat)
            scales[b, t, d] = scale if hat.any() else 0
            normalise(x, hat_x)
            for j in range(4 * H):
                z[j] = bx[j] + gx[j] * hat_x[j] + gd[j] * hat[j]
            for j in range(2 * H):
                z[j] = sigmoid(z[j])
            for j in range(H):
                g[j] = tanh(g[j])
            for j in range(H):
                o[j] = sigmoid(o[j])
            for j in range(H):
                cell[j] = f[j] * cb[j] + i[j] * g[j]
            normalise(cell, hat_c)
            for j in range(H):
                y[j] = o[j] * tanh(gc[j] * hat_c[j] + bc[j])
            advance(y, hb, a, keep_h[b, t, d])
            if keep_c.size > 0:
                kc = keep_c[b, t, d]
                for j in range(H):
                    cell[j] += kc[j] * (cb[j] - cell[j])
            for j in range(H):
                cb[j] = cell[j]


@kernel
def backward(
    step, lengths, pre, gates, hats, scales, cells, start, dout, rec_dh, dh, dc, dpre, drec, drecs,
    input_gain, bias, gain, cell_gain, cell_bias, dinput_gain, dbias, dgain, dcell_gain, dcell_bias, keep_h, keep_c,
):  # fmt: skip
    """Go back by one step; ``drecs`` keeps drec of all steps, gradients of gains and biases add up over the steps."""
    num_directions, num_rows, H = dh.shape
    dz, new, hat_c = np.zeros(4 * H, dh.dtype), np.zeros(H, dh.dtype), np.zeros(H, dh.dtype)
    dx, hat_x = np.zeros(4 * H, dh.dtype), np.zeros(4 * H, dh.dtype)
    di, df, dg, do = dz[:H], dz[H : 2 * H], dz[2 * H : 3 * H], dz[3 * H :]
    total, squashed, dcell = np.zeros(H, dh.dtype), np.zeros(H, dh.dtype), np.zeros(H, dh.dtype)
    for d in range(num_directions):
        gd, gc, bc, qg, qc, qb = gain[d], cell_gain[d], cell_bias[d], dgain[d], dcell_gain[d], dcell_bias[d]
        gx, qx, qbias = input_gain[d], dinput_gain[d], dbias[d]
        for b in range(num_rows):
            a, e = drec[d, b], dc[d, b]
            if step >= lengths[b]:
                a[:] = 0
                continue
            t = step if d == 0 else lengths[b] - 1 - step
            z, w, gradient, back, y = gates[b, t, d], dh[d, b], dout[b, t, d], rec_dh[d, b], dpre[b, t, d]
            i, f, g, o = z[:H], z[H : 2 * H], z[2 * H : 3 * H], z[3 * H :]
            hat, s = hats[b, t, d], drecs[b, t, d]
            last = start[d, b] if step == 0 else cells[b, t - 1 if d == 0 else t + 1, d]
            arrive(total, gradient, back, w, keep_h[b, t, d])
            kc = keep_c[b, t, d]
            for j in range(H):
                new[j] = f[j] * last[j] + i[j] * g[j]
            scale = normalise(new, hat_c)
            for j in range(H):
                squashed[j] = tanh(gc[j] * hat_c[j] + bc[j])
            for j in range(H):
                do[j] = total[j] * squashed[j] * o[j] * (ONE - o[j])
            for j in range(H):
                total[j] *= o[j] * (ONE - squashed[j] * squashed[j])
            for j in range(H):
                qc[j] += total[j] * hat_c[j]
            for j in range(H):
                qb[j] += total[j]
            for j in range(H):
                dcell[j] = total[j] * gc[j]
            denormalise(dcell, hat_c, scale)
            if keep_c.size == 0:
                for j in range(H):
                    dcell[j] += e[j]
                for j in range(H):
                    e[j] = dcell[j] * f[j]
            else:
                for j in range(H):
                    dcell[j] += (ONE - kc[j]) * e[j]
                for j in range(H):
                    e[j] = kc[j] * e[j] + dcell[j] * f[j]
            for j in range(H):
                di[j] = dcell[j] * g[j] * i[j] * (ONE - i[j])
            for j in range(H):
                df[j] = dcell[j] * last[j] * f[j] * (ONE - f[j])
            for j in range(H):
                dg[j] = dcell[j] * i[j] * (ONE - g[j] * g[j])
            scale_x = normalise(pre[b, t, d], hat_x)
            for j in range(4 * H):
                qbias[j] += dz[j]
            for j in range(4 * H):
                qx[j] += dz[j] * hat_x[j]
            for j in range(4 * H):
                dx[j] = dz[j] * gx[j]
            denormalise(dx, hat_x, scale_x)
            for j in range(4 * H):
                y[j] = narrow(dx[j], y)
            for j in range(4 * H):
                qg[j] += dz[j] * hat[j]
            for j in range(4 * H):
                dz[j] *= gd[j]
            denormalise(dz, hat, scales[b, t, d])
            for j in range(4 * H):
                a[j] = narrow(dz[j], a)
            for j in range(4 * H):
                s[j] = a[j]
