"""How many threads compute a step: found out by running one, since more are often slower.

A step of a small network is some hundred short products, and all threads wait for the last one behind each of them.
On a shared machine, where a thread may be kept off its core, two threads can take several times as long as one.
"""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import Field

from common.files import write_json
from common.shapes import known_keys
from common.training import checkpoint

# Timed runs of a batch for each number of threads, after one that warms up.
NUM_RUNS = 3
# More threads have to be worth it: they must take at most this share of the time.
WORTH = 0.95
FILE_NAME = "threads.json"


@dataclass(frozen=True)
class Threads:
    """Attributes: number: of threads; seconds: number → seconds a batch, of those tried, empty where none was."""

    number: int
    seconds: dict[int, float] = field(default_factory=dict)

    def sentence(self) -> str:
        """For the log."""
        if not self.seconds:
            return f"threads: {self.number}"
        tried = ", ".join(f"{number}: {seconds:.3g} s" for number, seconds in self.seconds.items())
        return f"threads: {self.number}, the fastest of those tried (a batch takes with {tried})"


@known_keys
@dataclass(frozen=True)
class _Saved:
    key: dict[str, Any]
    number: Annotated[int, Field(ge=1, le=1024)]
    seconds: dict[int, float]


def choose_threads(most: int, run: Callable[[], None], *, state: Path, key: dict[str, Any]) -> Threads:
    """The number of threads that ``run`` is fastest with: 1, 2, 4 … ``most``, as long as each is faster than the last.

    The choice is kept in ``state``: another number of threads adds in another order, and a run that goes on must end
    in the same weights. Sets torch's number of threads while it tries, and leaves it as it was.

    Args:
        most: threads at most, at least 1.
        run: forward and backward of a batch.
        key: what the choice hangs on; another key tries again.
    """
    path = state / FILE_NAME
    saved = checkpoint.beside(path, _Saved)
    if saved is not None and saved.key == key:
        return Threads(saved.number, saved.seconds)
    chosen = _tried(most, run)
    write_json(path, asdict(_Saved(key, chosen.number, chosen.seconds)))
    return chosen


def _tried(most: int, run: Callable[[], None]) -> Threads:
    before = torch.get_num_threads()
    seconds: dict[int, float] = {}
    best, number = 1, 1
    try:
        while most > 1:
            torch.set_num_threads(number)
            seconds[number] = _seconds(run)
            if number > 1 and seconds[number] > WORTH * seconds[best]:
                break
            best = number
            if number == most:
                break
            number = min(2 * number, most)
    finally:
        torch.set_num_threads(before)
    return Threads(best, seconds)


def _seconds(run: Callable[[], None]) -> float:
    """Mean of some runs, not the least: what keeps a thread waiting now and then counts."""
    run()
    started = time.perf_counter()
    for _ in range(NUM_RUNS):
        run()
    return (time.perf_counter() - started) / NUM_RUNS
