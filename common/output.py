"""How results look in a file: one line or CSV row a transcribed file, so that they can be written as they come."""

import csv
import io
import math
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from common.decoding.hypothesis import Hypothesis, Symbol, Word
from common.errors import GlyphoneError
from common.files import to_json

# A cell that begins with one of these is a formula to a spreadsheet program (OWASP, "CSV injection").
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
_CSV_COLUMNS = ("path", "text", "confidence", "unit", "words")


@dataclass(frozen=True)
class Format:
    """A text format: ``header`` stands once at the top, ``row`` makes the lines of one file's result."""

    header: str
    row: Callable[[Mapping[str, Any]], str]


def result_row(path: str, hypothesis: Hypothesis, unit: str) -> dict[str, Any]:
    """What is written about one file; places of words and characters are in ``unit`` (s or px), half open."""
    return {"path": shown(path), "text": hypothesis.text, "unit": unit, **details(hypothesis)}


def details(hypothesis: Hypothesis) -> dict[str, Any]:
    """What a hypothesis carries beside its text; a score that is minus infinity is null, JSON has no other."""
    return {
        "confidence": rounded(hypothesis.confidence),
        "score": _finite(hypothesis.score),
        "language_score": _finite(hypothesis.language_score),
        "character_score": _finite(hypothesis.character_score),
        "words": _parts(hypothesis.words),
        "characters": _parts(hypothesis.symbols),
        "alternatives": [{"text": text, "score": _finite(score)} for text, score in hypothesis.alternatives],
    }


def _parts(parts: Iterable[Symbol | Word]) -> list[dict[str, Any]]:
    return [
        {"text": part.text, "start": part.start, "end": part.end, "confidence": rounded(part.confidence)}
        for part in parts
    ]


def _finite(score: float) -> float | None:
    """Four digits behind the point, as for confidences."""
    return round(score, 4) if math.isfinite(score) else None


def rounded(confidence: float) -> float:
    """Four digits: more would differ between machines, and say nothing."""
    return round(confidence, 4)


def shown(path: str | os.PathLike[str]) -> str:
    """A path as text that can always be written: bytes that are not UTF-8 become ``\\xNN``."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def put(text: str) -> None:
    """Write to standard output at once, in UTF-8 whatever the locale.

    Raises:
        GlyphoneError: the caller closed it.
    """
    if sys.stdout is None:
        raise GlyphoneError("standard output is closed: the result has no place to go")
    sys.stdout.buffer.write(text.encode("utf-8"))
    sys.stdout.buffer.flush()


def _text_row(row: Mapping[str, Any]) -> str:
    """``path<TAB>text``; a tab, line end or backslash within the path is escaped."""
    path = row["path"].replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
    return f"{path}\t{row['text']}\n"


def _csv_row(row: Mapping[str, Any]) -> str:
    return _csv_line([row["path"], row["text"], row["confidence"], row["unit"], to_json(row["words"])])


def _csv_line(cells: Sequence[Any]) -> str:
    line = io.StringIO()
    # Cells with a character of the line end are quoted: so both, and not the one that we write, must be in it.
    csv.writer(line, lineterminator="\r\n").writerow([csv_cell(cell) for cell in cells])
    return line.getvalue().removesuffix("\r\n") + "\n"


def csv_cell(value: Any) -> Any:
    """A text that a spreadsheet would run as a formula gets an apostrophe before it; numbers stay."""
    if isinstance(value, str) and value.startswith(_FORMULA_STARTS):
        return "'" + value
    return value


def csv_table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A whole CSV table as text, cells guarded."""
    return "".join(map(_csv_line, (header, *rows)))


FORMATS: Mapping[str, Format] = {
    "txt": Format("", _text_row),
    "jsonl": Format("", lambda row: to_json(row) + "\n"),
    "csv": Format(_csv_line(_CSV_COLUMNS), _csv_row),
}
