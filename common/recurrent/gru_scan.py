"""Gated recurrent units and plain recurrent networks over all steps on a CPU, as ``lstm_scan`` does LSTMs.

(pre [B, T, D, G · H], matrix [D, G · H, H], …, h [D, B, H], lengths [B], keep_h [B, T, D, H] or empty) → out
[B, T, D, H] with zeros behind a sample's end, last h. Products are of the type of ``pre``.
"""

import torch
from torch.autograd.function import once_differentiable

from common.recurrent import gru_loops, rnn_loops
from common.recurrent.memory import arrays, before, weight_gradient
from common.recurrent.step_product import StepProduct


class GruScan(torch.autograd.Function):
    """Reset after the product, as torch does it."""

    @staticmethod
    def forward(ctx, pre, matrix, bias, h, lengths, keep_h):
        num_rows, num_steps, num_directions, _ = pre.shape
        product = pre.dtype
        gates = torch.empty(pre.shape, dtype=h.dtype)
        products = torch.empty(num_rows, num_steps, num_directions, h.shape[2], dtype=h.dtype)
        out = torch.zeros_like(products)
        start, h = h, h.clone()
        operand = h.to(product, copy=True)
        rec = StepProduct(operand, matrix.to(product).mT)
        steps, seen = lengths.numpy(), arrays(pre, rec.out, bias, gates, products, out, h, operand, keep_h)
        for step in range(num_steps):
            rec.compute()
            gru_loops.forward_after(step, steps, *seen)
        ctx.save_for_backward(matrix, gates, products, out, start, lengths, keep_h)
        ctx.types = product, bias.dtype
        return out, h

    @staticmethod
    @once_differentiable
    def backward(ctx, dout, dh):
        matrix, gates, products, out, start, lengths, keep_h = ctx.saved_tensors
        num_rows, num_steps, num_directions, width = gates.shape
        product, bias_type = ctx.types
        dh, dpre, states = dh.clone(), torch.zeros(gates.shape, dtype=product), before(out, start)
        drec, drecs = (
            torch.empty(num_directions, num_rows, width, dtype=product),
            torch.zeros(gates.shape, dtype=product),
        )
        rec_dh = StepProduct(drec, matrix.to(product))
        steps = lengths.numpy()
        seen = arrays(gates, products, states, dout.contiguous(), rec_dh.out, dh, dpre, drec, drecs, keep_h)
        for step in reversed(range(num_steps)):
            gru_loops.backward_after(step, steps, *seen)
            rec_dh.compute()
        dmatrix = weight_gradient(drecs, states).to(matrix.dtype)
        dbias = drecs[..., 2 * start.shape[2] :].sum((0, 1), dtype=bias_type)
        return dpre, dmatrix, dbias, dh + rec_dh.out, None, None


class GruBeforeScan(torch.autograd.Function):
    """Reset before the product, as first published."""

    @staticmethod
    def forward(ctx, pre, matrix, h, lengths, keep_h):
        num_rows, num_steps, num_directions, _ = pre.shape
        product = pre.dtype
        width = h.shape[2]
        gates = torch.zeros(pre.shape, dtype=h.dtype)  # zeros behind the ends too: backward multiplies with all of them
        out = torch.zeros(num_rows, num_steps, num_directions, width, dtype=h.dtype)
        start, h = h, h.clone()
        operand, reset = h.to(product, copy=True), torch.empty_like(h, dtype=product)
        weight = matrix.to(product).mT
        rec, rec_n = StepProduct(operand, weight[..., : 2 * width]), StepProduct(reset, weight[..., 2 * width :])
        steps = lengths.numpy()
        for_gates = arrays(pre, rec.out, gates, h, reset)
        for_state = arrays(pre, rec_n.out, gates, out, h, operand, keep_h)
        for step in range(num_steps):
            rec.compute()
            gru_loops.gates_before(step, steps, *for_gates)
            rec_n.compute()
            gru_loops.state_before(step, steps, *for_state)
        ctx.save_for_backward(matrix, gates, out, start, lengths, keep_h)
        ctx.product = product
        return out, h

    @staticmethod
    @once_differentiable
    def backward(ctx, dout, dh):
        matrix, gates, out, start, lengths, keep_h = ctx.saved_tensors
        num_rows, num_steps, num_directions, _ = gates.shape
        product = ctx.product
        width = start.shape[2]
        dh, dpre, states = dh.clone(), torch.zeros(gates.shape, dtype=product), before(out, start)
        drec = torch.empty(num_directions, num_rows, 2 * width, dtype=product)
        drec_n = torch.empty_like(start, dtype=product)
        weight = matrix.to(product)
        rec_dn = StepProduct(drec_n, weight[:, 2 * width :])
        rec_dh = StepProduct(drec, weight[:, : 2 * width])
        steps = lengths.numpy()
        for_state = arrays(gates, states, dout.contiguous(), rec_dh.out, dh, dpre, drec, drec_n, keep_h)
        for_gates = arrays(gates, states, rec_dn.out, dh, dpre, drec)
        for step in reversed(range(num_steps)):
            gru_loops.back_state_before(step, steps, *for_state)
            rec_dn.compute()
            gru_loops.back_gates_before(step, steps, *for_gates)
            rec_dh.compute()
        reset = gates[..., :width] * states
        dmatrix = torch.cat(
            [weight_gradient(dpre[..., : 2 * width], states), weight_gradient(dpre[..., 2 * width :], reset)], 1
        )
        return dpre, dmatrix.to(matrix.dtype), dh + rec_dh.out, None, None


class RnnScan(torch.autograd.Function):
    """Plain recurrent network, tanh or, with ``rectified``, relu."""

    @staticmethod
    def forward(ctx, pre, matrix, h, lengths, keep_h, rectified):
        num_steps = pre.shape[1]
        product = pre.dtype
        gates = torch.empty(pre.shape, dtype=h.dtype)
        out = torch.zeros(pre.shape, dtype=h.dtype)
        start, h = h, h.clone()
        operand = h.to(product, copy=True)
        rec = StepProduct(operand, matrix.to(product).mT)
        steps, seen = lengths.numpy(), arrays(pre, rec.out, gates, out, h, operand)
        for step in range(num_steps):
            rec.compute()
            rnn_loops.forward(step, steps, *seen, rectified, *arrays(keep_h))
        ctx.save_for_backward(matrix, gates, out, start, lengths, keep_h)
        ctx.kinds = product, rectified
        return out, h

    @staticmethod
    @once_differentiable
    def backward(ctx, dout, dh):
        matrix, gates, out, start, lengths, keep_h = ctx.saved_tensors
        product, rectified = ctx.kinds
        dh, dpre = dh.clone(), torch.zeros(gates.shape, dtype=product)
        drec = torch.empty_like(start, dtype=product)
        rec_dh = StepProduct(drec, matrix.to(product))
        steps = lengths.numpy()
        seen = arrays(gates, dout.contiguous(), rec_dh.out, dh, dpre, drec)
        for step in reversed(range(gates.shape[1])):
            rnn_loops.backward(step, steps, *seen, rectified, *arrays(keep_h))
            rec_dh.compute()
        dmatrix = weight_gradient(dpre, before(out, start)).to(matrix.dtype)
        return dpre, dmatrix, dh + rec_dh.out, None, None, None
