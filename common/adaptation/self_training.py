"""A model learns a speaker or a book from samples of it without texts: self-training (Yarowsky 1995; Lee 2013).

Each round the model, with its decoder, transcribes all samples; the surest of these transcripts are then taken for
true and learnt, with the augmentation of its training. What a decoder knows beyond the network, a word list or
n-grams, so comes into the network; a speaker whom it half understands becomes one whom it understands.

The surest are chosen of each text apart. The surest of all would be those of the few texts that the model hears
best, and a model that learns these alone hears nothing else soon.
"""

import copy
import hashlib
import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch

from common.adaptation.hearing import Heard, collapsed, hear
from common.adaptation.prior_matching import matched, text_likelihoods
from common.adaptation.settings import AdaptationSettings
from common.alphabet import Alphabet
from common.decoding import Hypothesis
from common.decoding.decoder import Decoder
from common.errors import GlyphoneError
from common.network import Network
from common.training.feed import Feed
from common.training.memory import MemoryPlan
from common.training.objective import Objective
from common.training.precision import choose_precision
from common.training.processes import ALONE
from common.training.samples import Samples
from common.training.settings import TrainingSettings
from common.training.step import Machine, make_optimizer, step

# Whose shares are matched: the likelihoods of more would take longer than all else, and no text is said often.
MOST_TEXTS = 1000


@dataclass(frozen=True)
class Round:
    """What a round learnt.

    Attributes:
        num_learnt: samples whose transcripts were taken for true.
        confidence: mean of these transcripts' confidences, in [0, 1].
        num_changed: samples that were transcribed otherwise than in the round before; all in the first.
    """

    num_learnt: int
    confidence: float
    num_changed: int


@dataclass(frozen=True)
class Adapted:
    """A network of its own, in evaluation mode, and the rounds that made it.

    Attributes:
        rounds: none where nothing could be learnt.
        undone: a sentence on the round after them, which made the network deaf; empty where none did.
    """

    network: Network
    rounds: tuple[Round, ...]
    undone: str = ""


def self_train(
    network: Network,
    alphabet: Alphabet,
    decoder: Decoder,
    ids: Sequence[str],
    matrices: Sequence[np.ndarray],
    augment: Callable[..., np.ndarray],
    settings: AdaptationSettings,
    seed: int,
    say: Callable[[int, Round], object] = lambda number, each: None,
) -> Adapted:
    """Adapt a copy of a network to samples; the same samples and seed give the same weights.

    Every round is followed by a look at what the network hears now, the last one too. Where that is far less than at
    first the weights are those before that round, and no further one is made.

    Args:
        network: on the device that is to compute; it stays as it is.
        decoder: from its emissions to texts, as it was tuned for the network.
        ids: of the samples; what augmentation draws hangs on them and not on the samples' order.
        matrices: slices [T, F] of each sample. One that gives no text is not learnt.
        augment: as in ``common.training.loop.train``.
        say: is told of each round, by its number from 0.

    Raises:
        GlyphoneError: ``match_prior`` with samples of more than ``MOST_TEXTS`` different texts.
    """
    own = copy.deepcopy(network).requires_grad_(True)
    training = TrainingSettings.model_validate({"epochs": settings.epochs, "sorted_epochs": 0})
    with _one_thread():
        objective = Objective(training, own)
        optimizer = make_optimizer(own, objective, training)
        precision = choose_precision(training, next(own.parameters()).device)
        machine = Machine(own, optimizer, training, precision, ALONE, MemoryPlan(), objective)
        rounds: list[Round] = []
        before: list[str] = []
        heard = first = hear(own, decoder, matrices)
        undone = ""
        for number in range(settings.rounds):
            texts, confidences = _believed(heard, alphabet, matrices, settings.match_prior)
            rows = surest(texts, confidences, settings.share)
            if not rows:
                break
            kept = copy.deepcopy(own.state_dict())
            drawn = _seed(seed, number, -1)
            feed = Feed(_samples(ids, matrices, texts, rows), alphabet, own, training, augment, drawn, ALONE)
            _learn(machine, feed, settings, seed, number)
            heard = hear(own, decoder, matrices)
            if collapse := collapsed(heard, first):
                undone = f"round {number + 1} is undone: {collapse}; a lower learning rate may help"
                own.load_state_dict(kept)
                break
            changed = sum(map(str.__ne__, texts, before)) if before else len(texts)
            rounds.append(Round(len(rows), sum(confidences[row] for row in rows) / len(rows), changed))
            say(number, rounds[-1])
            before = texts
    return Adapted(own.eval().requires_grad_(False), tuple(rounds), undone)


def surest(texts: Sequence[str], confidences: Sequence[float], share: float) -> list[int]:
    """Rows to learn, in order: of each text its surest ``share``, rounded up; texts that stand once are one lot.

    Empty texts are in none, for there is nothing to learn from them. Of equally sure rows the first ones are taken.
    """
    lots: dict[str, list[int]] = defaultdict(list)
    for row, text in enumerate(texts):
        if text:
            lots[text].append(row)
    together = [rows for rows in lots.values() if len(rows) > 1]
    together.append([rows[0] for rows in lots.values() if len(rows) == 1])
    return sorted(
        row
        for rows in together
        # Rounded first: 0.07 of 100 are 7, and a hair more in binary fractions.
        for row in sorted(rows, key=lambda row: -confidences[row])[: math.ceil(round(share * len(rows), 9))]
    )


def _believed(
    heard: Heard, alphabet: Alphabet, matrices: Sequence[np.ndarray], match_prior: bool
) -> tuple[list[str], list[float]]:
    """What is taken for each sample's text, and how surely."""
    if match_prior:
        # Silence says none of the texts, however often they are said: it is not the surest of the shortest one.
        spoken = [each if np.any(matrix) else each[:0] for each, matrix in zip(heard.emitted, matrices, strict=True)]
        return _by_prior(spoken, alphabet, heard.hypotheses)
    return [_learnable(each, alphabet) for each in heard.hypotheses], [each.confidence for each in heard.hypotheses]


def _learnable(hypothesis: Hypothesis, alphabet: Alphabet) -> str:
    """Its text; "" where it cannot be learnt: a letter and a mark of the alphabet may make one that is not in it."""
    return "" if alphabet.unknown(hypothesis.text) else hypothesis.text


def _by_prior(
    emitted: Sequence[np.ndarray], alphabet: Alphabet, hypotheses: Sequence[Hypothesis]
) -> tuple[list[str], list[float]]:
    """The same, of texts that are as frequent as language says; "" for a sample that is too short for all of them."""
    priors = {text: each.language_score for each in hypotheses if (text := _learnable(each, alphabet))}
    if len(priors) > MOST_TEXTS:
        raise GlyphoneError(
            f"match_prior: {len(priors)} different texts were heard in {len(hypotheses)} samples; it is for a few that "
            f"are said often, at most {MOST_TEXTS}: leave it out"
        )
    known = list(priors)
    texts, confidences = [""] * len(emitted), [0.0] * len(emitted)
    if not known:
        return texts, confidences
    likelihoods = text_likelihoods(emitted, [alphabet.encode(text) for text in known])
    rows = np.flatnonzero(np.isfinite(likelihoods).any(1))
    if len(rows):
        for row, each in zip(rows, matched(likelihoods[rows], np.array(list(priors.values()))), strict=True):
            texts[row], confidences[row] = known[each.argmax()], float(each.max())
    return texts, confidences


def _samples(ids: Sequence[str], matrices: Sequence[np.ndarray], texts: Sequence[str], rows: Sequence[int]) -> Samples:
    chosen = [matrices[row] for row in rows]
    return Samples(
        ids=[ids[row] for row in rows],
        corpora=[""] * len(rows),
        texts=[texts[row] for row in rows],
        lengths=np.array([len(each) for each in chosen], np.int64),
        matrices=chosen,
    )


def _learn(machine: Machine, feed: Feed, settings: AdaptationSettings, seed: int, number: int) -> None:
    """The steps of a round; one whose loss is no number is left out, as in training."""
    machine.network.train()
    plan = [(epoch, rows) for epoch, batches in enumerate(feed.plans) for rows in batches]
    for place, (epoch, rows) in enumerate(plan):
        # Rounds learn different numbers of samples: the cosine goes by the share of the work that is done.
        done = (number + place / len(plan)) / settings.rounds
        for each in machine.optimizer.param_groups:
            each["lr"] = settings.learning_rate * (1 + math.cos(math.pi * done)) / 2
        batch, num_labels = feed.make(epoch, rows), feed.num_labels(epoch, rows)
        step(machine, batch, len(rows), num_labels, _seed(seed, number, place))


def _seed(seed: int, number: int, place: int) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed} adaptation {number} {place}".encode()).digest()[:7], "big")


@contextmanager
def _one_thread() -> Iterator[None]:
    """A speaker's samples are few, for which threads cost more than they give; and sums come out alike everywhere."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
