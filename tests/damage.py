"""Trees of JSON with one value put in the place of another, or taken away."""

import copy
from collections.abc import Iterator
from typing import Any

JUNK = (None, True, -1, 1e300, "", "x", "1", "\u2028", [], [[]], {}, {"": None}, [None])


def places_of(tree: Any) -> Iterator[tuple[Any, ...]]:
    """The place of the tree, which is (), and of every value in it."""
    yield ()
    for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ():
        yield from ((key, *place) for place in places_of(value))


def changed(tree: Any, place: tuple[Any, ...], value: Any) -> Any:
    """The tree with another value at a place; without it where the value is ``...``."""
    if not place:
        return value
    tree = copy.copy(tree)
    if len(place) == 1 and value is ...:
        del tree[place[0]]
    else:
        tree[place[0]] = changed(tree[place[0]], place[1:], value)
    return tree
