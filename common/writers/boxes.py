"""Words and characters as boxes in whole pixels."""

from dataclasses import dataclass

from common.modality import Turn
from common.writers.transcript import Transcript, whole_spans, words_of

# Degrees, counter-clockwise, by which the text of a picture runs off from left to right, by how it was turned back.
ANGLES = {"": 0, "left": 270, "right": 90}


@dataclass(frozen=True)
class Box:
    """A text and its place on the picture as it is stored: pixels, half open; confidence 0 to 1."""

    text: str
    left: int
    top: int
    right: int
    bottom: int
    confidence: float


@dataclass(frozen=True)
class WordBox(Box):
    characters: tuple[Box, ...]


def word_boxes(transcript: Transcript) -> list[WordBox]:
    """The words of a picture in the order in which they are read, each around its characters.

    They are as high as the line, or as wide where it runs up or down.
    """
    pairs, whole = words_of(transcript), size(transcript)
    characters = [symbol for _, symbols in pairs for symbol in symbols]
    # A line that reads from right to left has its first characters at the right.
    order = sorted(range(len(characters)), key=lambda place: (characters[place].start, characters[place].end))
    limit = _whole(transcript.length)
    placed = whole_spans([(characters[place].start, characters[place].end) for place in order], 1, limit)
    spans = iter([span for _, span in sorted(zip(order, placed, strict=True))])
    boxes = []
    for word, symbols in pairs:
        own = [(each, *next(spans)) for each in symbols]
        inner = tuple(
            Box(each.text, *edges(start, end, whole, transcript.turned), each.confidence) for each, start, end in own
        )
        start, end = min(start for _, start, _ in own), max(end for _, _, end in own)
        boxes.append(WordBox(word.text, *edges(start, end, whole, transcript.turned), word.confidence, inner))
    return boxes


def size(transcript: Transcript) -> tuple[int, int]:
    """Width and height of the picture as it is stored, in pixels, at least 1."""
    length, height = _whole(transcript.length), _whole(transcript.height)
    return (height, length) if transcript.turned else (length, height)


def edges(start: int, end: int, size: tuple[int, int], turned: Turn) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of what is read from start to end, on the picture as it is stored.

    Args:
        size: its width and height.
        turned: how it was turned to be read.
    """
    width, height = size
    if turned == "left":
        return 0, start, width, end
    if turned == "right":
        return 0, height - end, width, height - start
    return start, 0, end, height


def _whole(pixels: float) -> int:
    return max(1, round(pixels))
