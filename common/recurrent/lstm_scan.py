"""LSTMs over all steps on a CPU: one product and one compiled loop a step, all else outside of the steps."""

import torch
from torch.autograd.function import once_differentiable

from common.recurrent import lstm_loops, norm_lstm_loops
from common.recurrent.memory import arrays, before, weight_gradient
from common.recurrent.step_product import StepProduct


class LstmScan(torch.autograd.Function):
    """LSTM, with peepholes, with coupled gates: see ``lstm_loops``.

    (pre [B, T, D, G · H], matrix, peephole, h, c [D, B, H], lengths [B], keep_h, keep_c [B, T, D, H]) →
    out [B, T, D, H] with zeros behind a sample's end, last h, last c. Products are of the type of ``pre``; peephole and
    keep are empty tensors where there are none.
    """

    @staticmethod
    def forward(ctx, pre, matrix, peephole, h, c, lengths, keep_h, keep_c):
        num_rows, num_steps, num_directions, _ = pre.shape
        product = pre.dtype
        gates = torch.empty(pre.shape, dtype=h.dtype)
        cells = torch.empty(num_rows, num_steps, num_directions, h.shape[2], dtype=h.dtype)
        out = torch.zeros_like(cells)
        start_h, start_c, h, c = h, c, h.clone(), c.clone()
        operand = h.to(product, copy=True)
        rec = StepProduct(operand, matrix.to(product).mT)
        steps = lengths.numpy()
        seen = arrays(pre, rec.out, gates, cells, out, h, c, operand, peephole, keep_h, keep_c)
        for step in range(num_steps):
            rec.compute()
            lstm_loops.forward(step, steps, *seen)
        ctx.save_for_backward(matrix, peephole, gates, cells, out, start_h, start_c, lengths, keep_h, keep_c)
        ctx.product = product
        return out, h, c

    @staticmethod
    @once_differentiable
    def backward(ctx, dout, dh, dc):
        matrix, peephole, gates, cells, out, start_h, start_c, lengths, keep_h, keep_c = ctx.saved_tensors
        num_rows, num_steps, num_directions, width = gates.shape
        product = ctx.product
        dh, dc, dpre = dh.clone(), dc.clone(), torch.zeros(gates.shape, dtype=product)
        drec = torch.empty(num_directions, num_rows, width, dtype=product)
        rec_dh = StepProduct(drec, matrix.to(product))
        dpeephole = torch.zeros_like(peephole)
        steps = lengths.numpy()
        seen = arrays(gates, cells, start_c, dout.contiguous(), rec_dh.out, dh, dc, dpre, drec)
        seen += arrays(peephole, dpeephole, keep_h, keep_c)
        for step in reversed(range(num_steps)):
            lstm_loops.backward(step, steps, *seen)
            rec_dh.compute()
        dmatrix = weight_gradient(dpre, before(out, start_h)).to(matrix.dtype)
        return dpre, dmatrix, dpeephole, dh + rec_dh.out, dc, None, None, None


class NormLstmScan(torch.autograd.Function):
    """The layer-normalised LSTM: see ``norm_lstm_loops``. As ``LstmScan``; ``pre`` is W x as it is."""

    @staticmethod
    def forward(ctx, pre, matrix, input_gain, bias, gain, cell_gain, cell_bias, h, c, lengths, keep_h, keep_c):
        num_rows, num_steps, num_directions, _ = pre.shape
        product = pre.dtype
        gates, hats = torch.empty(pre.shape, dtype=h.dtype), torch.empty(pre.shape, dtype=h.dtype)
        scales = torch.empty(pre.shape[:3], dtype=h.dtype)
        cells = torch.empty(num_rows, num_steps, num_directions, h.shape[2], dtype=h.dtype)
        out = torch.zeros_like(cells)
        start_h, start_c, h, c = h, c, h.clone(), c.clone()
        operand = h.to(product, copy=True)
        rec = StepProduct(operand, matrix.to(product).mT)
        steps = lengths.numpy()
        factors = (input_gain, bias, gain, cell_gain, cell_bias)
        seen = arrays(pre, rec.out, gates, hats, scales, cells, out, h, c, operand, *factors, keep_h, keep_c)
        for step in range(num_steps):
            rec.compute()
            norm_lstm_loops.forward(step, steps, *seen)
        kept = (pre, gates, hats, scales, cells, out, start_h, start_c, lengths, keep_h, keep_c)
        ctx.save_for_backward(matrix, *factors, *kept)
        ctx.product = product
        return out, h, c

    @staticmethod
    @once_differentiable
    def backward(ctx, dout, dh, dc):
        matrix, *factors = ctx.saved_tensors[:6]
        pre, gates, hats, scales, cells, out, start_h, start_c, lengths, keep_h, keep_c = ctx.saved_tensors[6:]
        num_rows, num_steps, num_directions, width = gates.shape
        product = ctx.product
        dh, dc, dpre = dh.clone(), dc.clone(), torch.zeros(gates.shape, dtype=product)
        drec, drecs = (
            torch.empty(num_directions, num_rows, width, dtype=product),
            torch.zeros(gates.shape, dtype=product),
        )
        rec_dh = StepProduct(drec, matrix.to(product))
        gradients = [torch.zeros_like(each) for each in factors]
        steps = lengths.numpy()
        seen = arrays(
            pre, gates, hats, scales, cells, start_c, dout.contiguous(), rec_dh.out, dh, dc, dpre, drec, drecs
        )
        seen += arrays(*factors, *gradients, keep_h, keep_c)
        for step in reversed(range(num_steps)):
            norm_lstm_loops.backward(step, steps, *seen)
            rec_dh.compute()
        dmatrix = weight_gradient(drecs, before(out, start_h)).to(matrix.dtype)
        return dpre, dmatrix, *gradients, dh + rec_dh.out, dc, None, None, None
