"""The recurrent stack in ONNX's own operators RNN, GRU and LSTM.

ONNX (operators specification, set 14) orders the gates of an LSTM input, output, forget, cell, those of a GRU update,
reset, hidden, and peepholes input, output, forget. ``sequence_lens`` keeps padding out and turns the backward direction
round within each sample's own length.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from common.errors import GlyphoneError
from common.export.graph import INT32, Graph
from common.network_settings import NetworkSettings
from common.recurrent.layers import RecurrentLayer
from common.recurrent.stack import RecurrentStack

OPERATORS = {
    "rnn": "RNN",
    "rnn_relu": "RNN",
    "lstm": "LSTM",
    "peephole_lstm": "LSTM",
    "cifg": "LSTM",
    "gru": "GRU",
    "gru_reset_before": "GRU",
}


class _Direction(NamedTuple):
    """One direction in ONNX's order of gates: W [G · H, F], R [G · H, H], B [2 · G · H], P [3 · H] or None."""

    inputs: Tensor
    recurrent: Tensor
    bias: Tensor
    peephole: Tensor | None = None


def refuse_unknown(settings: NetworkSettings) -> None:
    """Raise GlyphoneError where ONNX has no operator for what the settings ask for."""
    if settings.cell not in OPERATORS:
        raise GlyphoneError(f"network.cell {settings.cell!r}: ONNX export knows {', '.join(OPERATORS)}")
    if settings.zoneout:
        raise GlyphoneError(f"network.zoneout {settings.zoneout}: ONNX's recurrent operators have none; allowed: 0")


# (number of a layer, its output, what ends the stack) → what the next layer reads: ``common.recurrent.between``.
Look = Callable[[int, str, Callable[[str], str]], str]


def recurrent_stack(graph: Graph, stack: RecurrentStack, x: str, lengths: str, between: Look) -> str:
    """x [B, T, F], lengths int64 [B] → [B, T, D · H]."""
    lengths = graph.add("Cast", lengths, to=INT32)
    last = stack.norms[-1]
    assert isinstance(last, nn.LayerNorm)
    for number, (norm, layer) in enumerate(zip(stack.norms, stack.layers, strict=False), 1):
        assert isinstance(layer, RecurrentLayer) and isinstance(norm, nn.LayerNorm)
        y = _layer(graph, layer, normalised(graph, norm, x), lengths)
        residual = stack.residual and norm.normalized_shape[0] == layer.num_outputs
        x = between(number, graph.add("Add", x, y) if residual else y, partial(normalised, graph, last))
    return normalised(graph, last, x)


def normalised(graph: Graph, norm: nn.LayerNorm, x: str) -> str:
    weight, bias = graph.constant(norm.weight, "gain"), graph.constant(norm.bias, "shift")
    return graph.add("LayerNormalization", x, weight, bias, axis=-1, epsilon=norm.eps)


def _layer(graph: Graph, layer: RecurrentLayer, x: str, lengths: str) -> str:
    """x [B, T, F], lengths int32 [B] → [B, T, D · H]."""
    num_hidden = layer.num_outputs // len(layer.directions)
    parts = [_in_order(layer.kind, direction, num_hidden) for direction in layer.directions]
    arrays = [graph.constant(torch.stack(each), "weights") for each in list(zip(*parts, strict=True))[:3]]
    peephole = [part.peephole for part in parts if part.peephole is not None]
    states = ["", "", graph.constant(torch.stack(peephole), "peephole")] if peephole else []
    y = graph.add(
        OPERATORS[layer.kind],
        graph.add("Transpose", x, perm=[1, 0, 2]),  # [B, T, F] -> [T, B, F]
        *arrays,
        lengths,
        *states,
        hidden_size=num_hidden,
        direction="bidirectional" if layer.bidirectional else "forward",
        **_attributes(layer.kind, len(parts)),
    )
    y = graph.add("Transpose", y, perm=[2, 0, 1, 3])  # [T, D, B, H] -> [B, T, D, H]
    return graph.add("Reshape", y, graph.numbers(0, 0, -1))


def _attributes(kind: str, num_directions: int) -> dict[str, Any]:
    if kind in ("rnn", "rnn_relu"):
        return {"activations": ["Tanh" if kind == "rnn" else "Relu"] * num_directions}
    if kind in ("gru", "gru_reset_before"):
        return {"linear_before_reset": int(kind == "gru")}
    return {}


def _in_order(kind: str, direction: nn.Module, num_hidden: int) -> _Direction:
    if isinstance(direction, nn.RNNBase):
        names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
        inputs, recurrent, bias_inputs, bias_recurrent = (getattr(direction, name).detach() for name in names)
    else:
        inputs, recurrent, bias_inputs = (
            getattr(direction, name).detach() for name in ("weight_ih", "weight_hh", "bias")
        )
        bias_recurrent = torch.zeros_like(bias_inputs)
    ordered = [_gates(kind, each, num_hidden) for each in (inputs, recurrent, bias_inputs, bias_recurrent)]
    peephole = None
    if kind == "peephole_lstm":
        input_, forget, output = direction.get_parameter("peephole").detach()
        peephole = torch.cat([input_, output, forget])
    return _Direction(ordered[0], ordered[1], torch.cat(ordered[2:]), peephole)


def _gates(kind: str, rows: Tensor, num_hidden: int) -> Tensor:
    """Rows of gates in our order → in ONNX's: [G · H, …] → [G' · H, …]."""
    gates = rows.split(num_hidden)
    if kind in ("lstm", "peephole_lstm"):
        input_, forget, cell, output = gates
        return torch.cat([input_, output, forget, cell])
    if kind == "cifg":
        # 1 - sigmoid(z) = sigmoid(-z): an input gate of its own, since ONNX leaves open what `input_forget` couples.
        forget, cell, output = gates
        return torch.cat([-forget, output, forget, cell])
    if kind in ("gru", "gru_reset_before"):
        reset, update, new = gates
        return torch.cat([update, reset, new])
    return rows
