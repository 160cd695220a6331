"""SubRip subtitles. The format has no escapes: an arrow in a text, which would look like times, loses a dash."""

import re

from common.writers.cues import clock, cues
from common.writers.transcript import Transcript


def write(transcript: Transcript) -> str:
    """Numbered cues with an empty line between; no words, an empty file."""
    blocks = []
    for number, cue in enumerate(cues(transcript), 1):
        lines = "".join(f"{_safe(line)}\n" for line in cue.lines)
        blocks.append(f"{number}\n{clock(cue.start, ',')} --> {clock(cue.end, ',')}\n{lines}")
    return "\n".join(blocks)


def _safe(line: str) -> str:
    return re.sub("-{2,}>", "->", line)
