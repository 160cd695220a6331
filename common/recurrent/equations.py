"""The cells as their equations stand, in torch's own operations: for devices other than a CPU, and to compare with."""

import torch
from torch import Tensor

from common.recurrent.recurrence import Keep, State, Weights

EPSILON = 1e-5  # of layer normalisation


def prepare(kind: str, pre: Tensor, weights: Weights) -> Tensor:
    """What can be computed of all slices before the first step: [B, T, D, G · H] → the same."""
    if kind != "layer_norm_lstm":
        return pre
    gain, bias, *_ = weights.factors
    return bias + gain * torch.layer_norm(pre.to(gain.dtype), pre.shape[-1:], eps=EPSILON)


def advance(kind: str, x: Tensor, state: State, weights: Weights) -> State:
    """One step of D directions: x [D, B, G · H], the input's part of the gates' sums, prepared → the next state."""
    h, c = state
    width = h.shape[2]
    if kind == "gru_reset_before":
        recurrent = h @ weights.matrix[:, : 2 * width].mT
        reset, update = torch.sigmoid(x[..., : 2 * width] + recurrent).chunk(2, -1)
        new = torch.tanh(x[..., 2 * width :] + (reset * h) @ weights.matrix[:, 2 * width :].mT)
        return State((1 - update) * new + update * h)
    recurrent = h @ weights.matrix.mT
    if kind in ("rnn", "rnn_relu"):
        return State(torch.tanh(x + recurrent) if kind == "rnn" else torch.relu(x + recurrent))
    if kind == "gru":
        reset, update = torch.sigmoid(x[..., : 2 * width] + recurrent[..., : 2 * width]).chunk(2, -1)
        assert weights.candidate_bias is not None
        inner = recurrent[..., 2 * width :] + weights.candidate_bias[:, None]
        new = torch.tanh(x[..., 2 * width :] + reset * inner)
        return State((1 - update) * new + update * h)
    assert c is not None
    if kind == "cifg":
        forget, cell, output = (x + recurrent).chunk(3, -1)
        forget = torch.sigmoid(forget)
        c = forget * c + (1 - forget) * torch.tanh(cell)
        return State(torch.sigmoid(output) * torch.tanh(c), c)
    if kind == "layer_norm_lstm":
        _, _, gain, cell_gain, cell_bias = weights.factors
        # Of zeros without a gradient: see ``norm_lstm_loops``.
        recurrent = torch.where((recurrent == 0).all(-1, keepdim=True), recurrent.detach(), recurrent)
        recurrent = gain[:, None] * torch.layer_norm(recurrent, (4 * width,), eps=EPSILON)
    input_, forget, cell, output = (x + recurrent).chunk(4, -1)
    if weights.peephole is not None:
        input_ = input_ + weights.peephole[:, None, 0] * c
        forget = forget + weights.peephole[:, None, 1] * c
    c = torch.sigmoid(forget) * c + torch.sigmoid(input_) * torch.tanh(cell)
    if weights.peephole is not None:
        output = output + weights.peephole[:, None, 2] * c
    inner = c
    if kind == "layer_norm_lstm":
        inner = cell_gain[:, None] * torch.layer_norm(c, (width,), eps=EPSILON) + cell_bias[:, None]
    return State(torch.sigmoid(output) * torch.tanh(inner), c)


def _zone(new: Tensor, old: Tensor, share: Tensor | None, place: list[Tensor]) -> Tensor:
    """new and old [D, B, H] mixed by the old one's share [B, T, D, H] at slices ``place``, [B] for each direction."""
    if share is None:
        return new
    rows = torch.arange(new.shape[1], device=new.device)
    return torch.lerp(new, old, torch.stack([share[rows, t, d] for d, t in enumerate(place)]).to(old.dtype))


def recur(
    kind: str, pre: Tensor, weights: Weights, lengths: Tensor, state: State, keep: Keep | None = None
) -> tuple[Tensor, State]:
    """All steps: pre [B, T, D, G · H], lengths [B] → [B, T, D, H], zero behind a sample's end, and the last state.

    Direction 1 walks from a sample's last slice to its first.
    """
    num_rows, num_steps, num_directions, _ = pre.shape
    pre = prepare(kind, pre, weights)
    rows = torch.arange(num_rows, device=pre.device)
    last = (lengths - 1).to(pre.device)
    hidden, cell = state
    outputs, places = [], []
    for step in range(num_steps):
        ahead = torch.full_like(last, step)
        turned = torch.where(step <= last, last - step, ahead)
        place = [ahead, turned][:num_directions]
        x = torch.stack([pre[rows, t, d] for d, t in enumerate(place)])  # [D, B, G · H]
        new = advance(kind, x, State(hidden, cell), weights)
        live = (step <= last)[None, :, None]
        hidden = torch.where(live, _zone(new.hidden, hidden, keep and keep.hidden, place), hidden)
        if new.cell is not None and cell is not None:
            cell = torch.where(live, _zone(new.cell, cell, keep and keep.cell, place), cell)
        outputs.append(torch.where(live, hidden, torch.zeros_like(hidden)))
        places.append(torch.stack(place))
    # Step s of direction d belongs to slice places[s, d, b].
    stacked = torch.stack(outputs, 2)  # [D, B, S, H]
    index = torch.stack(places, 2)[..., None].expand_as(stacked)  # [D, B, S, H]
    out = torch.empty_like(stacked).scatter(2, index, stacked)
    return out.permute(1, 2, 0, 3), State(hidden, cell)  # [D, B, T, H] -> [B, T, D, H]
