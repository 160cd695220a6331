"""What each technique gives: variants of a small recipe, three seeds, errors on validation data with intervals.

The variants are rows of ``benchmarks/ablations.yaml``; the bases are ``benchmarks/ablations_audio.yaml`` and
``benchmarks/ablations_ocr.yaml``. A finished training is a file in ``benchmarks/ablation_cells``, so a run may be
killed and gone on with, on another day or machine too; the same training is never done twice. Of one modality one run
at a time. The test set is never read. ``python -m benchmarks.ablation_table`` writes the tables into
``docs/records.md``. The value is the lowest character error rate of a variant that helps over that of the base (1: none
helps yet), mean of the modalities that were asked for.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.ablation_cells import CELLS, cell_file, finished, train_cell, write_cell
from benchmarks.ablation_table import Row, rows_of, show
from benchmarks.ablation_variants import (
    MODALITIES,
    Variant,
    base_recipe,
    base_tree,
    chosen,
    of_modality,
    read_variants,
    refusal,
    tree_of,
)
from benchmarks.recipes import choose
from benchmarks.result import Result
from benchmarks.workspace import REPOSITORY, data_folder, workspace
from common.errors import GlyphoneError
from common.files import to_json

SEEDS = (1, 2, 3)


def run(arguments: Sequence[str] = (), cells: Path = CELLS) -> Result:
    asked = parser().parse_args(arguments)
    modalities = asked.modality or MODALITIES
    variants = list(chosen(read_variants(), asked.only))
    started = time.monotonic()
    for modality in modalities:
        for variant, seed in missing(of_modality(variants, modality), modality, asked.seeds, cells):
            if asked.minutes and time.monotonic() - started > 60 * asked.minutes:
                say(f"{asked.minutes:g} minutes are over: {modality} is not done")
                break
            fill(variant, modality, seed, cells)
    detail: dict[str, Any] = {}
    ratios = []
    for modality in modalities:
        rows = rows_of(modality, of_modality(variants, modality), cells)
        say(show(rows))
        detail[modality] = [row.record() for row in rows]
        ratios.append(ratio(rows))
    return Result(sum(ratios) / len(ratios), "ratio to base", False, {"variants": detail, "seeds": list(asked.seeds)})


def parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(prog="python -m benchmarks ablations", description=__doc__.partition("\n")[0])
    found.add_argument(
        "--only", nargs="+", default=[], metavar="NAME", help="these variants and the base; default: all"
    )
    found.add_argument("--seeds", nargs="+", type=int, default=list(SEEDS), metavar="SEED", help="default: 1 2 3")
    found.add_argument("--modality", nargs="+", choices=MODALITIES, help="default: both, one after the other")
    found.add_argument("--minutes", type=float, default=0.0, help="start no training after so many minutes; 0: go on")
    return found


def missing(variants: Sequence[Variant], modality: str, seeds: Sequence[int], cells: Path) -> list[tuple[Variant, int]]:
    """What is to be trained: the base with all seeds first, then variant by variant, since one seed decides nothing."""
    base = base_tree(modality)
    found = []
    for variant in variants:
        tree = tree_of(variant, modality, base)
        if reason := refusal(tree, modality):
            say(f"{modality}: {variant.name}: {reason}")
            continue
        files = {seed: cell_file(modality, variant.name, seed, cells) for seed in seeds}
        found += [(variant, seed) for seed, file in files.items() if finished(file, tree, modality) is None]
    say(f"{modality}: {len(found)} trainings to do")
    return found


def fill(variant: Variant, modality: str, seed: int, cells: Path) -> None:
    """Train one cell and write its file."""
    from pipelines.settings import load

    if not data_folder().is_dir():
        raise GlyphoneError(f"the real corpora are not there: {data_folder()} (set GLYPHONE_DATA)")
    folder = workspace(f"ablations_{modality}")
    choose(folder, base_recipe(modality).relative_to(REPOSITORY).as_posix(), {})
    tree = tree_of(variant, modality, load(folder / "params.yaml"))
    say(f"{modality}: {variant.name}, seed {seed}: {to_json(variant.differs(modality))}")
    cell, samples = train_cell(folder, variant, modality, seed, tree)
    write_cell(cell_file(modality, variant.name, seed, cells), cell, samples)


def ratio(rows: Sequence[Row]) -> float:
    """Lowest character error rate of the variants that help, over that of the base beside it; 1 where there is none."""
    helping = [row.characters for row in rows if row.characters and row.verdict == "helps"]
    return min((rate.mean / (rate.mean - rate.difference.value) for rate in helping if rate.difference), default=1.0)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
