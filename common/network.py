"""The network: convolutional front end, recurrent encoder, CTC head."""

import torch
from torch import Tensor, nn

from common.network_settings import ConvolutionSettings as ConvolutionSettings
from common.network_settings import NetworkSettings as NetworkSettings
from common.normalisation import NormaliseRectify
from common.recurrent.between import Between
from common.recurrent.encoder import encoder
from common.recurrent.lengths import mask_of


class Block(nn.Module):
    """[B, C, T, F] → [B, C', ceil(ceil(T / stride) / pool), F'], exact under padding.

    Padded positions are zero before every convolution, as they are beyond the end of a sample on its own; behind ReLU
    zero is also neutral for max pooling, so a window that reaches over a sample's end sees what it would see alone.
    """

    def __init__(self, num_inputs: int, settings: ConvolutionSettings) -> None:
        super().__init__()
        padding = (settings.kernel[0] // 2, settings.kernel[1] // 2)
        self.convolution = nn.Conv2d(
            num_inputs, settings.channels, settings.kernel, settings.stride, padding, bias=False
        )
        nn.init.kaiming_normal_(self.convolution.weight, nonlinearity="relu")
        self.norm = NormaliseRectify(settings.channels)
        self.stride = settings.stride
        self.pool = settings.pool

    def lengths(self, lengths: Tensor) -> Tensor:
        for factor in (self.stride[0], self.pool[0]):
            lengths = (lengths + factor - 1).div(factor, rounding_mode="floor")
        return lengths

    def num_features(self, num_features: int) -> int:
        for factor in (self.stride[1], self.pool[1]):
            num_features = -(-num_features // factor)
        return num_features

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        x = self._convolved(x)
        inner = (lengths + self.stride[0] - 1).div(self.stride[0], rounding_mode="floor")
        return self.norm(x, mask_of(inner, x.shape[2]), self.pool), self.lengths(lengths)

    def _convolved(self, x: Tensor) -> Tensor:
        """Where one step over the features is all there is, a step of 1 reaches the same place: with longer ones
        oneDNN's kernels read memory beyond the input (torch 2.14.1, kernels 3 and 5 wide)."""
        if not 1 < self.stride[1] >= x.shape[3]:
            return self.convolution(x)
        stride, padding = (self.stride[0], 1), self.convolution.padding
        return nn.functional.conv2d(x, self.convolution.weight, None, stride, padding)[..., :1]  # type: ignore[arg-type]


class Network(nn.Module):
    """Slices → log-probabilities of labels.

    Attributes:
        stride: input slices an emission slice stands for.
        encoder_inputs: features that the front end gives the encoder.
        intermediate_layers: numbers of the layers behind which the head can read too.
        condition: what it reads there → what is added for the next layer (Nozaki and Komatsu 2021); None: nothing.
    """

    def __init__(self, settings: NetworkSettings, num_features: int, num_labels: int) -> None:
        super().__init__()
        blocks: list[Block] = []
        channels, width, self.stride = 1, num_features, 1
        for block in settings.convolutions:
            blocks.append(Block(channels, block))
            channels, width = block.channels, blocks[-1].num_features(width)
            self.stride *= block.stride[0] * block.pool[0]
        self.blocks = nn.ModuleList(blocks)
        self.encoder_inputs = channels * width
        self.encoder = encoder(settings, self.encoder_inputs)
        self.head = nn.Linear(self.encoder.num_outputs, num_labels)
        self.intermediate_layers = settings.intermediate_layers
        self.condition = nn.Linear(num_labels, self.encoder.num_outputs) if settings.self_conditioned else None
        self.num_features = num_features
        self.num_labels = num_labels
        # Pooling and normalisation walk through memory in this order on a CPU (measured: a training step of the IIIT5K
        # network takes 0.8 times as long).
        self.to(memory_format=torch.channels_last)

    def out_lengths(self, lengths: Tensor) -> Tensor:
        """Emission slices of samples with ``lengths`` input slices: [B] → [B]."""
        for block in self.blocks:
            assert isinstance(block, Block)
            lengths = block.lengths(lengths)
        return lengths

    def forward(self, slices: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """slices [B, T, F], lengths [B] → log-probabilities [B, T', V] float32, lengths [B] of them.

        What stands in ``slices`` behind a sample's length makes no difference.
        """
        x, lengths = self.front_end(slices, lengths)
        return self.emit(x, lengths), lengths

    def alone(self, samples: list[Tensor]) -> list[Tensor]:
        """Slices [T, F] each → log-probabilities [T', V] each, to the last bit the same whatever the others are.

        For evaluation on a CPU. ``forward`` computes a batch at once, where the order of summation, and so the last
        bits, depend on the batch's shape.
        """
        inner = [self.front_end(x[None], torch.tensor([len(x)]))[0] for x in samples]
        return [self._log_probs(x)[0] for x in self.encoder.alone(inner, self._between([]))]

    def front_end(self, slices: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """The first half of ``forward``: slices [B, T, F], lengths [B] → what the encoder reads [B, T', I], lengths."""
        x = slices * mask_of(lengths, slices.shape[1])[:, :, None].to(slices.dtype)
        x = x[:, None]  # [B, T, F] -> [B, C=1, T, F]
        for block in self.blocks:
            x, lengths = block(x, lengths)
        return x.permute(0, 2, 1, 3).flatten(2), lengths  # [B, C, T', F'] -> [B, T', C · F']

    def emit(self, x: Tensor, lengths: Tensor) -> Tensor:
        """The second half of ``forward``: x [B, T', I], lengths [B] in T' → log-probabilities [B, T', V]."""
        return self._log_probs(self.encoder(x, lengths, self._between([])))

    def emit_each(self, x: Tensor, lengths: Tensor) -> list[Tensor]:
        """``emit`` behind each of ``intermediate_layers`` and, last, behind all layers."""
        emitted: list[Tensor] = []
        x = self.encoder(x, lengths, self._between(emitted, always=True))
        return [*emitted, self._log_probs(x)]

    def _between(self, emitted: list[Tensor], always: bool = False) -> Between:
        """Puts what the head reads behind intermediate layers into ``emitted``, or only where more follows of it."""

        def look(x: Tensor) -> Tensor | None:
            emitted.append(self._log_probs(x))
            return None if self.condition is None else self.condition(emitted[-1].exp())

        return Between(self.intermediate_layers if always or self.condition is not None else (), look)

    def _log_probs(self, x: Tensor) -> Tensor:
        logits = self.head(x)
        wide = logits if logits.dtype == torch.float64 else logits.float()
        return torch.log_softmax(wide, dim=-1)
