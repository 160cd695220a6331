"""Tables of text as people have them: CSV, TSV and JSON lines, with or without BOM, with any line ending."""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from common.errors import GlyphoneError

# A longer cell is a broken table (an unclosed quotation mark swallows the rest of the file), not a transcript.
MAX_CELL_CHARACTERS = 1_000_000
MAX_SHOWN = 300  # characters of column names in a message
ONE_A_LINE = "each line must be one JSON object"
JSON_LINES_SUFFIXES = (".jsonl", ".ndjson", ".json")
csv.field_size_limit(MAX_CELL_CHARACTERS)


class Row(dict[str, Any]):
    """The cells of one row by column name.

    Attributes:
        where: "FILE, line N", for messages.
        is_header: the row that names the columns.
    """

    def __init__(self, cells: Mapping[str, Any], where: str, is_header: bool = False) -> None:
        super().__init__(cells)
        self.where, self.is_header = where, is_header


def read_text(path: str | Path) -> str:
    """The text of a file in UTF-8, or UTF-16 where a BOM says so, without the BOM; line endings become ``\\n``.

    Raises:
        GlyphoneError: the file does not exist, is no file, or is not in that encoding; the line is named.
    """
    try:
        data = Path(path).read_bytes()
    except FileNotFoundError:
        raise GlyphoneError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise GlyphoneError(f"{path}: a folder, not a file") from None
    encoding = "utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise GlyphoneError(f"{path}, line {line}: not UTF-8 text: {error.reason}; save the file as UTF-8") from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_table(
    path: str | Path,
    required: Iterable[str] = (),
    aliases: Mapping[str, str] | None = None,
    columns: Sequence[str] | None = None,
    delimiter: str | None = None,
    renamed: Mapping[str, str] | None = None,
) -> Iterator[Row]:
    """Yield the rows of a table.

    ``.jsonl``, ``.ndjson`` and ``.json`` hold one JSON object a line; ``.csv`` is separated by commas (or semicolons,
    where the header has no comma) with quotation marks; anything else by tabs, where a quotation mark means itself.

    Args:
        path: the table.
        required: columns (after aliases) that every row must have.
        aliases: other name of a column → its name, in lower case, e.g. ``{"transcript": "text"}``; a column that has
            the name itself goes before an alias.
        renamed: the same, but such a column goes before all others: what a person says of his own table. Each must be
            a column of some row.
        columns: names of the columns where the table has no header row.
        delimiter: overrules the one that the suffix tells.

    Raises:
        GlyphoneError: missing file or column, wrong number of cells, not UTF-8, not JSON; names the file and the line.
    """
    text = read_text(path)
    if Path(path).suffix.lower() in JSON_LINES_SUFFIXES:
        rows = _json_rows(path, text)
    else:
        rows = _separated_rows(path, text, columns, delimiter)
    required = tuple(required)
    unseen = set(renamed or ())
    for row in rows:
        unseen -= {key.strip().lower() for key in row}
        named = Row(_named(row, aliases or {}, renamed or {}), row.where)
        for column in required:
            if column not in named:
                found = ", ".join(map(repr, row)) or "nothing"
                found = found if len(found) <= MAX_SHOWN else f"{found[: MAX_SHOWN - 1]}…"
                names = [alias for alias, meant in (aliases or {}).items() if meant == column]
                also = f"; it may also be called {', '.join(names)}" if names else ""
                if renamed is not None:
                    also += ", or what the setting columns says"
                raise GlyphoneError(f"{row.where}: no column {column!r}; found {found}{also}")
        if not row.is_header:
            yield named
    if unseen:
        unknown = ", ".join(map(repr, sorted(unseen)))
        raise GlyphoneError(f"{path}: no column {unknown}, which the setting columns names")


def _named(cells: Mapping[str, Any], aliases: Mapping[str, str], renamed: Mapping[str, str]) -> dict[str, Any]:
    """Cells under their names: those of ``renamed`` first, then those that have the name itself, then aliases."""
    lower = {key.strip().lower(): value for key, value in cells.items()}
    named = {renamed[key]: value for key, value in lower.items() if key in renamed}
    rest = {key: value for key, value in lower.items() if key not in renamed}
    named = {key: value for key, value in rest.items() if key not in aliases} | named
    for key, value in rest.items():
        if key in aliases:
            named.setdefault(aliases[key], value)
    return named


def _json_rows(path: str | Path, text: str) -> Iterator[Row]:
    # Not splitlines: U+2028 and U+0085 may stand inside a JSON string.
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        try:
            cells = json.loads(line)
        except (ValueError, RecursionError) as error:
            reason = "nested too deep" if isinstance(error, RecursionError) else error
            raise GlyphoneError(f"{where}: not JSON: {reason}; {ONE_A_LINE}") from None
        if not isinstance(cells, dict):
            raise GlyphoneError(f"{where}: a JSON {type(cells).__name__}; {ONE_A_LINE}")
        yield Row(cells, where)


def _separated_rows(path: str | Path, text: str, columns: Sequence[str] | None, delimiter: str | None) -> Iterator[Row]:
    """The header, where ``columns`` do not stand for it, then the rows."""
    first = text.split("\n", 1)[0]
    if delimiter is None:
        delimiter = "\t" if Path(path).suffix.lower() != ".csv" else ";" if ";" in first and "," not in first else ","
    lines = text.split("\n")
    if delimiter == "\t":
        reader = csv.reader(lines, delimiter=delimiter, quoting=csv.QUOTE_NONE, strict=True)
    else:
        # With their ends: a cell in quotation marks may hold several lines, which would be joined without a blank.
        reader = csv.reader((line + "\n" for line in lines), delimiter=delimiter, strict=True)
    header = list(columns) if columns is not None else None
    while True:
        number = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            raise GlyphoneError(f"{path}, line {number}: not a table: {error}") from None
        if not any(cell.strip() for cell in cells):
            continue
        if header is None:
            header = cells
            if len({name.strip().lower() for name in header}) < len(header):
                raise GlyphoneError(f"{path}, line {number}: a column name stands twice: {', '.join(header)}")
            yield Row(dict.fromkeys(header), f"{path}, line {number}", is_header=True)
            continue
        if len(cells) != len(header):
            raise GlyphoneError(f"{path}, line {number}: {len(cells)} cells, the table has {len(header)} columns")
        yield Row(dict(zip(header, cells, strict=True)), f"{path}, line {number}")
    if header is None:
        raise GlyphoneError(f"{path}: an empty table; a header row with column names is needed")
