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
    """The words of a picture, left to right, each around its characters."""
    pairs = words_of(transcript)
    characters = [symbol for _, symbols in pairs for symbol in symbols]
    spans = iter(whole_spans([(each.start, each.end) for each in characters], 1, size(transcript)[0]))
    boxes = []
    for word, symbols in pairs:
        own = tuple(Box(each.text, *next(spans), each.confidence) for each in symbols)
        boxes.append(WordBox(word.text, own[0].left, own[-1].right, word.confidence, own))
    return boxes


def size(transcript: Transcript) -> tuple[int, int]:
    """Width and height of the picture in pixels, at least 1."""
    return max(1, round(transcript.length)), max(1, round(transcript.height))
