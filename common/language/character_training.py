"""Training of the character model: whole texts in batches, gradients through a window, early stopping."""

import copy
import hashlib
import math
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from common.language.character_model import BOUNDARY, CharacterModel
from common.language.character_network import CharacterNetwork
from common.language.ngrams import LanguageError
from common.language.settings import CharacterSettings
from common.mapping import usable_cores
from common.modality import generator
from common.recurrent.recurrence import State
from common.training import checkpoint

LAST_RATE = 0.01  # of the learning rate, at the end of the cosine
POOL = 50  # batches whose texts are put in order of length together
NOTHING = -100  # target behind a text's end, as torch's loss has it


@dataclass
class Progress:
    """What a run has done so far; all of it goes into the checkpoint."""

    epoch: int = 0
    batch: int = 0  # batches done in this epoch
    step: int = 0
    loss_sum: float = 0.0
    num_tokens: int = 0
    best_epoch: int = -1
    best_perplexity: float = math.inf
    history: list[dict[str, float]] = field(default_factory=list)


@dataclass(frozen=True)
class Learned:
    """The weights with the best validation perplexity.

    Attributes:
        history: of each epoch the perplexities a character (ends count) in training and validation.
        best_epoch: counts from 1.
    """

    model: CharacterModel
    history: list[dict[str, float]]
    best_epoch: int
    best_perplexity: float


def learn_characters(
    texts: Sequence[str], validation: Sequence[str], settings: CharacterSettings, seed: int, state: Path
) -> Learned:
    """Train a model.

    A run that was killed goes on from the checkpoint in ``state`` and ends in the same weights as one that was not.

    Args:
        texts, validation: normalised; empty ones are left out.
        state: folder of this very run's checkpoint; named by a fingerprint of all that decides the result.

    Raises:
        LanguageError: no texts to learn from or to stop by, or the loss is no number.
    """
    texts, validation = list(filter(None, texts)), list(filter(None, validation))
    for split, given in (("training", texts), ("validation", validation)):
        if not given:
            raise LanguageError(f"language.characters: there are no {split} texts; the character model needs some")
    torch.set_num_threads(settings.num_threads or usable_cores())
    characters = sorted(set().union(*map(set, texts)))
    torch.manual_seed(_number(seed, "characters weights"))
    network = CharacterNetwork(settings, len(characters) + 2)
    model = CharacterModel(characters, copy.deepcopy(network))
    rows, held_out = ([model.encode(text) for text in each] for each in (texts, validation))
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.0, weight_decay=settings.weight_decay)
    progress, best = Progress(), copy.deepcopy(network.state_dict())
    if (saved := checkpoint.load(state)) is not None:
        network.load_state_dict(saved["network"])
        optimizer.load_state_dict(saved["optimizer"])
        best, progress = saved["best"], Progress(**saved["progress"])
        print(f"character model: going on at epoch {progress.epoch + 1}", file=sys.stderr)

    def save() -> None:
        parts = {"network": network.state_dict(), "optimizer": optimizer.state_dict()}
        checkpoint.save(state, {**parts, "best": best, "progress": vars(progress)})

    saved_at = time.monotonic()
    while progress.epoch < settings.epochs and not _enough(progress, settings):
        plan = batches(rows, settings.batch_texts, seed, progress.epoch)
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * _share(progress.epoch / settings.epochs)
        network.train()
        for places in plan[progress.batch :]:
            torch.manual_seed(_number(seed, f"characters step {progress.step}"))
            loss, tokens = _learn(network, optimizer, [rows[place] for place in places], settings)
            progress.loss_sum += loss
            progress.num_tokens += tokens
            progress.step += 1
            progress.batch += 1
            if time.monotonic() - saved_at > 60 * settings.checkpoint_minutes:
                save()
                saved_at = time.monotonic()
        _end_epoch(network, held_out, settings, progress, best)
        save()
    model.network.load_state_dict(best)
    return Learned(model, progress.history, progress.best_epoch + 1, progress.best_perplexity)


def _enough(progress: Progress, settings: CharacterSettings) -> bool:
    return bool(settings.patience) and progress.epoch - 1 - progress.best_epoch >= settings.patience


def _end_epoch(
    network: CharacterNetwork,
    held_out: list[list[int]],
    settings: CharacterSettings,
    progress: Progress,
    best: dict[str, Any],
) -> None:
    found = perplexity(network, held_out, settings)
    trained = math.exp(min(700.0, progress.loss_sum / progress.num_tokens))
    progress.history.append({"training": trained, "validation": found})
    if found < progress.best_perplexity:
        progress.best_epoch, progress.best_perplexity = progress.epoch, found
        best.update(copy.deepcopy(network.state_dict()))
    progress.epoch += 1
    progress.batch, progress.loss_sum, progress.num_tokens = 0, 0.0, 0
    print(
        f"character model, epoch {progress.epoch}/{settings.epochs}: perplexity {trained:.3f}, validation {found:.3f}",
        file=sys.stderr,
        flush=True,
    )


def batches(rows: Sequence[Sequence[int]], batch_texts: int, seed: int, epoch: int) -> list[np.ndarray]:
    """Places of the texts of each batch: texts of like length together, in random order; every text once an epoch."""
    numbers = generator(seed, "characters batches", f"epoch {epoch}")
    order = numbers.permutation(len(rows))
    lengths = np.array([len(row) for row in rows])
    found: list[np.ndarray] = []
    for first in range(0, len(order), POOL * batch_texts):
        pool = order[first : first + POOL * batch_texts]
        pool = pool[np.argsort(lengths[pool], kind="stable")]
        found += [pool[start : start + batch_texts] for start in range(0, len(pool), batch_texts)]
    return [found[place] for place in numbers.permutation(len(found))]


def windows(rows: Sequence[Sequence[int]], window: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Parts of a batch of texts: inputs, targets int64 [B, T], lengths [B]; T ≤ window.

    A text of n characters has n + 1 inputs, the beginning first, and as many targets, the end last. Behind that inputs
    are ``BOUNDARY`` and targets ``NOTHING``; a text that ended in an earlier part has length 0.
    """
    lengths = torch.tensor([len(row) + 1 for row in rows])
    inputs = torch.full((len(rows), int(lengths.max())), BOUNDARY)
    targets = torch.full_like(inputs, NOTHING)
    for place, row in enumerate(rows):
        inputs[place, 1 : len(row) + 1] = targets[place, : len(row)] = torch.tensor(row, dtype=torch.int64)
        targets[place, len(row)] = BOUNDARY
    for start in range(0, inputs.shape[1], window):
        part = slice(start, start + window)
        yield inputs[:, part], targets[:, part], (lengths - start).clamp(0, inputs[:, part].shape[1])


def _learn(
    network: CharacterNetwork, optimizer: torch.optim.Optimizer, rows: list[list[int]], settings: CharacterSettings
) -> tuple[float, int]:
    """A step of gradient descent for each window of a batch; summed loss in nats, number of targets."""
    states: list[State] | None = None
    loss_sum, num_tokens = 0.0, 0
    for inputs, targets, lengths in windows(rows, settings.window):
        log_probs, states = network.stream(inputs, lengths, states)
        states = [State(*(each.detach() for each in state if each is not None)) for state in states]
        loss = torch.nn.functional.nll_loss(log_probs.flatten(0, 1), targets.flatten(), reduction="sum")
        tokens = int(lengths.sum())
        if not torch.isfinite(loss):
            raise LanguageError(
                f"language.characters: the loss became {float(loss.detach())}; a smaller learning_rate than "
                f"{settings.learning_rate} may help"
            )
        optimizer.zero_grad(set_to_none=True)
        (loss / tokens).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), settings.clip_norm)
        optimizer.step()
        loss_sum += float(loss.detach())
        num_tokens += tokens
    return loss_sum, num_tokens


@torch.inference_mode()
def perplexity(network: CharacterNetwork, rows: Sequence[Sequence[int]], settings: CharacterSettings) -> float:
    """exp of the mean loss a character; ends of texts count as characters."""
    network.eval()
    total, num_tokens = 0.0, 0
    ordered = sorted(rows, key=len)
    for first in range(0, len(ordered), settings.batch_texts):
        states: list[State] | None = None
        for inputs, targets, lengths in windows(ordered[first : first + settings.batch_texts], settings.window):
            log_probs, states = network.stream(inputs, lengths, states)
            total += float(torch.nn.functional.nll_loss(log_probs.flatten(0, 1), targets.flatten(), reduction="sum"))
            num_tokens += int(lengths.sum())
    return math.exp(min(700.0, total / num_tokens))


def _share(done: float) -> float:
    """Of the learning rate, when so much of the training is done: half a cosine."""
    return LAST_RATE + (1 - LAST_RATE) * (1 + math.cos(math.pi * done)) / 2


def _number(seed: int, purpose: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed} {purpose}".encode()).digest()[:7], "big")
