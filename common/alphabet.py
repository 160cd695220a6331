"""The symbols that a network writes, and their numbers. The blank of CTC is number 0, here and nowhere else."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Literal

from common.bidi import as_read, as_shown
from common.errors import GlyphoneError

BLANK = 0


class AlphabetError(GlyphoneError):
    """An alphabet or a text does not fit the contract."""


class Alphabet:
    """Characters (NFC code points) and their labels 1 … V-1; label 0 is the blank.

    Attributes:
        direction: rtl: labels are in the order of slices, from the left of a line that reads from right to left
            (``common.bidi``); texts are in the order in which they are read.

    Raises:
        AlphabetError: a symbol is not one character, or stands twice.
    """

    def __init__(self, symbols: Sequence[str], direction: Literal["ltr", "rtl"] = "ltr") -> None:
        for symbol in symbols:
            if len(symbol) != 1:
                raise AlphabetError(f"alphabet: each symbol must be one character, not {symbol!r}")
        if len(set(symbols)) != len(symbols):
            twice = sorted({symbol for symbol in symbols if list(symbols).count(symbol) > 1})
            raise AlphabetError(f"alphabet: symbols stand twice: {twice}")
        self.symbols: tuple[str, ...] = tuple(symbols)
        self.direction = direction
        self._labels = {symbol: label for label, symbol in enumerate(symbols, BLANK + 1)}

    @classmethod
    def of_texts(cls, texts: Iterable[str], direction: Literal["ltr", "rtl"] = "ltr") -> "Alphabet":
        """The characters of the texts, sorted by code point."""
        return cls(sorted(set().union(*map(set, texts))), direction)

    def __len__(self) -> int:
        """V: the number of labels, blank included."""
        return len(self.symbols) + 1

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Alphabet) and (self.symbols, self.direction) == (other.symbols, other.direction)

    def __hash__(self) -> int:
        return hash((self.symbols, self.direction))

    def unknown(self, text: str) -> list[str]:
        """The characters of text that the alphabet lacks, each once, in order."""
        return list(dict.fromkeys(character for character in text if character not in self._labels))

    def encode(self, text: str) -> list[int]:
        """Labels of a text. Raises AlphabetError naming the characters that are not in the alphabet."""
        missing = self.unknown(text)
        if missing:
            raise AlphabetError(f"characters not in the alphabet of {len(self.symbols)}: {missing} in {text!r}")
        return [self._labels[character] for character in (as_shown(text) if self.direction == "rtl" else text)]

    def decode(self, labels: Iterable[int]) -> str:
        """Text of labels; blanks give nothing. It does not merge repeats: that is the decoder's task."""
        text = "".join(self.symbols[label - 1] for label in labels if label != BLANK)
        return as_read(text) if self.direction == "rtl" else text


def needed_slices(text: str) -> int:
    """The least number of emission slices that CTC can align text to: one a character, one more a repeat."""
    return len(text) + sum(first == second for first, second in pairwise(text))
