"""One recurrent layer over padded batches, forwards or in both directions."""

import math

import torch
from torch import Tensor, nn

from common.recurrent.lengths import reverse

CELLS = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


def cell(kind: str, num_inputs: int, num_hidden: int) -> nn.RNNBase:
    """A unidirectional layer, batch first: orthogonal recurrent weights, and for LSTMs a forget bias of 1.

    The forget bias is that of Jozefowicz et al. 2015, "An Empirical Exploration of Recurrent Network Architectures".
    """
    layer = CELLS[kind](num_inputs, num_hidden, batch_first=True)
    with torch.no_grad():
        for gate in layer.weight_hh_l0.split(num_hidden):
            nn.init.orthogonal_(gate)
        for gate in layer.weight_ih_l0.split(num_hidden):
            nn.init.uniform_(gate, -math.sqrt(3 / num_inputs), math.sqrt(3 / num_inputs))
        layer.bias_ih_l0.zero_()
        layer.bias_hh_l0.zero_()
        if kind == "lstm":
            layer.bias_ih_l0[num_hidden : 2 * num_hidden] = 1.0  # torch's gates stand as input, forget, cell, output
    return layer


class Bidirectional(nn.Module):
    """Two unidirectional layers, the second over each sample turned round.

    Padding stands behind the slices in both, so neither sees it, and plain padded input reaches the fused kernels that
    packed sequences miss on a CPU (measured: 2.8 to 6.9 times faster in a training step).
    """

    def __init__(self, kind: str, num_inputs: int, num_hidden: int) -> None:
        super().__init__()
        self.forwards = cell(kind, num_inputs, num_hidden)
        self.backwards = cell(kind, num_inputs, num_hidden)

    def forward(self, x: Tensor, turned: Tensor) -> Tensor:
        """x [B, T, F], turned from ``reversal`` → [B, T, 2 H]; rows behind a sample's length hold no meaning."""
        ahead, _ = self.forwards(x)
        back, _ = self.backwards(reverse(x, turned))
        return torch.cat([ahead, reverse(back, turned)], dim=-1)
