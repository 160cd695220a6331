"""The hypothesis of a long recording from those of its parts."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate
from typing import TypeVar

from common.decoding.hypothesis import Hypothesis, Symbol, Word, geometric_mean, words_of

Piece = TypeVar("Piece", Symbol, Word)


def joined(parts: Sequence[Hypothesis], lengths: Sequence[float], separator: str) -> Hypothesis:
    """Hypotheses of parts that follow one another, as that of the whole; one alone stays as it is.

    Scores add up, words stay as they are where a separator parts them, and no further texts are given.

    Args:
        parts: places in units from the beginning of each part.
        lengths: of the parts, in units.
        separator: what stands between the texts of parts, a space where the alphabet has one: they end in pauses.
    """
    if len(parts) == 1:
        return parts[0]
    symbols: list[Symbol] = []
    words: list[Word] = []
    for part, start in zip(parts, accumulate(lengths, initial=0.0), strict=False):
        moved = [_moved(each, start) for each in part.symbols]
        if symbols and moved and separator:
            symbols.append(Symbol(separator, symbols[-1].end, moved[0].start, 1.0))
        symbols += moved
        words += [_moved(each, start) for each in part.words]
    spoken = [each for part in parts for each in part.symbols]  # separators are sure, and say nothing
    return Hypothesis(
        text=separator.join(each.text for each in parts if each.text),
        score=sum(each.score for each in parts),
        confidence=geometric_mean([each.confidence for each in spoken or parts]),
        symbols=tuple(symbols),
        words=tuple(words) if separator else words_of(symbols),
        language_score=sum(each.language_score for each in parts),
        character_score=sum(each.character_score for each in parts),
        total=sum(each.total for each in parts),
    )


def _moved(piece: Piece, units: float) -> Piece:
    return replace(piece, start=round(piece.start + units, 6), end=round(piece.end + units, 6))
