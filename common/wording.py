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


def said_of(number: int, what: str) -> str:
    """What many do as so many do it: ``are empty`` of one is ``is empty``, ``stand twice`` is ``stands twice``."""
    verb, blank, rest = what.partition(" ")
    if number != 1 or not verb:
        return what
    return {"are": "is", "were": "was", "have": "has"}.get(verb, f"{verb}s") + blank + rest


def out_of(number: int, total: int, things: str, what: str = "") -> str:
    """``1 of 3 samples is empty``, ``2 of 3 samples are empty``; ``what`` is said of many."""
    return f"{count(number)} of {plural(total, things)} {said_of(number, what)}".rstrip()


def listed(names: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
