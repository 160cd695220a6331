"""Products of the steps of a scan: our own in bfloat16 against the exact one, and against the library's."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from common.recurrent import bfloat_product
from common.recurrent.layers import RecurrentLayer
from common.recurrent.memory import array
from common.recurrent.step_product import StepProduct

runs = pytest.mark.skipif(not bfloat_product.runs(), reason="this processor has no AVX-512 for bfloat16")


def own_product(left: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    out = torch.full((*left.shape[:2], weight.shape[2]), torch.nan)
    bfloat_product.multiply(array(left), bfloat_product.pack(weight).numpy(), array(out))
    return out


@runs
@settings(max_examples=60, deadline=None)
@given(
    num_directions=st.integers(1, 2),
    num_rows=st.integers(1, 27),
    num_pairs=st.integers(1, 100),
    num_panels=st.integers(1, 5),
    seed=st.integers(0, 2**32 - 1),
)
def test_it_is_the_product(num_directions: int, num_rows: int, num_pairs: int, num_panels: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    num_inputs, num_outputs = 2 * num_pairs, bfloat_product.PANEL * num_panels
    left = torch.randn(num_directions, num_rows, num_inputs, generator=generator).bfloat16()
    weight = torch.randn(num_directions, num_inputs, num_outputs, generator=generator).bfloat16()
    found = own_product(left, weight)
    exact = left.double() @ weight.double()
    scale = left.double().abs() @ weight.double().abs()
    assert ((found - exact).abs() <= 1e-6 * scale).all()


@runs
@settings(max_examples=20, deadline=None)
@given(num_rows=st.integers(2, 20), seed=st.integers(0, 2**32 - 1))
def test_a_row_is_the_same_alone(num_rows: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    left = torch.randn(1, num_rows, 128, generator=generator).bfloat16()
    weight = torch.randn(1, 128, 256, generator=generator).bfloat16()
    together = own_product(left, weight)
    for row in range(num_rows):
        assert torch.equal(own_product(left[:, row : row + 1].contiguous(), weight), together[:, row : row + 1])


@runs
def test_what_is_no_number_stays_none() -> None:
    left, weight = torch.ones(1, 2, 4).bfloat16(), torch.ones(1, 4, 64).bfloat16()
    left[0, 1, 3] = torch.nan
    found = own_product(left, weight)
    assert (found[0, 0] == 4).all() and found[0, 1].isnan().all()


@pytest.mark.parametrize("own", [pytest.param(True, marks=runs), False])
@pytest.mark.parametrize("product", [torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("num_outputs", [64, 100])
def test_a_step_multiplies_what_stands_there_now(
    own: bool, product: torch.dtype, num_outputs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bfloat_product, "pays", lambda: own)
    left = torch.zeros(2, 5, 64, dtype=product)
    weight = torch.randn(2, num_outputs, 64, dtype=torch.float64).to(product).mT  # as scans turn theirs
    step = StepProduct(left, weight)
    assert step.out.dtype == (torch.float32 if own and product == torch.bfloat16 and num_outputs == 64 else product)
    for _ in range(2):
        left.copy_(torch.randn(left.shape))
        step.compute()
        exact = left.double() @ weight.double()
        np.testing.assert_allclose(step.out.double(), exact, rtol=0, atol=0.2 if product == torch.bfloat16 else 1e-4)


@runs
@pytest.mark.parametrize("kind", ["peephole_lstm", "cifg", "layer_norm_lstm", "gru", "gru_reset_before", "rnn"])
def test_layers_learn_alike_with_either_product(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for own in (True, False):
        monkeypatch.setattr(bfloat_product, "pays", lambda own=own: own)
        torch.manual_seed(0)
        layer = RecurrentLayer(kind, 32, 64)
        x = torch.randn(5, 9, 32, requires_grad=True)
        with torch.autocast("cpu", torch.bfloat16):
            out = layer(x, torch.tensor([9, 3, 1, 7, 9]))
        (out.float() * torch.randn(out.shape)).sum().backward()
        found.append([out.detach().float(), x.grad, *(each.grad for each in layer.parameters())])
    for one, other in zip(*found, strict=True):
        assert (one - other).norm() <= 0.02 * other.norm()
