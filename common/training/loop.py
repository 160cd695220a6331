"""The training loop."""

import copy
import hashlib
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
from common.training import checkpoint
from common.training.batches import padding_share, prefetch
from common.training.feed import Feed
from common.training.footprint import give_back, highest_bytes, processes_here
from common.training.memory import MemoryPlan
from common.training.objective import Objective
from common.training.precision import choose_precision
from common.training.processes import join, leave
from common.training.samples import Samples
from common.training.schedule import learning_rate
from common.training.settings import TrainingSettings
from common.training.step import Machine, average, make_optimizer, step
from common.training.trials import Trials
from common.training.validation import validate

# Between two times that free memory is given back: it takes half a second where there is much of it.
GIVE_BACK_S = 60.0


@dataclass
class Progress:
    """What a run has done so far; all of it goes into the checkpoint."""

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
    network.to(device)
    averaged = copy.deepcopy(network).eval().requires_grad_(False)
    objective = _objective(settings, network, seed).to(device)
    optimizer = make_optimizer(network, objective, settings)
    progress = Progress()
    best: dict[str, Tensor] = {}

    saved = checkpoint.load(state)
    if saved is not None:
        network.load_state_dict(saved["network"])
        averaged.load_state_dict(saved["averaged"])
        optimizer.load_state_dict(saved["optimizer"])
        objective.load_state_dict(saved["objective"])
        best, progress = saved["best"], Progress(**saved["progress"])
        say(f"going on at epoch {progress.epoch + 1}, batch {progress.batch + 1}")

    feed = Feed(train_samples, alphabet, network, settings, augment, seed, group)
    if feed.sentence():
        say(feed.sentence())
    num_steps = sum(map(len, feed.plans))

    given_back_at = time.monotonic()

    def save() -> None:
        nonlocal given_back_at
        if group.rank == 0:
            checkpoint.save(
                state,
                {
                    "network": network.state_dict(),
                    "averaged": averaged.state_dict(),
                    "optimizer": optimizer.state_dict(),
                    "objective": objective.state_dict(),
                    "best": best,
                    "progress": vars(progress),
                },
            )
        if time.monotonic() - given_back_at > GIVE_BACK_S:
            give_back()
            given_back_at = time.monotonic()

    trials = Trials(network, objective, feed, settings, precision, group, state)
    memory = group.tell(trials.memory() if group.rank == 0 else None)
    say(memory.sentence())
    threads = trials.threads(memory)
    torch.set_num_threads(threads.number)
    say(threads.sentence())
    machine = Machine(network, optimizer, settings, precision, group, memory, objective)
    feed.expect(progress.step)

    while progress.epoch < settings.epochs and not _enough(progress, settings):
        plan = feed.plans[progress.epoch]
        epoch = progress.epoch
        hidden = None if group.rank == 0 else True
        bar = tqdm(total=num_steps, initial=progress.step, unit="step", desc=f"epoch {epoch + 1}", disable=hidden)
        network.train()
        started = saved_at = waited_from = time.monotonic()
        remaining = plan[progress.batch :]
        for rows, batch in zip(remaining, prefetch(partial(feed.make, epoch), remaining), strict=True):
            progress.waiting_seconds += time.monotonic() - waited_from
            for each in optimizer.param_groups:
                each["lr"] = learning_rate(progress.step, num_steps, settings)
            num_labels = feed.num_labels(epoch, rows)
            losses = step(machine, batch, len(rows), num_labels, _step_seed(seed, progress.step))
            if np.isfinite(losses).all():
                average(averaged, network, min(settings.averaging, (1 + progress.step) / (10 + progress.step)))
                progress.loss_sum += float(losses.sum())
                progress.loss_labels += num_labels
            else:
                progress.nonfinite += 1
                _report_nonfinite(losses, rows, train_samples, progress.nonfinite, settings.max_nonfinite, say)
            progress.step += 1
            progress.batch += 1
            bar.update()
            now = waited_from = time.monotonic()
            if now - saved_at > 60 * settings.checkpoint_minutes:
                progress.seconds += now - started
                save()
                started = saved_at = waited_from = time.monotonic()
        errors = None
        if group.rank == 0:
            errors = validate(averaged, validation_samples.matrices, validation_samples.texts, alphabet)
        errors = group.tell(errors)
        bar.close()
        progress.history.append(
            {
                "epoch": epoch + 1,
                "train_loss": progress.loss_sum / progress.loss_labels if progress.loss_labels else math.nan,
                "validation_loss": errors.loss,
                "validation_wer": errors.word_error_rate,
                "validation_cer": errors.character_error_rate,
                "learning_rate": learning_rate(progress.step - 1, num_steps, settings),
            }
        )
        if not best or errors.character_error_rate < progress.best_error:
            progress.best_error, progress.best_epoch = errors.character_error_rate, epoch
            best = {name: tensor.detach().cpu().clone() for name, tensor in averaged.state_dict().items()}
        share = padding_share(plan, feed.joins[epoch].lengths)
        progress.padding += (share - progress.padding) / (epoch + 1)
        progress.seconds += time.monotonic() - started
        progress.epoch, progress.batch, progress.loss_sum, progress.loss_labels = epoch + 1, 0, 0.0, 0
        save()
        row = progress.history[-1]
        say(
            f"epoch {epoch + 1}/{settings.epochs}: loss {row['train_loss']:.3f}, validation loss "
            f"{errors.loss:.3f}, WER {errors.word_error_rate:.4f}, CER {errors.character_error_rate:.4f}, "
            f"{progress.seconds:.0f} s"
        )
        if _enough(progress, settings):
            say(f"no better validation error for {settings.patience} epochs: stopping early")
    leave(group)
    return Trained(
        weights=best,
        progress=progress,
        precision=str(precision).removeprefix("torch."),
        device=device.type,
        num_threads=torch.get_num_threads(),
        num_processes=group.size,
        memory=memory,
        peak_bytes=highest_bytes(device),
    )


def _enough(progress: Progress, settings: TrainingSettings) -> bool:
    """Whether to stop early; asked before each epoch, since a state that was saved then may be gone on with."""
    return bool(settings.patience) and progress.epoch - 1 - progress.best_epoch >= settings.patience


def _objective(settings: TrainingSettings, network: Network, seed: int) -> Objective:
    """Its fresh weights hang on the seed alone, and take no random numbers from what is drawn later."""
    with torch.random.fork_rng([]):
        torch.manual_seed(_step_seed(seed, -1))
        return Objective(settings, network)


def _report_nonfinite(
    losses: np.ndarray, rows: np.ndarray, samples: Samples, count: int, limit: int, say: Callable[[str], None]
) -> None:
    bad = [samples.ids[row] for row, loss in zip(rows, losses, strict=True) if not np.isfinite(loss)]
    names = ", ".join(bad[:8]) + (f" and {len(bad) - 8} more" if len(bad) > 8 else "")
    say(f"the loss or its gradient is no number for {len(bad)} of {len(rows)} samples, step left out: {names}")
    if count > limit:
        raise GlyphoneError(
            f"{count} batches had a loss or a gradient that is no number, training.max_nonfinite allows {limit}; "
            f"last: {names}"
        )


def _step_seed(seed: int, step: int) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed} step {step}".encode()).digest()[:7], "big")
