"""Build the models to hand out: each recipe run to its end in a workspace of its own, then packed with a filled card.

The workspaces are those of the benchmarks, so a training that is done is not done again. Archives and their SHA256SUMS
stand in the folder of -o. A recipe that cannot be run is named at the end; the exit code is then 1.
"""

import argparse
import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from common.errors import GlyphoneError, run


class Model(NamedTuple):
    """What is handed out of a recipe: name of the archive, workspace, modality."""

    name: str
    workspace: str
    modality: str


MODELS = {
    "default": (
        Model("default-audio", "default_audio_wer", "audio"),
        Model("default-ocr", "default_ocr_accuracy", "ocr"),
    ),
    "an4": (Model("an4", "an4_wer_greedy", "audio"),),
    "fsdd_official": (Model("fsdd", "fsdd_official_accuracy", "audio"),),
    "iiit5k_pretrained": (Model("iiit5k", "iiit5k_accuracy", "ocr"),),
    "fraktur_pretrained": (Model("fraktur", "fraktur_cer", "ocr"),),
}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.models", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("recipes", metavar="RECIPE", nargs="*", help=f"of {', '.join(MODELS)}; default: all")
    parser.add_argument("-o", "--output", metavar="FOLDER", type=Path, default=Path("dist"), help="default: dist")
    options = parser.parse_args(arguments)
    recipes = options.recipes or list(MODELS)
    unknown = [each for each in recipes if each not in MODELS]
    if unknown:
        raise GlyphoneError(f"recipe {unknown[0]!r}: models are handed out of {', '.join(MODELS)}")
    failures: dict[str, GlyphoneError] = {}
    for recipe in recipes:
        try:
            for model in MODELS[recipe]:
                print(f"{build(recipe, model, options.output)}  {model.name}.zip", flush=True)
        except GlyphoneError as error:
            failures[recipe] = error
    _write_sums(options.output)
    for recipe, reason in failures.items():
        print(f"not built: {recipe}: {reason}", file=sys.stderr)
    return 1 if failures else 0


def build(recipe: str, model: Model, output: Path) -> str:
    """Run a recipe to its end and pack its model; return the archive's SHA-256.

    Raises:
        GlyphoneError: the corpus is not there, or a stage failed.
    """
    from benchmarks.recipes import run_recipe
    from benchmarks.workspace import WORKSPACES
    from pipelines.hand_out import code_version, hand_out

    run_recipe(model.workspace, recipe, model.modality, needs_data=recipe != "default")
    folder = WORKSPACES / model.workspace
    return hand_out(
        folder / "models" / model.modality,
        folder / "results" / model.modality,
        output / f"{model.name}.zip",
        command=f"make repro RECIPE={recipe}",
        commit=code_version(),
    )


def _write_sums(folder: Path) -> None:
    """Digests of all archives in the folder, also of earlier calls."""
    from common.archive import SUMS
    from common.files import write_text

    archives = sorted(folder.glob("*.zip"))
    if archives:
        lines = (f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in archives)
        write_text(folder / SUMS, "".join(lines))


if __name__ == "__main__":
    run(main)
