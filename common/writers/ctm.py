"""CTM of NIST's scoring tools: a word a line with its time; ``name channel start duration word confidence``."""

from common.writers.transcript import Transcript, whole_spans, words_of

CHANNEL = "1"


def file_name(name: str) -> str:
    """The name without white space, which parts fields, and without a ``;`` at the start, which begins a comment."""
    joined = "_".join(name.split()) or "_"
    return "_" + joined[1:] if joined.startswith(";") else joined


def write(transcript: Transcript) -> str:
    """Lines in order of time; no words, no lines. Times in seconds to the millisecond, durations above zero."""
    words = [word for word, _ in words_of(transcript)]
    limit = max(round(transcript.length * 1000), len(words), 1)
    spans = whole_spans([(word.start, word.end) for word in words], 1000, limit)
    name = file_name(transcript.name)
    return "".join(
        f"{name} {CHANNEL} {start / 1000:.3f} {(end - start) / 1000:.3f} {word.text} {word.confidence:.4f}\n"
        for word, (start, end) in zip(words, spans, strict=True)
    )
