"""The training loop."""

import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from common.alphabet import Alphabet
from common.device import choose_device
from common.errors import GlyphoneError
from common.mapping import usable_cores
from common.network import Network
from common.training.batches import padding_share, prefetch
from common.training.feed import Feed
from common.training.footprint import give_back, highest_bytes, processes_here
from common.training.memory import MemoryPlan
from common.training.precision import choose_precision
from common.training.processes import join, leave
from common.training.run import Progress, Run, step_seed
from common.training.samples import Samples
from common.training.schedule import learning_rate
from common.training.settings import TrainingSettings
from common.training.step import Machine, average, step
from common.training.trials import Trials
from common.training.validation import ValidationErrors, validate

# Between two times that free memory is given back: it takes half a second where there is much of it.
GIVE_BACK_S = 60.0


@dataclass(frozen=True)
class Trained:
    """The best averaged weights, on the CPU, with the history of their making."""

    weights: dict[str, Tensor]
    progress: Progress
    precision: str
    device: str
    num_threads: int
    num_processes: int
    memory: MemoryPlan
    peak_bytes: int


def train(
    network: Network,
    train_samples: Samples,
    validation_samples: Samples,
    alphabet: Alphabet,
    settings: TrainingSettings,
    augment: Callable[..., np.ndarray],
    seed: int,
    state: Path,
) -> Trained:
    """Train a network and return its best averaged weights by validation character error.

    A run that was killed goes on from the checkpoint in ``state`` and ends in the same weights as one that was not:
    each step draws its random numbers from (seed, step) or (seed, epoch, sample) and from nothing that ran before.

    Args:
        network: freshly initialised; its weights are overwritten.
        train_samples: all of them must be long enough for their texts (``needed_slices``).
        augment: (slices [T, F], generator) → [T', F], with a third argument for the second of two views
            (``common.training.views``). Where the result would be too short for the text, the sample is used as it is.
        state: folder of this very run's checkpoint; named by a fingerprint of all that decides the result.
    """
    torch.set_num_threads(settings.num_threads or max(1, usable_cores() // processes_here()))
    device = torch.device(choose_device(settings.device, "training.device"))
    group = join(device)
    device = torch.device(group.device) if group.size > 1 else device
    precision = choose_precision(settings, device)
    say = partial(print, file=sys.stderr, flush=True) if group.rank == 0 else lambda _: None
    say(
        f"training {sum(p.numel() for p in network.parameters()) / 1e6:.2f} M parameters on {device} in "
        f"{str(precision).removeprefix('torch.')}, {len(train_samples.ids)} samples, "
        f"{len(validation_samples.ids)} for validation"
        + (f", {group.size} processes" if group.size > 1 else "")
        + f"; layers by {network.encoder.path(device.type)}"
    )
    run = Run.of(network.to(device), settings, seed)
    resumed = run.resume(state, group)
    if resumed and run.is_through(settings):
        say(f"the training was through with epoch {run.progress.epoch}")
    elif resumed:
        say(f"going on at epoch {run.progress.epoch + 1}, batch {run.progress.batch + 1}")
    feed = Feed(train_samples, alphabet, network, settings, augment, seed, group)
    if feed.sentence():
        say(feed.sentence())

    trials = Trials(network, run.objective, feed, settings, precision, group, state)
    memory = group.tell(trials.memory() if group.rank == 0 else None)
    say(memory.sentence())
    threads = trials.threads(memory)
    torch.set_num_threads(threads.number)
    say(threads.sentence())
    machine = Machine(network, run.optimizer, settings, precision, group, memory, run.objective)
    feed.expect(run.progress.step)
    loop = _Loop(run, machine, feed, seed, state, say)
    while not run.is_through(settings):
        loop.take_steps()
        errors = None
        if group.rank == 0:
            errors = validate(run.averaged, validation_samples.matrices, validation_samples.texts, alphabet)
        loop.end_epoch(group.tell(errors))
    leave(group)
    return Trained(
        weights=run.best,
        progress=run.progress,
        precision=str(precision).removeprefix("torch."),
        device=device.type,
        num_threads=torch.get_num_threads(),
        num_processes=group.size,
        memory=memory,
        peak_bytes=highest_bytes(device),
    )


@dataclass
class _Loop:
    """Takes the steps of an epoch and ends it, with checkpoints on the way."""

    run: Run
    machine: Machine
    feed: Feed
    seed: int
    state: Path
    say: Callable[[str], None]
    started: float = 0.0  # what follows is not in progress.seconds yet
    given_back: float = field(default_factory=time.monotonic)

    def take_steps(self) -> None:
        """Those of the epoch that are left."""
        run, feed, settings, progress = self.run, self.feed, self.machine.settings, self.run.progress
        epoch, remaining = progress.epoch, feed.plans[progress.epoch][progress.batch :]
        run.network.train()
        self.started = saved = waited_from = time.monotonic()
        with self._bar() as bar:
            for rows, batch in zip(remaining, prefetch(partial(feed.make, epoch), remaining), strict=True):
                progress.waiting_seconds += time.monotonic() - waited_from
                for each in run.optimizer.param_groups:
                    each["lr"] = learning_rate(progress.step, feed.num_steps, settings)
                num_labels = feed.num_labels(epoch, rows)
                losses = step(self.machine, batch, len(rows), num_labels, step_seed(self.seed, progress.step))
                if np.isfinite(losses).all():
                    decay = min(settings.averaging, (1 + progress.step) / (10 + progress.step))
                    average(run.averaged, run.network, decay)
                    progress.loss_sum += float(losses.sum())
                    progress.loss_labels += num_labels
                else:
                    progress.nonfinite += 1
                    self._report_nonfinite(losses, rows)
                progress.step += 1
                progress.batch += 1
                bar.update()
                waited_from = time.monotonic()
                if waited_from - saved > 60 * settings.checkpoint_minutes:
                    self._save()
                    saved = waited_from = time.monotonic()

    def end_epoch(self, errors: ValidationErrors) -> None:
        """Note what it came to, keep the weights if they are the best, and save."""
        feed, settings, progress = self.feed, self.machine.settings, self.run.progress
        epoch = progress.epoch
        train_loss = progress.loss_sum / progress.loss_labels if progress.loss_labels else math.nan
        progress.history.append(
            {
                "epoch": epoch + 1,
                "train_loss": train_loss,
                "validation_loss": errors.loss,
                "validation_wer": errors.word_error_rate,
                "validation_cer": errors.character_error_rate,
                "learning_rate": learning_rate(progress.step - 1, feed.num_steps, settings),
            }
        )
        self.run.keep_if_best(errors.character_error_rate)
        share = padding_share(feed.plans[epoch], feed.joins[epoch].lengths)
        progress.padding += (share - progress.padding) / (epoch + 1)
        progress.epoch, progress.batch, progress.loss_sum, progress.loss_labels = epoch + 1, 0, 0.0, 0
        self._save()
        self.say(
            f"epoch {epoch + 1}/{settings.epochs}: loss {train_loss:.3f}, validation loss "
            f"{errors.loss:.3f}, WER {errors.word_error_rate:.4f}, CER {errors.character_error_rate:.4f}, "
            f"{progress.seconds:.0f} s"
        )
        if progress.epoch < settings.epochs and self.run.is_through(settings):
            self.say(f"no better validation error for {settings.patience} epochs: stopping early")

    def _save(self) -> None:
        """Of several processes the first one saves; what that takes is not counted as training."""
        self.run.progress.seconds += time.monotonic() - self.started
        if self.machine.group.rank == 0:
            self.run.save(self.state)
        if time.monotonic() - self.given_back > GIVE_BACK_S:
            give_back()
            self.given_back = time.monotonic()
        self.started = time.monotonic()

    def _bar(self) -> tqdm:
        progress = self.run.progress
        return tqdm(
            total=self.feed.num_steps,
            initial=progress.step,
            unit="step",
            desc=f"epoch {progress.epoch + 1}",
            disable=None if self.machine.group.rank == 0 else True,
        )

    def _report_nonfinite(self, losses: np.ndarray, rows: np.ndarray) -> None:
        ids, count, limit = self.feed.samples.ids, self.run.progress.nonfinite, self.machine.settings.max_nonfinite
        bad = [ids[row] for row, loss in zip(rows, losses, strict=True) if not np.isfinite(loss)]
        names = ", ".join(bad[:8]) + (f" and {len(bad) - 8} more" if len(bad) > 8 else "")
        self.say(f"the loss or its gradient is no number for {len(bad)} of {len(rows)} samples, step left out: {names}")
        if count > limit:
            raise GlyphoneError(
                f"{count} batches had a loss or a gradient that is no number, training.max_nonfinite allows {limit}; "
                f"last: {names}"
            )
