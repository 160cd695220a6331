"""What the scan and the equations of a recurrent layer are called with."""

from typing import NamedTuple

import torch
from torch import Tensor

from common.recurrent.kinds import LSTMS


class Weights(NamedTuple):
    """The recurrent part of D directions of one layer; G · H rows of gates. What a cell lacks is None.

    Attributes:
        matrix: R [D, G · H, H].
        peephole: [D, 3, H] of input, forget and output gate.
        candidate_bias: [D, H], the bias within the reset gate of a GRU.
        factors: of a layer-normalised LSTM: gain of the input's product, bias and gain of the recurrent product
            [D, 4 H], gain and bias of the cell state [D, H].
    """

    matrix: Tensor
    peephole: Tensor | None = None
    candidate_bias: Tensor | None = None
    factors: tuple[Tensor, ...] = ()


class State(NamedTuple):
    """What a layer remembers: hidden state [D, B, H], and for LSTMs the cell state [D, B, H]."""

    hidden: Tensor
    cell: Tensor | None = None


class Keep(NamedTuple):
    """Zoneout (Krueger et al. 2016): which part of the old state each unit keeps at each step, [B, T, D, H]."""

    hidden: Tensor
    cell: Tensor


def zero_state(kind: str, weights: Weights, num_rows: int, dtype: torch.dtype) -> State:
    """The state before the first slice."""
    num_directions, _, num_hidden = weights.matrix.shape
    zeros = weights.matrix.new_zeros(num_directions, num_rows, num_hidden, dtype=dtype)
    return State(zeros, zeros if kind in LSTMS else None)
