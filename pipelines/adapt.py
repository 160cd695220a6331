"""Adapt a model to one speaker or one book, from recordings or lines of it that nobody transcribed.

The model transcribes PATHS, learns the surest of its own transcripts, and does so again, a few rounds; a new model
folder is written, and MODEL stays as it is. Give a model files of one voice or one hand at a time: to fit them is what
the new one is for. It helps where the model knows what can be said (a word list, n-grams) and half understands who
says it; where it understands little it may get worse, so hold it against a few transcripts of your own before you use
it. PATHS are files, folders, globs, and - for a list on standard input, as of transcribe.
Exit code 0: all files were used; 1: some could not be read, they are named at the end; 2: wrong call or model.
"""

import argparse
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.errors import GlyphoneError, SampleError, run
from common.wording import out_of, plural

if TYPE_CHECKING:
    import numpy as np

    from common.adaptation.self_training import Adapted, Round
    from common.adaptation.settings import AdaptationSettings
    from pipelines.recogniser import Recogniser

ROUNDS = 5


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    if os.path.lexists(options.output):  # a link to nothing too: a folder cannot take its place
        raise GlyphoneError(f"-o {options.output}: exists already; name a folder that is not there yet")
    settings = _settings(options)
    # Heavy libraries only from here on: --help answers at once.
    from common.archive import unpacked

    with unpacked(options.model) as folder:
        return adapt(folder, options.paths, options.output, settings, options.seed, options.device, options.model)


def adapt(
    model: Path,
    paths: Sequence[str],
    output: Path,
    settings: "AdaptationSettings",
    seed: int,
    device: str = "auto",
    name: Path | None = None,
) -> int:
    """Write the adapted model folder; the exit code. Raises GlyphoneError where no file gives a transcript.

    Args:
        name: of the model in messages, where its folder is an unpacked archive's.
    """
    from common.adaptation.self_training import self_train
    from common.files import atomic_folder
    from common.output import shown
    from pipelines.augmentation import augmentation_of
    from pipelines.recogniser import Recogniser

    name = name or model
    recogniser = Recogniser.load(model, device)
    augment = augmentation_of(recogniser.bundle)
    matrices, reasons = _read(recogniser, paths)
    for path, reason in reasons.items():
        print(f"not used: {shown(path)}: {reason}", file=sys.stderr)
    if not matrices:
        raise GlyphoneError("no file could be read, so there is nothing to learn")
    with atomic_folder(output) as folder:  # opened first: where it cannot be written no work is in vain
        adapted = self_train(
            recogniser.bundle.network,
            recogniser.bundle.alphabet,
            recogniser.decoder,
            [shown(path) for path in matrices],  # a name may hold bytes that are no text
            list(matrices.values()),
            augment,
            settings,
            seed,
            lambda number, each: print(_sentence(number, each, settings.rounds, len(matrices)), file=sys.stderr),
        )
        if adapted.undone and not adapted.rounds:
            raise GlyphoneError(f"{name}: {adapted.undone}; there is no other model to write")
        if adapted.undone:
            print(adapted.undone, file=sys.stderr)
        if not adapted.rounds:
            raise GlyphoneError(
                f"{name}: none of {plural(len(matrices), 'file')} gives a text, so there is nothing to learn"
            )
        _write(model, folder, adapted, settings, len(matrices), seed)
    if reasons:
        print(f"{out_of(len(reasons), len({*matrices, *reasons}), 'input', 'were')} not used", file=sys.stderr)
    return 1 if reasons else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.adapt", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", metavar="MODEL", type=Path, help="model folder or its archive, e.g. models/audio")
    parser.add_argument("paths", metavar="PATHS", nargs="+", help="files, folders, globs, or - for a list on stdin")
    parser.add_argument(
        "-o", "--output", metavar="NEW", type=Path, required=True, help="model folder to write; not there yet"
    )
    parser.add_argument("--rounds", metavar="N", type=int, default=ROUNDS, help="%(default)s unless given")
    parser.add_argument("--share", type=float, help="of the files of each text those that are learnt (0.7)")
    parser.add_argument(
        "--match-prior",
        action="store_true",
        default=None,
        help="texts are as frequent in the files as the model's n-grams say, all alike without: digits, commands",
    )
    parser.add_argument("--epochs", metavar="N", type=int, help="of each round (3)")
    parser.add_argument("--learning-rate", metavar="RATE", type=float, help="at first (3e-4)")
    parser.add_argument("--seed", type=int, default=1, help="of augmentation and dropout (%(default)s)")
    parser.add_argument("--device", default="auto", help="cpu, cuda, cuda:1; auto takes CUDA where there is one")
    return parser


def _settings(options: argparse.Namespace) -> "AdaptationSettings":
    from pydantic import ValidationError

    from common.adaptation.settings import AdaptationSettings

    asked = {key: getattr(options, key) for key in ("rounds", "share", "match_prior", "epochs", "learning_rate")}
    if options.rounds < 1:
        raise GlyphoneError(f"--rounds {options.rounds}: a whole number of at least 1 is needed")
    try:
        return AdaptationSettings(**{key: value for key, value in asked.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        option = "--" + str(first["loc"][0]).replace("_", "-")
        raise GlyphoneError(f"{option} {first['input']}: {first['msg']}") from None


def _read(recogniser: "Recogniser", arguments: Sequence[str]) -> tuple[dict[str, "np.ndarray"], dict[str, str]]:
    """Slices of each file, by path, and the reasons of those that cannot be read."""
    from common.output import shown
    from common.progress import with_progress
    from pipelines.inputs import STANDARD_INPUT, find_files
    from pipelines.recogniser import reason_of

    listed = map(os.fsdecode, sys.stdin.buffer) if STANDARD_INPUT in arguments else ()
    found = find_files(arguments, recogniser.modality.suffixes, listed)
    paths, reasons = found.paths, found.reasons
    if sentence := found.sentence():
        print(shown(sentence), file=sys.stderr)
    matrices = {}
    for path in with_progress(paths, len(paths), "read", "file"):
        try:
            matrices[path] = recogniser.slices(path)
        except (SampleError, OSError) as error:
            reasons[path] = reason_of(error, path)
    return matrices, reasons


def _sentence(number: int, each: "Round", num_rounds: int, num_files: int) -> str:
    return (
        f"round {number + 1}/{num_rounds}: {out_of(each.num_learnt, num_files, 'transcript')} learnt, of confidence "
        f"{each.confidence:.3f}; {plural(each.num_changed, 'is another', 'are others')} than in the round before"
    )


def _write(
    model: Path, folder: Path, adapted: "Adapted", settings: "AdaptationSettings", num_files: int, seed: int
) -> None:
    """The new folder: all of the model's, but the weights and what is said of them."""
    from common.bundle import CARD, read_description, write_bundle
    from common.decoding.places import LANGUAGE_FOLDER
    from common.files import atomic
    from common.network_settings import NetworkSettings

    description: dict[str, Any] = read_description(model)
    network = NetworkSettings(**description.pop("network"))
    steps = [*description["summary"].get("adaptations", ()), _step(adapted, settings, num_files, seed)]
    description["summary"] = {**description["summary"], "adaptations": steps}
    card = (model / CARD).read_text("utf-8", errors="replace") if (model / CARD).is_file() else ""
    text = f"{card.rstrip()}\n\n{_note(steps[-1])}"
    # Digests and results of an archive are of the old weights.
    for path in sorted(each for each in (model / LANGUAGE_FOLDER).glob("[!.]*") if each.is_file()):
        with open(path, "rb") as file, atomic(folder / LANGUAGE_FOLDER / path.name) as copy:
            shutil.copyfileobj(file, copy)
    write_bundle(folder, adapted.network.state_dict(), network, description, text)


def _step(adapted: "Adapted", settings: "AdaptationSettings", num_files: int, seed: int) -> dict[str, Any]:
    return {
        "files": num_files,
        "seed": seed,
        "settings": settings.model_dump(mode="json", exclude={"min_samples"}),
        "rounds": [asdict(each) | {"confidence": round(each.confidence, 6)} for each in adapted.rounds],
    }


def _note(step: dict[str, Any]) -> str:
    return f"""## Adapted

These weights were then adapted to {plural(step["files"], "file")} without transcripts by self-training,
{plural(len(step["rounds"]), "round")}. Error rates and confidences above are of the weights before it.
"""


if __name__ == "__main__":
    run(main)
