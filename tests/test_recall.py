"""What gates are for: a symbol shown once must be named after a delay. Plain networks forget it, LSTMs do not."""

import math

import pytest
import torch

from common.recurrent.layers import LayerOptions, RecurrentLayer

NUM_SYMBOLS, DELAY, NUM_HIDDEN, STEPS = 4, 60, 16, 150
# A forget bias of the logarithm of the delay lets a cell last so long at the start (Tallec and Ollivier 2018).
OPTIONS = LayerOptions(forget_bias=math.log(DELAY))


def accuracy_of_recall(kind: str, seed: int = 0) -> float:
    """Train on delayed recall for a fixed number of steps; the share of right answers on fresh sequences.

    The first slice shows one of four symbols, then noise follows; at the last slice the layer is asked.
    """
    torch.manual_seed(seed)
    layer = RecurrentLayer(kind, NUM_SYMBOLS, NUM_HIDDEN, bidirectional=False, options=OPTIONS)
    head = torch.nn.Linear(NUM_HIDDEN, NUM_SYMBOLS)
    parameters = [*layer.parameters(), *head.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=1e-2)

    def draw(num_samples: int):
        symbols = torch.randint(NUM_SYMBOLS, (num_samples,))
        x = 0.3 * torch.randn(num_samples, DELAY, NUM_SYMBOLS)
        x[:, 0] = 2 * torch.nn.functional.one_hot(symbols, NUM_SYMBOLS).float()
        return x, symbols, torch.full((num_samples,), DELAY)

    for _ in range(STEPS):
        x, symbols, lengths = draw(32)
        loss = torch.nn.functional.cross_entropy(head(layer(x, lengths)[:, -1]), symbols)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
    with torch.inference_mode():
        x, symbols, lengths = draw(500)
        return float((head(layer(x, lengths)[:, -1]).argmax(-1) == symbols).float().mean())


@pytest.mark.parametrize("kind", ["rnn", "rnn_relu"])
def test_plain_networks_forget(kind):
    assert accuracy_of_recall(kind) < 0.5


@pytest.mark.parametrize("kind", ["lstm", "peephole_lstm", "cifg", "layer_norm_lstm"])
def test_lstms_recall(kind):
    assert accuracy_of_recall(kind) > 0.95
