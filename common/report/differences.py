"""Where a hypothesis differs from its reference, for the eye: words are aligned first, then the characters in them.

A shortest edit over characters alone often ties letters of one word to those of another far away, which is right as a
count and unreadable as a picture. The counts on the page come from ``common.edits`` and not from here.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from rapidfuzz.distance import Levenshtein

Kind = Literal["equal", "substituted", "deleted", "inserted"]


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of characters.

    Attributes:
        kind: ``deleted`` stands in the reference alone, ``inserted`` in the hypothesis alone.
        reference, hypothesis: the characters on either side; empty where that side has none.
    """

    kind: Kind
    reference: str
    hypothesis: str


_KINDS: dict[str, Kind] = {"equal": "equal", "replace": "substituted", "delete": "deleted", "insert": "inserted"}


def clusters(text: str) -> list[str]:
    """Split text into base characters with the marks that stand on them, so that colour never tears one apart."""
    parts: list[str] = []
    for character in text:
        is_mark = unicodedata.category(character) in ("Mn", "Mc", "Me") or character == "\u200d"
        if parts and (is_mark or parts[-1].endswith("\u200d")):
            parts[-1] += character
        else:
            parts.append(character)
    return parts


def difference(reference: str, hypothesis: str) -> list[Piece]:
    """Return the pieces of an edit from reference to hypothesis, left to right.

    The references of all pieces joined are the reference, the hypotheses joined are the hypothesis.
    """
    pieces: list[Piece] = []
    words = _pieces(re.findall(r"\s+|\S+", reference), re.findall(r"\s+|\S+", hypothesis))
    for is_equal, run in groupby(words, key=lambda piece: piece.kind == "equal"):
        block = list(run)
        if is_equal:
            pieces += block
        else:
            pieces += _pieces(
                clusters("".join(piece.reference for piece in block)),
                clusters("".join(piece.hypothesis for piece in block)),
            )
    return list(_joined(pieces))


def _pieces(left: Sequence[str], right: Sequence[str]) -> list[Piece]:
    return [
        Piece(
            _KINDS[step.tag],
            "".join(left[step.src_start : step.src_end]),
            "".join(right[step.dest_start : step.dest_end]),
        )
        for step in Levenshtein.opcodes(left, right)
    ]


def _joined(pieces: Iterable[Piece]) -> Iterable[Piece]:
    """Neighbours of one kind become one piece."""
    for kind, run in groupby(pieces, key=lambda piece: piece.kind):
        block = list(run)
        yield Piece(kind, "".join(piece.reference for piece in block), "".join(piece.hypothesis for piece in block))
