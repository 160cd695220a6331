"""What a training has made so far: all that its checkpoint holds, and that it goes on from when it was killed."""

import copy
import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from common.network import Network
from common.training import checkpoint
from common.training.objective import Objective
from common.training.processes import ALONE, Group
from common.training.settings import TrainingSettings
from common.training.step import make_optimizer


@dataclass
class Progress:
    """How far a run has come, and what it took."""

    epoch: int = 0
    batch: int = 0  # batches done in this epoch
    step: int = 0
    loss_sum: float = 0.0
    loss_labels: int = 0
    nonfinite: int = 0
    best_epoch: int = -1
    best_error: float = float("inf")
    seconds: float = 0.0
    waiting_seconds: float = 0.0
    padding: float = 0.0
    history: list[dict[str, float]] = field(default_factory=list)


@dataclass
class Run:
    """A training as far as it has come.

    Attributes:
        network, objective, optimizer: what a step changes.
        averaged: the network by its running average of weights.
        best: the averaged weights of the best epoch, on the CPU; empty before the first one ends.
    """

    network: Network
    averaged: Network
    objective: Objective
    optimizer: torch.optim.Optimizer
    best: dict[str, Tensor] = field(default_factory=dict)
    progress: Progress = field(default_factory=Progress)

    @classmethod
    def of(cls, network: Network, settings: TrainingSettings, seed: int) -> "Run":
        """Before the first step of a network, which stays on its device."""
        averaged = copy.deepcopy(network).eval().requires_grad_(False)
        # Fresh weights of the objective hang on the seed alone, and take no random numbers from what is drawn later.
        with torch.random.fork_rng([]):
            torch.manual_seed(step_seed(seed, -1))
            objective = Objective(settings, network)
        objective.to(next(network.parameters()).device)
        return cls(network, averaged, objective, make_optimizer(network, objective, settings))

    def resume(self, state: Path, group: Group = ALONE) -> bool:
        """Go on from the checkpoint of a folder; False where there is none. Raises GlyphoneError if it is damaged.

        Of several processes the first one reads it: between two readings another training may write a newer one.
        """
        saved = group.tell(checkpoint.load(state) if group.rank == 0 else None)
        if saved is None:
            return False
        self.network.load_state_dict(saved["network"])
        self.averaged.load_state_dict(saved["averaged"])
        self.optimizer.load_state_dict(saved["optimizer"])
        self.objective.load_state_dict(saved["objective"])
        self.best, self.progress = saved["best"], Progress(**saved["progress"])
        return True

    def save(self, state: Path) -> None:
        checkpoint.save(
            state,
            {
                "network": self.network.state_dict(),
                "averaged": self.averaged.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "objective": self.objective.state_dict(),
                "best": self.best,
                "progress": vars(self.progress),
            },
        )

    def keep_if_best(self, error: float) -> None:
        """The averaged weights, where no epoch before had so small a validation error; the first is always kept."""
        if not self.best or error < self.progress.best_error:
            self.progress.best_error, self.progress.best_epoch = error, self.progress.epoch
            self.best = {name: tensor.detach().cpu().clone() for name, tensor in self.averaged.state_dict().items()}

    def is_through(self, settings: TrainingSettings) -> bool:
        """Whether all epochs are done, or so many since the best one as there is patience; 0 is endless patience.

        Asked before each epoch, since a state that was saved then may be gone on with.
        """
        progress, patience = self.progress, settings.patience
        is_enough = bool(patience) and progress.epoch - 1 - progress.best_epoch >= patience
        return is_enough or progress.epoch >= settings.epochs


def step_seed(seed: int, step: int) -> int:
    """Of the random numbers of one step: of nothing that ran before."""
    return int.from_bytes(hashlib.sha256(f"{seed} step {step}".encode()).digest()[:7], "big")
