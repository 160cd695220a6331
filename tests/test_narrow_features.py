"""Convolutions over hardly any features see these and nothing else of the memory."""

import pytest
import torch

from common.network import Block
from common.network_settings import ConvolutionSettings


def dirty(value: float) -> None:
    """Leave freed memory of many sizes filled with a value."""
    kept = [torch.full((2**power,), value) for power in range(15) for _ in range(40)]
    del kept


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("num_channels", [1, 4])
@pytest.mark.parametrize("kernel", [(3, 3), (5, 5), (1, 3)])
@pytest.mark.parametrize("stride", [(1, 2), (2, 2), (1, 3), (1, 1)])
@pytest.mark.parametrize("num_features", [1, 2, 3])
def test_a_convolution_reads_its_input_alone(num_features, stride, kernel, num_channels, precision):
    torch.manual_seed(0)
    settings = ConvolutionSettings(channels=4, kernel=kernel, stride=stride)
    block = Block(num_channels, settings).to(memory_format=torch.channels_last).eval()
    x = torch.randn(4, num_channels, 14, num_features)
    weight, padding = block.convolution.weight.double(), (kernel[0] // 2, kernel[1] // 2)
    expected = torch.nn.functional.conv2d(x.double(), weight, None, stride, padding)
    for value in (float("nan"), 1e4):
        dirty(value)
        with torch.inference_mode(), torch.autocast("cpu", precision, enabled=precision != torch.float32):
            found = block._convolved(x)
        torch.testing.assert_close(found.double(), expected, rtol=0, atol=1e-5 if precision == torch.float32 else 0.1)
