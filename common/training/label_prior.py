"""How often the network says each label: a running mean of its posteriors over the steps of a training."""

import torch
from torch import Tensor, nn

from common.recurrent.lengths import mask_of
from common.training.processes import Group

# Share of the mean that a step keeps: it looks back some hundred steps, about an epoch of a small corpus.
KEPT = 0.99
# Of a label that the network hardly ever says, so that it isn't paid without bounds.
LEAST_LOG_PRIOR = -12.0


class LabelPrior(nn.Module):
    """Used in training alone. The mean begins uniform, which changes no gradient, and goes on with a run's checkpoint.

    Attributes:
        mean: float64 [V], sums to 1.
    """

    def __init__(self, num_labels: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.full((num_labels,), 1 / num_labels, dtype=torch.float64))
        # Sums of this step's posteriors and, last, their number; no part of the state.
        self.register_buffer("seen", torch.zeros(num_labels + 1, dtype=torch.float64), persistent=False)
        self.mean: Tensor
        self.seen: Tensor

    def log(self) -> Tensor:
        """ln of the prior [V], the same for all of a step."""
        return self.mean.log().clamp_min(LEAST_LOG_PRIOR)

    @torch.no_grad()
    def see(self, log_probs: Tensor, lengths: Tensor) -> None:
        """Emissions [b, T', V] of some rows of this step."""
        own = mask_of(lengths, log_probs.shape[1])
        self.seen[:-1] += log_probs.exp().masked_fill(~own[:, :, None], 0).sum((0, 1), dtype=torch.float64)
        self.seen[-1] += own.sum()

    def begin(self) -> None:
        """A step begins: what an earlier one saw and did not follow is forgotten."""
        self.seen.zero_()

    def follow(self, group: Group) -> None:
        """The step is done: the mean follows what all processes saw."""
        seen = group.sum(self.seen)
        self.mean.mul_(KEPT).add_(seen[:-1] / seen[-1], alpha=1 - KEPT)
