"""A progress bar on standard error."""

import os
import sys
from collections.abc import Generator, Iterable
from typing import Any, TypeVar

Item = TypeVar("Item")


def with_progress(items: Iterable[Item], total: int, name: str, unit: str = "sample") -> Generator[Item, None, None]:
    """Yield the items and count them; silent where the environment has GLYPHONE_QUIET=1 or TQDM_DISABLE=1."""
    from tqdm import tqdm

    # A log file gets a line every ten seconds, a terminal a smooth bar.
    options: dict[str, Any] = {"mininterval": 0.1 if sys.stderr.isatty() else 10.0, "maxinterval": 60}
    if os.environ.get("GLYPHONE_QUIET") == "1":
        options["disable"] = True
    with tqdm(items, total=total, desc=name, unit=unit, file=sys.stderr, **options) as bar:
        yield from bar
