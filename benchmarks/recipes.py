"""Run a whole recipe through ``dvc repro`` in a workspace of its own, and read what it reports."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.processes import watch
from benchmarks.workspace import call, data_folder, environment, workspace
from common.errors import GlyphoneError
from common.files import read_json


@dataclass(frozen=True)
class Run:
    """A finished recipe of one modality.

    Attributes:
        metrics: its ``results/<modality>/metrics.json``.
        training: its ``results/<modality>/training.json``: seconds, parts before an interruption included, and more.
        settings: ``params.yaml``.
        command: what a person types for the same run.
    """

    metrics: dict[str, Any]
    training: dict[str, Any]
    settings: dict[str, Any]
    command: str


def run_recipe(
    name: str, recipe: str, modality: str, overrides: Mapping[str, Any] | None = None, needs_data: bool = True
) -> Run:
    """Run ``recipe`` for one modality in the workspace ``name``: a killed run goes on, a finished one takes seconds.

    Args:
        overrides: dotted key → value, set in the workspace's ``params.yaml`` after the recipe.
        needs_data: does it read real corpora?

    Raises:
        GlyphoneError: the corpora are not there, or a stage failed.
    """
    if needs_data and not data_folder().is_dir():
        raise GlyphoneError(f"the real corpora are not there: {data_folder()} (set GLYPHONE_DATA)")
    folder = workspace(name)
    choose(folder, recipe, overrides or {})
    # The report is the last stage: DVC runs all before it. The other modality stays out.
    watch([sys.executable, "-m", "dvc", "repro", f"report@{modality}"], folder, environment())
    # Imported late: it brings the modalities' libraries.
    from pipelines.settings import load

    results = folder / "results" / modality
    return Run(
        read_json(results / "metrics.json"),
        read_json(results / "training.json"),
        load(folder / "params.yaml"),
        as_typed(recipe, modality, overrides or {}),
    )


def choose(folder: Path, recipe: str, overrides: Mapping[str, Any]) -> None:
    """Write a workspace's ``params.yaml``: the recipe, then the overrides."""
    call([sys.executable, "-m", "pipelines.recipe", recipe], folder)
    if overrides:
        override(folder / "params.yaml", overrides)


def override(params: Path, overrides: Mapping[str, Any]) -> None:
    """Set dotted keys of a YAML file; a number in a key counts the entries of a list.

    Raises:
        GlyphoneError: the way to a key does not exist.
    """
    from ruamel.yaml import YAML

    yaml = YAML()
    tree = yaml.load(params)
    set_keys(tree, overrides, params)
    yaml.dump(tree, params)


def set_keys(tree: Any, overrides: Mapping[str, Any], where: Path | str) -> None:
    """Set dotted keys of a tree of maps and lists, in place; ``where`` is for the message. Raises as ``override``."""
    for key, value in overrides.items():
        *way, last = key.split(".")
        node = tree
        try:
            for step in way:
                node = node[int(step) if isinstance(node, list) else step]
            node[int(last) if isinstance(node, list) else last] = value
        except (KeyError, IndexError, TypeError, ValueError):
            raise GlyphoneError(f"{where}: no key {key!r} to set") from None


def overrides_of(pairs: Sequence[str], where: str) -> dict[str, Any]:
    """``key=value`` each, values as in YAML → key → value. Raises GlyphoneError naming ``where``: no ``=``."""
    from ruamel.yaml import YAML

    parts = [each.partition("=") for each in pairs]
    if any(not (key and sign) for key, sign, _ in parts):
        raise GlyphoneError(f"{where}: {' '.join(pairs)!r}: allowed are key=value")
    return {key: YAML(typ="safe").load(value) for key, _, value in parts}


def as_typed(recipe: str, modality: str, overrides: Mapping[str, Any]) -> str:
    """The commands by which a person gets the same run in a checkout."""
    settings = " ".join(f"-S {key}={value}" for key, value in overrides.items())
    return (
        f"python -m pipelines.recipe {recipe} && dvc {'exp run ' + settings if settings else 'repro'} report@{modality}"
    )


def targets(folder: Path) -> list[str]:
    """The stages that ``make repro`` asks for: those of the recipe's modalities."""
    return call([sys.executable, "-m", "pipelines.recipe", "--targets"], folder).split()


def evidence(run: Run, part: str) -> dict[str, Any]:
    """What stands behind a rate: counts and interval of ``part`` of the metrics, the training's costs, seed, command.

    Args:
        part: ``words``, ``characters``, ``exact`` or ``exact_ignoring_case``.
    """
    metrics, validation = run.metrics, run.metrics["validation"][part]
    return {
        part: metrics[part],
        "samples": metrics["samples"],
        "groups": metrics["groups"],
        "interval": metrics["interval"],
        "validation": rate(validation),
        "training": run.training,
        "seed": run.settings["seed"],
        "command": run.command,
    }


def rate(part: Mapping[str, Any]) -> float:
    """The figure of a part of the metrics: an error rate, or a share of samples that are right."""
    return float(part["rate"] if "rate" in part else part["share"])


def by_transcript(run: Run, part: str) -> dict[str, Any]:
    """``part`` of the metrics for transcripts that training saw and those that it did not."""
    return {name: {"samples": tree["samples"], **tree[part]} for name, tree in run.metrics["by_transcript"].items()}
