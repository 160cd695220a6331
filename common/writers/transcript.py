"""Result files that other people's tools read: what a writer is given, and what all writers need."""

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from common.decoding.hypothesis import Hypothesis, Symbol, Word
from common.modality import Turn


@dataclass(frozen=True)
class Transcript:
    """The result of one file.

    Attributes:
        source: path of the file as it was named, as text.
        name: what the file is called in results: its path below the folder that all inputs share, without its ending.
        hypothesis: places in seconds or pixels of the file.
        length: of the signal: seconds, or pixels of width.
        height: pixels; 0 for sound.
        turned: how a picture was turned by 90 degrees to be read: places, length and height are of the turned one.
    """

    source: str
    name: str
    hypothesis: Hypothesis
    length: float
    height: float = 0.0
    turned: Turn = ""


@dataclass(frozen=True)
class Writer:
    """A format of result files.

    Attributes:
        suffix: ending of its files.
        write: one transcript as text; equal transcripts give equal text, so no times of writing are in it.
        is_table: the texts of many transcripts, one after the other, are a file of this format.
        file_name: Transcript.name → the name that the format can hold, for a table.
    """

    suffix: str
    write: Callable[[Transcript], str]
    is_table: bool = False
    file_name: Callable[[str], str] = str


def words_of(transcript: Transcript) -> list[tuple[Word, list[Symbol]]]:
    """The words with their symbols, both in NFC and without characters that text formats forbid."""
    symbols = iter(transcript.hypothesis.symbols)
    pairs = []
    for word in transcript.hypothesis.words:
        own: list[Symbol] = []
        for symbol in symbols:
            if symbol.text.isspace():
                if own:
                    break
                continue
            own.append(Symbol(printable(symbol.text), symbol.start, symbol.end, symbol.confidence))
        pairs.append((Word(printable(word.text), word.start, word.end, word.confidence), own))
    return pairs


def printable(text: str) -> str:
    """NFC, and U+FFFD for what XML 1.0 cannot hold (controls, surrogates, U+FFFE, U+FFFF) and for line ends."""
    return "".join(
        "\ufffd" if unicodedata.category(each) in ("Cc", "Cs", "Zl", "Zp") or each in "\ufffe\uffff" else each
        for each in unicodedata.normalize("NFC", text)
    )


def is_right_to_left(text: str) -> bool:
    """Whether the first character with a direction of its own goes right to left (rule P2 of Unicode's UAX 9)."""
    for each in text:
        direction = unicodedata.bidirectional(each)
        if direction in ("L", "R", "AL"):
            return direction != "L"
    return False


def whole_spans(spans: Sequence[tuple[float, float]], scale: float, limit: int) -> list[tuple[int, int]]:
    """Ordered half-open places [start, end) as whole numbers of units: each at least 1 long, none over another.

    Rounding could make a short word nothing, and shift words over each other where they are shorter than a unit; they
    are then moved by as little as is needed, and stay within 0 … limit. Where limit units do not hold one a span, the
    first spans share the first unit.

    Args:
        spans: in order and disjoint, in seconds or pixels.
        scale: units a second or pixel.
        limit: last unit, at least 1.
    """
    starts, ends, free = [], [], 0
    for start, end in spans:
        starts.append(max(round(start * scale), free))
        ends.append(max(round(end * scale), starts[-1] + 1))
        free = ends[-1]
    free = limit
    for place in reversed(range(len(spans))):
        ends[place] = max(min(ends[place], free), 1)
        starts[place] = max(min(starts[place], ends[place] - 1), 0)
        free = starts[place]
    return list(zip(starts, ends, strict=True))
