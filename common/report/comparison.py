"""A comparison of two runs as sentences, numbers and marked texts: what its page, the report and plain text show."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from common.comparison.compare import CHANGES, Change, Changed, Comparison, Measure
from common.report.charts import interval_bar
from common.report.differences import Piece, difference
from common.report.wording import caution, decimals_of, level, percent, points
from common.wording import count, listed, plural

NAMES = {"words": "Word error rate", "characters": "Character error rate", "samples": "Samples not exactly right"}
CHANGE_TITLES: dict[Change, str] = {
    "better": "Better in B",
    "worse": "Worse in B",
    "other": "Different, with as many errors",
}

CHANGE_NAMES: dict[Change, str] = {"better": "better", "worse": "worse", "other": "with as many errors"}


@dataclass(frozen=True, slots=True)
class Compared:
    """A row of the table of error rates, as text; ``bar`` draws the difference with its interval."""

    name: str
    rates: tuple[str, str]
    difference: str
    interval: str
    p_value: str
    better: int
    worse: int
    same: int
    verdict: str
    bar: Markup


@dataclass(frozen=True, slots=True)
class Texts:
    """A sample that changed.

    Attributes:
        first, second: pieces of the edits from the reference to either hypothesis.
        change: e.g. ``3 character errors fewer: 4 → 1``.
    """

    id: str
    group: str
    reference: str
    first: Sequence[Piece]
    second: Sequence[Piece]
    change: str


@dataclass(frozen=True, slots=True)
class Changes:
    """Samples that changed in one way: ``total`` of them, the largest changes in ``samples``."""

    title: str
    total: int
    samples: Sequence[Texts]


@dataclass(frozen=True, slots=True)
class ComparisonView:
    """Everything that is shown of a comparison.

    Attributes:
        names: of run A and run B.
        limit: right end of the line that differences are drawn on, in points; its left end is minus that.
    """

    names: tuple[str, str]
    samples: str
    conclusion: str
    rows: Sequence[Compared]
    limit: str
    interval_name: str
    remarks: Sequence[str]
    changes: Sequence[Changes]


def view(comparison: Comparison, num_shown: int) -> ComparisonView:
    """What is shown of a comparison; of the samples that changed in one way at most ``num_shown``."""
    ends = [
        abs(end)
        for each in comparison.measures
        if each.difference
        for end in (each.difference.value, each.difference.low, each.difference.high)
    ]
    limit = max(ends, default=0.0) or 0.01
    interval_name = f"{level(comparison.confidence)} interval"
    samples = plural(comparison.num_samples, "sample")
    if comparison.num_groups > 1:
        samples += f" of {count(comparison.num_groups)} groups"
    return ComparisonView(
        names=comparison.names,
        samples=f"{samples}, the same in both",
        conclusion=conclusion(comparison),
        rows=[_row(each, limit) for each in comparison.measures],
        limit=points(limit, 1 if limit >= 0.01 else 2).removeprefix("+"),
        interval_name=interval_name,
        remarks=_remarks(comparison),
        changes=[_changes(comparison, change, num_shown) for change in CHANGES],
    )


def conclusion(comparison: Comparison) -> str:
    """One or two sentences on what the intervals say of B."""
    said = []
    for verdict, phrase in (("better", "B errs less in {}"), ("worse", "B errs more in {}")):
        units = [_unit(each) for each in comparison.measures if each.verdict == verdict]
        if units:
            said.append(phrase.format(listed(units)))
    open_ones = [each for each in comparison.measures if each.verdict == "unclear" and each.difference]
    unclear = [_unit(each) for each in open_ones if each.errors[0] != each.errors[1]]
    tied = [_unit(each) for each in open_ones if each.errors[0] == each.errors[1]]
    if not comparison.changed:
        return "Both runs read every sample alike."
    if not any(each.difference for each in comparison.measures):
        return "A single sample cannot tell which run errs less."
    sentences = "; ".join(said) + "." if said else ""
    if unclear:
        sentences += f" In {listed(unclear)} the difference may be chance: the interval holds 0."
    if tied:
        sentences += f" In {listed(tied)} there is no difference: both make as many errors."
    return sentences.strip()


def _unit(measure: Measure) -> str:
    return {"samples": "whole samples"}.get(measure.unit, measure.unit)


def _row(measure: Measure, limit: float) -> Compared:
    found = measure.difference
    low, high = (found.low, found.high) if found else (None, None)
    decimals = decimals_of(low, high, measure.reference)
    first, second = measure.rates
    change = points(measure.change, decimals)
    interval = f"{points(low, decimals)} to {points(high, decimals)}" if found else ""
    bar = Markup("")
    if found:
        sentence = f"{NAMES[measure.unit]}, B less A: {change} points, interval {interval}"
        bar = interval_bar(found.value, low, high, limit, sentence, start=-limit)
    return Compared(
        name=NAMES[measure.unit],
        rates=(percent(first, decimals), percent(second, decimals)),
        difference=change,
        interval=interval,
        p_value=p_text(found.p_value) if found else "",
        better=measure.better,
        worse=measure.worse,
        same=measure.same,
        verdict=measure.verdict,
        bar=bar,
    )


def p_text(p_value: float) -> str:
    """Two significant digits, and at most four behind the point: ``0.57``, ``0.0021``, ``< 0.0001``."""
    if p_value < 1e-4:
        return "< 0.0001"
    return f"{p_value:.{min(4, max(2, 1 - math.floor(math.log10(p_value))))}f}"


def _p_is(p_value: float) -> str:
    """``p = 0.57``, ``p < 0.0001``."""
    text = p_text(p_value)
    return f"p {text}" if text.startswith("<") else f"p = {text}"


def _remarks(comparison: Comparison) -> list[str]:
    whole = next(each for each in comparison.measures if each.unit == "samples")
    remarks = [
        "Differences are B less A, in points of percent: below 0, B is better. Intervals and p-values are of a paired "
        f"bootstrap over {comparison.drawn_over}, {plural(comparison.bootstrap_samples, 'draw')} (Bisani and Ney "
        "2004).",
        f"Of whole samples {count(whole.better)} became right and {count(whole.worse)} wrong: McNemar's test, which "
        f"takes samples as independent (Gillick and Cox 1989), {_p_is(whole.pairs_p_value)}.",
        f"{count(len(comparison.changed))} of {plural(comparison.num_samples, 'sample')} changed: "
        + ", ".join(f"{count(len(comparison.with_change(change)))} {name}" for change, name in CHANGE_NAMES.items())
        + " (judged by characters, where these tie by words).",
    ]
    num_drawn = comparison.num_groups if comparison.drawn_over == "groups" else comparison.num_samples
    return remarks + caution(num_drawn, comparison.drawn_over, with_p_values=True)


def _changes(comparison: Comparison, change: Change, num_shown: int) -> Changes:
    members = comparison.with_change(change)
    return Changes(CHANGE_TITLES[change], len(members), [_texts(each) for each in members[:num_shown]])


def _texts(each: Changed) -> Texts:
    return Texts(
        id=each.pair.id,
        group=each.pair.group,
        reference=each.pair.reference,
        first=difference(each.pair.reference, each.pair.first),
        second=difference(each.pair.reference, each.pair.second),
        change=", ".join(_step(*pair) for pair in (("character", each.character_errors), ("word", each.word_errors))),
    )


def _step(unit: str, errors: tuple[int, int]) -> str:
    """``character errors 4 → 1``."""
    return f"{unit} errors {errors[0]} → {errors[1]}"
