"""Findings about data that would cost days later: everything that ``prepare`` looks for, in one list."""

from collections.abc import Iterable, Mapping, Sequence

from common.doctor_signals import collect, examine_lengths
from common.doctor_splits import examine_contents, examine_groups, examine_transcripts
from common.doctor_texts import examine_characters, examine_direction, examine_raw_texts
from common.findings import Finding, read_findings, sort_findings, write_findings
from common.samples import Sample

__all__ = [
    "Finding",
    "collect",
    "examine",
    "examine_contents",
    "examine_lengths",
    "examine_texts",
    "read_findings",
    "sort_findings",
    "write_findings",
]


def examine_texts(samples: Sequence[Sample], raw_texts: Mapping[str, str]) -> list[Finding]:
    """Findings that need texts, groups and splits alone, no signal.

    Args:
        samples: with normalised texts and final splits.
        raw_texts: sample id → transcript as the corpus has it; ids that are missing are not looked at in raw form.
    """
    return sort_findings(
        [
            *examine_raw_texts(samples, raw_texts),
            *examine_characters(samples),
            *examine_groups(samples),
            *examine_transcripts(samples),
        ]
    )


def examine(
    samples: Sequence[Sample],
    raw_texts: Mapping[str, str],
    *,
    digests: Mapping[str, str],
    lengths: Mapping[str, float],
    unit: str,
    signals: Mapping[str, Iterable[tuple[str, str]]],
    direction: str = "",
) -> list[Finding]:
    """All findings, errors first.

    Args:
        samples, raw_texts: see ``examine_texts``.
        digests: sample id → ``modality.digest`` of its signal.
        lengths: sample id → ``modality.length`` of its signal by its ``height``: seconds, or width / height.
        unit: s or px.
        signals: sample id → ``modality.inspect`` of its signal.
        direction: of lines in pictures as the settings say, ltr or rtl; empty: not looked at, as sounds have none.
    """
    oddities = {id: list(pairs) for id, pairs in signals.items()}
    # Of a picture that lies on its side the width tells nothing.
    turned = {id for id, pairs in oddities.items() if any(code == "rotated" for code, _ in pairs)}
    return sort_findings(
        [
            *examine_texts(samples, raw_texts),
            *(examine_direction(samples, direction) if direction else ()),
            *examine_contents(samples, digests),
            *examine_lengths(samples, {id: each for id, each in lengths.items() if id not in turned}, unit),
            *collect(oddities),
        ]
    )
