"""One step of gated recurrent units over all rows of a batch, compiled: forward, and backward from the saved gates.

Gates stand as reset, update, candidate; h = (1 - z) · n + z · h, as in torch. *Reset after* multiplies the candidate's
recurrent product, n = tanh(pre + r · (R h + b)); *reset before* its operand, n = tanh(pre + R (r · h)) (Cho et al.
2014), and so takes two products and two loops a step. Arrays and rules as in ``lstm_loops``.
"""

import numpy as np

from common.recurrent.elementwise import ONE, kernel, narrow, sigmoid, tanh, widen
from common.recurrent.state_loops import advance, arrive


@kernel
def forward_after(step, lengths, pre, rec, bias, gates, products, out, h, operand, keep_h):
    """Advance h by one step; ``products`` [B, T, D, H] keeps R h + b of the candidate."""
    num_directions, num_rows, H = h.shape
    for d in range(num_directions):
        for b in range(num_rows):
            if step >= lengths[b]:
                continue
            t = step if d == 0 else lengths[b] - 1 - step
            g, x, rc, hb, y, a = gates[b, t, d], pre[b, t, d], rec[d, b], h[d, b], out[b, t, d], operand[d, b]
            r, z, n, q, bd = g[:H], g[H : 2 * H], g[2 * H :], products[b, t, d], bias[d]
            xn, rn = x[2 * H :], rc[2 * H :]
            for j in range(2 * H):
                g[j] = sigmoid(widen(x[j]) + widen(rc[j]))
            for j in range(H):
                q[j] = widen(rn[j]) + bd[j]
            for j in range(H):
                n[j] = tanh(widen(xn[j]) + r[j] * q[j])
            for j in range(H):
                y[j] = n[j] + z[j] * (hb[j] - n[j])
            advance(y, hb, a, keep_h[b, t, d])


@kernel
def backward_after(step, lengths, gates, products, states, dout, rec_dh, dh, dpre, drec, drecs, keep_h):
    """Go back by one step; ``states`` [B, T, D, H] are those before each step, ``drecs`` keeps drec of all steps."""
    num_directions, num_rows, H = dh.shape
    total, dg = np.zeros(H, dh.dtype), np.zeros(3 * H, dh.dtype)
    dr, dz, dn = dg[:H], dg[H : 2 * H], dg[2 * H :]
    for d in range(num_directions):
        for b in range(num_rows):
            a = drec[d, b]
            if step >= lengths[b]:
                a[:] = 0
                continue
            t = step if d == 0 else lengths[b] - 1 - step
            g, w, gradient, back, q = gates[b, t, d], dh[d, b], dout[b, t, d], rec_dh[d, b], products[b, t, d]
            r, z, n, last, y, s = g[:H], g[H : 2 * H], g[2 * H :], states[b, t, d], dpre[b, t, d], drecs[b, t, d]
            an = a[2 * H :]
            arrive(total, gradient, back, w, keep_h[b, t, d])
            for j in range(H):
                w[j] += total[j] * z[j]
            for j in range(H):
                dz[j] = total[j] * (last[j] - n[j]) * z[j] * (ONE - z[j])
            for j in range(H):
                dn[j] = total[j] * (ONE - z[j]) * (ONE - n[j] * n[j])
            for j in range(H):
                dr[j] = dn[j] * q[j] * r[j] * (ONE - r[j])
            for j in range(3 * H):
                y[j] = narrow(dg[j], y)
            for j in range(2 * H):
                a[j] = narrow(dg[j], a)
            for j in range(H):
                an[j] = narrow(dn[j] * r[j], a)
            for j in range(3 * H):
                s[j] = a[j]


@kernel
def gates_before(step, lengths, pre, rec, gates, h, operand):
    """First half of a step: reset and update gate, and r · h as operand of the candidate's product."""
    num_directions, num_rows, H = h.shape
    for d in range(num_directions):
        for b in range(num_rows):
            if step >= lengths[b]:
                continue
            t = step if d == 0 else lengths[b] - 1 - step
            g, x, rc, hb, a = gates[b, t, d], pre[b, t, d], rec[d, b], h[d, b], operand[d, b]
            for j in range(2 * H):
                g[j] = sigmoid(widen(x[j]) + widen(rc[j]))
            for j in range(H):
                a[j] = narrow(g[j] * hb[j], a)


@kernel
def state_before(step, lengths, pre, rec, gates, out, h, operand, keep_h):
    """Second half of a step: candidate and new state."""
    num_directions, num_rows, H = h.shape
    for d in range(num_directions):
        for b in range(num_rows):
            if step >= lengths[b]:
                continue
            t = step if d == 0 else lengths[b] - 1 - step
            g, x, rc, hb, y, a = gates[b, t, d], pre[b, t, d], rec[d, b], h[d, b], out[b, t, d], operand[d, b]
            z, n, xn = g[H : 2 * H], g[2 * H :], x[2 * H :]
            for j in range(H):
                n[j] = tanh(widen(xn[j]) + widen(rc[j]))
            for j in range(H):
                y[j] = n[j] + z[j] * (hb[j] - n[j])
            advance(y, hb, a, keep_h[b, t, d])


@kernel
def back_state_before(step, lengths, gates, states, dout, rec_dh, dh, dpre, drec, drec_n, keep_h):
    """First half of going back: gradients of update gate and candidate."""
    num_directions, num_rows, H = dh.shape
    total = np.zeros(H, dh.dtype)
    for d in range(num_directions):
        for b in range(num_rows):
            a, an = drec[d, b], drec_n[d, b]
            if step >= lengths[b]:
                a[:] = 0
                an[:] = 0
                continue
            t = step if d == 0 else lengths[b] - 1 - step
            g, w, gradient, back, y = gates[b, t, d], dh[d, b], dout[b, t, d], rec_dh[d, b], dpre[b, t, d]
            z, n, last = g[H : 2 * H], g[2 * H :], states[b, t, d]
            yz, yn, az = y[H : 2 * H], y[2 * H :], a[H:]
            arrive(total, gradient, back, w, keep_h[b, t, d])
            for j in range(H):
                w[j] += total[j] * z[j]
            for j in range(H):
                az[j] = narrow(total[j] * (last[j] - n[j]) * z[j] * (ONE - z[j]), a)
            for j in range(H):
                an[j] = narrow(total[j] * (ONE - z[j]) * (ONE - n[j] * n[j]), a)
            for j in range(H):
                yz[j] = az[j]
            for j in range(H):
                yn[j] = an[j]


@kernel
def back_gates_before(step, lengths, gates, states, rec_dn, dh, dpre, drec):
    """Second half: ``rec_dn`` [D, B, H] is the gradient of r · h."""
    num_directions, num_rows, H = dh.shape
    for d in range(num_directions):
        for b in range(num_rows):
            if step >= lengths[b]:
                continue
            t = step if d == 0 else lengths[b] - 1 - step
            r, w, back, last = gates[b, t, d], dh[d, b], rec_dn[d, b], states[b, t, d]
            a, y = drec[d, b], dpre[b, t, d]
            for j in range(H):
                a[j] = narrow(widen(back[j]) * last[j] * r[j] * (ONE - r[j]), a)
            for j in range(H):
                w[j] += widen(back[j]) * r[j]
            for j in range(H):
                y[j] = a[j]
