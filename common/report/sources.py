"""What stands in front of the report: the files of the stages before it, read and checked, nothing computed."""

import csv
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.decoding.places import CHOSEN, LANGUAGE_FOLDER
from common.errors import GlyphoneError
from common.files import read_json, read_jsonl
from common.findings import Finding, read_findings
from common.samples import Rejection, read_rejections

HYPOTHESIS_KEYS = ("id", "group", "reference", "hypothesis", "length", "confidence", "word_counts", "character_counts")
LENGTH_COLUMNS = ("bin", "count", "split")
HISTORY_COLUMNS = ("epoch", "train_loss", "validation_loss", "validation_wer", "validation_cer")


@dataclass(frozen=True)
class Sources:
    """Everything that the page is made from.

    Attributes:
        metrics: ``common.scoring.score``'s tree.
        hypotheses: a dict a test sample with at least ``HYPOTHESIS_KEYS``.
        history: a dict an epoch, columns as numbers; what is no finite number is None.
        lengths: (split, start of the bin, samples), bins of equal width.
        bundle: ``bundle.json``.
        training: ``training.json``: what the training cost.
        decoding: the decoder's settings as stage tune left them, a dict; None of models that it never saw.
        rejections: of prepare, extract and train.
        preview: sample id → (media type, bytes); empty where there is none.
    """

    metrics: dict[str, Any]
    hypotheses: Sequence[dict[str, Any]]
    history: Sequence[dict[str, float | None]]
    lengths: Sequence[tuple[str, float, int]]
    bundle: dict[str, Any]
    training: dict[str, Any]
    decoding: dict[str, Any] | None
    rejections: Sequence[Rejection]
    findings: Sequence[Finding]
    preview: Callable[[str], tuple[str, bytes]]


def read_sources(modality: str, root: str | Path = ".") -> Sources:
    """Read the results of one modality below ``root``. Raises GlyphoneError naming a file that is missing or wrong."""
    data, results = Path(root, "data", modality), Path(root, "results", modality)
    return Sources(
        metrics=_read_map(results / "metrics.json"),
        hypotheses=_read_hypotheses(results / "hypotheses.jsonl"),
        history=[_numbers(row) for row in read_table(results / "history.csv", HISTORY_COLUMNS)],
        lengths=_read_lengths(results / "lengths.csv"),
        bundle=_read_map(Path(root, "models", modality, "bundle.json")),
        training=_read_map(results / "training.json"),
        decoding=_read_chosen(Path(root, "models", modality, LANGUAGE_FOLDER, CHOSEN)),
        rejections=[
            rejection
            for path in (
                data / "rejected.jsonl",
                data / "slices" / "rejected.jsonl",
                results / "training_rejected.jsonl",
            )
            for rejection in read_rejections(path)
        ],
        findings=read_findings(data / "findings.json"),
        preview=_previews(data / "slices" / "test.arrow"),
    )


def read_table(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """Rows of a CSV file by column name. Raises GlyphoneError where one of ``columns`` is missing."""
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            rows = list(reader)
    except FileNotFoundError:
        raise GlyphoneError(f"{path}: no such file") from None
    missing = [column for column in columns if column not in (reader.fieldnames or ())]
    if missing:
        raise GlyphoneError(f"{path}: columns missing: {', '.join(missing)}")
    return rows


def _read_lengths(path: Path) -> list[tuple[str, float, int]]:
    rows = read_table(path, LENGTH_COLUMNS)
    try:
        return [(row["split"], float(row["bin"]), int(row["count"])) for row in rows]
    except ValueError as error:
        raise GlyphoneError(f"{path}: {error}") from None


def _numbers(row: dict[str, str]) -> dict[str, float | None]:
    return {column: _finite(text) for column, text in row.items()}


def _finite(text: str) -> float | None:
    try:
        value = float(text)
    except (TypeError, ValueError):
        return None
    return value if math.isfinite(value) else None


def _read_map(path: Path) -> dict[str, Any]:
    value = read_json(path)
    if not isinstance(value, dict):
        raise GlyphoneError(f"{path}: a JSON object is needed, not {type(value).__name__}")
    return value


def _read_chosen(path: Path) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    value = _read_map(path).get("settings")
    if not isinstance(value, dict) or "engine" not in value:
        raise GlyphoneError(f"{path}: no settings of a decoder in it; run stage tune again")
    return value


def _read_hypotheses(path: Path) -> list[dict[str, Any]]:
    rows = list(read_jsonl(path))
    for number, row in enumerate(rows, 1):
        missing = [key for key in HYPOTHESIS_KEYS if key not in row]
        if missing:
            raise GlyphoneError(f"{path}, sample {row.get('id', number)!r}: keys missing: {', '.join(missing)}")
    return rows


def _previews(path: Path) -> Callable[[str], tuple[str, bytes]]:
    from common.store import Store

    store = Store(path)
    rows = {id: row for row, id in enumerate(store.ids)}

    def preview(id: str) -> tuple[str, bytes]:
        return store.preview(rows[id]) if id in rows else ("", b"")

    return preview
