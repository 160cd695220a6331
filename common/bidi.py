"""Order of characters in a line that reads from right to left, as a picture shows them from left to right.

The implicit rules of Unicode's bidirectional algorithm (UAX 9: W1 to W7, N0 to N2, I2 and L2) with the base direction
right to left. Its controls count as neutrals. A character keeps its code point wherever it stands: an opening bracket
is one, whichever way it is drawn.
"""

import unicodedata
from collections.abc import Sequence
from itertools import product

NUMBERS = ("EN", "AN")
FOREIGN = ("L", *NUMBERS)  # read from left to right
SIGNS = ("ET", "NSM")  # may belong to a number that they follow
STRONG = {"L": "L", "R": "R"} | dict.fromkeys(NUMBERS, "R")  # behind W7, as N0 to N2 see them
MAX_OPEN_BRACKETS = 63  # BD16
MAX_ROUNDS = 10  # order and levels that do not agree by then go round in circles


def _brackets() -> tuple[dict[str, str], dict[str, str]]:
    """Closing bracket of each opening one, and of each closing one: of equivalent characters (U+2329, U+3008) one."""
    mirrored = [each for each in map(chr, range(0x10000)) if unicodedata.mirrored(each)]
    opening = [each for each in mirrored if unicodedata.category(each) == "Ps"]
    closing = {each: unicodedata.normalize("NFC", each) for each in mirrored if unicodedata.category(each) == "Pe"}
    pairs = dict(zip(opening, closing.values(), strict=True))
    pairs["\u298d"], pairs["\u298f"] = "\u2990", "\u298e"  # the only ones that do not stand in the order of their pairs
    return pairs, closing


CLOSING_OF, CLOSING = _brackets()


def shown_order(text: str) -> list[int]:
    """Places of the characters of a text in the order in which its line shows them, from left to right.

    ``[text[place] for place in shown_order(text)]`` is what a network reads from the left to the right of a picture.
    """
    return _turned(_levels(text))


def as_shown(text: str) -> str:
    """The characters of a text (logical order) as its line shows them from left to right."""
    return "".join(text[place] for place in shown_order(text))


def read_order(shown: str) -> list[int]:
    """Places in a line, as it is shown from left to right, in the order in which they are read: the inverse.

    The text that they give is shown as the line: ``as_shown(read) == shown``, wherever some order of the characters
    is; but among brackets nested in brackets with numbers and foreign words it may be missed. Of several such texts one
    is taken.
    """
    backwards = shown[::-1]
    order = _read_line(backwards)
    if any(each in CLOSING_OF or each in CLOSING for each in shown):
        order = _read_brackets(backwards, order)
    return [len(shown) - 1 - place for place in order]


def as_read(shown: str) -> str:
    """The text (logical order) of a line as it is shown from left to right."""
    return "".join(shown[place] for place in read_order(shown))


def _read_line(backwards: str) -> list[int]:
    """Places of a line, from right to left, in the order they are read if no brackets pair across its letters."""
    # Letters of the base direction part the line: what stands between two of them is ordered by itself.
    order: list[int] = []
    before = "R"
    start = 0
    for place in range(len(backwards) + 1):
        if place < len(backwards) and unicodedata.bidirectional(backwards[place]) not in ("R", "AL"):
            continue
        order += [start + each for each in _read_stretch(backwards[start:place], before)]
        if place < len(backwards):
            order.append(place)
            before = unicodedata.bidirectional(backwards[place])
        start = place + 1
    return order


def _read_brackets(backwards: str, searched: list[int]) -> list[int]:
    """The same for a line with brackets, where what stands far away may decide.

    The order gives levels and the levels give an order, until both agree: from the order that was searched for, from
    foreign words that all belong together, and from foreign words each by itself. Of the orders that agree the one with
    the most pairs of brackets is taken.
    """
    types = [unicodedata.bidirectional(each) for each in backwards]
    together = [1 if each in ("R", "AL") else 2 for each in types]
    apart = [2 if each in FOREIGN else 1 for each in types]
    agreeing: list[tuple[int, list[int]]] = []
    for order in (searched, _runs_turned(together), _runs_turned(apart)):
        for _ in range(MAX_ROUNDS):
            text = "".join(backwards[place] for place in order)
            levels = [level for _, level in sorted(zip(order, _levels(text), strict=True))]
            if order == _runs_turned(levels):
                agreeing.append((len(_bracket_pairs(text)), order))
                break
            order = _runs_turned(levels)
    return max(agreeing, key=lambda each: each[0], default=(0, searched))[1]


def _read_stretch(stretch: str, before: str) -> list[int]:
    """Places of a stretch without letters of the base direction, from right to left, in the order they are read.

    A search for runs that are read from left to right, the longest first, such that the rules give each of them level 2
    and what is between them level 1. Where no order is shown so, all is read from left to right.
    """
    types = [unicodedata.bidirectional(each) for each in stretch]
    hopeless: set[tuple[int, str]] = set()

    def rest(start: int, read: str) -> list[int] | None:
        """Order of what is behind ``start``, if there is one; ``read``: what the rules see of the text before it."""
        foreign = next((place for place in range(start, len(types)) if types[place] in FOREIGN), None)
        if foreign is None and _levels(read + stretch[start:])[len(read) :] == [1] * (len(types) - start):
            return list(range(start, len(types)))
        if foreign is None or (start and foreign == start) or (start, read) in hopeless:
            return None
        # Runs begin at a number or foreign letter, or at signs that belong to a number: seen from the right, behind it.
        # Two runs never touch: they would be one.
        first = foreign
        while first > start + (start > 0) and types[first - 1] in SIGNS:
            first -= 1
        for left, right in product(range(first, foreign + 1), range(len(types), foreign, -1)):
            order = [*range(start, left), *reversed(range(left, right))]
            text = read + "".join(stretch[place] for place in order)
            if _levels(text)[len(read) :] == [1] * (left - start) + [2] * (right - left):
                following = rest(right, _seen_by_the_rules(text))
                if following is not None:
                    return order + following
        hopeless.add((start, read))
        return None

    found = rest(0, "\u05d0" if before == "R" else "\u0627")
    return list(reversed(range(len(stretch)))) if found is None else found


def _seen_by_the_rules(text: str) -> str:
    """What the levels of characters behind a text depend on: its last letter, and its last number with signs."""
    types = [unicodedata.bidirectional(each) for each in text]
    letter = max(place for place, each in enumerate(types) if each in ("L", "R", "AL"))
    last = max(place for place, each in enumerate(types) if each not in SIGNS)
    return text[letter] + text[max(last, letter + 1) :]


def _levels(text: str) -> list[int]:
    """Embedding level of each character: 1 as the base, 2 for numbers and what reads from left to right."""
    types = [unicodedata.bidirectional(each) for each in text]
    previous = "R"
    for place, each in enumerate(types):  # W1: marks are as what they stand on
        if each == "NSM":
            types[place] = previous
        previous = types[place]
    strong = "R"
    for place, each in enumerate(types):  # W2: numbers behind an Arabic letter
        if each in ("L", "R", "AL"):
            strong = each
        elif each == "EN" and strong == "AL":
            types[place] = "AN"
    types = ["R" if each == "AL" else each for each in types]  # W3
    for place in range(1, len(types) - 1):  # W4: a separator between two numbers
        around = types[place - 1], types[place + 1]
        if around == ("EN", "EN") and types[place] in ("ES", "CS"):
            types[place] = "EN"
        elif around == ("AN", "AN") and types[place] == "CS":
            types[place] = "AN"
    for start, end in _runs(types, ("ET",)):  # W5: signs beside European numbers
        if "EN" in (types[start - 1 : start] + types[end : end + 1]):
            types[start:end] = ["EN"] * (end - start)
    strong = "R"
    for place, each in enumerate(types):  # W7: numbers in foreign text
        if each in ("L", "R"):
            strong = each
        elif each == "EN" and strong == "L":
            types[place] = "L"
    _settle_brackets(text, types)
    # W6, N1, N2: what is left takes the direction of both neighbours, or the base direction; numbers count as R.
    levels = [2 if each in ("L", *NUMBERS) else 1 for each in types]
    for start, end in _neutral_runs(types):
        if start and end < len(types) and types[start - 1] == types[end] == "L":
            levels[start:end] = [2] * (end - start)
    return levels


def _settle_brackets(text: str, types: list[str]) -> None:
    """N0: a pair of brackets takes the base direction where a letter or number of it stands inside.

    Where only foreign letters do, it takes the direction of what stands before it. ``types`` are those behind W7.
    """
    for opening, closing in _bracket_pairs(text):
        inside = {STRONG[each] for each in types[opening:closing] if each in STRONG}
        before = next((STRONG[each] for each in reversed(types[:opening]) if each in STRONG), "R")
        for bracket in (opening, closing) if inside else ():
            types[bracket] = "R" if "R" in inside else before
            for place in range(bracket + 1, len(text)):  # marks are as the bracket that they stand on
                if unicodedata.bidirectional(text[place]) != "NSM":
                    break
                types[place] = types[bracket]


def _bracket_pairs(text: str) -> list[tuple[int, int]]:
    """BD16: places of the brackets of each pair, in the order of the opening ones."""
    pairs: list[tuple[int, int]] = []
    waiting: list[int] = []
    for place, each in enumerate(text):
        if each in CLOSING_OF:
            if len(waiting) == MAX_OPEN_BRACKETS:
                break
            waiting.append(place)
        elif each in CLOSING:
            fitting = [number for number, opening in enumerate(waiting) if CLOSING_OF[text[opening]] == CLOSING[each]]
            if fitting:
                pairs.append((waiting[fitting[-1]], place))
                del waiting[fitting[-1] :]
    return sorted(pairs)


def _runs(types: Sequence[str], wanted: tuple[str, ...]) -> list[tuple[int, int]]:
    """Half-open places of the longest runs of these types."""
    found: list[tuple[int, int]] = []
    for place, each in enumerate(types):
        if each not in wanted:
            continue
        if found and found[-1][1] == place:
            found[-1] = (found[-1][0], place + 1)
        else:
            found.append((place, place + 1))
    return found


def _neutral_runs(types: Sequence[str]) -> list[tuple[int, int]]:
    return _runs(types, tuple(set(types) - {"L", "R", *NUMBERS}))


def _runs_turned(levels: Sequence[int]) -> list[int]:
    """Places with each run of level 2 turned round."""
    order = list(range(len(levels)))
    for start, end in _runs([str(each) for each in levels], ("2",)):
        order[start:end] = reversed(order[start:end])
    return order


def _turned(levels: Sequence[int]) -> list[int]:
    """L2: runs of level 2 are turned round, then the whole line."""
    return _runs_turned(levels)[::-1]
