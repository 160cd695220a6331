"""Random masks by row: a part of a batch draws what its rows would draw within the whole batch."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor

# (number of the first row, rows of the whole batch) of the part that is computed now; None: the batch is whole.
_part: ContextVar[tuple[int, int] | None] = ContextVar("part", default=None)


@contextmanager
def part_of(first: int, num_rows: int) -> Iterator[None]:
    """Within, a batch stands for the rows from ``first`` on of one with ``num_rows`` rows."""
    token = _part.set((first, num_rows))
    try:
        yield
    finally:
        _part.reset(token)


def bernoulli(shape: tuple[int, ...], probability: float, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Ones with this probability, else zeros, for a batch of shape [B, …].

    A part draws for all rows and keeps its own, so the random stream goes on alike whatever the batch is cut into.
    """
    part = _part.get()
    if part is None:
        return torch.empty(shape, dtype=dtype, device=device).bernoulli_(probability)
    first, num_rows = part
    whole = torch.empty((num_rows, *shape[1:]), dtype=dtype, device=device).bernoulli_(probability)
    return whole[first : first + shape[0]]
