"""What stands in front of the report: the files of the stages before it, read and checked, nothing computed."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.decoding.places import CHOSEN, LANGUAGE_FOLDER
from common.files import read_json, read_jsonl
from common.findings import Finding, read_findings
from common.report import shapes
from common.samples import Rejection, read_rejections
from common.shapes import Shape, checked, written_by
from common.tables import read_table

LENGTH_COLUMNS = ("bin", "count", "split")
HISTORY_COLUMNS = ("epoch", "train_loss", "validation_loss", "validation_wer", "validation_cer")


@dataclass(frozen=True)
class Sources:
    """Everything that the page is made from.

    Attributes:
        metrics: ``common.scoring.score``'s tree.
        hypotheses: a dict a test sample as ``common.report.shapes.Hypothesis`` has it.
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
    """Read the results of one modality below ``root``.

    Raises:
        GlyphoneError: a file that is missing, is not JSON or a table, or lacks what the page is made from; names it.
    """
    data, results, model = (Path(root, folder, modality) for folder in ("data", "results", "models"))
    with written_by("prepare"):
        findings = read_findings(data / "findings.json")
        rejections = read_rejections(data / "rejected.jsonl")
    with written_by("extract"):
        rejections += read_rejections(data / "slices" / "rejected.jsonl")
    preview = _previews(data / "slices" / "test.arrow")  # a store says itself what to do
    with written_by("train"):
        history = [_numbers(row) for row in read_table(results / "history.csv", HISTORY_COLUMNS)]
        bundle = _read_object(model / "bundle.json", shapes.Description)
        training = _read_object(results / "training.json", shapes.Training)
        rejections += read_rejections(results / "training_rejected.jsonl")
    with written_by("tune"):
        decoding = _read_chosen(model / LANGUAGE_FOLDER / CHOSEN)
    with written_by("evaluate"):
        return Sources(
            metrics=_read_object(results / "metrics.json", shapes.Metrics),
            hypotheses=_read_hypotheses(results / "hypotheses.jsonl"),
            history=history,
            lengths=_read_lengths(results / "lengths.csv"),
            bundle=bundle,
            training=training,
            decoding=decoding,
            rejections=rejections,
            findings=findings,
            preview=preview,
        )


def _read_lengths(path: Path) -> list[tuple[str, float, int]]:
    bars = [checked(shapes.Bar, row, row.where) for row in read_table(path, LENGTH_COLUMNS)]
    return [(each.split, each.bin, each.count) for each in bars]


def _numbers(row: dict[str, str]) -> dict[str, float | None]:
    return {column: _finite(text) for column, text in row.items()}


def _finite(text: str) -> float | None:
    try:
        value = float(text)
    except (TypeError, ValueError):
        return None
    return value if math.isfinite(value) else None


def _read_object(path: Path, shape: type[Shape]) -> dict[str, Any]:
    content: dict[str, Any] = read_json(path)
    checked(shape, content, path)
    return content


def _read_chosen(path: Path) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    chosen: dict[str, Any] = _read_object(path, shapes.Tuned)["settings"]
    return chosen


def _read_hypotheses(path: Path) -> list[dict[str, Any]]:
    rows = list(read_jsonl(path))
    for number, row in enumerate(rows, 1):
        checked(shapes.Hypothesis, row, f"{path}, sample {row.get('id', number)!r}")
    return rows


def _previews(path: Path) -> Callable[[str], tuple[str, bytes]]:
    from common.store import Store

    store = Store(path)
    rows = {id: row for row, id in enumerate(store.ids)}

    def preview(id: str) -> tuple[str, bytes]:
        return store.preview(rows[id]) if id in rows else ("", b"")

    return preview
