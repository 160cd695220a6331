"""A transformer encoder with the interface of a recurrent stack, so that both can be compared on equal terms."""

import math

import torch
from torch import Tensor, nn

from common.recurrent.between import NOTHING, Between
from common.recurrent.lengths import mask_of


def positions(num_slices: int, width: int, like: Tensor) -> Tensor:
    """Sines and cosines of the slice's number (Vaswani et al. 2017, section 3.5): [T, width]."""
    slices = torch.arange(num_slices, device=like.device, dtype=torch.float64)[:, None]
    rates = torch.exp(torch.arange(0, width, 2, device=like.device, dtype=torch.float64) * (-math.log(1e4) / width))
    angles = slices * rates
    return torch.stack([angles.sin(), angles.cos()], -1).flatten(1)[:, :width].to(like.dtype)


class AttentionLayer(nn.Module):
    """Self-attention and feed-forward part, each behind a normalisation and beside a residual link (pre-norm)."""

    def __init__(self, width: int, num_heads: int, dropout: float) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(width)
        self.queries_keys_values = nn.Linear(width, 3 * width)
        self.joined = nn.Linear(width, width)
        self.inner_norm = nn.LayerNorm(width)
        self.inner = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Dropout(dropout), nn.Linear(4 * width, width)
        )
        self.dropout = nn.Dropout(dropout)
        self.num_heads = num_heads

    def forward(self, x: Tensor, visible: Tensor) -> Tensor:
        """x [B, T, W], visible bool [B, 1, T or 1, T]: which slice may look at which → [B, T, W]."""
        num_rows, num_slices, _ = x.shape
        joined = self.queries_keys_values(self.attention_norm(x))
        # [B, T, 3 W] -> three of [B, heads, T, W / heads]
        queries, keys, values = joined.view(num_rows, num_slices, 3, self.num_heads, -1).permute(2, 0, 3, 1, 4)
        probability = self.dropout.p if self.training else 0.0
        heads = nn.functional.scaled_dot_product_attention(queries, keys, values, visible, probability)
        x = x + self.dropout(self.joined(heads.transpose(1, 2).flatten(2)))  # [B, heads, T, W / heads] -> [B, T, W]
        return x + self.dropout(self.inner(self.inner_norm(x)))


class TransformerEncoder(nn.Module):
    """[B, T, F], lengths [B] → [B, T, W]; attention sees a sample's own slices, in one direction the past alone."""

    def __init__(
        self,
        num_inputs: int,
        num_outputs: int,
        num_layers: int,
        num_heads: int,
        dropout: float = 0.0,
        *,
        bidirectional: bool = True,
    ) -> None:
        super().__init__()
        self.entry = nn.Linear(num_inputs, num_outputs)
        self.layers = nn.ModuleList(AttentionLayer(num_outputs, num_heads, dropout) for _ in range(num_layers))
        self.norm = nn.LayerNorm(num_outputs)
        self.dropout = nn.Dropout(dropout)
        self.bidirectional = bidirectional
        self.num_outputs = num_outputs

    def path(self, device_type: str) -> str:
        """What computes the layers on such a device, in words."""
        return "torch's attention"

    def forward(self, x: Tensor, lengths: Tensor, between: Between = NOTHING) -> Tensor:
        """Rows behind a sample's length hold no meaning."""
        num_slices = x.shape[1]
        # Padding looks at the sample too: a row that sees nothing would be no number.
        visible = mask_of(lengths, num_slices)[:, None, None]  # [B, 1, 1, T]
        if not self.bidirectional:
            visible = visible & torch.ones(num_slices, num_slices, dtype=torch.bool, device=x.device).tril()
        x = self.entry(x)
        x = self.dropout(x + positions(num_slices, self.num_outputs, x))
        for number, layer in enumerate(self.layers, 1):
            x = between(number, layer(x, visible), self.norm)
        return self.norm(x)

    def alone(self, samples: list[Tensor], between: Between = NOTHING) -> list[Tensor]:
        """[1, T, F] each → [1, T, W] each, one after the other."""
        return [self(x, torch.tensor([x.shape[1]], device=x.device), between) for x in samples]
