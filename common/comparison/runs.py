"""The results of a run: where they lie, what of them is compared, and which samples of two runs belong together."""

import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.edits import Counts, count_characters, count_words
from common.errors import GlyphoneError
from common.files import read_json, read_jsonl
from common.wording import out_of, plural

HYPOTHESES = "hypotheses.jsonl"
MAX_NAMED = 3  # ids in a message


@dataclass(frozen=True, slots=True)
class Row:
    """A sample as one run read it; texts in NFC.

    Attributes:
        group: speaker, writer, volume or picture; empty where the file names none.
    """

    id: str
    group: str
    reference: str
    hypothesis: str


@dataclass(frozen=True, slots=True)
class Run:
    """A run by the name that it was called by, and id → row."""

    name: str
    rows: Mapping[str, Row]


@dataclass(frozen=True, slots=True)
class Pair:
    """A sample as both runs read it; ``group`` is empty where neither names one."""

    id: str
    group: str
    reference: str
    first: str
    second: str


def find(path: str | Path, modality: str = "") -> Path:
    """The file of hypotheses that a path means.

    Args:
        path: that file itself, a results folder with ``hypotheses.jsonl``, or a workspace with ``results/<modality>``.
        modality: which one, where a workspace has the results of several.

    Raises:
        GlyphoneError: there is none, or more than one.
    """
    path = Path(path)
    if path.is_file():
        return path
    if not path.is_dir():
        raise GlyphoneError(f"{path}: no such file or folder")
    if (path / HYPOTHESES).is_file():
        return path / HYPOTHESES
    found = sorted((path / "results").glob(f"{modality or '*'}/{HYPOTHESES}"))
    if not found:
        place = f"results/{modality or '<modality>'}/{HYPOTHESES}"
        raise GlyphoneError(f"{path}: neither {HYPOTHESES} nor {place} in it; run its stage evaluate (dvc repro)")
    if len(found) > 1:
        names = ", ".join(each.parent.name for each in found)
        raise GlyphoneError(f"{path}: results of {names} in it; choose one with --modality")
    return found[0]


def read_run(path: str | Path, name: str = "", modality: str = "", ignore_case: bool = False) -> Run:
    """Read the hypotheses that a path means; ``metrics.json``, where it lies beside them, must be of the same run.

    Args:
        name: what the run is called; default: the path as given.
        ignore_case: references and hypotheses are casefolded.

    Raises:
        GlyphoneError: a file or field that is missing or wrong, or an id that stands twice; names it.
    """
    file = find(path, modality)
    run = run_of(name or str(path), read_jsonl(file), str(file))
    if file.name == HYPOTHESES and (file.parent / "metrics.json").is_file():
        _check_metrics(run, file)
    if ignore_case:
        run = Run(run.name, {id: _folded(row) for id, row in run.rows.items()})
    return run


def run_of(name: str, samples: Iterable[Mapping[str, Any]], where: str) -> Run:
    """A run from the fields ``id``, ``reference``, ``hypothesis`` and, if known, ``group`` of its samples.

    Args:
        where: the file that they come from, for messages.

    Raises:
        GlyphoneError: a field that is missing or wrong, an id that stands twice, or no sample at all.
    """
    rows: dict[str, Row] = {}
    for number, values in enumerate(samples, 1):
        row = _row(values, f"{where}, sample {number}")
        if row.id in rows:
            raise GlyphoneError(f"{where}: the id {row.id!r} stands twice")
        rows[row.id] = row
    if not rows:
        raise GlyphoneError(f"{where}: no samples in it")
    return Run(name, rows)


def pairs_of(first: Run, second: Run) -> list[Pair]:
    """The samples of both runs, sorted by id.

    Raises:
        GlyphoneError: ids that one of them lacks, other references, or other groups; one line that names the first.
    """
    lacks = [_lack(one, other) for one, other in ((first, second), (second, first)) if other.rows.keys() - one.rows]
    if lacks:
        raise GlyphoneError(f"not the same samples: {'; '.join(lacks)}")
    ids = sorted(first.rows)
    _check_same("reference", [id for id in ids if first.rows[id].reference != second.rows[id].reference], first, second)
    # A file of another program need not know groups.
    grouped = [id for id in ids if first.rows[id].group and second.rows[id].group]
    _check_same("group", [id for id in grouped if first.rows[id].group != second.rows[id].group], first, second)
    return [
        Pair(id, one.group or other.group, one.reference, one.hypothesis, other.hypothesis)
        for id in ids
        for one, other in [(first.rows[id], second.rows[id])]
    ]


def _row(values: Mapping[str, Any], where: str) -> Row:
    texts = {"group": "", **{key: values[key] for key in ("id", "group", "reference", "hypothesis") if key in values}}
    for key in ("id", "group", "reference", "hypothesis"):
        text = texts.get(key)
        if not isinstance(text, str):
            found = f"{key} is {text!r}" if key in texts else f"no {key}"
            raise GlyphoneError(f"{where}: {found}; a text is needed")
        if any("\ud800" <= each <= "\udfff" for each in text):
            raise GlyphoneError(f"{where}: {key} is {text!r}: half a surrogate pair, which no file can hold")
    return Row(
        id=texts["id"],
        group=texts["group"],
        reference=unicodedata.normalize("NFC", texts["reference"]),
        hypothesis=unicodedata.normalize("NFC", texts["hypothesis"]),
    )


def _folded(row: Row) -> Row:
    reference, hypothesis = (unicodedata.normalize("NFC", text.casefold()) for text in (row.reference, row.hypothesis))
    return Row(row.id, row.group, reference, hypothesis)


def _check_metrics(run: Run, file: Path) -> None:
    """Refuse a folder in which hypotheses and metrics are of two runs."""
    metrics = read_json(file.parent / "metrics.json")
    count: Callable[[str, str], Counts]
    for unit, count in (("words", count_words), ("characters", count_characters)):
        try:
            said = (metrics[unit]["errors"], metrics[unit]["reference"])
        except (KeyError, TypeError):
            raise GlyphoneError(f"{file.parent / 'metrics.json'}: no errors and reference of {unit}") from None
        total = sum((count(row.reference, row.hypothesis) for row in run.rows.values()), Counts())
        if said != (total.errors, total.reference):
            raise GlyphoneError(
                f"{file}: {plural(total.errors, 'error')} in {plural(total.reference, unit[:-1])}, but metrics.json "
                f"beside it says {said[0]} in {said[1]}; run stage evaluate again"
            )


def _lack(run: Run, other: Run) -> str:
    missing = sorted(other.rows.keys() - run.rows)
    return f"{run.name} lacks {len(missing)} of the {len(other.rows)} of {other.name} ({_named(missing)})"


def _named(ids: Sequence[str]) -> str:
    return ", ".join([*ids[:MAX_NAMED], *(["…"] if len(ids) > MAX_NAMED else [])])


def _check_same(key: str, different: Sequence[str], first: Run, second: Run) -> None:
    if different:
        ours, theirs = (getattr(run.rows[different[0]], key) for run in (first, second))
        raise GlyphoneError(
            f"not the same {key}s: {out_of(len(different), len(first.rows), 'sample', 'differ')}, the first is "
            f"{different[0]}: {ours!r} in {first.name}, {theirs!r} in {second.name}"
        )
