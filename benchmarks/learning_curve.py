"""Error against the number of real samples, with and without pretraining, on validation data.

For each recipe and each number of real training samples recipe ``<recipe>_pretrained`` is trained twice: from fresh
weights, with its pretraining off, and as it is. The pretraining is of each number anew, since its texts are of those
samples. Each training has the same time by count: as many epochs as its samples allow in the minutes given, by the
speed of two short runs, and no more than ``MOST_EPOCHS``. What an epoch takes whatever its samples, which is mostly
validation, is reckoned apart: it weighs most where they are few. The table goes to standard error and into ``detail``;
trainings that are done are read again. The value is the error with pretraining over the error without, at the smallest
number of the first recipe.

``GLYPHONE_CURVE=fraktur,an4`` names recipes, ``GLYPHONE_CURVE_SAMPLES=125,250,0`` the numbers (0: all),
``GLYPHONE_CURVE_MINUTES=10`` the minutes of a training, ``GLYPHONE_CURVE_SET=pretraining.epochs=2,network.cell=gru``
settings of the modality for a miniature. Test data is not touched.
"""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from benchmarks.cells import repro
from benchmarks.processes import watch
from benchmarks.recipes import choose, overrides_of
from benchmarks.result import Result
from benchmarks.workspace import environment, workspace
from common.errors import GlyphoneError
from common.files import read_json, read_jsonl, write_json

NAME = "learning_curve"
RECIPES = ("fraktur", "an4", "iiit5k")
SAMPLES = (125, 250, 500, 1000, 0)
MINUTES = 10.0
MOST_EPOCHS = 120
# Samples of the runs that tell the speed, and epochs of each.
PROBES, PROBE_EPOCHS = (125, 500), 2


@dataclass(frozen=True)
class Pace:
    """Seconds of an epoch: ``epoch`` whatever its samples (validation above all), and ``sample`` for each of them."""

    epoch: float
    sample: float

    @classmethod
    def of(cls, few: tuple[int, float], many: tuple[int, float]) -> "Pace":
        """The line through two measured epochs, each (samples, seconds).

        Where the longer one was no slower than noise allows, or there are no more samples, all time counts as that of
        samples: too few epochs then rather than too many.
        """
        slope = (many[1] - few[1]) / (many[0] - few[0]) if many[0] > few[0] else 0.0
        if not 0 < slope <= many[1] / many[0]:
            return cls(0.0, many[1] / many[0])
        return cls(many[1] - slope * many[0], slope)

    def epochs(self, samples: int, minutes: float) -> int:
        """As many epochs of ``samples`` as the minutes allow; 1 to ``MOST_EPOCHS``."""
        return max(1, min(MOST_EPOCHS, int(60 * minutes / (self.epoch + self.sample * samples))))


def run() -> Result:
    folder = workspace(NAME)
    names = os.environ.get("GLYPHONE_CURVE", "")
    recipes = tuple(filter(None, names.split(","))) or RECIPES
    numbers = numbers_of(os.environ.get("GLYPHONE_CURVE_SAMPLES", ""))
    minutes = float(os.environ.get("GLYPHONE_CURVE_MINUTES", MINUTES))
    more = settings_of(os.environ.get("GLYPHONE_CURVE_SET", ""))
    rows: dict[str, list[dict[str, Any]]] = {}
    for recipe in recipes:
        rows[recipe] = curve(folder, recipe, numbers, minutes, more)
        show(recipe, rows[recipe])
    first = min(rows[recipes[0]], key=lambda row: row["samples"])
    value = first["pretrained_cer"] / first["fresh_cer"] if first["fresh_cer"] else 1.0
    return Result(value, "ratio", False, {"curves": rows, "minutes": minutes, "settings": more, "seed": 1})


def curve(
    folder: Path, recipe: str, numbers: tuple[int, ...], minutes: float, more: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """A row for each number of real samples."""
    probes = [train(folder, recipe, False, number, PROBE_EPOCHS, more) for number in PROBES]
    pace = Pace.of(*((each["samples"], each["seconds"] / PROBE_EPOCHS) for each in probes))
    rows = []
    for number in numbers:
        size = number or count(folder, recipe, more)
        epochs = pace.epochs(size, minutes)
        fresh, pretrained = (train(folder, recipe, with_it, number, epochs, more) for with_it in (False, True))
        rows.append(
            {
                "samples": fresh["samples"],
                "epochs": epochs,
                "fresh_cer": fresh["validation_cer"],
                "fresh_wer": fresh["validation_wer"],
                "fresh_seconds": fresh["seconds"],
                "pretrained_cer": pretrained["validation_cer"],
                "pretrained_wer": pretrained["validation_wer"],
                "pretrained_seconds": pretrained["seconds"],
                "pretraining_seconds": pretrained["pretraining_seconds"],
                "pretraining_samples": pretrained["pretraining_samples"],
            }
        )
        show(recipe, rows)
    return rows


def train(
    folder: Path, recipe: str, pretrained: bool, number: int, epochs: int, more: Mapping[str, Any]
) -> dict[str, Any]:
    """One training by ``dvc repro train@…``: read where it is done with these settings, else run."""
    modality = prepared(folder, recipe, pretrained, number, more, {"training.epochs": epochs})
    settings = YAML(typ="safe").load(folder / "params.yaml")
    kind = "pretrained" if pretrained else "fresh"
    done = folder / ".work" / f"{recipe}_{kind}_{number}_{epochs}.json"
    if done.is_file() and (found := read_json(done)).get("settings") == settings:
        return found
    watch(repro(f"train@{modality}"), folder, environment())
    costs = read_json(folder / "results" / modality / "training.json")
    summary = read_json(folder / "models" / modality / "bundle.json")["summary"]
    found = {
        "settings": settings,
        "samples": num_real(folder, modality),
        **{key: summary[key] for key in ("validation_cer", "validation_wer", "best_epoch")},
        **{key: costs.get(key, 0) for key in ("seconds", "pretraining_seconds", "pretraining_samples")},
    }
    write_json(done, found)
    return found


def prepared(
    folder: Path, recipe: str, pretrained: bool, number: int, more: Mapping[str, Any], own: Mapping[str, Any]
) -> str:
    """Choose the recipe with so many real samples; returns its modality."""
    path = folder / "recipes" / f"{recipe}_pretrained.yaml"
    if not path.is_file():
        raise GlyphoneError(f"GLYPHONE_CURVE: {recipe}: there is no recipe {recipe}_pretrained to compare with")
    choose(folder, f"{recipe}_pretrained", {})
    params = folder / "params.yaml"
    yaml = YAML()
    tree = yaml.load(params)
    (modality,) = tree["modalities"]
    off = {} if pretrained else {"pretraining": {"stream": {"samples": 0}}}
    for key, value in {"prepare.max_train_samples": number, **more, **own, **off}.items():
        *way, last = key.split(".")
        node = tree[modality]
        for step in way:
            node = node.setdefault(step, {})
        node[last] = value
    yaml.dump(tree, params)
    return str(modality)


def count(folder: Path, recipe: str, more: Mapping[str, Any]) -> int:
    """All real training samples of a recipe."""
    modality = prepared(folder, recipe, False, 0, more, {})
    watch(repro(f"prepare@{modality}"), folder, environment())
    return num_real(folder, modality)


def num_real(folder: Path, modality: str) -> int:
    """Training samples that were read and not made."""
    rows = read_jsonl(folder / "data" / modality / "samples.jsonl")
    return sum(row["split"] == "train" and not row["path"].startswith("synthesis:") for row in rows)


def numbers_of(text: str) -> tuple[int, ...]:
    """Numbers of samples, by commas; without text ``SAMPLES``."""
    try:
        numbers = tuple(int(each) for each in text.split(",") if each)
    except ValueError:
        raise GlyphoneError(f"GLYPHONE_CURVE_SAMPLES: {text!r}: allowed are whole numbers and commas") from None
    return numbers or SAMPLES


def settings_of(text: str) -> dict[str, Any]:
    """Settings of a modality, ``key=value`` by commas, values as in YAML."""
    return overrides_of([each for each in text.split(",") if each], "GLYPHONE_CURVE_SET")


def show(recipe: str, rows: list[dict[str, Any]]) -> None:
    """The table of one recipe on standard error."""
    print(f"\n{recipe}: validation CER, fresh and pretrained", file=sys.stderr)
    print(f"{'samples':>8}{'epochs':>8}{'fresh':>9}{'pre':>9}", file=sys.stderr)
    for row in rows:
        errors = f"{row['fresh_cer']:>9.4f}{row['pretrained_cer']:>9.4f}"
        print(f"{row['samples']:>8}{row['epochs']:>8}{errors}", file=sys.stderr, flush=True)
