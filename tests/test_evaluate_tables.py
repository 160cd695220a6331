"""The tables that stage evaluate writes for plots."""

import csv
import io
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pipelines.evaluate_tables import errors_table, lengths_table


@pytest.mark.parametrize(("step", "longest"), [(0.01, 58), (0.01, 480), (0.02, 60), (0.016, 75), (1.0, 840)])
def test_the_longest_sample_is_counted(step: float, longest: int) -> None:
    """0.6 / 0.02 and the like lie below the whole number that they are."""
    store: Any = SimpleNamespace(lengths=np.array([1, longest]), metadata=SimpleNamespace(step=step))
    rows = list(csv.DictReader(io.StringIO(lengths_table({"train": store}))))
    assert sum(int(row["count"]) for row in rows) == 2
    assert int(rows[-1]["count"]) == 1 and float(rows[-1]["bin"]) <= longest * step * (1 + 1e-9)


def test_what_has_no_ink_is_named() -> None:
    """Confusions of joiners, as Persian and the scripts of India have them, and of marks alone."""
    rows = [{"reference": "\u0645\u200c", "hypothesis": "\u0645"}, {"reference": "x\u0302", "hypothesis": "x"}]
    table = list(csv.DictReader(io.StringIO(errors_table(rows))))
    assert [row["confusion"] for row in table] == ["\u25cc\u0302 → ∅", "U+200C → ∅"]
    assert [row["reference"] for row in table] == ["\u0302", "\u200c"]
