"""Numbers of things, and lists, in sentences."""

from collections.abc import Sequence

NO_VALUE = "–"


def count(number: float | None) -> str:
    """``12345`` → ``12,345``."""
    if number is None:
        return NO_VALUE
    return f"{number:,.0f}"


def plural(number: int, one: str, many: str = "") -> str:
    """``1 sample``, ``2 samples``."""
    return f"{count(number)} {one if number == 1 else many or one + 's'}"


def listed(names: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
