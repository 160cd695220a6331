"""A finding about data: what is odd, where, and what to do."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from common.files import read_json, write_json
from common.shapes import Count, checked, known_keys

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
MAX_IDS = 50


@known_keys
@dataclass(frozen=True)
class Finding:
    """One kind of oddity and all the samples that have it.

    Attributes:
        code: short and stable, e.g. ``group_in_two_splits``.
        severity: ``error``: scores or training are wrong until it is mended; ``warning``: it probably costs accuracy;
            ``note``: good to know.
        sentence: what was found, with numbers.
        ids: of the samples, sorted, at most ``MAX_IDS``.
        advice: what to do.
        count: of all samples concerned, also those that ids leaves out.
    """

    code: str
    severity: Severity
    sentence: str
    ids: tuple[str, ...]
    advice: str
    count: Count


def finding(code: str, severity: Severity, sentence: str, ids: Iterable[str], advice: str) -> Finding:
    every = sorted(set(ids))
    return Finding(code, severity, sentence, tuple(every[:MAX_IDS]), advice, len(every))


def sort_findings(findings: Iterable[Finding]) -> list[Finding]:
    """Errors first, then warnings, then notes; within them the most samples first."""
    return sorted(findings, key=lambda each: (SEVERITIES.index(each.severity), -each.count, each.code, each.sentence))


def write_findings(path: str | Path, findings: Iterable[Finding]) -> None:
    write_json(path, [asdict(each) for each in sort_findings(findings)])


def read_findings(path: str | Path) -> list[Finding]:
    return checked(list[Finding], read_json(path), f"{path}: not a list of findings")
