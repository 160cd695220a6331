"""Batches: which samples stand together, and their padded arrays."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from common.modality import generator
from common.training.settings import TrainingSettings

# Lengths are compared with up to this relative jitter, so that batches differ between epochs and stay tight.
LENGTH_JITTER = 0.05
PREFETCHED_BATCHES = 4

# Kernels are made for a shape and kept: with shapes that come again an epoch of the default recipe's speech takes 0.8
# times as long. Multiples of 16 are no quicker and pad more.
SLICE_MULTIPLE = 8


@dataclass(frozen=True)
class Seconds:
    """Second texts of rows whose samples are mixed with others.

    Attributes:
        targets: int64 [sum of target lengths], one row after the other.
        target_lengths: int64 [B], 0 where a row is not mixed.
        weights: float32 [B], what the first text's loss counts; the second one's counts the rest of 1.
    """

    targets: Tensor
    target_lengths: Tensor
    weights: Tensor

    def head(self, num_rows: int) -> "Seconds":
        """Those of the first rows."""
        lengths = self.target_lengths[:num_rows]
        return Seconds(self.targets[: int(lengths.sum())], lengths, self.weights[:num_rows])

    def to(self, device: torch.device) -> "Seconds":
        return Seconds(self.targets.to(device), self.target_lengths.to(device), self.weights.to(device))


@dataclass(frozen=True)
class Batch:
    """One padded batch.

    Attributes:
        rows: numbers of the samples.
        slices: float32 [B, T, F], zero behind a sample's end.
        lengths: int64 [B], input slices.
        targets: int64 [sum of target lengths], labels one row after the other.
        target_lengths: int64 [B].
        first: samples of the step that come before, in other processes.
        num_views: rows of a sample, which stand one after the other: B is so many times the samples.
        seconds: second texts; none where no sample is mixed.
    """

    rows: list[int]
    slices: Tensor
    lengths: Tensor
    targets: Tensor
    target_lengths: Tensor
    first: int = 0
    num_views: int = 1
    seconds: Seconds | None = None

    def padded(self, num_slices: int) -> "Batch":
        """With at least ``num_slices`` slices."""
        missing = num_slices - self.slices.shape[1]
        return self if missing <= 0 else replace(self, slices=nn.functional.pad(self.slices, (0, 0, 0, missing)))

    def piece(self, num_samples: int, num_slices: int) -> "Batch":
        """The first samples cut to the first slices, at least one of each, and their targets."""
        samples, slices = max(1, num_samples), max(1, num_slices)
        rows = slice(samples * self.num_views)
        target_lengths = self.target_lengths[rows]
        return Batch(
            self.rows[:samples],
            self.slices[rows, :slices].contiguous(),
            self.lengths[rows].clamp(max=slices),
            self.targets[: int(target_lengths.sum())],
            target_lengths,
            num_views=self.num_views,
            seconds=self.seconds and self.seconds.head(rows.stop),
        )

    def to(self, device: torch.device) -> "Batch":
        names = ("slices", "lengths", "targets", "target_lengths")
        moved = replace(self, **{name: getattr(self, name).to(device) for name in names})
        return replace(moved, seconds=self.seconds and self.seconds.to(device))


def draw_rows(corpora: Sequence[str], settings: TrainingSettings, seed: int, epoch: int) -> np.ndarray:
    """Numbers of the samples of one epoch: all, or for the corpora of ``settings.draw`` a fresh random part."""
    names = np.asarray(corpora)
    chosen = [np.flatnonzero(~np.isin(names, list(settings.draw)))]
    for corpus, count in sorted(settings.draw.items()):
        rows = np.flatnonzero(names == corpus)
        random = generator(seed, f"draw {corpus}", str(epoch))
        chosen.append(random.choice(rows, size=min(count, len(rows)), replace=False))
    return np.sort(np.concatenate(chosen))


def plan_epoch(
    rows: np.ndarray, lengths: np.ndarray, settings: TrainingSettings, seed: int, epoch: int
) -> list[np.ndarray]:
    """Cut rows into batches of like length within the slice budget; batches in random order after the sorted epochs.

    A sample longer than the budget stands alone. The plan depends on (seed, epoch) and the lengths, nothing else.
    """
    random = generator(seed, "plan", str(epoch))
    jittered = lengths[rows] * random.uniform(1 - LENGTH_JITTER, 1 + LENGTH_JITTER, len(rows))
    batches: list[np.ndarray] = []
    current: list[int] = []
    longest = 0
    for row in rows[np.argsort(jittered, kind="stable")]:
        longest_with = max(longest, int(lengths[row]))
        full = longest_with * (len(current) + 1) > settings.batch_slices or len(current) >= settings.batch_samples
        if current and full:
            batches.append(np.asarray(current))
            current, longest_with = [], int(lengths[row])
        current.append(int(row))
        longest = longest_with
    if current:
        batches.append(np.asarray(current))
    if epoch >= settings.sorted_epochs:
        batches = [batches[place] for place in random.permutation(len(batches))]
    return batches


def padded_slices(longest: int) -> int:
    """Slices of a batch: those of its longest sample, up to a multiple, so that batches often share a shape."""
    return -(-longest // SLICE_MULTIPLE) * SLICE_MULTIPLE


def padding_share(plan: Iterable[np.ndarray], lengths: np.ndarray) -> float:
    """Share of the slices of all batches that are padding."""
    padded = valid = 0
    for rows in plan:
        padded += padded_slices(int(lengths[rows].max())) * len(rows)
        valid += int(lengths[rows].sum())
    return 1 - valid / padded if padded else 0.0


def collate(
    rows: Sequence[int],
    matrices: Sequence[np.ndarray],
    targets: Sequence[Sequence[int]],
    num_features: int,
    first: int = 0,
    num_views: int = 1,
) -> Batch:
    """Pad matrices [T, F], ``num_views`` of each row one after the other, into one batch.

    Without rows it has as many slices as the shortest batch.
    """
    lengths = [len(matrix) for matrix in matrices]
    padded = np.zeros((len(matrices), padded_slices(max(lengths, default=1)), num_features), dtype=np.float32)
    for place, matrix in enumerate(matrices):
        padded[place, : len(matrix)] = matrix
    labels, target_lengths = _flat(_repeated(targets, num_views))
    return Batch(
        rows=[int(row) for row in rows],
        slices=torch.from_numpy(padded),
        lengths=torch.tensor(lengths, dtype=torch.int64),
        targets=labels,
        target_lengths=target_lengths,
        first=first,
        num_views=num_views,
    )


def with_seconds(batch: Batch, targets: Sequence[Sequence[int]], weights: np.ndarray) -> Batch:
    """A batch with second texts of its samples, empty ones where one is not mixed, and the weights of the first."""
    repeated = torch.from_numpy(np.repeat(weights, batch.num_views))
    return replace(batch, seconds=Seconds(*_flat(_repeated(targets, batch.num_views)), repeated))


def _repeated(targets: Sequence[Sequence[int]], num_views: int) -> list[Sequence[int]]:
    return [target for target in targets for _ in range(num_views)]


def _flat(targets: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    labels = [label for target in targets for label in target]
    lengths = [len(target) for target in targets]
    return torch.tensor(labels, dtype=torch.int64), torch.tensor(lengths, dtype=torch.int64)


def prefetch(make: Callable[[np.ndarray], Batch], plan: Sequence[np.ndarray]) -> Iterator[Batch]:
    """Make batches in a thread beside the caller, in order, a few ahead."""
    with ThreadPoolExecutor(1, thread_name_prefix="batches") as executor:
        waiting = [executor.submit(make, rows) for rows in plan[:PREFETCHED_BATCHES]]
        try:
            for rows in [*plan[PREFETCHED_BATCHES:], *[None] * len(waiting)]:
                batch = waiting.pop(0).result()
                if rows is not None:
                    waiting.append(executor.submit(make, rows))
                yield batch
        finally:
            for future in waiting:
                future.cancel()
