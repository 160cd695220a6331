"""A stack of recurrent layers with layer normalisation and locked dropout between them."""

from torch import Tensor, nn

from common.recurrent.between import NOTHING, Between
from common.recurrent.layers import DEFAULT_OPTIONS, LayerOptions, RecurrentLayer
from common.recurrent.lengths import reversal
from common.recurrent.recurrence import State
from common.recurrent.rows import bernoulli


def locked_dropout(x: Tensor, probability: float, training: bool) -> Tensor:
    """Dropout with one mask a sample for all its slices (Gal and Ghahramani 2016): x [B, T, F] → [B, T, F]."""
    if not training or probability == 0:
        return x
    keep = 1 - probability
    return x * bernoulli((x.shape[0], 1, x.shape[2]), keep, x.dtype, x.device).div_(keep)


class RecurrentStack(nn.Module):
    """[B, T, F], lengths [B] → [B, T, H], or [B, T, 2 H] in both directions.

    With ``residual`` a layer's input is added to its output wherever both are as wide: not at the first layer, mostly.
    """

    def __init__(
        self,
        kind: str,
        num_inputs: int,
        num_hidden: int,
        num_layers: int,
        dropout: float = 0.0,
        *,
        bidirectional: bool = True,
        residual: bool = False,
        options: LayerOptions = DEFAULT_OPTIONS,
    ) -> None:
        super().__init__()
        widths = [num_inputs] + [num_hidden * (2 if bidirectional else 1)] * num_layers
        self.norms = nn.ModuleList(nn.LayerNorm(width) for width in widths)
        self.layers = nn.ModuleList(
            RecurrentLayer(kind, width, num_hidden, bidirectional, options) for width in widths[:-1]
        )
        self.dropout = dropout
        self.residual = residual
        self.bidirectional = bidirectional
        self.num_outputs = widths[-1]

    def path(self, device_type: str) -> str:
        """What computes the layers on such a device, in words."""
        layer = self.layers[0]
        assert isinstance(layer, RecurrentLayer)
        return layer.path(device_type)

    def forward(self, x: Tensor, lengths: Tensor, between: Between = NOTHING) -> Tensor:
        """Rows behind a sample's length hold no meaning."""
        turned = reversal(lengths, x.shape[1]) if self.bidirectional else None
        for number, (norm, layer) in enumerate(zip(self.norms, self.layers, strict=False), 1):
            y = layer(locked_dropout(norm(x), self.dropout, self.training), lengths, turned)
            x = between(number, self._add(x, y), self._last)
        return self._last(x)

    def stream(
        self, x: Tensor, lengths: Tensor, states: list[State] | None = None, between: Between = NOTHING
    ) -> tuple[Tensor, list[State]]:
        """The next part of sequences: x [B, T, F] → [B, T, H], and a state a layer; see ``RecurrentLayer.stream``."""
        after = []
        for number, (norm, layer) in enumerate(zip(self.norms, self.layers, strict=False), 1):
            assert isinstance(layer, RecurrentLayer)
            inner = locked_dropout(norm(x), self.dropout, self.training)
            y, state = layer.stream(inner, lengths, None if states is None else states[number - 1])
            x = between(number, self._add(x, y), self._last)
            after.append(state)
        return self._last(x), after

    def alone(self, samples: list[Tensor], between: Between = NOTHING) -> list[Tensor]:
        """[1, T, F] each → [1, T, W] each, in evaluation: to the last bit the same whatever the others are."""
        for number, (norm, layer) in enumerate(zip(self.norms, self.layers, strict=False), 1):
            assert isinstance(layer, RecurrentLayer)
            after = layer.alone([norm(x) for x in samples])
            added = [self._add(x, y) for x, y in zip(samples, after, strict=True)]
            samples = [between(number, x, self._last) for x in added]
        return [self._last(x) for x in samples]

    def _last(self, x: Tensor) -> Tensor:
        return locked_dropout(self.norms[-1](x), self.dropout, self.training)

    def _add(self, x: Tensor, y: Tensor) -> Tensor:
        return x + y if self.residual and x.shape[-1] == y.shape[-1] else y
