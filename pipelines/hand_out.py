"""Pack a trained model and its results as one archive for others: weights, settings, a filled model card, digests.

MODEL is a model folder, RESULTS the results of its evaluation (metrics.json, training.json, errors.csv). OUT is a zip
archive where its name ends so, else a folder, which must not exist yet. The card says what the model was trained on and
under which licences, what it errs on the test split with intervals and by slices, where its limits are and how it was
made. `transcribe` reads the archive as it reads a model folder. Prints the archive's SHA-256.
"""

import argparse
import hashlib
import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.errors import GlyphoneError, run

if TYPE_CHECKING:
    from common.decoding import DecodingSettings

RESULTS = ("metrics.json", "training.json")
# Of a summary and of training.json: they say whether both tell of one training.
SHARED = ("num_parameters", "epochs", "best_epoch")
REPOSITORY = Path(__file__).resolve().parent.parent
# What a run of the pipelines itself changes in a checkout.
RUN_FILES = ("params.yaml", "dvc.lock", "results")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.hand_out", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", metavar="MODEL", type=Path, help="model folder, e.g. models/audio")
    parser.add_argument("results", metavar="RESULTS", type=Path, help="results folder, e.g. results/audio")
    parser.add_argument("-o", "--output", metavar="OUT", type=Path, required=True, help="NAME.zip, or a folder NAME")
    parser.add_argument("--name", help="what the card calls the model; default: that of OUT")
    parser.add_argument("--command", help="the command that made it, for the card; default: not stated")
    parser.add_argument("--commit", help="commit of the code; default: that of this checkout, where it is one")
    options = parser.parse_args(arguments)
    from common.output import shown

    digest = hand_out(
        options.model,
        options.results,
        options.output,
        name=options.name and shown(options.name),  # arguments may hold bytes that are no text
        command=options.command and shown(options.command),
        commit=code_version() if options.commit is None else shown(options.commit),
    )
    print(f"{digest}  {shown(options.output)}")
    return 0


def hand_out(
    model: Path, results: Path, output: Path, *, name: str | None = None, command: str | None = None, commit: str = ""
) -> str:
    """Write the archive; return its SHA-256, of a folder that of its ``SHA256SUMS``.

    Raises:
        GlyphoneError: MODEL or RESULTS are none, do not belong together, or OUT is a folder that exists.
    """
    from common.archive import SUMS, sums_of, write_zip
    from common.output import shown

    packed = output.suffix.lower() == ".zip"
    if not packed and os.path.lexists(output):  # a link to nothing too: a folder cannot take its place
        raise GlyphoneError(f"{output}: exists already; name a folder that does not, or a file that ends in .zip")
    name = name or shown(output.stem if packed else output.name)
    files = contents(model, results, name, shown(output.name), command, commit)
    files[SUMS] = sums_of(files).encode()
    if packed:
        # What the card calls the model need not be a folder's name.
        write_zip(output, re.sub(r"[\\/:]", "_", shown(output.stem)), files)
        return hashlib.sha256(output.read_bytes()).hexdigest()
    _write_folder(output, files)
    return hashlib.sha256(files[SUMS]).hexdigest()


def contents(model: Path, results: Path, name: str, file: str, command: str | None, commit: str) -> dict[str, bytes]:
    """Name → bytes of all files but the digests. ``file``: name of the archive or folder. Raises as ``hand_out``."""
    from common.bundle import CARD, DESCRIPTION, WEIGHTS, read_description
    from common.decoding.decoder import chosen_settings
    from common.decoding.places import LANGUAGE_FOLDER
    from common.files import read_json
    from common.shapes import checked, written_by
    from pipelines import hand_out_shapes as shapes
    from pipelines.hand_out_card import Making, card

    description = read_description(model)
    with written_by("train"):
        checked(shapes.Description, description, model / DESCRIPTION)
        training = read_json(results / RESULTS[1])
        checked(shapes.Training, training, results / RESULTS[1])
    with written_by("evaluate"):
        metrics = read_json(results / RESULTS[0])
        checked(shapes.Metrics, metrics, results / RESULTS[0])
    for key in SHARED:
        if description["summary"].get(key) != training.get(key):
            raise GlyphoneError(
                f"{results / RESULTS[1]}: {key} is {training.get(key)}, of {model} it is "
                f"{description['summary'].get(key)}: these are not the results of this model"
            )
    # Results that do not say of which weights they are came before any adaptation.
    own = description["weights_sha256"]
    if metrics.get("weights_sha256", None if description["summary"].get("adaptations") else own) != own:
        raise GlyphoneError(
            f"{results / RESULTS[0]}: of other weights than those of {model} (another seed or data, or adapted since): "
            "these are not the results of this model"
        )
    decoding = chosen_settings(model)
    _check_decoder(metrics, decoding, results / RESULTS[0], model)
    language = sorted(path for path in (model / LANGUAGE_FOLDER).glob("*") if path.is_file())
    paths = {each: model / each for each in (WEIGHTS, DESCRIPTION)}
    paths |= {f"{LANGUAGE_FOLDER}/{path.name}": path for path in language if not path.name.startswith(".")}
    paths |= {f"results/{each}": results / each for each in RESULTS}
    files = {each: path.read_bytes() for each, path in paths.items()}
    if hashlib.sha256(files[WEIGHTS]).hexdigest() != description["weights_sha256"]:
        raise GlyphoneError(f"{model / WEIGHTS}: the file is damaged, its SHA-256 is not the one in {DESCRIPTION}")
    making = Making(name, file, command, commit, decoding)
    files[CARD] = card(description, metrics, training, confusions(results / "errors.csv"), making).encode()
    return files


def _check_decoder(metrics: Mapping[str, Any], decoding: "DecodingSettings", path: Path, model: Path) -> None:
    """Refuse figures of another decoder than the model's; results of before ``decoder`` say nothing of theirs.

    Args:
        decoding: settings that the model folder has now.
    """
    if (told := metrics.get("decoder")) is None:
        return
    # What did not act is not told; of these two that means that there was none.
    measured = {"whitelist": None, "rescoring": None, **told}
    for key, own in decoding.model_dump(mode="json").items():
        if key in measured and measured[key] != own:
            raise GlyphoneError(
                f"{path}: measured with decoding.{key} {measured[key]!r}, but {model} decodes with {own!r}: these are "
                "not the results of this decoder; run stages tune and evaluate again"
            )


def confusions(table: Path) -> list[tuple[str, str, int]]:
    """The most frequent character errors, most first: (reference, hypothesis, count); none without the table."""
    from common.tables import read_table

    if not table.is_file():
        return []
    rows = read_table(table, ("reference", "hypothesis", "count"))
    try:
        return [(_plain(row["reference"]), _plain(row["hypothesis"]), int(row["count"])) for row in rows]
    except ValueError:
        raise GlyphoneError(f"{table}: not a table that evaluate wrote") from None


def _plain(cell: str) -> str:
    """Without the apostrophe that keeps spreadsheets from running a cell."""
    return cell[1:] if len(cell) > 1 and cell.startswith("'") else cell


def code_version(repository: Path = REPOSITORY) -> str:
    """Commit of a checkout, with a word where tracked files were changed since; "" where it is no checkout."""
    command = ["git", "-C", str(repository)]
    try:
        top, commit, changes = (
            subprocess.run([*command, *arguments], capture_output=True, text=True, check=True).stdout.strip()
            for arguments in (
                ("rev-parse", "--show-toplevel"),
                ("rev-parse", "HEAD"),
                ("status", "--porcelain", "-uno", "--", ".", *(f":!{each}" for each in RUN_FILES)),
            )
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    if Path(top).resolve() != repository.resolve():
        return ""  # unpacked inside of another repository
    return f"{commit} with later changes" if changes else commit


def _write_folder(folder: Path, files: dict[str, bytes]) -> None:
    from common.files import atomic_folder

    with atomic_folder(folder) as inner:
        for name, data in files.items():
            path = inner / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)


if __name__ == "__main__":
    run(main)
