"""A record's figure with several seeds: mean, lowest and highest, and what their models say by vote.

``python -m benchmarks seeds an4_wer --seeds 1 2 3``. Seed 1 is the record's own training; all seeds have its splits.
Whatever is done answers in seconds, and a killed run goes on. The first seed's model is the one that the others vote
with. Both ways of voting are tried and the one that errs less on validation data is the vote; the value is the mean
over seeds of the models alone. Where a recipe adapts its models to their test samples, those have figures beside it.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from statistics import mean
from typing import Any

from benchmarks.recipes import Run, rate
from benchmarks.record import Record
from benchmarks.result import Result

FIGURES = (
    "an4_wer_greedy",
    "an4_wer",
    "fsdd_wer",
    "fsdd_official_accuracy",
    "iiit5k_accuracy",
    "iiit5k_accuracy_language",
    "fraktur_cer",
)
SEEDS = (1, 2, 3)
METHODS = ("confidences", "emissions")
HIGHER_IS_BETTER = ("exact", "exact_ignoring_case")


def run(arguments: Sequence[str] = ()) -> Result:
    asked = parser().parse_args(arguments)
    records = records_of(asked.figure)
    runs, adapted = {}, {}
    for seed in dict.fromkeys(asked.seeds):
        done = [(record, record.run(seed)) for record in records]
        runs[seed] = summary(done)
        say(f"{asked.figure}, seed {seed}", runs[seed])
        if all("adapted" in run.metrics for _, run in done):
            adapted[seed] = summary(done, "adapted")
            say(f"{asked.figure}, seed {seed}, adapted", adapted[seed])
    rates = [each["rate"] for each in runs.values()]
    detail: dict[str, Any] = {"lowest": min(rates), "highest": max(rates), "seeds": runs}
    if adapted:
        detail["adapted"] = {"mean": mean(each["rate"] for each in adapted.values()), "seeds": adapted}
    higher = records[0].part in HIGHER_IS_BETTER
    if len(runs) > 1:
        detail["votes"] = votes(records, list(runs))
        detail["voting"] = best_on_validation(detail["votes"], higher)
    return Result(mean(rates), "fraction", higher, detail)


def parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(prog="python -m benchmarks seeds", description=__doc__.partition("\n")[0])
    found.add_argument("figure", nargs="?", choices=FIGURES, default=FIGURES[0], help=f"default: {FIGURES[0]}")
    found.add_argument("--seeds", nargs="+", type=int, default=list(SEEDS), metavar="SEED", help="default: 1 2 3")
    return found


def records_of(figure: str) -> tuple[Record, ...]:
    """What a benchmark trains: one model, or one for each speaker left out."""
    records: tuple[Record, ...] = import_module(f"benchmarks.{figure}").RECORDS
    return records


def votes(records: Sequence[Record], seeds: Sequence[int]) -> dict[str, dict[str, Any]]:
    """Method → what the models of all seeds say by vote."""
    main, *others = seeds
    found = {}
    for method in METHODS:
        found[method] = summary([(record, record.run(main, others, method)) for record in records], "vote")
        say(f"vote of {len(seeds)} by {method}", found[method])
    return found


def best_on_validation(votes: Mapping[str, Mapping[str, Any]], higher_is_better: bool) -> str:
    """The method that errs least on validation data; the first of equals. Test data has no say."""
    sign = -1 if higher_is_better else 1
    return min(votes, key=lambda method: sign * votes[method]["validation"])


def summary(runs: Sequence[tuple[Record, Run]], entry: str = "") -> dict[str, Any]:
    """Rates of the models, their mean, and time.

    Args:
        entry: of the metrics, that stands beside the model's own; "": the model's own.
    """
    rows = {}
    for record, run in runs:
        metrics = run.metrics[entry] if entry else run.metrics
        part = metrics[record.part]
        rows[record.workspace] = {
            "rate": rate(part),
            "low": part["low"],
            "high": part["high"],
            "validation": rate(metrics["validation"][record.part]),
            "seconds": run.training["seconds"] + run.training.get("pretraining_seconds", 0),
        }
    means = {key: mean(row[key] for row in rows.values()) for key in ("rate", "validation")}
    return {**means, "models": rows}


def say(what: str, found: Mapping[str, Any]) -> None:
    """A line on standard error."""
    print(f"{what}: {found['rate']:.4f}, validation {found['validation']:.4f}", file=sys.stderr, flush=True)
