"""TextGrid of Praat, long text form: tiers of words and of characters, whose intervals tile the whole recording."""

from common.writers.transcript import Transcript, whole_spans, words_of


def write(transcript: Transcript) -> str:
    """Two interval tiers from 0 to the length of the sound; intervals without text are pauses.

    Times are in seconds to the millisecond; quotes are doubled, as Praat reads them.
    """
    pairs = words_of(transcript)
    characters = [symbol for _, symbols in pairs for symbol in symbols]
    end = max(round(transcript.length * 1000), len(characters), 1)
    # Words begin and end with their characters, so that the tiers' borders are the same.
    spans = whole_spans([(symbol.start, symbol.end) for symbol in characters], 1000, end)
    word_tier, place = [], 0
    for word, symbols in pairs:
        word_tier.append((spans[place][0], spans[place + len(symbols) - 1][1], word.text))
        place += len(symbols)
    character_tier = [(*span, symbol.text) for span, symbol in zip(spans, characters, strict=True)]
    return "".join(
        [
            'File type = "ooTextFile"\nObject class = "TextGrid"\n\n',
            f"xmin = 0\nxmax = {_seconds(end)}\ntiers? <exists>\nsize = 2\nitem []:\n",
            _tier(1, "words", word_tier, end),
            _tier(2, "characters", character_tier, end),
        ]
    )


def _tier(number: int, name: str, intervals: list[tuple[int, int, str]], end: int) -> str:
    tiled, at = [], 0
    for start, stop, text in intervals:
        if start > at:
            tiled.append((at, start, ""))
        tiled.append((start, stop, text))
        at = stop
    if at < end:
        tiled.append((at, end, ""))
    return (
        f'    item [{number}]:\n        class = "IntervalTier"\n        name = "{name}"\n'
        f"        xmin = 0\n        xmax = {_seconds(end)}\n        intervals: size = {len(tiled)}\n"
    ) + "".join(
        f"        intervals [{place}]:\n            xmin = {_seconds(start)}\n            xmax = {_seconds(stop)}\n"
        f'            text = "{text.replace(chr(34), 2 * chr(34))}"\n'
        for place, (start, stop, text) in enumerate(tiled, 1)
    )


def _seconds(milliseconds: int) -> str:
    return f"{milliseconds / 1000:.3f}".rstrip("0").rstrip(".")
