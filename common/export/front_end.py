"""The convolutional front end in ONNX's operators, exact under padding as ``common.network`` is."""

import numpy as np
import torch

from common.export.graph import FLOAT, Graph
from common.network import Block


def own_slices(graph: Graph, slices: str, lengths: str) -> str:
    """slices [B, T, F], lengths [B] → [B, C=1, T, F] with zeros behind each sample's length."""
    return _masked(graph, graph.add("Unsqueeze", slices, graph.numbers(1)), lengths)


def front_end(graph: Graph, blocks: list[Block], x: str, lengths: str) -> tuple[str, str]:
    """x [B, C=1, T, F], lengths [B] → what the encoder reads [B, T', C · F'], lengths [B] of that."""
    for block in blocks:
        x, lengths = _block(graph, block, x, lengths)
    x = graph.add("Transpose", x, perm=[0, 2, 1, 3])  # [B, C, T', F'] -> [B, T', C, F']
    return graph.add("Reshape", x, graph.numbers(0, 0, -1)), lengths


def _block(graph: Graph, block: Block, x: str, lengths: str) -> tuple[str, str]:
    """x [B, C, T, F] → [B, C', T', F']. The normalisation's scale and shift are the convolution's weights and bias."""
    norm, convolution = block.norm, block.convolution
    wide = {name: value.detach().double() for name, value in norm.state_dict().items()}
    scale = wide["weight"] * torch.rsqrt(wide["running_var"] + norm.epsilon)
    weight = (convolution.weight.detach().double() * scale[:, None, None, None]).float()
    bias = (wide["bias"] - wide["running_mean"] * scale).float()
    kernel, stride = list(convolution.kernel_size), list(convolution.stride)
    before_after = [size // 2 for size in kernel] * 2
    x = graph.add(
        "Conv",
        x,
        graph.constant(weight, "convolution"),
        graph.constant(bias, "shift"),
        kernel_shape=kernel,
        strides=stride,
        pads=before_after,
    )
    lengths = shortened(graph, lengths, stride[0])
    x = _masked(graph, graph.add("Relu", x), lengths)
    if block.pool != (1, 1):
        pool = list(block.pool)
        x = graph.add("MaxPool", x, kernel_shape=pool, strides=pool, ceil_mode=1)
    return x, shortened(graph, lengths, block.pool[0])


def shortened(graph: Graph, lengths: str, factor: int) -> str:
    """ceil(lengths / factor), [B] → [B]."""
    if factor == 1:
        return lengths
    raised = graph.add("Add", lengths, graph.numbers(factor - 1))
    return graph.add("Div", raised, graph.numbers(factor))


def _masked(graph: Graph, x: str, lengths: str) -> str:
    """x [B, C, T, F] with zeros behind each sample's length [B]."""
    num_slices = graph.add("Shape", x, start=2, end=3)
    zero, one = (graph.constant(np.array(value, np.int64), "number") for value in (0, 1))
    positions = graph.add("Range", zero, graph.add("Squeeze", num_slices), one)  # [T]
    inside = graph.add("Less", positions, graph.add("Unsqueeze", lengths, graph.numbers(1)))  # [B, T]
    mask = graph.add("Cast", inside, to=FLOAT)
    return graph.add("Mul", x, graph.add("Unsqueeze", mask, graph.numbers(1, 3)))  # [B, T] -> [B, 1, T, 1]
