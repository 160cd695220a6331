"""Words and characters as boxes in whole pixels."""

from dataclasses import dataclass

from common.writers.transcript import Transcript, whole_spans, words_of


@dataclass(frozen=True)
class Box:
    """A text from ``left`` to ``right`` (pixels, half open), as high as the picture; confidence 0 to 1."""

    text: str
    left: int
    right: int
    confidence: float


@dataclass(frozen=True)
class WordBox(Box):
    characters: tuple[Box, ...]


def word_boxes(transcript: Transcript) -> list[WordBox]:
    """The words of a picture in the order in which they are read, each around its characters."""
    pairs = words_of(transcript)
    characters = [symbol for _, symbols in pairs for symbol in symbols]
    # A line that reads from right to left has its first characters at the right.
    order = sorted(range(len(characters)), key=lambda place: (characters[place].start, characters[place].end))
    placed = whole_spans([(characters[place].start, characters[place].end) for place in order], 1, size(transcript)[0])
    spans = iter([span for _, span in sorted(zip(order, placed, strict=True))])
    boxes = []
    for word, symbols in pairs:
        own = tuple(Box(each.text, *next(spans), each.confidence) for each in symbols)
        left, right = min(each.left for each in own), max(each.right for each in own)
        boxes.append(WordBox(word.text, left, right, word.confidence, own))
    return boxes


def size(transcript: Transcript) -> tuple[int, int]:
    """Width and height of the picture in pixels, at least 1."""
    return max(1, round(transcript.length)), max(1, round(transcript.height))
