"""Samples made of two: one behind the other (joined), or one over the other (mixed).

Who is joined or mixed with whom is drawn for each epoch from generators of their own purpose, so that every other
random number of a training stays what it is without them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from common.alphabet import needed_slices
from common.modality import generator
from common.training.samples import Samples
from common.training.settings import TrainingSettings

# Slices at an end of a sample that a gap may be filled with.
EDGE_SLICES = 4
# Draws of a partner that fits, before a sample stays alone.
TRIES = 4
ALONE = -1


@dataclass(frozen=True)
class Joins:
    """Which samples of an epoch go on with another one.

    Attributes:
        followers: int64 [N], the row behind a row, or ``ALONE``.
        gaps: int64 [N], slices between the two.
        lengths: int64 [N], slices of each sample with gap and follower.
    """

    followers: np.ndarray
    gaps: np.ndarray
    lengths: np.ndarray


class Partners:
    """Draws for rows another row of their group, or of their corpus where the group has no other."""

    def __init__(self, samples: Samples) -> None:
        corpora = np.unique(np.asarray(samples.corpora), return_inverse=True)[1]
        groups = np.unique(np.asarray(samples.groups or samples.corpora), return_inverse=True)[1]
        # Groups of two corpora may have the same name.
        groups = groups + corpora * (groups.max(initial=0) + 1)
        lonely = np.bincount(groups)[groups] < 2
        # Pools are runs of ``order``: those of all groups, then those of all corpora.
        pools = np.concatenate([groups, corpora + groups.max(initial=0) + 1])
        self.order = np.argsort(pools, kind="stable")
        self.pool_of = np.where(lonely, pools[len(groups) :], pools[: len(groups)])
        self.sizes = np.bincount(pools)
        self.starts = np.cumsum(self.sizes) - self.sizes

    def draw(self, rows: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """int64 [n] for rows [n]; it may be the row itself."""
        pools = self.pool_of[rows]
        places = self.starts[pools] + (random.random(len(rows)) * self.sizes[pools]).astype(np.int64)
        return self.order[places] % len(self.pool_of)


def nobody_joined(lengths: np.ndarray) -> Joins:
    """Every sample stays alone."""
    return Joins(np.full(len(lengths), ALONE), np.zeros(len(lengths), np.int64), lengths)


def draw_joins(
    rows: np.ndarray,
    samples: Samples,
    partners: Partners,
    settings: TrainingSettings,
    separator: str,
    emitted: Callable[[np.ndarray], np.ndarray],
    seed: int,
    epoch: int,
) -> Joins:
    """Followers for a share ``settings.joined`` of the rows of an epoch.

    A pair is at most ``settings.joined_slices`` long and never too short for its text. A row for which ``TRIES``
    draws find no such follower stays alone.

    Args:
        separator: what stands between the two texts.
        emitted: input lengths [n] → emission slices [n].
    """
    lengths = samples.lengths
    joins = Joins(np.full(len(lengths), ALONE), np.zeros(len(lengths), np.int64), lengths.copy())
    random = generator(seed, "join", str(epoch))
    longest = settings.joined_slices or int(lengths.max(initial=0))
    waiting = rows[random.random(len(rows)) < settings.joined]
    for _ in range(TRIES):
        others = partners.draw(waiting, random)
        gaps = random.integers(0, 2 * settings.joined_gap + 1, len(waiting))
        totals = lengths[waiting] + gaps + lengths[others]
        fits = (others != waiting) & (totals <= longest)
        room = emitted(totals)
        for place in np.flatnonzero(fits):
            first, second = samples.texts[waiting[place]], samples.texts[others[place]]
            fits[place] = first and second and room[place] >= needed_slices(first + separator + second)
        done = waiting[fits]
        joins.followers[done], joins.gaps[done], joins.lengths[done] = others[fits], gaps[fits], totals[fits]
        waiting = waiting[~fits]
    return joins


def join(first: np.ndarray, second: np.ndarray, gap: int) -> np.ndarray:
    """[T1, F] and [T2, F] → [T1 + gap + T2, F] of the first one's type.

    Half of the gap is ground of the first sample, half of the second: the slices of the flatter one of its two ends,
    since ink or speech that was cut off at an end is not flat.
    """
    half = gap // 2
    return np.concatenate([first, _ground(first, half), _ground(second, gap - half), second]).astype(first.dtype)


def _ground(slices: np.ndarray, num_slices: int) -> np.ndarray:
    """[T, F] → [num_slices, F]; zeros where there are no slices."""
    if not len(slices):
        return np.zeros((num_slices, slices.shape[1]), slices.dtype)
    ends = (slices[-EDGE_SLICES:], slices[:EDGE_SLICES])
    flatter = min(ends, key=lambda end: float(np.std(end.mean(axis=0, dtype=np.float64))))
    return flatter[np.arange(num_slices) % len(flatter)]


def draw_mixtures(
    ids: Sequence[str], settings: TrainingSettings, seed: int, epoch: int
) -> tuple[np.ndarray, np.ndarray]:
    """Who of a batch is mixed with whom (Zhang et al. 2018; for speech Medennikov et al. 2018, Meng et al. 2021).

    Args:
        ids: of all samples of the batch, which are of like length.

    Returns:
        places: int64 [B], the place of the other sample, or ``ALONE``.
        weights: float32 [B], λ of the sample itself, from Beta(α, α) and never below 0.5; 1 where it stays alone.
    """
    places, weights = np.full(len(ids), ALONE), np.ones(len(ids), np.float32)
    for place, sample_id in enumerate(ids):
        random = generator(seed, f"mixup {epoch}", sample_id)
        if len(ids) > 1 and random.random() < settings.mixup:
            # A step of 1 … B-1 round the batch: never the sample itself.
            places[place] = (place + 1 + random.integers(len(ids) - 1)) % len(ids)
            weight = random.beta(settings.mixup_alpha, settings.mixup_alpha)
            weights[place] = max(weight, 1 - weight)
    return places, weights


def mix(first: np.ndarray, second: np.ndarray, weight: float) -> np.ndarray:
    """weight · first + (1 - weight) · second, the shorter one with zeros behind: float32 [max(T1, T2), F]."""
    mixed = np.zeros((max(len(first), len(second)), first.shape[1]), np.float32)
    mixed[: len(first)] = np.float32(weight) * first
    mixed[: len(second)] += np.float32(1 - weight) * second
    return mixed
