"""A batch computed in parts, one after the other, with the loss and the gradient of the whole.

Memory is that of a part; only what the front end gives the encoder, and its gradient, is kept of all. Everything but
batch normalisation knows no neighbours, so sums over parts are sums over the batch. A normalisation needs its sums over
the whole batch before any part can pass it, on the way forward and once more on the way back. So the front end runs
again for each of them, as far as the first sum that is not known yet. That costs time where a front end has many
blocks, and is why a batch that fits is never cut.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor

from common.network import Network
from common.normalisation import NormaliseRectify, ShareSums
from common.recurrent.rows import part_of
from common.training.batches import Batch
from common.training.objective import Emitted
from common.training.processes import Group


class _UnknownError(Exception):
    """A pass came to a normalisation whose sums over the whole batch are not known yet."""

    def __init__(self, sums: Tensor) -> None:
        super().__init__()
        self.sums = sums


class _Ledger:
    """Sums over the whole batch, by normalisation and direction."""

    def __init__(self, norms: Sequence[NormaliseRectify], group: Group) -> None:
        self.norms = norms
        self.group = group
        self.known: dict[tuple[int, bool], Tensor] = {}

    def whole(self, place: int, backward: bool, sums: Tensor) -> Tensor:
        try:
            return self.known[place, backward]
        except KeyError:
            raise _UnknownError(sums) from None

    def learn(self, place: int, backward: bool, passes: Iterable[Callable[[], object]]) -> None:
        """Run each pass up to this normalisation, and add up what it brings there."""
        norm = self.norms[place]
        size = 2 * len(norm.weight) + (0 if backward else 1)
        total = torch.zeros(size, dtype=torch.float64, device=norm.weight.device)
        for each in passes:
            try:
                each()
            except _UnknownError as unknown:
                total += unknown.sums
            else:
                raise AssertionError("a pass must come to the normalisation whose sums it is for")
        self.known[place, backward] = self.group.sum(total)


@contextmanager
def sharing(shares: Mapping[NormaliseRectify, ShareSums]) -> Iterator[None]:
    """Within, these normalisations take the sums over the whole batch from what stands beside them."""
    try:
        for norm, share in shares.items():
            norm.share = share
        yield
    finally:
        for norm in shares:
            norm.share, norm.follows = None, True


def normalisations(network: Network) -> list[NormaliseRectify]:
    """In the order in which a batch comes to them."""
    return [module for module in network.blocks.modules() if isinstance(module, NormaliseRectify)]


def compute_in_parts(
    network: Network,
    batch: Batch,
    parts: Sequence[slice],
    emit: Callable[[Tensor, Tensor], Emitted],
    losses_of: Callable[[Emitted, slice], Tensor],
    *,
    num_rows: int,
    num_labels: int,
    seed_of: Callable[[slice], int],
    precision: torch.dtype,
    gather: Callable[[Tensor], Tensor],
    group: Group,
) -> Tensor:
    """Losses of all samples of the step; if all are finite, the gradient of their sum a label, added up in ``.grad``.

    Args:
        batch: this process's rows, of the ``num_rows`` of the step; on the network's device.
        parts: consecutive rows of ``batch``, all of it, views of a sample together.
        emit: (what the front end gives the encoder [b, T', I], lengths [b]) → what the loss reads.
        losses_of: (that, part) → losses of the part's samples.
        seed_of: part → seed of the random numbers that it draws.
        gather: losses of this process's samples → of all samples.
    """
    device = batch.slices.device

    def front(part: slice) -> tuple[Tensor, Tensor]:
        # A context for each pass: autocast would remember weights cast without a gradient.
        with torch.autocast(device.type, precision, enabled=precision != torch.float32):
            return network.front_end(batch.slices[part], batch.lengths[part])

    norms = normalisations(network)
    ledger = _Ledger(norms, group)
    with sharing({norm: partial(ledger.whole, place) for place, norm in enumerate(norms)}):
        for norm in norms:
            norm.follows = False
        with torch.no_grad():
            for place in range(len(norms)):
                ledger.learn(place, False, (partial(front, part) for part in parts))
        losses: list[Tensor] = []
        gradients: list[Tensor | None] = []
        finite = True
        for part in parts:
            for norm in norms:
                norm.follows = not losses  # the statistics of the batch are the same whatever part brings them
            with torch.no_grad():
                x, lengths = front(part)
            x.requires_grad_(finite)
            with torch.set_grad_enabled(finite), part_of(batch.first * batch.num_views + part.start, num_rows):
                torch.manual_seed(seed_of(part))
                with torch.autocast(device.type, precision, enabled=precision != torch.float32):
                    emitted = emit(x, lengths)
                each = losses_of(emitted, part)
                finite = finite and bool(torch.isfinite(each).all())
                if finite:
                    (each.sum() / num_labels).backward()
            losses.append(each.detach())
            gradients.append(x.grad)
            x.grad = None
        for norm in norms:
            norm.follows = False
        whole = gather(torch.cat(losses) if losses else torch.zeros(0, device=device))
        if not torch.isfinite(whole).all() or not norms:
            return whole
        entry = next(network.blocks.parameters())
        back = list(zip(parts, gradients, strict=True))
        for place in reversed(range(len(norms))):
            ledger.learn(
                place, True, (partial(torch.autograd.grad, front(part)[0], entry, grad) for part, grad in back)
            )
        for part, gradient in back:
            front(part)[0].backward(gradient)
    return whole
