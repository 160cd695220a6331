"""A comparison of two runs as plain text for a terminal, and as Markdown."""

import textwrap
from collections.abc import Callable, Sequence

from common.markdown import escaped, plain
from common.report.comparison import ComparisonView, Texts
from common.report.differences import Piece
from common.writers.transcript import printable

WIDTH = 100  # columns of a terminal that sentences are broken at
HEADINGS = ("", "A", "B", "B - A", "p", "better", "worse", "same")


def text(view: ComparisonView) -> str:
    """Some lines for a terminal. Texts are marked as in a diff of words: ``[-missed-]``, ``{+wrong+}``."""
    blocks = [
        [f"A: {printable(view.names[0])}", f"B: {printable(view.names[1])}", view.samples],
        _columns(_table(view)),
        [line for each in (view.conclusion, *view.remarks) for line in textwrap.wrap(each, WIDTH)],
    ]
    for changes in view.changes:
        if changes.samples:
            blocks.append([_title(changes.title, changes.total, len(changes.samples))])
            blocks += [_sample_lines(each) for each in changes.samples]
    if len(blocks) > 3:
        blocks.insert(3, ["In texts [-missed-] stands in the reference alone, {+wrong+} in the hypothesis alone."])
    return "\n".join("\n".join([*block, ""]) for block in blocks)


def markdown(view: ComparisonView) -> str:
    """A section for notes and merge requests; what comes from data is escaped."""
    header, *rows = _table(view)
    lines = [
        "# Two runs compared",
        "",
        f"- A: {plain(view.names[0])}",
        f"- B: {plain(view.names[1])}",
        f"- {view.samples}",
        "",
        _cells(header),
        _cells(["---", *["---:"] * (len(header) - 1)]),
        *map(_cells, rows),
        "",
        view.conclusion,
        *[line for remark in view.remarks for line in ("", remark)],
    ]
    for changes in view.changes:
        if not changes.samples:
            continue
        lines += ["", f"## {_title(changes.title, changes.total, len(changes.samples))}", ""]
        lines += [_cells(["sample", "reference", "A", "B", "change"]), _cells(["---"] * 5)]
        lines += [
            _cells(
                [
                    plain(each.id),
                    escaped(each.reference),
                    _joined(each.first, escaped, "<del>{}</del>", "<ins>{}</ins>"),
                    _joined(each.second, escaped, "<del>{}</del>", "<ins>{}</ins>"),
                    each.change,
                ]
            )
            for each in changes.samples
        ]
    return "\n".join(lines) + "\n"


def _table(view: ComparisonView) -> list[list[str]]:
    heading, first, second, difference, *rest = HEADINGS
    rows = [[heading, first, second, difference, view.interval_name, *rest]]
    for each in view.rows:
        counts = [str(number) for number in (each.better, each.worse, each.same)]
        rows.append([each.name, *each.rates, each.difference, each.interval, each.p_value, *counts])
    # Narrow and signed blanks that not every terminal has.
    return [[cell.replace("\u202f", " ").replace("\u2212", "-") for cell in row] for row in rows]


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if place else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _title(title: str, total: int, shown: int) -> str:
    return f"{title}: {total}" + (f", {shown} shown" if shown < total else "")


def _sample_lines(each: Texts) -> list[str]:
    group = f" ({printable(each.group)})" if each.group else ""
    return [
        f"  {printable(each.id)}{group}: {each.change}",
        f"    reference  {printable(each.reference)}",
        f"    A          {_joined(each.first, printable, '[-{}-]', '{{+{}+}}')}",
        f"    B          {_joined(each.second, printable, '[-{}-]', '{{+{}+}}')}",
    ]


def _joined(pieces: Sequence[Piece], clean: Callable[[str], str], missed: str, wrong: str) -> str:
    """The pieces of an edit one after the other, those that differ marked."""
    parts = []
    for piece in pieces:
        if piece.kind == "equal":
            parts.append(clean(piece.hypothesis))
            continue
        parts += [
            mark.format(clean(side)) for mark, side in ((missed, piece.reference), (wrong, piece.hypothesis)) if side
        ]
    return "".join(parts)


def _cells(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
