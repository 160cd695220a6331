"""How far back a gradient reaches: measured, for fresh layers and for a trained one.

At the last slice a random projection of the output is taken, its gradient with regard to the input of every slice
before computed by torch's autograd, and the norm over the features followed back (vanishing: Bengio et al. 1994).
"""

import math

import numpy as np
import torch
from torch import nn

from common.recurrent.layers import LayerOptions, RecurrentLayer

NUM_ROWS = 16  # sequences and projections that the square mean is taken over
MAX_FRESH_HIDDEN = 128  # fresh layers need not be larger to show it
SMALLEST = 1e-20  # what is below is drawn there


def reach(layer: RecurrentLayer, num_inputs: int, distance: int) -> np.ndarray:
    """Norms [distance + 1] of the gradient 0, 1, … slices back, relative to that at the last slice itself.

    Inputs are standard normal, as behind the normalisation that stands before every layer. As many slices stand before
    the furthest one, so that none feels the start.
    """
    random = torch.Generator().manual_seed(0)
    x = torch.randn(NUM_ROWS, 2 * distance + 1, num_inputs, generator=random).requires_grad_()
    y = layer(x, torch.full((NUM_ROWS,), x.shape[1]))[:, -1]
    projection = torch.randn(y.shape, generator=random)
    (gradient,) = torch.autograd.grad((y * projection).sum(), x)  # [B, T, F]
    norms = gradient.double().square().sum(2).mean(0).sqrt().flip(0)[: distance + 1]
    return (norms / norms[0]).numpy()


def fresh(kind: str, num_inputs: int, num_hidden: int, forget_bias: float = 1.0) -> RecurrentLayer:
    """A layer of one direction with first weights, the same for each call."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return RecurrentLayer(kind, num_inputs, num_hidden, False, LayerOptions(forget_bias=forget_bias))


def alone(layer: RecurrentLayer, direction: nn.Module) -> RecurrentLayer:
    """One direction of a trained layer as a layer of its own that walks forwards."""
    weights = direction.state_dict()
    name = "weight_ih_l0" if "weight_ih_l0" in weights else "weight_ih"
    num_inputs, num_hidden = weights[name].shape[1], layer.num_outputs // len(layer.directions)
    single = RecurrentLayer(layer.kind, num_inputs, num_hidden, False, LayerOptions(layer.options.zoneout))
    single.forwards.load_state_dict(weights)
    return single.eval()


def curves(layers: list[RecurrentLayer], num_inputs: int, num_hidden: int, distance: int) -> dict[str, np.ndarray]:
    """Name → norms [distance + 1], of fresh layers of the model's size, and of the model's own, both directions."""
    hidden = min(num_hidden, MAX_FRESH_HIDDEN)
    long = math.log(distance)
    chosen = {
        "plain RNN, fresh": fresh("rnn", num_inputs, hidden),
        "LSTM, fresh, forget bias 0": fresh("lstm", num_inputs, hidden, 0.0),
        "LSTM, fresh, forget bias 1": fresh("lstm", num_inputs, hidden, 1.0),
        f"LSTM, fresh, forget bias {long:.1f}": fresh("lstm", num_inputs, hidden, long),
    }
    found = {name: reach(layer, num_inputs, distance) for name, layer in chosen.items()}
    if layers:
        last = layers[-1]
        for name, direction in zip(("forwards", "backwards"), last.directions, strict=False):
            single = alone(last, direction)
            width = single.directions[0].state_dict()
            inputs = next(value.shape[1] for key, value in width.items() if key.startswith("weight_ih"))
            found[f"this model, layer {len(layers)}, {name}"] = reach(single, inputs, distance)
    return {name: np.maximum(norms, SMALLEST) for name, norms in found.items()}
