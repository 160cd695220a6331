"""What is tried out before the first step: how much memory batches take, and how many threads compute them fastest."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import torch

from common.network import Network
from common.training.batches import Batch, padded_slices
from common.training.feed import Feed
from common.training.memory import MemoryPlan, plan_memory
from common.training.objective import Objective
from common.training.processes import Group
from common.training.settings import TrainingSettings
from common.training.step import compute_alone, shares
from common.training.threads import Threads, choose_threads


@dataclass(frozen=True)
class Trials:
    """Batches of a training, run on copies: neither its weights nor its random numbers are touched."""

    network: Network
    objective: Objective
    feed: Feed
    settings: TrainingSettings
    precision: torch.dtype
    group: Group
    state: Path

    def memory(self) -> MemoryPlan:
        """Measured by the first process, whose share of a batch is never smaller than another's."""
        largest = max(range(len(self._shapes)), key=self._area)
        settings = self.settings
        return plan_memory(
            self.network,
            self._shapes,
            lambda: self.feed.make(*self._batches[largest]).to(self._device),
            self._compute,
            part_slices=min(settings.part_slices, max(1, settings.part_slices // settings.num_views)),
            memory_gib=settings.memory_gib,
            state=self.state,
            key=self._key | {"processes": self.group.size, "memory_gib": settings.memory_gib},
        )

    def threads(self, memory: MemoryPlan) -> Threads:
        """As the settings say; where they leave it open, tried with the batch of middling size.

        Not tried on a GPU, which computes, nor with several processes, which have shared the cores out.
        """
        most = torch.get_num_threads()
        if self.settings.num_threads or self.group.size > 1 or self._device.type != "cpu":
            return Threads(most)
        return choose_threads(most, self._middling(memory), state=self.state, key=self._key)

    def _middling(self, memory: MemoryPlan) -> Callable[[], None]:
        """Computes it, or as much of it as the memory plan lets compute at once; it is made when it is first asked."""
        place = sorted(range(len(self._shapes)), key=self._area)[len(self._shapes) // 2]
        trial = copy.deepcopy(self.network).train()
        compute = self._compute
        made: list[Batch] = []

        def run() -> None:
            if not made:
                batch = self.feed.make(*self._batches[place])
                num_slices = batch.slices.shape[1]
                made.append(batch.piece(memory.rows_at_once(len(batch.rows), num_slices), num_slices))
            with torch.random.fork_rng([]):
                compute(trial, made[0])
            trial.zero_grad(set_to_none=True)

        return run

    @cached_property
    def _batches(self) -> list[tuple[int, Any]]:
        return [(epoch, rows) for epoch, plan in enumerate(self.feed.plans) for rows in plan]

    @cached_property
    def _shapes(self) -> list[tuple[int, int]]:
        return [
            (shares(len(rows), self.group.size)[0].stop, padded_slices(self.feed.longest(epoch, rows)))
            for epoch, rows in self._batches
        ]

    def _area(self, place: int) -> int:
        num_rows, num_slices = self._shapes[place]
        return num_rows * num_slices

    @property
    def _compute(self) -> Callable[..., None]:
        return partial(compute_alone, self.precision, copy.deepcopy(self.objective))

    @property
    def _device(self) -> torch.device:
        return next(self.network.parameters()).device

    @property
    def _key(self) -> dict[str, Any]:
        return {"device": self._device.type, "precision": str(self.precision), "threads": torch.get_num_threads()}
