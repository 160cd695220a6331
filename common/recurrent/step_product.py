"""The product that every step of a scan begins or ends with: what changes from step to step, by weights that stay."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from common.recurrent import bfloat_product
from common.recurrent.memory import array


class StepProduct:
    """left [D, B, K] by weight [D, K, N] → out [D, B, N]; ``compute()`` multiplies what ``left`` then holds.

    Attributes:
        compute: takes and returns nothing of use.
        out: zeros until the first ``compute``; float32 where our own product sums up in that, else of the type of left.
    """

    def __init__(self, left: Tensor, weight: Tensor) -> None:
        own = bfloat_product.suits(weight)
        shape = (*left.shape[:2], weight.shape[2])
        self.out = torch.zeros(shape, dtype=torch.float32 if own else left.dtype)
        self.compute: Callable[[], Any]
        if own:
            packed = bfloat_product.pack(weight).numpy()
            self.compute = partial(bfloat_product.multiply, array(left), packed, array(self.out))
        else:  # as it lies in memory the library's product takes 0.7 times as long
            self.compute = partial(torch.bmm, left, weight.contiguous(), out=self.out)
