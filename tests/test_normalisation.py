"""Normalisation with ReLU: compiled loops and torch's operations agree, and padding counts nothing."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from common import normalisation
from common.normalisation import NormaliseRectify
from common.recurrent import pool_loops


def results(
    x: torch.Tensor, mask: torch.Tensor, above: torch.Tensor, pool: tuple[int, int] = (1, 1)
) -> list[torch.Tensor]:
    """Output, gradients of input, weight and bias, running statistics."""
    layer = NormaliseRectify(x.shape[1]).to(torch.promote_types(x.dtype, torch.float32))
    with torch.no_grad():
        layer.weight.copy_(torch.linspace(-1, 2, x.shape[1]))
        layer.bias.copy_(torch.linspace(-0.5, 0.5, x.shape[1]))
    x = x.clone().requires_grad_()
    y = layer(x, mask, pool)
    y.backward(above[:, :, : y.shape[2], : y.shape[3]])
    assert x.grad is not None and layer.weight.grad is not None and layer.bias.grad is not None
    return [y.detach(), x.grad, layer.weight.grad, layer.bias.grad, layer.running_mean, layer.running_var]


@given(
    lengths=st.lists(st.integers(1, 9), min_size=1, max_size=4),
    channels=st.integers(1, 20),
    features=st.integers(1, 9),
    channels_last=st.booleans(),
    pool=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    seed=st.integers(0, 2**31),
)
@settings(max_examples=25)
def test_compiled_loops_are_torchs_operations(
    lengths: list[int], channels: int, features: int, channels_last: bool, pool: tuple[int, int], seed: int
) -> None:
    torch.manual_seed(seed)
    mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    x, above = (torch.randn(len(lengths), channels, max(lengths), features, dtype=torch.float64) for _ in range(2))
    if channels_last:
        x = x.contiguous(memory_format=torch.channels_last)
    compiled = results(x, mask, above, pool)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(normalisation, "_Compiled", normalisation._Operations)
        patch.setattr(pool_loops, "NONE", 0)  # no window is small enough to be walked through in the same loops
        operations = results(x, mask, above, pool)
    for ours, theirs in zip(compiled, operations, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("pool", [(1, 1), (2, 2)])
def test_bfloat16_is_float32_rounded_once(pool: tuple[int, int]) -> None:
    torch.manual_seed(0)
    mask = torch.arange(12) < torch.tensor([12, 5])[:, None]
    x, above = (torch.randn(2, 16, 12, 4).bfloat16() for _ in range(2))
    narrow, wide = results(x, mask, above, pool), results(x.double(), mask, above.double(), pool)
    for ours, exact in zip(narrow[:2], wide[:2], strict=True):
        assert ours.dtype == torch.bfloat16
        torch.testing.assert_close(ours.double(), exact, rtol=2**-8, atol=1e-5)
    for ours, exact in zip(narrow[2:], wide[2:], strict=True):
        torch.testing.assert_close(ours.double(), exact, rtol=1e-4, atol=1e-4)


def test_gradients_through_the_pooling_are_those_of_finite_differences() -> None:
    torch.manual_seed(0)
    layer = NormaliseRectify(3).double()
    mask = torch.arange(5) < torch.tensor([5, 3])[:, None]
    x = torch.randn(2, 3, 5, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda *inputs: layer(inputs[0], mask, (2, 2)), (x, layer.weight, layer.bias))


@pytest.mark.parametrize("pool", [(1, 1), (3, 2)])
def test_padding_counts_nothing_and_gets_nothing(pool: tuple[int, int]) -> None:
    torch.manual_seed(0)
    mask = torch.arange(8) < torch.tensor([8, 3])[:, None]
    x, above = torch.randn(2, 5, 8, 4), torch.randn(2, 5, 8, 4)
    other = torch.where(mask[:, None, :, None], x, torch.full_like(x, float("nan")))
    first, second = results(x, mask, above, pool), results(other, mask, above, pool)
    for one, two in zip(first, second, strict=True):
        assert torch.equal(one, two)
    assert not first[0][1, :, -(-3 // pool[0]) :].any() and not first[1][1, :, 3:].any()


@pytest.mark.parametrize("pool", [(1, 1), (2, 2), (4, 3)])
def test_what_is_no_number_stays_none(pool: tuple[int, int]) -> None:
    mask = torch.ones(1, 4, dtype=torch.bool)
    x = torch.randn(1, 2, 4, 3)
    x[0, 0, 1, 1] = float("nan")
    assert torch.isnan(NormaliseRectify(2)(x, mask, pool)).any()


@pytest.mark.parametrize(("mean", "deviation", "num_slices"), [(1.0, 0.01, 8000), (10.0, 0.03, 500)])
def test_statistics_of_a_nearly_constant_channel(mean: float, deviation: float, num_slices: int) -> None:
    """Its variance is a small difference of large sums."""
    torch.manual_seed(0)
    x = mean + deviation * torch.randn(1, 1, num_slices, 1)
    mask = torch.ones(1, num_slices, dtype=torch.bool)
    exact = NormaliseRectify(1).double()(x.double(), mask)
    torch.testing.assert_close(NormaliseRectify(1)(x, mask).double(), exact, rtol=0, atol=1e-3)
