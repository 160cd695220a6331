"""The tables that stage evaluate writes for plots: lengths of samples, and the most frequent errors."""

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from common.store import Store

MAX_BINS = 30  # of the length histogram
MAX_CONFUSIONS = 100  # rows of errors.csv: the most frequent


def lengths_table(stores: dict[str, "Store"]) -> str:
    """CSV: how many samples of each split are ``bin`` units long or longer, up to the next bin (seconds or pixels)."""
    import numpy as np

    from common.output import csv_table

    lengths = {split: store.lengths * store.metadata.step for split, store in stores.items()}
    longest = max((float(each.max()) for each in lengths.values() if len(each)), default=0.0)
    width = bin_width(longest)
    # A millionth of a bin up: a length that is a multiple of the width belongs to the bin that it begins.
    places = {split: np.floor(each / width + 1e-6).astype(int) for split, each in lengths.items()}
    num_bins = 1 + max((int(each.max()) for each in places.values() if len(each)), default=0)
    rows = [
        (float(f"{place * width:.6g}"), int(count), split)
        for split, each in places.items()
        for place, count in enumerate(np.bincount(each, minlength=num_bins))
    ]
    return csv_table(("bin", "count", "split"), rows)


def bin_width(longest: float) -> float:
    """The smallest of 1, 2, 5, 10, … (and tenths, …) that parts 0 … longest into at most ``MAX_BINS`` bins."""
    import math

    if longest <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(longest / MAX_BINS))
    return next(factor * power for factor in (1, 2, 5, 10, 20) if longest / (factor * power) < MAX_BINS)


def errors_table(rows: Iterable[dict[str, Any]]) -> str:
    """CSV of the most frequent character errors of the test set: kind, what was taken for what, how often."""
    from common.output import csv_table
    from common.scoring import confusions

    counted: Counter[tuple[str, str]] = Counter(confusions((row["reference"], row["hypothesis"]) for row in rows))
    table = []
    for (reference, hypothesis), count in list(counted.items())[:MAX_CONFUSIONS]:
        kind = "insertion" if not reference else "deletion" if not hypothesis else "substitution"
        confusion = f"{_visible(reference)} → {_visible(hypothesis)}"
        table.append((confusion, kind, reference, hypothesis, count))
    return csv_table(("confusion", "kind", "reference", "hypothesis", "count"), table)


def _visible(character: str) -> str:
    from common.edits import visible

    return {"": "∅", " ": "␣"}.get(character) or visible(character)
