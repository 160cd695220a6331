"""TRN of NIST's sclite: a transcript a line, its name in parentheses behind it."""

from common.writers.transcript import Transcript, printable

COMMENT = ";;"  # at the very beginning of a line


def file_name(name: str) -> str:
    """The name without white space and parentheses: a reader takes what stands in the last ones."""
    return "_".join(name.translate({ord("("): "_", ord(")"): "_"}).split()) or "_"


def write(transcript: Transcript) -> str:
    """One line; for no words, the name alone."""
    text = printable(transcript.hypothesis.text)
    line = f"{text} ({file_name(transcript.name)})\n".lstrip(" ")
    return f" {line}" if line.startswith(COMMENT) else line
