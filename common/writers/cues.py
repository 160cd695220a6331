"""Words grouped to what is shown at once: for subtitles."""

from dataclasses import dataclass

from common.writers.transcript import Transcript, whole_spans, words_of

# As is usual for subtitles: two lines of 42 characters, for seven seconds at most.
MAX_LINE_CHARACTERS = 42
MAX_LINES = 2
MAX_CUE_MS = 7000
# A pause as long as this begins a new cue.
PAUSE_MS = 1000


@dataclass(frozen=True)
class Cue:
    """Lines of text, shown from start to end (milliseconds, half open, at least 1 long)."""

    start: int
    end: int
    lines: tuple[str, ...]


def cues(transcript: Transcript) -> list[Cue]:
    """The transcript's words in cues, in order, none over another; a word longer than a line has a line of its own."""
    words = [word for word, _ in words_of(transcript)]
    limit = max(round(transcript.length * 1000), len(words), 1)
    spans = whole_spans([(word.start, word.end) for word in words], 1000, limit)
    result: list[Cue] = []
    for word, (start, end) in zip(words, spans, strict=True):
        if result and start - result[-1].end < PAUSE_MS and end - result[-1].start <= MAX_CUE_MS:
            *full, last = result[-1].lines
            if len(last) + 1 + len(word.text) <= MAX_LINE_CHARACTERS:
                result[-1] = Cue(result[-1].start, end, (*full, f"{last} {word.text}"))
                continue
            if len(full) + 1 < MAX_LINES:
                result[-1] = Cue(result[-1].start, end, (*full, last, word.text))
                continue
        result.append(Cue(start, end, (word.text,)))
    return result


def clock(milliseconds: int, separator: str) -> str:
    """``hh:mm:ss``, the separator, and milliseconds."""
    seconds, milliseconds = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}{separator}{milliseconds:03d}"
