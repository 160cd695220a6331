"""Samples made while a network trains, by processes beside it: each is a recipe, made once, and kept nowhere.

Row ``first + e * n + i`` is the i-th of the n samples of epoch e. What it is depends on that number alone, not on the
number of workers, on order, or on what ran before, so a training that was killed goes on with the same samples.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from common.mapping import map_beside, map_ordered
from common.samples import Sample

# Recipes that are made once to learn how long a text becomes, spread over all epochs.
NUM_PROBES = 192
# The longest ones are made too, so that a text too long for its slices ends a training at its beginning.
NUM_LONGEST = 4
NARROW = frozenset("iIl1jtfr.,:;!'|-()[]")


@dataclass(frozen=True, slots=True)
class Job:
    """A sample to make. ``least``: slices that it must have for a network to spell its text."""

    sample: Sample
    least: int


class Stream:
    """The samples of all epochs; texts and estimated lengths are known before, slices when they are needed.

    Args:
        num_samples: of an epoch.
        recipe: id → sample, by nothing but the id.
        make: job → slices [T, F], pure and picklable; it runs in other processes.
        least_slices: text → slices that it needs.

    Attributes:
        first: rows that come before, of samples that are stored.
        licence: of what is made.
    """

    def __init__(
        self,
        num_samples: int,
        num_epochs: int,
        recipe: Callable[[str], Sample],
        make: Callable[[Job], np.ndarray],
        least_slices: Callable[[str], int],
        num_workers: int,
    ) -> None:
        self.num_samples, self.num_epochs, self.first = num_samples, num_epochs, 0
        self._recipe, self._make, self._least = recipe, make, least_slices
        self._num_workers = num_workers
        self._made: Generator[np.ndarray, None, None] | None = None
        self._order: Iterator[int] = iter(())
        self.ids = [stream_id(*divmod(place, num_samples)) for place in range(num_samples * num_epochs)]
        self.licence = recipe(self.ids[0]).licence
        self.texts = [recipe(each).text for each in self.ids]
        self.lengths = self._estimated_lengths()

    def __len__(self) -> int:
        return len(self.ids)

    def of_epoch(self, rows: np.ndarray, epoch: int) -> np.ndarray:
        """Those of the rows that are stored, and all of this epoch's."""
        start = self.first + epoch * self.num_samples
        return np.concatenate([rows[rows < self.first], np.arange(start, start + self.num_samples)])

    def expect(self, rows: Iterable[int]) -> None:
        """Have workers make these rows, in this order, a few ahead of who asks; stored ones are passed over."""
        self.close()
        order = [int(row) for row in rows if row >= self.first]
        self._order = iter(order)
        if order:
            self._made = map_beside(self._make, map(self._job, order), self._num_workers)

    def matrix(self, row: int) -> np.ndarray:
        """Slices [T, F] of a row: the next one that is expected; any other row before ``expect``, made here.

        Raises:
            GlyphoneError: it cannot be made, or a worker died.
        """
        if self._made is None:
            return next(map_ordered(self._make, [self._job(row)], num_workers=1, progress=None))
        expected = next(self._order, None)
        if expected != row:
            raise AssertionError(f"row {row} of a stream is asked for, {expected} was expected")
        return next(self._made)

    def close(self) -> None:
        """End the workers."""
        if self._made is not None:
            self._made.close()
            self._made = None

    def __enter__(self) -> "Stream":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _job(self, row: int) -> Job:
        place = row - self.first
        return Job(self._recipe(self.ids[place]), self._least(self.texts[place]))

    def _estimated_lengths(self) -> np.ndarray:
        """Slices int64 [N] of each row by its text, from a few that are made."""
        probes = np.unique(np.linspace(0, len(self.ids) - 1, NUM_PROBES).astype(int))
        lengths = self._made_lengths(probes).astype(float)
        counts = np.array([_counts(text) for text in self.texts], dtype=float)
        # Relative errors count: a batch of short samples is as dear as one of long ones.
        weights = 1 / np.maximum(lengths, 1)
        known, *_ = np.linalg.lstsq(counts[probes] * weights[:, None], lengths * weights, rcond=1e-6)
        least = np.array([self._least(text) for text in self.texts])
        bounded = np.clip(counts @ known, lengths.min(), 2 * lengths.max())
        estimated = np.maximum(np.rint(bounded).astype(np.int64), least)
        self._made_lengths(np.argsort(estimated, kind="stable")[-NUM_LONGEST:])
        return estimated

    def _made_lengths(self, places: np.ndarray) -> np.ndarray:
        jobs = [self._job(self.first + int(each)) for each in places]
        return np.array([len(each) for each in map_ordered(self._make, jobs, num_workers=1, progress=None)])


def stream_id(epoch: int, place: int) -> str:
    """Id of the sample of a place in an epoch, both from 0."""
    return f"stream/{epoch}/{place}"


class Joined(Sequence[np.ndarray]):
    """Matrices of stored samples, then those of a stream."""

    def __init__(self, stored: Sequence[np.ndarray], stream: Stream) -> None:
        self.stored, self.stream = stored, stream

    def __len__(self) -> int:
        return len(self.stored) + len(self.stream)

    def __getitem__(self, row: int) -> np.ndarray:  # type: ignore[override]  # nobody slices them
        return self.stored[row] if row < self.stream.first else self.stream.matrix(row)


def _counts(text: str) -> tuple[int, ...]:
    narrow = sum(character in NARROW for character in text)
    return 1, len(text), narrow, text.count(" "), sum(character.isupper() for character in text)
