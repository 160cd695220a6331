"""Floating-point operations of a training step by formula: what its matrix products and convolutions need, no more.

A product [M, K] by [K, N] is 2 · M · K · N. Forward and backward together are three times the forward products: once
for the result, once each for the gradients of weights and inputs; the first convolution's input needs no gradient, so
it is two times there. Counted over padded slices of the batch, since padded input is what is computed; element-wise
work, normalisation, CTC and the optimiser count nothing.
"""

from common.network import Block, Network
from common.recurrent.layers import RecurrentLayer
from common.training.batches import Batch


def training_flop(network: Network, batch: Batch) -> float:
    """Of one step over a batch."""
    num_samples, num_slices, width = batch.slices.shape
    flop, passes, channels = 0.0, 2, 1
    for block in network.blocks:
        assert isinstance(block, Block)
        kernel = block.convolution.weight[0, 0].numel()
        num_slices, width = -(-num_slices // block.stride[0]), -(-width // block.stride[1])
        places = num_samples * num_slices * width
        flop += passes * 2 * places * block.convolution.out_channels * channels * kernel
        num_slices, width = -(-num_slices // block.pool[0]), -(-width // block.pool[1])
        passes, channels = 3, block.convolution.out_channels
    rows = num_samples * num_slices
    for layer in network.encoder.layers:
        assert isinstance(layer, RecurrentLayer)
        for direction in layer.directions:
            flop += 3 * 2 * rows * sum(weight.numel() for weight in direction.parameters() if weight.ndim == 2)
    return flop + 3 * 2 * rows * network.head.weight.numel()
