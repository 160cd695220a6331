"""The batches of a training: which samples stand together in which epoch, and how they are made from the data."""

from collections.abc import Callable, Sequence

import numpy as np
import torch

from common.alphabet import Alphabet, needed_slices
from common.modality import generator
from common.network import Network
from common.training.batches import Batch, collate, draw_rows, plan_epoch, with_seconds
from common.training.mixing import ALONE, Joins, Partners, draw_joins, draw_mixtures, join, mix, nobody_joined
from common.training.processes import Group
from common.training.samples import Samples
from common.training.settings import TrainingSettings
from common.training.step import shares

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
        augment: Callable[[np.ndarray, np.random.Generator], np.ndarray],
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
            joins = alone
            if partners:
                joins = draw_joins(rows, samples, partners, settings, self.separator, self._emitted, seed, epoch)
            self.joins.append(joins)
            self.plans.append(plan_epoch(rows, joins.lengths, settings, seed, epoch))

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

    def make(self, epoch: int, rows: np.ndarray) -> Batch:
        """This process's share of a batch."""
        share = shares(len(rows), self.group.size)[self.group.rank]
        own = rows[share]
        matrices = [self._matrix(epoch, row) for row in own]
        targets = [self._target(epoch, row) for row in own]
        if not self.settings.mixup:
            return collate(own.tolist(), matrices, targets, self.network.num_features, share.start)
        ids = [self.samples.ids[row] for row in rows]
        places, weights = draw_mixtures(ids, self.settings, self.seed, epoch)
        mixed: list[np.ndarray] = []
        seconds: list[Sequence[int]] = []
        for matrix, place, weight in zip(matrices, places[share], weights[share], strict=True):
            if place == ALONE:
                mixed.append(matrix)
                seconds.append([])
                continue
            inside = share.start <= place < share.stop
            other = matrices[place - share.start] if inside else self._matrix(epoch, rows[place])
            mixed.append(mix(matrix, other, weight))
            seconds.append(self._target(epoch, rows[place]))
        batch = collate(own.tolist(), mixed, targets, self.network.num_features, share.start)
        return with_seconds(batch, seconds, weights[share])

    def _target(self, epoch: int, row: int) -> list[int]:
        follower = self.joins[epoch].followers[row]
        return self.targets[row] if follower == ALONE else self.targets[row] + self.between + self.targets[follower]

    def _matrix(self, epoch: int, row: int) -> np.ndarray:
        """Augmented slices of a sample; as they are where they would become too short for the text."""
        slices = np.asarray(self.samples.matrices[row], dtype=np.float32)
        text = self.samples.texts[row]
        follower = self.joins[epoch].followers[row]
        if follower != ALONE:
            # Joined first: one speaker, one camera, one tempo for both.
            second = np.asarray(self.samples.matrices[follower], dtype=np.float32)
            slices = join(slices, second, int(self.joins[epoch].gaps[row]))
            text = text + self.separator + self.samples.texts[follower]
        changed = self.augment(slices, generator(self.seed, f"augment {epoch}", self.samples.ids[row]))
        return changed if int(self._emitted(np.array([len(changed)]))[0]) >= needed_slices(text) else slices

    def _emitted(self, lengths: np.ndarray) -> np.ndarray:
        return self.network.out_lengths(torch.from_numpy(lengths)).numpy()
