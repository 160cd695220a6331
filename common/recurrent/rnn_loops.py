"""One step of plain recurrent networks over all rows of a batch, compiled: h = tanh(pre + R h) or relu of it.

Arrays and rules as in ``lstm_loops``; ``gates`` [B, T, D, H] keeps the new state as it is before zoneout.
"""

import numpy as np

from common.recurrent.elementwise import ONE, ZERO, kernel, narrow, tanh, widen
from common.recurrent.state_loops import advance, arrive


@kernel
def forward(step, lengths, pre, rec, gates, out, h, operand, rectified, keep_h):
    """Advance h by one step."""
    num_directions, num_rows, H = h.shape
    for d in range(num_directions):
        for b in range(num_rows):
            if step >= lengths[b]:
                continue
            t = step if d == 0 else lengths[b] - 1 - step
            n, x, rc, hb, y, a = gates[b, t, d], pre[b, t, d], rec[d, b], h[d, b], out[b, t, d], operand[d, b]
            for j in range(H):
                n[j] = widen(x[j]) + widen(rc[j])
            if rectified:
                for j in range(H):
                    n[j] = ZERO if n[j] <= ZERO else n[j]
            else:
                for j in range(H):
                    n[j] = tanh(n[j])
            for j in range(H):
                y[j] = n[j]
            advance(y, hb, a, keep_h[b, t, d])


@kernel
def backward(step, lengths, gates, dout, rec_dh, dh, dpre, drec, rectified, keep_h):
    """Go back by one step."""
    num_directions, num_rows, H = dh.shape
    total = np.zeros(H, dh.dtype)
    for d in range(num_directions):
        for b in range(num_rows):
            a = drec[d, b]
            if step >= lengths[b]:
                a[:] = 0
                continue
            t = step if d == 0 else lengths[b] - 1 - step
            n, w, gradient, back, y = gates[b, t, d], dh[d, b], dout[b, t, d], rec_dh[d, b], dpre[b, t, d]
            arrive(total, gradient, back, w, keep_h[b, t, d])
            if rectified:
                for j in range(H):
                    total[j] = ZERO if n[j] <= ZERO else total[j]
            else:
                for j in range(H):
                    total[j] *= ONE - n[j] * n[j]
            for j in range(H):
                a[j] = narrow(total[j], a)
            for j in range(H):
                y[j] = narrow(total[j], y)
