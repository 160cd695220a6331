"""A sample's emissions are the same alone and in any batch, for every cell, whatever stands in the padding."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from common.emissions import emissions
from common.network import Network
from common.network_settings import ConvolutionSettings, NetworkSettings
from common.recurrent.lengths import mask_of
from common.recurrent.transformer import TransformerEncoder

CELLS = NetworkSettings.model_fields["cell"].annotation.__args__
FRONT_END = (
    ConvolutionSettings(channels=4, kernel=(5, 3), stride=(2, 1), pool=(1, 2)),
    ConvolutionSettings(channels=3, pool=(2, 1)),
)


def network(cell: str, dtype: torch.dtype, bidirectional: bool = True) -> Network:
    torch.manual_seed(0)
    extra = {} if cell == "transformer" else {"residual": True, "zoneout": 0.1}
    chosen = NetworkSettings(
        convolutions=FRONT_END, cell=cell, num_layers=2, num_hidden=8, bidirectional=bidirectional, **extra
    )
    made = Network(chosen, 9, 7).to(dtype)
    with torch.no_grad():  # as after training: statistics, peepholes, gains and biases that matter
        for name, buffer in made.named_buffers():
            buffer.uniform_(0.5, 2) if name.endswith("var") else buffer.normal_()
        for parameter in made.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return made.eval()


@pytest.mark.parametrize("cell", CELLS)
@settings(max_examples=12)
@given(
    lengths=st.lists(st.integers(1, 40), min_size=1, max_size=8),
    garbage=st.floats(-1e3, 1e3),
    bidirectional=st.booleans(),
    data=st.data(),
)
def test_a_sample_alone_is_the_sample_in_any_batch(cell, lengths, garbage, bidirectional, data):
    made = network(cell, torch.float64, bidirectional)
    x = torch.randn(len(lengths), max(lengths) + 3, 9, dtype=torch.float64)
    sizes = torch.tensor(lengths)
    x[~mask_of(sizes, x.shape[1])] = garbage
    order = torch.tensor(data.draw(st.permutations(range(len(lengths)))))
    with torch.inference_mode():
        together, emitted = made(x, sizes)
        shuffled, _ = made(x[order], sizes[order])
        one_by_one = made.alone([x[row, :length] for row, length in enumerate(lengths)])
        for row, length in enumerate(lengths):
            size = int(emitted[row])
            alone, _ = made(x[row : row + 1, :length], sizes[row : row + 1])
            elsewhere = shuffled[(order == row).nonzero().item()]
            for other in (together[row, :size], elsewhere[:size], one_by_one[row]):
                torch.testing.assert_close(other, alone[0], rtol=0, atol=1e-12)


@pytest.mark.parametrize("cell", CELLS)
@settings(max_examples=6)
@given(lengths=st.lists(st.integers(1, 60), min_size=2, max_size=20), bidirectional=st.booleans(), data=st.data())
def test_exact_emissions_are_the_same_to_the_last_bit(cell, lengths, bidirectional, data):
    """In float32, where an order of summation shows: among any others, in any order, in any number."""
    made = network(cell, torch.float32, bidirectional)
    matrices = [torch.randn(length, 9).numpy() for length in lengths]
    order = data.draw(st.permutations(range(len(lengths))))
    together = list(emissions(made, matrices, exact=True))
    shuffled = list(emissions(made, [matrices[row] for row in order], exact=True))
    for place, row in enumerate(order):
        np.testing.assert_array_equal(shuffled[place], together[row])
    (alone,) = emissions(made, [matrices[0]], exact=True)
    np.testing.assert_array_equal(alone, together[0])
    (batched,) = emissions(made, [matrices[0]])
    np.testing.assert_allclose(alone, batched, rtol=0, atol=1e-3)
    before = torch.get_num_threads()
    for num_threads in (1, 3):
        torch.set_num_threads(num_threads)
        in_threads = list(emissions(made, matrices, batch_samples=2, exact=True))
        assert torch.get_num_threads() == num_threads
        for emission, expected in zip(in_threads, together, strict=True):
            np.testing.assert_array_equal(emission, expected)
    torch.set_num_threads(before)


@pytest.mark.parametrize("cell", CELLS)
def test_the_number_of_threads_decides_nothing_of_few_samples(cell):
    """One piece alone would be given all threads: on an AMD EPYC products of three sum otherwise than those of one."""
    made = network(cell, torch.float32, False)
    matrices = [torch.randn(length, 9).numpy() for length in (1, 13)]
    before = torch.get_num_threads()
    found = []
    try:
        for num_threads in (1, 2, 3):
            torch.set_num_threads(num_threads)
            found.append(list(emissions(made, matrices, exact=True)))
            assert torch.get_num_threads() == num_threads
    finally:
        torch.set_num_threads(before)
    for each in found[1:]:
        for emission, expected in zip(each, found[0], strict=True):
            np.testing.assert_array_equal(emission, expected)


@pytest.mark.parametrize("cell", CELLS)
def test_gradients_leave_padding_out(cell):
    """The gradient by the encoder's weights is the same whatever the padding holds and however long it is."""
    made = network(cell, torch.float64).encoder
    lengths = torch.tensor([17, 5, 11])
    gradients = []
    for extra, garbage in ((0, 0.0), (6, 100.0)):
        torch.manual_seed(1)
        x = torch.randn(3, 17, 15, dtype=torch.float64)
        x = torch.cat([x, torch.zeros(3, extra, 15, dtype=torch.float64)], 1)
        x[~mask_of(lengths, 17 + extra)] = garbage
        out = made(x, lengths)
        loss = out[mask_of(lengths, 17 + extra)].pow(3).sum()
        gradients.append(torch.autograd.grad(loss, list(made.parameters())))
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("cell", CELLS)
def test_one_direction_sees_the_past_alone(cell):
    made = network(cell, torch.float64, bidirectional=False).encoder
    x = torch.randn(2, 9, 15, dtype=torch.float64)
    changed = x.clone()
    changed[:, 6:] += 1
    with torch.inference_mode():
        before, after = (made(each, torch.tensor([9, 9])) for each in (x, changed))
    torch.testing.assert_close(before[:, :6], after[:, :6], rtol=0, atol=1e-12)
    assert (before[:, 6:] - after[:, 6:]).abs().min(0).values.max() > 0


def test_transformer_attends_to_places_and_neighbours():
    """Not a function of single slices, nor of a bag of them."""
    torch.manual_seed(0)
    made = TransformerEncoder(5, 8, 2, 2).double().eval()
    x, lengths = torch.randn(1, 6, 5, dtype=torch.float64), torch.tensor([6])
    with torch.inference_mode():
        whole, turned = made(x, lengths), made(x.flip(1), lengths)
        changed = x.clone()
        changed[:, 5] += 1
        assert (made(changed, lengths) - whole)[:, 0].abs().max() > 1e-6
    assert (turned.flip(1) - whole).abs().max() > 1e-3
