"""Transcribe files with a trained model; results come in input order, as they are ready.

PATHS are files, folders (searched at any depth for the file endings of the model's modality, but not behind links to
folders), globs, and - for a list of paths on standard input. Formats: txt, jsonl and csv; of speech also ctm and trn, a
file for all inputs, and srt, vtt and TextGrid, a file for each; of text images alto, page and hocr, a file for each.
Those with a file for each go to the folder OUT, below it as the inputs stand below the folder that they share; of one
input OUT may be the file itself.
A recording longer than slices.max_seconds of the model is cut in pauses, into parts about as long as what it has
learnt from.
With --with other models vote with MODEL, each by its own decoder: docs/decoding.md. Parts are then no longer than what
each of them takes.
With -o the command goes on where it stopped: what OUT holds for the same path and size is kept.
Exit code 0: all transcribed; 1: some files could not be read, or with --verify read otherwise alone, they are named at
the end; 2: wrong call or model.
"""

import argparse
import os
import sys
from collections.abc import Generator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.errors import GlyphoneError, run
from common.wording import out_of

if TYPE_CHECKING:
    from common.decoding import DecodingSettings
    from pipelines.outputs import Documents, Rows
    from pipelines.recogniser import Result

ENGINES = ("greedy", "beam", "beam_lm", "ctcdecode")
# Formats that hold more than one text of a file.
WITH_ALTERNATIVES = ("jsonl", "page")


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    if options.voting and not options.voters:
        raise GlyphoneError(f"--voting {options.voting}: one model does not vote; name further ones behind --with")
    options.voting = options.voting or "confidences"
    # Heavy libraries only from here on: --help answers at once.
    from common.archive import unpacked
    from pipelines.voter_folders import check_distinct

    names = [_shown(os.fspath(each)) for each in options.voters]
    check_distinct(names, options.voters, options.model, "is the first argument, which votes anyway", "--with")
    if options.output == Path("-"):
        options.output = None
    with ExitStack() as stack:
        options.model, *folders = (stack.enter_context(unpacked(each)) for each in (options.model, *options.voters))
        return _with_model(options, folders)


def _with_model(options: argparse.Namespace, voter_folders: list[Path]) -> int:
    """Transcribe; ``voter_folders`` are those of ``options.voters``, which may be archives."""
    from common.files import read_json
    from pipelines.inputs import STANDARD_INPUT, find_files
    from pipelines.modalities import modality

    name = _modality_of(options.model, read_json)
    for voter, folder in zip(options.voters, voter_folders, strict=True):
        if (other := _modality_of(folder, read_json, "--with")) != name:
            raise GlyphoneError(f"--with {voter}: a model of modality {other!r}, the first argument is of {name!r}")
    listed = map(os.fsdecode, sys.stdin.buffer) if STANDARD_INPUT in options.paths else ()
    found = find_files(options.paths, modality(name).suffixes, listed)
    paths, reasons = found.paths, found.reasons
    differences: dict[str, str] = {}
    if not paths and not reasons:
        raise GlyphoneError("no files named: give files, folders, globs, or - and a list on standard input")
    if (sentence := found.sentence()) and not options.quiet:
        print(_shown(sentence), file=sys.stderr)
    with _output(options, voter_folders, modality(name).unit, paths) as output:
        todo = output.todo(paths)
        if len(todo) < len(paths) and (options.verify or not options.quiet):
            num_done = len(paths) - len(todo)
            unverified = ", and not verified" if options.verify else ""
            done = out_of(num_done, len(paths), "file", "are")
            print(f"{done} in {options.output} already{unverified}", file=sys.stderr)
        if todo:
            unread, differences = _transcribe(options, todo, output)
            reasons |= unread
    for path, reason in reasons.items():
        print(f"not transcribed: {_shown(path)}: {reason}", file=sys.stderr)
    if reasons:
        failed = out_of(len(reasons), len({*paths, *reasons}), "input", "were")
        print(f"{failed} not transcribed", file=sys.stderr)
    for path, difference in differences.items():
        print(f"--verify: {_shown(path)}: {difference}", file=sys.stderr)
    return 1 if reasons or differences else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.transcribe", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", metavar="MODEL", type=Path, help="model folder or its archive, e.g. models/audio")
    parser.add_argument("paths", metavar="PATHS", nargs="+", help="files, folders, globs, or - for a list on stdin")
    parser.add_argument(
        "-o",
        "--output",
        metavar="OUT",
        type=Path,
        help="write to this file or folder, and go on there; -: standard output",
    )
    parser.add_argument(
        "-f", "--format", type=str.lower, help="of the list above; default: the ending of OUT, txt without one"
    )
    parser.add_argument("--engine", choices=ENGINES, help="decoder; default: the model's own, as tuned")
    parser.add_argument("--beam-width", metavar="W", type=_positive, help="of the beam engines; default: as tuned")
    parser.add_argument(
        "--alternatives", metavar="N", type=_positive, help="further texts of the beam engines: jsonl, page"
    )
    parser.add_argument(
        "--whitelist", metavar="CHARACTERS", type=_some, help="write only these; default: all of the alphabet"
    )
    parser.add_argument(
        "--no-rescoring", action="store_true", help="the search's own order, also where a character model was tuned"
    )
    parser.add_argument(
        "--with",
        dest="voters",
        metavar="MODEL",
        type=Path,
        action="append",
        default=[],
        help="a further model folder or archive that votes on the text; may be given several times",
    )
    parser.add_argument(
        "--voting",
        choices=("confidences", "emissions"),
        help="of --with: characters by summed confidences (the default), or the mean of the emissions",
    )
    parser.add_argument("--device", default="auto", help="cpu, cuda, cuda:1; auto takes CUDA where there is one")
    parser.add_argument(
        "--batch-frames",
        metavar="N",
        type=_positive,
        default=16_000,
        help="slices in the network at once (%(default)s)",
    )
    parser.add_argument("--verify", action="store_true", help="transcribe each file alone too, and compare")
    parser.add_argument("--restart", action="store_true", help="begin OUT anew, whatever is there")
    parser.add_argument(
        "--quiet", action="store_true", help="no progress; failures, and what --verify passes over, are still named"
    )
    return parser


def _some(text: str) -> str:
    if not text:
        raise argparse.ArgumentTypeError("at least one character is needed")
    return text


def _positive(text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: a whole number of at least 1 is needed")
    return value


def _modality_of(model: Path, read_json: Any, what_it_is: str = "the first argument") -> str:
    """Name of the modality of a model folder; read without torch, so that a wrong folder is told at once."""
    description = model / "bundle.json"
    if not description.is_file():
        what = "no such folder" if not model.exists() else "not a model folder, it has no bundle.json"
        raise GlyphoneError(f"{model}: {what}; {what_it_is} is a folder that train wrote, e.g. models/audio")
    content = read_json(description)
    name = content.get("modality") if isinstance(content, dict) else None
    if not isinstance(name, str):
        raise GlyphoneError(f"{description}: not the description of a model: it names no modality")
    return name


def _output(options: argparse.Namespace, voter_folders: list[Path], unit: str, paths: list[str]) -> "Rows | Documents":
    """What takes the results."""
    import hashlib

    from common.decoding.settings import MOST_PREFIXES
    from common.output import put
    from pipelines.outputs import choose_format, open_output

    decoding = _decoding(options)
    for name, asked in (("alternatives", options.alternatives), ("beam-width", options.beam_width)):
        if asked and decoding.engine == "greedy":
            raise GlyphoneError(f"--{name} {asked}: greedy has none; --engine beam is needed")
        if asked and asked > MOST_PREFIXES:
            raise GlyphoneError(f"--{name} {asked}: allowed: 1 to {MOST_PREFIXES}")
    form = choose_format(options.format, options.output, unit)
    if options.alternatives and form not in WITH_ALTERNATIVES:
        raise GlyphoneError(
            f"--alternatives {options.alternatives}: format {form} has no place for them; "
            f"{' and '.join(WITH_ALTERNATIVES)} have"
        )
    description = (options.model / "bundle.json").read_bytes()
    origin = {
        "engine": _engine(decoding, options.model),
        "format": form,
        "model": hashlib.sha256(description).hexdigest()[:16],
    }
    if options.voters:
        from pipelines.voter_folders import voters_digest

        origin["model"] += f" with {voters_digest(voter_folders)[:16]} by {options.voting}"
    return open_output(form, unit, paths, options.output, origin, options.restart, put)


def _decoding(options: argparse.Namespace) -> "DecodingSettings":
    """The model's own settings, with what the options say laid over."""
    from common.decoding.decoder import chosen_settings

    asked = {
        "engine": options.engine,
        "beam_width": options.beam_width,
        "num_alternatives": options.alternatives,
        "whitelist": options.whitelist,
    }
    chosen = chosen_settings(options.model)
    decoding = chosen.model_copy(update={key: each for key, each in asked.items() if each})
    # Weights of rescoring hold for the scores of the engine that they were chosen for.
    rescored = decoding.engine == chosen.engine and not options.no_rescoring
    return decoding if rescored else decoding.model_copy(update={"rescoring": None})


def _engine(decoding: "DecodingSettings", model: Path) -> str:
    """What decides the texts beside the network: results of other decoders must not stand in the same file."""
    whitelist = "" if decoding.whitelist is None else f" {decoding.whitelist!r}"
    if decoding.engine == "greedy":
        return decoding.engine + whitelist
    if decoding.engine != "beam_lm" and decoding.rescoring is None:
        alternatives = f", {decoding.num_alternatives} alternatives" if decoding.num_alternatives else ""
        return f"{decoding.engine} {decoding.beam_width}{alternatives}{whitelist}"
    import hashlib

    from common.decoding.places import LANGUAGE_FOLDER

    digest = hashlib.sha256(decoding.model_dump_json().encode())
    for path in sorted(path for path in (model / LANGUAGE_FOLDER).glob("[!.]*") if path.is_file()):
        digest.update(path.read_bytes())
    return f"{decoding.engine} {digest.hexdigest()[:16]}"


def _transcribe(
    options: argparse.Namespace, paths: list[str], output: "Rows | Documents"
) -> tuple[dict[str, str], dict[str, str]]:
    """Write the result of each file; return path → reason of those that could not be read, and path → difference."""
    from tqdm import tqdm

    from pipelines.recogniser import Recogniser
    from pipelines.verification import difference

    recogniser = Recogniser.load(options.model, options.device, _decoding(options), options.voters, options.voting)
    reasons: dict[str, str] = {}
    differences: dict[str, str] = {}
    num_written = num_empty = 0
    # Closed where writing fails or a user interrupts: the bar gives way to the message.
    with closing(_followed(recogniser.transcribe_all(paths, options.batch_frames), len(paths), options)) as results:
        for result in results:
            if result.hypothesis is None:
                reasons[result.path] = result.reason
                if len(paths) > 1:
                    tqdm.write(f"{_shown(result.path)}: {result.reason}", file=sys.stderr)
                continue
            output.add(result)
            num_written += 1
            num_empty += not result.hypothesis.text
            if options.verify and (told := difference(recogniser, result)):
                differences[result.path] = told
    if num_empty == num_written > 1:
        print(f"none of {num_written} files gave a text; the model's report shows what it is worth", file=sys.stderr)
    return reasons, differences


def _followed(
    results: Generator["Result", None, None], total: int, options: argparse.Namespace
) -> Generator["Result", None, None]:
    from common.progress import with_progress

    # On a terminal the rows themselves show the progress.
    if options.quiet or (options.output is None and sys.stdout is not None and sys.stdout.isatty()):
        return results
    return with_progress(results, total, "transcribe", "file")


def _shown(path: str) -> str:
    from common.output import shown

    return shown(path)


if __name__ == "__main__":
    run(main)
