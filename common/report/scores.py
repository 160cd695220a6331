"""Metrics → figures with intervals, and tables over parts of the test set."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from markupsafe import Markup

from common.report.charts import interval_bar, value_bar
from common.report.content import Figure, Subset, SubsetTable
from common.report.wording import decimals_of, percent, short
from common.wording import count, listed, plural

MAX_GROUPS = 20  # rows of the tables of groups and conditions; beyond, the ten highest and the ten lowest
_ENDS = f"the {MAX_GROUPS // 2} highest and the {MAX_GROUPS // 2} lowest"
ERROR_LIMITS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0)  # right ends of the lines that intervals are drawn on

ADAPTED = "adapted to each group, without its texts"

Metrics = Mapping[str, Any]
Row = TypeVar("Row")


def headline(metrics: Metrics) -> list[Figure]:
    """Word and character error rate, exact samples; and exact ones whatever the case, where that differs."""
    figures = part(metrics)
    folded = metrics.get("exact_ignoring_case")
    if folded and folded["hits"] != metrics["exact"]["hits"]:
        figures.append(_share("Exactly right but for case", "exact, any case", folded))
    return figures


def part(metrics: Metrics) -> list[Figure]:
    """The three rates of a part of the test set, with intervals where the metrics hold them."""
    exact = metrics["exact"]
    if not isinstance(exact, Mapping):  # tables hold the bare number of hits
        samples = metrics["samples"]
        exact = {"hits": exact, "samples": samples, "share": exact / samples if samples else None}
    return [
        _rate("Word error rate", "WER", "words", metrics["words"]),
        _rate("Character error rate", "CER", "characters", metrics["characters"]),
        _share("Samples exactly right", "exact", exact),
    ]


def _rate(name: str, short_name: str, unit: str, row: Metrics) -> Figure:
    return Figure(
        name,
        short_name,
        row["rate"],
        row.get("low"),
        row.get("high"),
        row["reference"],
        unit,
        row["substitutions"],
        row["deletions"],
        row["insertions"],
    )


def _share(name: str, short_name: str, row: Metrics) -> Figure:
    return Figure(
        name, short_name, row["share"], row.get("low"), row.get("high"), row["samples"], "samples", hits=row["hits"]
    )


def without_interval(metrics: Metrics) -> list[str]:
    """A sentence where all draws of the bootstrap are the same, and what that leaves open."""
    rates = [each.name[0].lower() + each.name[1:] for each in part(metrics) if each.is_constant]
    if not rates:
        return []
    sentence = f"No draw of the bootstrap differs from another in {listed(rates)}, so no interval can be drawn."
    hits, samples = metrics["exact"]["hits"], metrics["exact"]["samples"]
    if hits in (0, samples):
        # The largest share that shows nothing in so many samples with a probability of 5 %: about 3 / samples.
        share = percent(1 - 0.05 ** (1 / samples), decimals_of(None, None, samples))
        seen, hidden = ("without an error", "wrong") if hits else ("that are all wrong", "right")
        sentence += (
            f" Of {plural(samples, 'sample')} {seen}, up to about {share} may be {hidden} in truth "
            "(95 %, the rule of three, samples taken as independent)."
        )
    return [sentence]


def limit_of(figures: Sequence[Figure]) -> float:
    """The right end of a line that holds all of these values and intervals."""
    largest = max((edge for each in figures for edge in (each.value, each.high) if edge is not None), default=0.0)
    return next((limit for limit in ERROR_LIMITS if largest <= limit), max(largest, 1.0))


def subset_tables(metrics: Metrics, unit: str) -> list[SubsetTable]:
    """Tables by model where there are several, by transcript, by group and by length.

    Those that would hold less than two rows are left out.

    Args:
        unit: of lengths, ``s`` or ``px``.
    """
    # A word error rate says little where a sample is one word: a wrong letter is a wrong sample.
    bar_index = 0 if metrics["words"]["reference"] >= 2 * max(metrics["samples"], 1) else 1
    tables = [
        _by_model(metrics, bar_index),
        _by_transcript(metrics["by_transcript"], bar_index),
        _by_condition(metrics.get("by_condition", {}), bar_index),
        _by_group(metrics, bar_index),
        _by_length(metrics["by_length"], unit, bar_index),
    ]
    return [table for table in tables if table and len(table.subsets) > 1]


def _by_model(metrics: Metrics, bar_index: int) -> SubsetTable | None:
    """The model, those that vote with it, their vote, and the models adapted to groups."""
    vote = metrics.get("vote")
    rows = [("this model alone", metrics)]
    if vote:
        rows += [*((each["model"], each) for each in vote["voters"]), (vote_name(vote), vote)]
    if adapted := metrics.get("adapted"):
        rows.append((ADAPTED, adapted))
    means = f", their vote by {vote['method']}" if vote else ""
    sentence = f"Each on its own{means}; all else on this page is of this model alone."
    return _table("By model", sentence, rows, bar_index)


def vote_name(vote: Metrics) -> str:
    """What a vote is called in tables and sentences."""
    return f"vote of {1 + len(vote['voters'])} models"


def _by_transcript(parts: Metrics, bar_index: int) -> SubsetTable | None:
    names = {"seen": "transcript also in training", "unseen": "transcript never seen"}
    rows = [(names[key], parts[key]) for key in ("seen", "unseen") if parts[key]["samples"]]
    return _table(
        "By transcript",
        "What was read or written in training may be remembered: the lower row tells what to expect of new texts.",
        rows,
        bar_index,
    )


def _by_condition(parts: Metrics, bar_index: int) -> SubsetTable | None:
    """Conditions are what stands before the slash where groups are called ``condition/…``."""
    rows, remark = conditions_shown(parts, ("words", "characters")[bar_index])
    return _table("By condition", f"Groups of one kind together.{remark}", rows, bar_index)


def conditions_shown(parts: Metrics, kind: str) -> tuple[list[tuple[str, Metrics]], str]:
    """Conditions by name; of very many the ends by errors in ``kind``, and a sentence that says so."""
    rows = sorted(parts.items())
    if len(rows) <= MAX_GROUPS:
        return rows, ""
    rows.sort(key=lambda row: (_badness(row[1], kind), row[0]))
    return _ends(rows), f" Of {count(len(rows))} kinds, {_ENDS}."


def _by_group(metrics: Metrics, bar_index: int) -> SubsetTable | None:
    kind = ("words", "characters")[bar_index]

    rows = sorted(metrics["by_group"], key=lambda row: (_badness(row, kind), row["group"]))
    sentence = "Speakers, writers, volumes or pictures."
    if len(rows) < metrics["groups"]:
        sentence += f" Of {count(metrics['groups'])} groups, these are among the {len(rows)} with the most errors."
        rows = rows[:MAX_GROUPS]
    elif len(rows) > MAX_GROUPS:
        sentence += f" Of {count(len(rows))} groups, {_ENDS}."
        rows = _ends(rows)
    return _table("By group", sentence, [(row["group"], row) for row in rows], bar_index)


def _badness(row: Metrics, kind: str) -> float:
    """To sort by, the worst first: errors where there was nothing to be said are the worst of all."""
    rate, errors = row[kind]["rate"], row[kind]["errors"]
    return -((float("inf") if errors else 0.0) if rate is None else rate)


def _ends(rows: list[Row]) -> list[Row]:
    return rows[: MAX_GROUPS // 2] + rows[-MAX_GROUPS // 2 :]


def _by_length(rows: Sequence[Metrics], unit: str, bar_index: int) -> SubsetTable | None:
    named = [(f"{short(row['from'])} to {short(row['to'])} {unit}", row) for row in rows]
    return _table("By length", "Quartiles of the length of the signal.", named, bar_index)


def _table(title: str, sentence: str, rows: Sequence[tuple[str, Metrics]], bar_index: int) -> SubsetTable | None:
    if not rows:
        return None
    figures = _even([part(row) for _, row in rows])
    drawn = [each[bar_index] for each in figures]
    limit = limit_of(drawn)
    subsets = [
        Subset(name, row["samples"], each, bar_of(each[bar_index], limit))
        for (name, row), each in zip(rows, figures, strict=True)
    ]
    has_intervals = any(each.interval for each in drawn)
    bar_name = drawn[0].short_name + (" with its interval" if has_intervals else "") + f", 0 to {percent(limit, 0)}"
    return SubsetTable(title, sentence, subsets, bar_name)


def _even(rows: Sequence[Sequence[Figure]]) -> list[list[Figure]]:
    """Give each column one number of decimals, that of its median row."""
    columns = []
    for column in zip(*rows, strict=True):
        decimals = sorted(each.decimals for each in column)[len(column) // 2]
        columns.append([replace(each, fixed_decimals=decimals) for each in column])
    return [list(row) for row in zip(*columns, strict=True)]


def bar_of(figure: Figure, limit: float) -> Markup:
    """The drawing of a figure on a line from 0 to ``limit``."""
    if figure.value is None:
        return Markup("")
    sentence = f"{figure.short_name} {figure.text}"
    if figure.interval:
        return interval_bar(figure.value, figure.low, figure.high, limit, f"{sentence}, interval {figure.interval}")
    return value_bar(figure.value, limit, f"{sentence} of {plural(figure.num_units, figure.unit.removesuffix('s'))}")
