"""What looks at an encoder between two of its layers."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Between:
    """A look behind some layers.

    Attributes:
        layers: numbers from 1; behind the last layer nothing is looked at.
        look: what the head would read, were this layer the last one [B, T, W] → what is added to the layer's output
            before the next layer reads it [B, T, W], or None.
    """

    layers: tuple[int, ...] = ()
    look: Callable[[Tensor], Tensor | None] = lambda x: None

    def __call__(self, number: int, x: Tensor, last: Callable[[Tensor], Tensor]) -> Tensor:
        """The output x [B, T, W] of layer ``number`` as the next layer reads it; ``last`` ends the encoder."""
        if number not in self.layers:
            return x
        added = self.look(last(x))
        return x if added is None else x + added


NOTHING = Between()
