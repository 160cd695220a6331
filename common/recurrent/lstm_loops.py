"""One step of the LSTM family over all rows of a batch, compiled: forward, and backward from the saved gates.

Graves 2013, "Generating Sequences With Recurrent Neural Networks", for the peepholes; Greff et al. 2015, "LSTM: A
Search Space Odyssey", for coupled gates; Krueger et al. 2016 for zoneout. Gates stand as input, forget, cell, output,
and as forget, cell, output where input and forget gate are coupled (i = 1 - f).

Arrays: pre, gates, dpre [B, T, D, G · H]; cells, out, keep [B, T, D, H]; rec, drec [D, B, G · H]; states [D, B, H].
What a layer does without (peephole, keep) is an array of size 0.
Direction 1 walks from a sample's last slice to its first, so nothing is ever turned round in memory. Loops write one
array each and count from zero, or the compiler makes no vector instructions of them.
"""

import numpy as np

from common.recurrent.elementwise import ONE, kernel, narrow, sigmoid, tanh, widen
from common.recurrent.state_loops import advance, arrive


@kernel
def forward(step, lengths, pre, rec, gates, cells, out, h, c, operand, peephole, keep_h, keep_c):
    """Advance h and c by one step; ``operand`` gets h in the precision of the next product."""
    num_directions, num_rows, H = h.shape
    width = gates.shape[3]
    F = width - 3 * H  # place of the forget gate; 0 if coupled
    for d in range(num_directions):
        for b in range(num_rows):
            if step >= lengths[b]:
                continue
            t = step if d == 0 else lengths[b] - 1 - step
            z, x, r, a = gates[b, t, d], pre[b, t, d], rec[d, b], operand[d, b]
            hb, cb, cell, y = h[d, b], c[d, b], cells[b, t, d], out[b, t, d]
            i, f, g, o = z[:H], z[F : F + H], z[F + H : F + 2 * H], z[F + 2 * H :]
            for j in range(width):
                z[j] = widen(x[j]) + widen(r[j])
            if peephole.size > 0:
                pi, pf = peephole[d, 0], peephole[d, 1]
                for j in range(H):
                    i[j] += pi[j] * cb[j]
                for j in range(H):
                    f[j] += pf[j] * cb[j]
            for j in range(F + H):
                z[j] = sigmoid(z[j])
            for j in range(H):
                g[j] = tanh(g[j])
            if F == 0:
                for j in range(H):
                    cell[j] = f[j] * cb[j] + (ONE - f[j]) * g[j]
            else:
                for j in range(H):
                    cell[j] = f[j] * cb[j] + i[j] * g[j]
            if peephole.size > 0:
                po = peephole[d, 2]
                for j in range(H):
                    o[j] += po[j] * cell[j]
            for j in range(H):
                o[j] = sigmoid(o[j])
            for j in range(H):
                y[j] = o[j] * tanh(cell[j])
            advance(y, hb, a, keep_h[b, t, d])
            if keep_c.size > 0:
                kc = keep_c[b, t, d]
                for j in range(H):
                    cell[j] += kc[j] * (cb[j] - cell[j])
            for j in range(H):
                cb[j] = cell[j]


@kernel
def backward(step, lengths, gates, cells, start, dout, rec_dh, dh, dc, dpre, drec, peephole, dpeephole, keep_h, keep_c):
    """Go back by one step.

    ``rec_dh`` [D, B, H] is what the step behind hands back through its product, ``dh`` and ``dc`` what it hands back
    besides; ``dpre`` and ``drec`` get the gradient of the gates' sums, ``dpeephole`` [D, 3, H] adds up.
    """
    num_directions, num_rows, H = dh.shape
    width = gates.shape[3]
    F = width - 3 * H
    dz = np.zeros(width, dh.dtype)
    di, df, dg, do = dz[:H], dz[F : F + H], dz[F + H : F + 2 * H], dz[F + 2 * H :]
    total, new, squashed = np.zeros(H, dh.dtype), np.zeros(H, dh.dtype), np.zeros(H, dh.dtype)
    dcell = np.zeros(H, dh.dtype)
    for d in range(num_directions):
        for b in range(num_rows):
            a, e = drec[d, b], dc[d, b]
            if step >= lengths[b]:
                a[:] = 0
                continue
            t = step if d == 0 else lengths[b] - 1 - step
            z, w, gradient, back, y = gates[b, t, d], dh[d, b], dout[b, t, d], rec_dh[d, b], dpre[b, t, d]
            i, f, g, o = z[:H], z[F : F + H], z[F + H : F + 2 * H], z[F + 2 * H :]
            last = start[d, b] if step == 0 else cells[b, t - 1 if d == 0 else t + 1, d]
            arrive(total, gradient, back, w, keep_h[b, t, d])
            kc = keep_c[b, t, d]
            if keep_c.size == 0:
                for j in range(H):
                    dcell[j] = e[j]
            else:
                for j in range(H):
                    dcell[j] = (ONE - kc[j]) * e[j]
            if F == 0:
                for j in range(H):
                    new[j] = f[j] * last[j] + (ONE - f[j]) * g[j]
            else:
                for j in range(H):
                    new[j] = f[j] * last[j] + i[j] * g[j]
            for j in range(H):
                squashed[j] = tanh(new[j])
            for j in range(H):
                do[j] = total[j] * squashed[j] * o[j] * (ONE - o[j])
            for j in range(H):
                dcell[j] += total[j] * o[j] * (ONE - squashed[j] * squashed[j])
            if peephole.size > 0:
                po = peephole[d, 2]
                for j in range(H):
                    dcell[j] += po[j] * do[j]
            if F == 0:
                for j in range(H):
                    df[j] = dcell[j] * (last[j] - g[j]) * f[j] * (ONE - f[j])
                for j in range(H):
                    dg[j] = dcell[j] * (ONE - f[j]) * (ONE - g[j] * g[j])
            else:
                for j in range(H):
                    di[j] = dcell[j] * g[j] * i[j] * (ONE - i[j])
                for j in range(H):
                    df[j] = dcell[j] * last[j] * f[j] * (ONE - f[j])
                for j in range(H):
                    dg[j] = dcell[j] * i[j] * (ONE - g[j] * g[j])
            if keep_c.size == 0:
                for j in range(H):
                    e[j] = dcell[j] * f[j]
            else:
                for j in range(H):
                    e[j] = kc[j] * e[j] + dcell[j] * f[j]
            if peephole.size > 0:
                pi, pf = peephole[d, 0], peephole[d, 1]
                qi, qf, qo = dpeephole[d, 0], dpeephole[d, 1], dpeephole[d, 2]
                for j in range(H):
                    e[j] += pi[j] * di[j] + pf[j] * df[j]
                for j in range(H):
                    qi[j] += di[j] * last[j]
                for j in range(H):
                    qf[j] += df[j] * last[j]
                for j in range(H):
                    qo[j] += do[j] * new[j]
            for j in range(width):
                a[j] = narrow(dz[j], a)
            for j in range(width):
                y[j] = narrow(dz[j], y)
