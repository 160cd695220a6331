"""A recurrent layer over all steps: compiled loops on a CPU, the equations in torch's operations elsewhere."""

import torch
from torch import Tensor

from common.recurrent import equations
from common.recurrent.gru_scan import GruBeforeScan, GruScan, RnnScan
from common.recurrent.lstm_scan import LstmScan, NormLstmScan
from common.recurrent.recurrence import Keep, State, Weights, zero_state


def recur(
    kind: str,
    pre: Tensor,
    weights: Weights,
    lengths: Tensor,
    state: State | None = None,
    keep: Keep | None = None,
) -> tuple[Tensor, State]:
    """pre [B, T, D, G · H], lengths [B] → out [B, T, D, H], zero behind a sample's end, and the state at its end.

    Direction 1 walks from a sample's last slice to its first. States and element-wise arithmetic are float32, or
    float64 where the weights are; matrix products are of the type of ``pre``.
    """
    wide = torch.promote_types(weights.matrix.dtype, torch.float32)
    state = zero_state(kind, weights, len(lengths), wide) if state is None else state
    if pre.device.type != "cpu":
        return equations.recur(kind, pre.to(wide), weights, lengths, state, keep)
    pre, lengths = pre.contiguous(), lengths.to(torch.int64).contiguous()
    h = state.hidden.contiguous()
    none = h.new_empty(0, 0, 0, 0)
    keep_h, keep_c = (none, none) if keep is None else (keep.hidden.contiguous(), keep.cell.contiguous())
    if state.cell is not None:
        c = state.cell.contiguous()
        if kind == "layer_norm_lstm":
            out, h, c = NormLstmScan.apply(pre, weights.matrix, *weights.factors, h, c, lengths, keep_h, keep_c)
        else:
            peephole = h.new_empty(0, 0, 0) if weights.peephole is None else weights.peephole
            out, h, c = LstmScan.apply(pre, weights.matrix, peephole, h, c, lengths, keep_h, keep_c)
        return out, State(h, c)
    if kind == "gru":
        out, h = GruScan.apply(pre, weights.matrix, weights.candidate_bias, h, lengths, keep_h)
    elif kind == "gru_reset_before":
        out, h = GruBeforeScan.apply(pre, weights.matrix, h, lengths, keep_h)
    else:
        out, h = RnnScan.apply(pre, weights.matrix, h, lengths, keep_h, kind == "rnn_relu")
    return out, State(h)
