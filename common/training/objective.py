"""What training minimises: CTC, and the terms that the settings add to it.

Of a row with emissions p, behind intermediate layers p_k, of the short cut r, over its own emission slices t:

    row = (1 - s) · [(1 - w) · CTC(p) + w · mean_k CTC(p_k)] + s · Σ_t KL(p_t ‖ uniform) + c · CTC(r)

with s ``label_smoothing``, w ``intermediate_weight`` and c ``short_cut``; with ``label_prior`` CTC(p) takes its share
of the labels' log priors from ln p. The loss of a sample is its row; with ``consistency`` λ it is the mean over two
rows, views of the sample, of row + λ · Σ_t KL(other view ‖ this view). Of samples that are mixed with others each CTC
is that of both texts, weighed as the slices are (``common.training.texts``).
"""

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from common.network import Network
from common.training.batches import Batch
from common.training.label_prior import LabelPrior
from common.training.processes import Group
from common.training.settings import TrainingSettings
from common.training.short_cut import ShortCut
from common.training.terms import ctc, ctc_less_prior, divergence_from_uniform, divergence_of_views
from common.training.texts import texts_of


@dataclass(frozen=True)
class Emitted:
    """Log-probabilities [b, T', V] of rows, all over the same slices.

    Attributes:
        lengths: [b].
        last: of the network.
        intermediate: behind its intermediate layers; empty where the loss does not ask for them.
        short_cut: of the short cut, or None.
    """

    lengths: Tensor
    last: Tensor
    intermediate: list[Tensor]
    short_cut: Tensor | None


class Objective(nn.Module):
    """The loss, with the weights and the state that only training needs; they stay out of the bundle.

    Attributes:
        num_views: rows that a sample takes of a batch.
    """

    def __init__(self, settings: TrainingSettings, network: Network) -> None:
        super().__init__()
        self.num_views = settings.num_views
        self.consistency = settings.consistency
        self.smoothing = settings.label_smoothing
        self.intermediate = settings.intermediate_weight if network.intermediate_layers else 0.0
        self.prior_share = settings.label_prior
        self.prior = LabelPrior(network.num_labels) if settings.label_prior else None
        self.short_cut_weight = settings.short_cut
        self.short_cut = ShortCut(network.encoder_inputs, network.num_labels) if settings.short_cut else None

    def emit(self, network: Network, x: Tensor, lengths: Tensor) -> Emitted:
        """What the loss reads, from x [b, T', I], lengths [b] of ``Network.front_end``."""
        *intermediate, last = network.emit_each(x, lengths) if self.intermediate else [network.emit(x, lengths)]
        return Emitted(lengths, last, intermediate, self.short_cut(x) if self.short_cut is not None else None)

    def losses(self, batch: Batch, emitted: Emitted, part: slice) -> Tensor:
        """Loss of each sample [b / num_views] of the rows ``part`` of a batch."""
        texts, last, lengths = texts_of(batch, part), emitted.last, emitted.lengths
        if self.prior is None:
            rows = texts.loss(ctc, last, lengths)
        else:
            shares = (self.prior_share * self.prior.log()).to(last.dtype)
            rows = texts.loss(partial(ctc_less_prior, shares=shares), last, lengths)
            self.prior.see(last, lengths)
        if self.intermediate:
            others = [texts.loss(ctc, each, lengths) for each in emitted.intermediate]
            rows = (1 - self.intermediate) * rows + self.intermediate * torch.stack(others).mean(0)
        if self.smoothing:
            rows = (1 - self.smoothing) * rows + self.smoothing * divergence_from_uniform(last, lengths)
        if emitted.short_cut is not None:
            rows = rows + self.short_cut_weight * texts.loss(ctc, emitted.short_cut, lengths)
        if self.num_views == 1:
            return rows
        return (rows + self.consistency * divergence_of_views(last, lengths)).unflatten(0, (-1, 2)).mean(1)

    def begin(self) -> None:
        """A step begins."""
        if self.prior is not None:
            self.prior.begin()

    def follow(self, group: Group) -> None:
        """The step was taken, by all processes together."""
        if self.prior is not None:
            self.prior.follow(group)
