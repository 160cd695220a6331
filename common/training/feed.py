"""The batches of a training: which samples stand together in which epoch, and how they are made from the data."""

from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np
import torch

from common.alphabet import Alphabet
from common.network import Network
from common.training.batches import Batch, collate, draw_rows, plan_epoch, with_seconds
from common.training.mixing import ALONE, Joins, Partners, draw_joins, draw_mixtures, join, mix, nobody_joined
from common.training.processes import Group
from common.training.samples import Samples
from common.training.settings import TrainingSettings
from common.training.step import shares
from common.training.views import views

SPACE = " "


class Feed:
    """All batches of all epochs, made when asked for.

    Attributes:
        plans: of each epoch its batches, each the rows of its samples.
        joins: of each epoch who follows whom, with the lengths that the plans are made by.
    """

    def __init__(
        self,
        samples: Samples,
        alphabet: Alphabet,
        network: Network,
        settings: TrainingSettings,
        augment: Callable[..., np.ndarray],
        seed: int,
        group: Group,
    ) -> None:
        self.samples, self.network, self.settings = samples, network, settings
        self.augment, self.seed, self.group = augment, seed, group
        self.targets = [alphabet.encode(text) for text in samples.texts]
        # Of an alphabet without a space no text has one: then one text follows the other, as in the scripts that do so.
        self.separator = SPACE if SPACE in alphabet.symbols else ""
        self.between = alphabet.encode(self.separator)
        self.joins: list[Joins] = []
        self.plans: list[list[np.ndarray]] = []
        alone, partners = nobody_joined(samples.lengths), Partners(samples) if settings.joined else None
        for epoch in range(settings.epochs):
            rows = draw_rows(samples.corpora, settings, seed, epoch)
            if samples.stream is not None:
                rows = samples.stream.of_epoch(rows, epoch)
            joins = alone
            if partners:
                joins = draw_joins(rows, samples, partners, settings, self.separator, self._emitted, seed, epoch)
            self.joins.append(joins)
            self.plans.append(plan_epoch(rows, joins.lengths, settings, seed, epoch))

    @cached_property
    def num_steps(self) -> int:
        """Of the whole training."""
        return sum(map(len, self.plans))

    def sentence(self) -> str:
        """For the log; empty where no sample is joined or mixed."""
        parts = []
        if self.settings.joined:
            share = (self.joins[0].followers[np.concatenate(self.plans[0])] != ALONE).mean()
            parts.append(f"{share:.0%} of the first epoch's samples are joined with another, by {self.separator!r}")
        if self.settings.mixup:
            parts.append(f"{self.settings.mixup:.0%} of all samples are mixed with another of their batch")
        return "; ".join(parts)

    def num_labels(self, epoch: int, rows: np.ndarray) -> int:
        """Of the texts of these rows, joined ones included; a mixed sample counts with its own text."""
        return sum(len(self._target(epoch, row)) for row in rows)

    def longest(self, epoch: int, rows: np.ndarray) -> int:
        """Slices of the longest of these rows, before augmentation."""
        return int(self.joins[epoch].lengths[rows].max())

    def expect(self, step: int) -> None:
        """Have a stream make what this process asks for from a step of the training on, in that order."""
        if self.samples.stream is not None:
            left = [(epoch, rows) for epoch, plan in enumerate(self.plans) for rows in plan][step:]
            self.samples.stream.expect(row for epoch, rows in left for row in self._asked(epoch, rows))

    def make(self, epoch: int, rows: np.ndarray) -> Batch:
        """This process's share of a batch."""
        share = self._share(rows)
        own, num_views = rows[share], self.settings.num_views
        places, weights = self._mixtures(epoch, rows)
        seen = {row: self._views(epoch, row) for row in self._asked(epoch, rows)}
        matrices: list[np.ndarray] = []
        seconds: list[Sequence[int]] = []
        for row, place, weight in zip(own, places[share], weights[share], strict=True):
            if place == ALONE:
                matrices.extend(seen[row])
                seconds.append([])
            else:
                # The first view with the first of the other, the second with the second: views stay of equal length.
                pairs = zip(seen[row], seen[rows[place]], strict=True)
                matrices.extend(mix(first, second, weight) for first, second in pairs)
                seconds.append(self._target(epoch, rows[place]))
        targets = [self._target(epoch, row) for row in own]
        batch = collate(own.tolist(), matrices, targets, self.network.num_features, share.start, num_views)
        return with_seconds(batch, seconds, weights[share]) if self.settings.mixup else batch

    def _mixtures(self, epoch: int, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Places [B] and weights [B] of ``draw_mixtures`` for a batch."""
        if not self.settings.mixup:
            return np.full(len(rows), ALONE), np.ones(len(rows), np.float32)
        return draw_mixtures([self.samples.ids[row] for row in rows], self.settings, self.seed, epoch)

    def _share(self, rows: np.ndarray) -> slice:
        """Places of this process's own samples in a batch."""
        return shares(len(rows), self.group.size)[self.group.rank]

    def _asked(self, epoch: int, rows: np.ndarray) -> list[int]:
        """Rows of a batch that this process makes: its own, then those of others that its own are mixed with."""
        share = self._share(rows)
        if self.group.size == 1:
            return rows.tolist()
        places, _ = self._mixtures(epoch, rows)
        others = [place for place in places[share] if place != ALONE and not share.start <= place < share.stop]
        return [*rows[share].tolist(), *rows[list(dict.fromkeys(others))].tolist()]

    def _target(self, epoch: int, row: int) -> list[int]:
        follower = self.joins[epoch].followers[row]
        return self.targets[row] if follower == ALONE else self.targets[row] + self.between + self.targets[follower]

    def _views(self, epoch: int, row: int) -> Sequence[np.ndarray]:
        """Augmented slices of a sample, as often as a step sees it."""
        slices, text = self.samples.matrices[row], self.samples.texts[row]
        follower = self.joins[epoch].followers[row]
        if follower != ALONE:
            # Joined first: one speaker, one camera, one tempo for both.
            first, second = (np.asarray(each, np.float32) for each in (slices, self.samples.matrices[follower]))
            slices = join(first, second, int(self.joins[epoch].gaps[row]))
            text = text + self.separator + self.samples.texts[follower]
        sample_id, num_views = self.samples.ids[row], self.settings.num_views
        return views(slices, text, sample_id, self._emitted, self.augment, self.seed, epoch, num_views)

    def _emitted(self, lengths: np.ndarray) -> np.ndarray:
        return self.network.out_lengths(torch.from_numpy(lengths)).numpy()
