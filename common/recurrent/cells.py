"""The cells by name: one direction's weights, and what the steps over time need of them."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

from common.recurrent.recurrence import Weights

TORCH_CELLS: dict[str, Callable[..., nn.RNNBase]] = {
    "rnn": nn.RNN,
    "rnn_relu": partial(nn.RNN, nonlinearity="relu"),
    "lstm": nn.LSTM,
    "gru": nn.GRU,
}
# Rows of gates a cell has for each hidden unit.
NUM_GATES = {
    "rnn": 1,
    "rnn_relu": 1,
    "lstm": 4,
    "peephole_lstm": 4,
    "cifg": 3,
    "layer_norm_lstm": 4,
    "gru": 3,
    "gru_reset_before": 3,
}
# Place of the forget gate among them.
FORGET_GATE = {"lstm": 1, "peephole_lstm": 1, "cifg": 0, "layer_norm_lstm": 1}


class Cell(nn.Module):
    """Weights of one direction of a cell that torch lacks; gates in the order of ``lstm_loops`` and ``gru_loops``.

    Attributes:
        weight_ih, weight_hh: [G · H, F] and [G · H, H].
        bias: [G · H].
        peephole: peephole_lstm: [3, H] of input, forget and output gate.
        gain_ih, gain_hh, gain_cell, bias_cell: layer_norm_lstm: [4 H], [4 H], [H], [H].
    """

    def __init__(self, kind: str, num_inputs: int, num_hidden: int) -> None:
        super().__init__()
        rows = NUM_GATES[kind] * num_hidden
        self.weight_ih = nn.Parameter(torch.empty(rows, num_inputs))
        self.weight_hh = nn.Parameter(torch.empty(rows, num_hidden))
        self.bias = nn.Parameter(torch.zeros(rows))
        if kind == "peephole_lstm":
            self.peephole = nn.Parameter(torch.zeros(3, num_hidden))
        if kind == "layer_norm_lstm":
            self.gain_ih = nn.Parameter(torch.ones(rows))
            self.gain_hh = nn.Parameter(torch.ones(rows))
            self.gain_cell = nn.Parameter(torch.ones(num_hidden))
            self.bias_cell = nn.Parameter(torch.zeros(num_hidden))


def cell(kind: str, num_inputs: int, num_hidden: int, forget_bias: float = 1.0) -> nn.Module:
    """One direction: orthogonal recurrent weights, and for LSTMs a forget bias of 1.

    The forget bias is that of Jozefowicz et al. 2015, "An Empirical Exploration of Recurrent Network Architectures".
    """
    if kind in TORCH_CELLS:
        layer: nn.Module = TORCH_CELLS[kind](num_inputs, num_hidden, batch_first=True)
    else:
        layer = Cell(kind, num_inputs, num_hidden)
    names = ("bias_ih", "bias_hh") if kind in TORCH_CELLS else ("bias",)
    first, *others = (_parameter(layer, name) for name in names)
    with torch.no_grad():
        with _one_thread():
            for gate in _parameter(layer, "weight_hh").split(num_hidden):
                nn.init.orthogonal_(gate)
        for gate in _parameter(layer, "weight_ih").split(num_hidden):
            nn.init.uniform_(gate, -math.sqrt(3 / num_inputs), math.sqrt(3 / num_inputs))
        for bias in (first, *others):
            bias.zero_()
        if kind in FORGET_GATE:
            place = FORGET_GATE[kind] * num_hidden
            first[place : place + num_hidden] = forget_bias
    return layer


@contextmanager
def _one_thread() -> Iterator[None]:
    """The QR decomposition of some threads rounds otherwise than that of one, and all training follows from it."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def recurrent_matrix(direction: nn.Module) -> Tensor:
    """R [G · H, H] of one direction."""
    return _parameter(direction, "weight_hh")


def _parameter(direction: nn.Module, name: str) -> Tensor:
    return getattr(direction, f"{name}_l0" if isinstance(direction, nn.RNNBase) else name)


def _stack(directions: list[nn.Module], name: str) -> Tensor:
    return torch.stack([_parameter(each, name) for each in directions])


class InputWeights(NamedTuple):
    """The input's part of D directions: weight [D · G · H, F], and bias [D · G · H] or None."""

    weight: Tensor
    bias: Tensor | None


def input_weights(kind: str, directions: list[nn.Module]) -> InputWeights:
    """All that stands before the steps, so that one product serves both directions and all slices."""
    weight = _stack(directions, "weight_ih").flatten(0, 1)  # [D, G · H, F] -> [D · G · H, F]
    if kind == "layer_norm_lstm":  # its bias comes behind the normalisation
        return InputWeights(weight, None)
    if not isinstance(directions[0], nn.RNNBase):
        return InputWeights(weight, _stack(directions, "bias").flatten())
    # Added before they are stacked: behind a stack, gradients of both would be views of one piece of memory, and what
    # scales or accumulates them in place would do it twice.
    return InputWeights(weight, torch.cat([_bias(kind, each) for each in directions]))


def _bias(kind: str, direction: nn.Module) -> Tensor:
    """[G · H] of one of torch's cells, what is added to the input's part."""
    recurrent = _parameter(direction, "bias_hh")
    if kind == "gru":  # the candidate's recurrent bias stands within its reset gate
        num_hidden = len(recurrent) // 3
        recurrent = torch.cat([recurrent[: 2 * num_hidden], torch.zeros_like(recurrent[:num_hidden])])
    return _parameter(direction, "bias_ih") + recurrent


def input_part(x: Tensor, weights: InputWeights, num_directions: int) -> Tensor:
    """x [B, T, F] → the input's part of the gates' sums [B, T, D, G · H]."""
    pre = nn.functional.linear(x, weights.weight, weights.bias)
    return pre.view(*x.shape[:2], num_directions, -1)


def recurrent_part(kind: str, directions: list[nn.Module], matrices: list[Tensor]) -> Weights:
    """The weights of the steps; ``matrices`` are R of each direction, as they are or with some of them dropped."""
    matrix = torch.stack(matrices)
    if kind == "peephole_lstm":
        return Weights(matrix, peephole=_stack(directions, "peephole"))
    if kind == "gru":
        return Weights(matrix, candidate_bias=_stack(directions, "bias_hh")[:, 2 * matrix.shape[2] :].contiguous())
    if kind == "layer_norm_lstm":
        names = ("gain_ih", "bias", "gain_hh", "gain_cell", "bias_cell")
        return Weights(matrix, factors=tuple(_stack(directions, name) for name in names))
    return Weights(matrix)
