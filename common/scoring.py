"""The score of a whole test set: what ``metrics.json`` holds. Counts come first, rates are fractions, and pooled."""

import math
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from common.bootstrap import bootstrap_interval
from common.edits import (
    Counts,
    Operation,
    align,
    characters,
    confusions,
    count_characters,
    count_words,
    one_minus_ned,
    words,
)

__all__ = [
    "Counts",
    "Operation",
    "ScoredRow",
    "align",
    "bootstrap_interval",
    "characters",
    "confusions",
    "count_characters",
    "count_words",
    "one_minus_ned",
    "score",
    "wer_line",
    "words",
]

MAX_GROUPS = 100  # rows of the table of groups: a corpus of photographs may have thousands of groups


@dataclass(frozen=True, slots=True)
class ScoredRow:
    """A test sample with its hypothesis.

    Attributes:
        id: of the sample.
        group: speaker, writer, volume or source picture: the unit that intervals are drawn over.
        reference, hypothesis: normalised texts; the hypothesis of a sample that could not be read is empty.
        seen_in_training: the reference also stands in the training texts.
        length: of the signal, in seconds or pixels.
    """

    id: str
    group: str
    reference: str
    hypothesis: str
    seen_in_training: bool
    length: float


@dataclass(frozen=True, slots=True)
class _Scored:
    row: ScoredRow
    words: Counts
    characters: Counts
    exact: bool
    exact_ignoring_case: bool
    similarity: float  # 1-N.E.D.


Interval = Callable[[Sequence[float], Sequence[float], Sequence[str]], tuple[float, float] | None]


def score(
    rows: Sequence[ScoredRow],
    *,
    num_samples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
    over_groups: bool = False,
) -> dict[str, Any]:
    """Metrics of hypotheses against references, as a tree for JSON.

    Rates are errors over reference units of all samples together, not means over samples. Where there is no reference
    unit to divide by, or no sample, rate, share and interval are None, ``null`` in JSON; the counts beside it tell.
    Tables over groups and lengths are lists, which ``dvc metrics`` passes over.

    Args:
        rows: the test set, in any order; the result does not depend on it.
        num_samples, confidence, seed: of the bootstrap intervals.
        over_groups: these rows are a part of a set whose intervals are drawn over groups; of one group alone they have
            none then. Otherwise samples are drawn where all rows are of one group.

    Returns:
        ``samples``, ``groups``; ``words`` and ``characters``: substitutions, deletions, insertions, errors, reference,
        rate, low, high; ``exact``: hits, samples, share, low, high, and the same under ``exact_ignoring_case``;
        ``one_minus_ned``: mean of 1-N.E.D.; ``line``: as Kaldi's compute-wer prints it; ``interval``: how low and
        high were drawn; ``by_transcript``: ``seen`` and ``unseen``; ``by_group`` and ``by_length``: tables.
    """
    scored = [_score_row(row) for row in sorted(rows, key=lambda row: row.id)]
    num_groups = len({each.row.group for each in scored})
    over_groups = over_groups or num_groups > 1

    def interval(
        numerators: Sequence[float], denominators: Sequence[float], groups: Sequence[str]
    ) -> tuple[float, float] | None:
        if over_groups and len(set(groups)) == 1:
            return None  # a slice of one group, where all others are drawn over groups
        return bootstrap_interval(
            numerators, denominators, groups, num_samples=num_samples, confidence=confidence, seed=seed
        )

    return {
        "samples": len(scored),
        "groups": num_groups,
        **_summary(scored, interval),
        "line": wer_line(_total(each.words for each in scored)),
        "interval": {
            "confidence": confidence,
            "bootstrap_samples": num_samples,
            "drawn_over": "groups" if over_groups else "samples",
        },
        "by_transcript": {
            "seen": _slice([each for each in scored if each.row.seen_in_training], interval),
            "unseen": _slice([each for each in scored if not each.row.seen_in_training], interval),
        },
        "by_group": _by_group(scored),
        "by_length": _by_length(scored),
    }


def wer_line(counts: Counts) -> str:
    """The line of Kaldi's compute-wer: ``%WER 12.34 [ 123 / 997, 10 ins, 20 del, 93 sub ]``."""
    percent = f"{100 * counts.rate:.2f}" if math.isfinite(counts.rate) else "inf"
    return (
        f"%WER {percent} [ {counts.errors} / {counts.reference}, "
        f"{counts.insertions} ins, {counts.deletions} del, {counts.substitutions} sub ]"
    )


def _score_row(row: ScoredRow) -> _Scored:
    reference = unicodedata.normalize("NFC", row.reference)
    hypothesis = unicodedata.normalize("NFC", row.hypothesis)
    return _Scored(
        row=row,
        words=count_words(reference, hypothesis),
        characters=count_characters(reference, hypothesis),
        exact=reference == hypothesis,
        exact_ignoring_case=_fold(reference) == _fold(hypothesis),
        similarity=one_minus_ned(reference, hypothesis),
    )


def _fold(text: str) -> str:
    return unicodedata.normalize("NFC", text.casefold())


def _total(counts: Iterable[Counts]) -> Counts:
    return sum(counts, Counts())


def _counts(counts: Counts) -> dict[str, Any]:
    return {
        "substitutions": counts.substitutions,
        "deletions": counts.deletions,
        "insertions": counts.insertions,
        "errors": counts.errors,
        "reference": counts.reference,
        "rate": counts.rate if counts.reference else None,
    }


def _bounds(bounds: tuple[float, float] | None) -> dict[str, float | None]:
    low, high = bounds or (None, None)
    return {"low": low, "high": high}


def _slice(scored: Sequence[_Scored], interval: Interval) -> dict[str, Any]:
    return {"samples": len(scored), **_summary(scored, interval)}


def _summary(scored: Sequence[_Scored], interval: Interval) -> dict[str, Any]:
    """Pooled rates, exact hits and 1-N.E.D. of some samples, with intervals."""
    groups = [each.row.group for each in scored]

    def rates(counts: Sequence[Counts]) -> dict[str, Any]:
        bounds = interval([each.errors for each in counts], [each.reference for each in counts], groups)
        return {**_counts(_total(counts)), **_bounds(bounds)}

    def shares(hits: Sequence[bool]) -> dict[str, Any]:
        share = sum(hits) / len(hits) if hits else None
        bounds = interval([float(hit) for hit in hits], [1.0] * len(hits), groups)
        return {"hits": sum(hits), "samples": len(hits), "share": share, **_bounds(bounds)}

    return {
        "words": rates([each.words for each in scored]),
        "characters": rates([each.characters for each in scored]),
        "exact": shares([each.exact for each in scored]),
        "exact_ignoring_case": shares([each.exact_ignoring_case for each in scored]),
        "one_minus_ned": math.fsum(each.similarity for each in scored) / len(scored) if scored else None,
    }


def _table_row(scored: Sequence[_Scored]) -> dict[str, Any]:
    return {
        "samples": len(scored),
        "exact": sum(each.exact for each in scored),
        "words": _counts(_total(each.words for each in scored)),
        "characters": _counts(_total(each.characters for each in scored)),
    }


def _by_group(scored: Sequence[_Scored]) -> list[dict[str, Any]]:
    """A row a group, the most character errors first, at most ``MAX_GROUPS`` (``groups`` says how many there are)."""
    groups: dict[str, list[_Scored]] = {}
    for each in scored:
        groups.setdefault(each.row.group, []).append(each)
    table = [{"group": group, **_table_row(members)} for group, members in groups.items()]
    return sorted(table, key=lambda row: (-row["characters"]["errors"], row["group"]))[:MAX_GROUPS]


def _by_length(scored: Sequence[_Scored]) -> list[dict[str, Any]]:
    """A row a quartile of length, shortest first: from … to, both included, in seconds or pixels.

    Samples of equal length stand in the same row, so there are fewer rows where many lengths are equal.
    """
    if not scored:
        return []
    lengths = np.array([each.row.length for each in scored])
    quartiles = np.quantile(lengths, [0.25, 0.5, 0.75])
    rows = np.searchsorted(quartiles, lengths, side="left")
    table = []
    for row in range(len(quartiles) + 1):
        members = [each for each, at in zip(scored, rows, strict=True) if at == row]
        if members:
            spans = [each.row.length for each in members]
            table.append({"from": min(spans), "to": max(spans), **_table_row(members)})
    return table
