"""Transcripts for the tests of writers: of given texts, and of any texts at all."""

import unicodedata
from collections.abc import Sequence

from hypothesis import strategies as st

from common.decoding.hypothesis import Hypothesis, Symbol, readable, words_of
from common.writers import Transcript

# Characters that formats use themselves, scripts from right to left, joined and invisible ones, and what XML forbids.
ODD = "<>&\"'-;()[]{}/\\|@%#=,.:0123456789 אבגدر\u0301é\u00ad\u200fﬁ𐐷😀\x07\u2028\ufffe"
texts = st.one_of(
    st.text(ODD, max_size=40), st.text("ab ", max_size=60), st.sampled_from(["", " ", "-->", "1", "a --> b"])
)
times = st.one_of(st.just(0.0), st.floats(0, 0.003), st.floats(0, 2))


def transcript(
    text: str,
    gaps: Sequence[tuple[float, float]] = ((0.02, 0.06),),
    name: str = "talks/one",
    alternatives: Sequence[tuple[str, float]] = (),
    height: float = 32.0,
    rest: float = 0.1,
) -> Transcript:
    """The characters of a text, one behind the other.

    Args:
        gaps: a character: free time in front of it, and its own; taken round and round.
        rest: free time at the end.
    """
    symbols, at = [], 0.0
    for place, character in enumerate(text):
        free, own = gaps[place % len(gaps)]
        start = round(at + free, 6)
        at = round(start + own, 6)
        symbols.append(Symbol(character, start, at, (place % 11) / 10))
    confidence = min((symbol.confidence for symbol in symbols), default=0.5)
    hypothesis = Hypothesis(text, -1.5, confidence, tuple(symbols), words_of(symbols), tuple(alternatives))
    return Transcript(f"{name}.wav", name, readable(hypothesis), at + rest, height)


@st.composite
def transcripts(draw: st.DrawFn, scale: float = 1.0) -> Transcript:
    """Any text at any times, zero-length characters among them; ``scale`` makes pixels of seconds."""
    gaps = draw(st.lists(st.tuples(times, times), min_size=1, max_size=7))
    rest = draw(times)
    gaps = [(free * scale, own * scale) for free, own in gaps]
    return transcript(draw(texts), gaps, rest=rest * scale, height=draw(st.sampled_from([1.0, 32.0, 48.5])))


def words_in(each: Transcript) -> list[str]:
    """What a file should hold of the words: NFC, U+FFFD for what no text file holds."""
    return [
        "".join("\ufffd" if character in "\x07\u2028\ufffe" else character for character in word)
        for word in (unicodedata.normalize("NFC", word.text) for word in each.hypothesis.words)
    ]
