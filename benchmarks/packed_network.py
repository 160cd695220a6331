"""The network as a person writes it with torch's own parts: convolutions, BatchNorm2d, packed bidirectional nn.LSTM."""

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from common.network import Block, Network
from common.recurrent.layers import RecurrentLayer


class PackedLayer(nn.Module):
    """A bidirectional LSTM layer over packed sequences, with the weights of one of ours."""

    def __init__(self, layer: RecurrentLayer) -> None:
        super().__init__()
        ahead = layer.forwards
        assert isinstance(ahead, nn.LSTM) and layer.bidirectional
        self.lstm = nn.LSTM(ahead.input_size, ahead.hidden_size, batch_first=True, bidirectional=True)
        with torch.no_grad():
            for direction, suffix in zip(layer.directions, ("", "_reverse"), strict=True):
                for name, weight in direction.named_parameters():
                    getattr(self.lstm, name + suffix).copy_(weight)

    def forward(self, x: Tensor, lengths: Tensor, turned: Tensor | None = None) -> Tensor:
        """x [B, T, F], lengths [B] → [B, T, 2 H]."""
        packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
        return pad_packed_sequence(self.lstm(packed)[0], batch_first=True, total_length=x.shape[1])[0]


class PlainNormaliseRectify(nn.Module):
    """BatchNorm2d and ReLU; the statistics count padding too, as in most published code."""

    def __init__(self, num_channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(num_channels)

    def forward(self, x: Tensor, mask: Tensor, pool: tuple[int, int]) -> Tensor:
        """x [B, C, T, F] → the same, or the greatest of each window ``pool``; ``mask`` is not looked at."""
        y = torch.relu(self.norm(x))
        return y if pool == (1, 1) else nn.functional.max_pool2d(y, pool, ceil_mode=True)


def packed(network: Network, plain_front_end: bool) -> Network:
    """Change a network, in place, to packed LSTMs of the same weights; with ``plain_front_end`` its blocks as well."""
    layers = network.encoder.layers
    for place, layer in enumerate(layers):
        assert isinstance(layer, RecurrentLayer)
        layers[place] = PackedLayer(layer)
    if plain_front_end:
        for block in network.blocks:
            assert isinstance(block, Block)
            block.norm = PlainNormaliseRectify(block.convolution.out_channels)  # type: ignore[assignment]
        network.to(memory_format=torch.contiguous_format)
    return network
