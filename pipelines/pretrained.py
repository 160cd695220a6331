"""What stage pretrain leaves for stage train: where it is, and what it cost."""

from pathlib import Path
from typing import Any

from common.files import read_json
from pipelines.warm_model import DESCRIPTION

# Costs, empty where there was no pretraining; the learning curve.
SUMMARY, CURVE = "pretraining.json", "history.csv"
# What stands in place of the costs until all else is written.
BEGUN = {"begun": True}


def pretrained_folder(name: str) -> Path:
    """The folder of modality ``name``, a model folder where there was a pretraining."""
    return Path("data") / name / "pretrained"


def has_pretrained(name: str) -> bool:
    return (pretrained_folder(name) / DESCRIPTION).is_file()


def is_interrupted(name: str) -> bool:
    """Whether a pretraining was begun that did not come to its end; what else is in its folder is of an earlier one."""
    path = pretrained_folder(name) / SUMMARY
    return path.is_file() and read_json(path) == BEGUN


def pretraining_costs(name: str) -> dict[str, Any]:
    """Seconds, epochs and samples of the pretraining, for the costs of the training; empty without one."""
    path = pretrained_folder(name) / SUMMARY
    found = read_json(path) if has_pretrained(name) and path.is_file() else {}
    return {f"pretraining_{key}": found[key] for key in ("seconds", "epochs", "best_epoch", "samples") if key in found}
