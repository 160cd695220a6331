"""What rows of a batch say: a text each or, where a sample is mixed with another, two."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from common.training.batches import Batch

# (log_probs [b, T', V], lengths [b], targets, target_lengths [b]) → [b], as ``common.training.terms.ctc``
Loss = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Others:
    """The second texts of those rows that have one.

    Attributes:
        mixed: int64 [m], the rows that have one.
        targets, target_lengths: int64 [sum of target lengths], [m].
        weights: [b], λ of every row's own text; 1 where it has no other.
    """

    mixed: Tensor
    targets: Tensor
    target_lengths: Tensor
    weights: Tensor


@dataclass(frozen=True)
class Texts:
    """Attributes: targets, target_lengths: int64 [sum of target lengths], [b]; others: None where nothing is mixed."""

    targets: Tensor
    target_lengths: Tensor
    others: Others | None = None

    def loss(self, of_one: Loss, log_probs: Tensor, lengths: Tensor) -> Tensor:
        """Losses [b] of emissions [b, T', V] and their lengths [b].

        Of a mixed row λ · loss(own text) + (1 - λ) · loss(the other's) (Meng et al. 2021, arXiv 2102.12664).
        """
        losses = of_one(log_probs, lengths, self.targets, self.target_lengths)
        if self.others is None:
            return losses
        mixed, weights = self.others.mixed, self.others.weights.to(losses.dtype)
        seconds = of_one(log_probs[mixed], lengths[mixed], self.others.targets, self.others.target_lengths)
        return (weights * losses).index_add(0, mixed, (1 - weights[mixed]) * seconds)


def texts_of(batch: Batch, part: slice) -> Texts:
    """Those of the rows ``part`` of a batch."""
    own = _some(batch.targets, batch.target_lengths, part)
    if batch.seconds is None:
        return Texts(*own)
    targets, target_lengths = _some(batch.seconds.targets, batch.seconds.target_lengths, part)
    weights = batch.seconds.weights[part]
    # λ may be rounded to 1 where there is a second text, whose labels stand among the others' all the same.
    mixed = torch.nonzero((weights < 1) | (target_lengths > 0))[:, 0]
    if not len(mixed):
        return Texts(*own)
    return Texts(*own, Others(mixed, targets, target_lengths[mixed], weights))


def _some(targets: Tensor, target_lengths: Tensor, part: slice) -> tuple[Tensor, Tensor]:
    start, stop = (int(target_lengths[:row].sum()) for row in (part.start, part.stop))
    return targets[start:stop], target_lengths[part]
