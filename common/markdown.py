"""Text of data in Markdown: no character of it is markup, in a sentence, in code marks or in a table's cell."""

import re
from collections.abc import Sequence


def plain(text: str) -> str:
    """Text as it stands: no character of it is markup, none breaks a line."""
    return escaped(" ".join(text.split()))


def escaped(text: str) -> str:
    """A piece of such text, its blanks as they are; line ends become blanks."""
    return re.sub(r"([\\`*_\[\]<>|&!~#])", r"\\\1", re.sub(r"[^\S ]", " ", text))


def code(text: str) -> str:
    """Text in code marks, whatever stands in it; line ends become blanks."""
    text = re.sub(r"[\r\n]", " ", text)
    marks = "`" * (max(map(len, re.findall("`+", text)), default=0) + 1)
    # Of blanks at both ends Markdown takes one away.
    blank = " " if "`" in text or text != text.strip(" ") else ""
    return f"{marks}{blank}{text}{blank}{marks}"


def table(rows: Sequence[Sequence[str]]) -> str:
    """A table of cells in Markdown; the first row is the head."""
    head, *body = ["| " + " | ".join(map(_cell, row)) + " |" for row in rows]
    return "\n".join([head, "|" + "---|" * len(rows[0]), *body])


def _cell(markdown: str) -> str:
    """A cell may hold no line end, and a bar only behind a backslash, in code marks too; plain text has it already."""
    return re.sub(r"(?<!\\)\|", r"\\|", re.sub(r"[\r\n]", " ", markdown))
