"""WebVTT subtitles (W3C): markup characters of the text are escaped, so that none of it becomes a tag or a time."""

from common.writers.cues import clock, cues
from common.writers.transcript import Transcript


def write(transcript: Transcript) -> str:
    """Header and cues; no words, the header alone."""
    return "WEBVTT\n" + "".join(
        f"\n{clock(cue.start, '.')} --> {clock(cue.end, '.')}\n" + "".join(f"{_escaped(line)}\n" for line in cue.lines)
        for cue in cues(transcript)
    )


def _escaped(line: str) -> str:
    return line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
