"""A stack of bidirectional layers with layer normalisation and locked dropout between them."""

import torch
from torch import Tensor, nn

from common.recurrent.layers import Bidirectional
from common.recurrent.lengths import reversal


def locked_dropout(x: Tensor, probability: float, training: bool) -> Tensor:
    """Dropout with one mask a sample for all its slices (Gal and Ghahramani 2016): x [B, T, F] → [B, T, F]."""
    if not training or probability == 0:
        return x
    keep = 1 - probability
    mask = torch.empty(x.shape[0], 1, x.shape[2], dtype=x.dtype, device=x.device).bernoulli_(keep).div_(keep)
    return x * mask


class BidirectionalStack(nn.Module):
    """[B, T, F], lengths [B] → [B, T, 2 H]: ``num_layers`` bidirectional layers."""

    def __init__(self, kind: str, num_inputs: int, num_hidden: int, num_layers: int, dropout: float) -> None:
        super().__init__()
        widths = [num_inputs] + [2 * num_hidden] * num_layers
        self.norms = nn.ModuleList(nn.LayerNorm(width) for width in widths)
        self.layers = nn.ModuleList(Bidirectional(kind, width, num_hidden) for width in widths[:-1])
        self.dropout = dropout
        self.num_outputs = widths[-1]

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        turned = reversal(lengths, x.shape[1])
        for norm, layer in zip(self.norms, self.layers, strict=False):
            x = layer(locked_dropout(norm(x), self.dropout, self.training), turned)
        return locked_dropout(self.norms[-1](x), self.dropout, self.training)
