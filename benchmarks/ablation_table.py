"""The tables of the ablations: from the files of finished trainings to ``docs/records.md``."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.ablation_cells import CELLS, finished, read_samples
from benchmarks.ablation_statistics import Difference, Errors, difference
from benchmarks.ablation_variants import (
    AGAIN,
    BASE,
    MODALITIES,
    Variant,
    base_tree,
    of_modality,
    read_variants,
    refusal,
    tree_of,
)
from benchmarks.workspace import REPOSITORY
from common.errors import GlyphoneError
from common.errors import run as run_command
from common.files import write_text

PAGE = REPOSITORY / "docs" / "records.md"
TITLES = {"audio": "Speech", "ocr": "Text images"}
HEAD = (
    "variant",
    "character errors",
    "difference to the base",
    "word errors",
    "difference to the base",
    "time",
    "parameters",
    "seeds",
    "verdict",
)


@dataclass(frozen=True)
class Rate:
    """Error rates over seeds, and how their mean differs from the base's; None for the base itself."""

    mean: float
    lowest: float
    highest: float
    difference: Difference | None


@dataclass(frozen=True)
class Row:
    """A variant with what is known of it; without any training ``note`` says why.

    Attributes:
        time: processor time of training over that of the base on the same processor (wall time where one was
            interrupted); None: not known.
    """

    name: str
    about: str
    seeds: tuple[int, ...] = ()
    characters: Rate | None = None
    words: Rate | None = None
    time: float | None = None
    num_parameters: int = 0
    verdict: str = ""
    note: str = ""
    commits: tuple[str, ...] = ()

    def record(self) -> dict[str, Any]:
        """For the line of JSON."""
        rates = {key: _record(rate) for key, rate in (("characters", self.characters), ("words", self.words))}
        return {
            **{"name": self.name, "seeds": list(self.seeds), "time_ratio": self.time, "verdict": self.verdict},
            **{"num_parameters": self.num_parameters, "note": self.note, "commits": list(self.commits), **rates},
        }


def _record(rate: Rate | None) -> dict[str, Any] | None:
    if rate is None:
        return None
    found: dict[str, Any] = {"mean": rate.mean, "lowest": rate.lowest, "highest": rate.highest}
    if rate.difference:
        found |= {"difference": rate.difference.value, "interval": rate.difference.interval}
    return found


def rows_of(modality: str, variants: Sequence[Variant], cells: Path = CELLS) -> list[Row]:
    """A row a variant, the base first; cells of other settings than today's do not count."""
    base = base_tree(modality)
    trees = {variant.name: tree_of(variant, modality, base) for variant in variants}
    found = {variant.name: read_cells(modality, variant.name, trees[variant.name], cells) for variant in variants}
    # The same seed on the same processor is the same training to the last bit, not another one.
    known = {_origin(cell) for cell in found[BASE]}
    again = [cell for cell in read_cells(modality, AGAIN, base, cells) if _origin(cell) not in known]
    return [
        _row(variant, found[variant.name], found[BASE], again, refusal(trees[variant.name], modality))
        for variant in variants
    ]


def _origin(cell: Mapping[str, Any]) -> tuple[int, str]:
    return cell["seed"], cell["host"]["processor"]


def read_cells(modality: str, name: str, tree: Mapping[str, Any], cells: Path = CELLS) -> list[dict[str, Any]]:
    """The finished cells of a variant, by seed, each with its validation ``samples``."""
    found = []
    for file in (cells / modality).glob(f"{name}-*.json"):
        cell = finished(file, tree, modality)
        if cell is not None:
            found.append({**cell, "samples": read_samples(file, cell)})
    return sorted(found, key=lambda cell: cell["seed"])


def _row(
    variant: Variant, cells: list[dict[str, Any]], base: list[dict[str, Any]], again: list[dict[str, Any]], reason: str
) -> Row:
    about = variant.about + (f" ({variant.source})" if variant.source else "")
    if not cells:
        return Row(variant.name, about, note=reason or "not run yet")
    # Another processor rounds otherwise, which a training feels as another seed: more seeds of the same base.
    beside = {BASE: [], AGAIN: base}.get(variant.name, [*base, *again])
    characters, words = (_rate(cells, beside, unit) for unit in ("character", "word"))
    return Row(
        name=variant.name,
        about=about,
        seeds=tuple(cell["seed"] for cell in cells),
        characters=characters,
        words=words,
        time=_time(cells, [*base, *again]),
        num_parameters=cells[0]["training"]["num_parameters"],
        verdict=characters.difference.verdict() if characters.difference else "",
        commits=tuple(sorted({cell["commit"] for cell in cells})),
    )


def _time(cells: Sequence[Mapping[str, Any]], base: Sequence[Mapping[str, Any]]) -> float | None:
    """Time of the cells over that of the base on the same processors; None where it was not trained there."""
    ratios = []
    for cell in cells:
        there = [each for each in base if each["host"]["processor"] == cell["host"]["processor"]]
        if not there:
            return None
        ratios.append(_seconds(cell) / float(np.mean([_seconds(each) for each in there])))
    return float(np.mean(ratios))


def _rate(cells: list[dict[str, Any]], base: list[dict[str, Any]], unit: str) -> Rate:
    errors = errors_of(cells, unit)
    rates = errors.rates()
    compared = difference(errors, errors_of(base, unit)) if base else None
    return Rate(float(rates.mean()), float(rates.min()), float(rates.max()), compared)


def errors_of(cells: Sequence[Mapping[str, Any]], unit: str) -> Errors:
    """The errors of several seeds on the same samples; ``unit`` is ``word`` or ``character``.

    Raises:
        GlyphoneError: the seeds were validated on different samples.
    """
    samples = cells[0]["samples"]
    if any(cell["samples"] != samples for cell in cells):
        raise GlyphoneError(
            f"{cells[0]['modality']}: {cells[0]['variant']}: its seeds have different validation samples"
        )
    errors = np.array([cell[f"{unit}_errors"] for cell in cells])
    return Errors(samples["ids"], samples["groups"], errors, np.array(samples[f"{unit}s"]))


def _seconds(cell: Mapping[str, Any]) -> float:
    return cell["cpu_seconds"] or cell["training"]["seconds"]


def show(rows: Sequence[Row]) -> str:
    """A table in Markdown of what was trained, and below it the names of what was not, in the order of the variants."""
    lines = [f"| {' | '.join(HEAD)} |", "|" + "---|" * len(HEAD)]
    lines += [_line(row) for row in rows if row.characters]
    missing: dict[str, list[str]] = {}
    for row in rows:
        if not row.characters:
            reason, _, keys = row.note.partition(": ")
            missing.setdefault(reason, []).append(f"`{row.name}`" + (f" ({keys})" if keys else ""))
    return "\n".join([*lines, *(f"\n{reason.capitalize()}: {', '.join(names)}." for reason, names in missing.items())])


def _line(row: Row) -> str:
    rates = [cell for rate in (row.characters, row.words) if rate for cell in (_spread(rate), _compared(rate))]
    time = f"{row.time:.2f}" if row.time is not None else "–"
    seeds = ", ".join(map(str, row.seeds))
    cells = [f"`{row.name}`: {row.about}", *rates, time, f"{row.num_parameters / 1e6:.2f} M", seeds, row.verdict or "–"]
    return f"| {' | '.join(cells)} |"


def _spread(rate: Rate) -> str:
    spread = f" ({rate.lowest:.4f} to {rate.highest:.4f})" if rate.lowest < rate.highest else ""
    return f"{rate.mean:.4f}{spread}"


def _compared(rate: Rate) -> str:
    if rate.difference is None:
        return "–"
    interval = rate.difference.interval
    beside = f" ({interval[0]:+.4f} to {interval[1]:+.4f})" if interval else ""
    return f"{rate.difference.value:+.4f}{beside}"


def sentence(rows: Sequence[Row]) -> str:
    """What helped and what did not, in words."""
    parts = []
    for verdict, words in (("helps", "Helped"), ("no difference", "Made no difference"), ("hurts", "Hurt")):
        names = [f"`{row.name}`" for row in rows if row.verdict == verdict]
        parts.append(f"{words}: {', '.join(names) if names else 'none'}.")
    trained = sum(bool(row.characters) for row in rows)
    commits = sorted({commit for row in rows for commit in row.commits})
    return " ".join(
        [*parts, f"Trained: {trained} of {len(rows)} rows.", *([f"Commits: {', '.join(commits)}."] if commits else [])]
    )


def lay_in(page: str, sections: Mapping[str, str]) -> str:
    """The page with each section between its two markers.

    Raises:
        GlyphoneError: a marker is missing.
    """
    for name, text in sections.items():
        first, last = f"<!-- ablations {name} -->", f"<!-- end of ablations {name} -->"
        before, found, rest = page.partition(first)
        _, ended, after = rest.partition(last)
        if not (found and ended):
            raise GlyphoneError(f"{PAGE}: the markers {first} and {last} are needed, in this order")
        page = f"{before}{first}\n{text}\n{last}{after}"
    return page


def main() -> None:
    argparse.ArgumentParser(prog="python -m benchmarks.ablation_table", description=__doc__).parse_args()
    variants = read_variants()
    sections = {}
    for modality in MODALITIES:
        rows = rows_of(modality, of_modality(variants, modality))
        sections[modality] = f"{sentence(rows)}\n\n{show(rows)}"
    write_text(PAGE, lay_in(PAGE.read_text(encoding="utf-8"), sections))


if __name__ == "__main__":
    run_command(main)
