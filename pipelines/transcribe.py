"""Transcribe files with a trained model; results come in input order, as they are ready.

PATHS are files, folders (searched at any depth for the file endings of the model's modality), globs, and - for a list
of paths on standard input. With -o the command goes on where it stopped: what FILE holds for the same path and size is
kept, what is new is appended; FILE.progress beside it keeps the account.
Exit code 0: all transcribed; 1: some files could not be read, they are named at the end; 2: wrong call or model.
"""

import argparse
import os
import sys
from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.errors import GlyphoneError, run

if TYPE_CHECKING:
    from common.decoding import DecodingSettings
    from common.journal import Journal
    from pipelines.recogniser import Recogniser, Result

ENGINES = ("greedy", "beam", "beam_lm")
FORMAT_NAMES = ("txt", "jsonl", "csv")
# A file alone and among others may differ in the last bits of a sum, never by this much.
CONFIDENCE_TOLERANCE = 1e-3


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    # Heavy libraries only from here on: --help answers at once.
    from common.files import read_json
    from pipelines.inputs import STANDARD_INPUT, find_files
    from pipelines.modalities import modality

    name = _modality_of(options.model, read_json)
    listed = map(os.fsdecode, sys.stdin.buffer) if STANDARD_INPUT in options.paths else ()
    paths, reasons = find_files(options.paths, modality(name).suffixes, listed)
    if not paths and not reasons:
        raise GlyphoneError("no files named: give files, folders, globs, or - and a list on standard input")
    with _journal(options) as journal:
        todo = paths
        if journal is not None:
            todo = [path for path in paths if (_shown(path), _size(path)) not in journal.done]
            if len(todo) < len(paths) and not options.quiet:
                num_done = len(paths) - len(todo)
                print(f"{num_done} of {len(paths)} files are in {options.output} already", file=sys.stderr)
        if todo:
            reasons |= _transcribe(options, todo, journal)
    for path, reason in reasons.items():
        print(f"not transcribed: {_shown(path)}: {reason}", file=sys.stderr)
    if reasons:
        print(f"{len(reasons)} of {len({*paths, *reasons})} inputs were not transcribed", file=sys.stderr)
    return 1 if reasons else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.transcribe", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", metavar="MODEL", type=Path, help="model folder, e.g. models/audio")
    parser.add_argument("paths", metavar="PATHS", nargs="+", help="files, folders, globs, or - for a list on stdin")
    parser.add_argument("-o", "--output", metavar="FILE", type=Path, help="write there, and go on there")
    parser.add_argument("-f", "--format", choices=FORMAT_NAMES, help="default: the ending of FILE, else txt")
    parser.add_argument("--engine", choices=ENGINES, help="decoder; default: the model's own, as tuned")
    parser.add_argument("--beam-width", metavar="W", type=_positive, help="of the beam engines; default: as tuned")
    parser.add_argument("--device", default="auto", help="cpu, cuda, …; auto takes CUDA where there is one")
    parser.add_argument(
        "--batch-frames",
        metavar="N",
        type=_positive,
        default=16_000,
        help="slices in the network at once (%(default)s)",
    )
    parser.add_argument("--verify", action="store_true", help="transcribe each file alone too, and compare")
    parser.add_argument("--restart", action="store_true", help="begin FILE anew")
    parser.add_argument("--quiet", action="store_true", help="no progress; failures are still named")
    return parser


def _positive(text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: a whole number of at least 1 is needed")
    return value


def _modality_of(model: Path, read_json: Any) -> str:
    """Name of the modality of a model folder; read without torch, so that a wrong folder is told at once."""
    description = model / "bundle.json"
    if not description.is_file():
        what = "no such folder" if not model.exists() else "not a model folder, it has no bundle.json"
        raise GlyphoneError(f"{model}: {what}; the first argument is a folder that train wrote, e.g. models/audio")
    content = read_json(description)
    name = content.get("modality") if isinstance(content, dict) else None
    if not isinstance(name, str):
        raise GlyphoneError(f"{description}: not the description of a model: it names no modality")
    return name


def _journal(options: argparse.Namespace) -> AbstractContextManager["Journal | None"]:
    """The file that results go to; None for standard output."""
    if options.format is None:
        ending = options.output.suffix.lower().lstrip(".") if options.output else ""
        options.format = ending if ending in FORMAT_NAMES else "txt"
    if options.output is None:
        return nullcontext()
    import hashlib

    from common.journal import Journal
    from common.output import FORMATS

    description = (options.model / "bundle.json").read_bytes()
    decoding = _decoding(options)
    origin = {
        "engine": _engine(decoding, options.model),
        "format": options.format,
        "model": hashlib.sha256(description).hexdigest()[:16],
    }
    return Journal(options.output, FORMATS[options.format].header, origin, options.restart)


def _decoding(options: argparse.Namespace) -> "DecodingSettings":
    """The model's own settings, with what the options say laid over."""
    from common.decoding.decoder import chosen_settings

    asked = {"engine": options.engine, "beam_width": options.beam_width}
    return chosen_settings(options.model).model_copy(update={key: each for key, each in asked.items() if each})


def _engine(decoding: "DecodingSettings", model: Path) -> str:
    """What decides the texts beside the network: results of other decoders must not stand in the same file."""
    if decoding.engine == "greedy":
        return decoding.engine
    if decoding.engine == "beam":
        return f"beam {decoding.beam_width}"
    import hashlib

    from common.decoding.places import LANGUAGE_FOLDER

    digest = hashlib.sha256(decoding.model_dump_json().encode())
    for path in sorted((model / LANGUAGE_FOLDER).glob("*")):
        digest.update(path.read_bytes())
    return f"beam_lm {digest.hexdigest()[:16]}"


def _transcribe(options: argparse.Namespace, paths: list[str], journal: "Journal | None") -> dict[str, str]:
    """Write a row a file; return the files that could not be read, path → reason."""
    from tqdm import tqdm

    from common.output import FORMATS, result_row
    from pipelines.recogniser import Recogniser

    recogniser = Recogniser.load(options.model, options.device, _decoding(options))
    form = FORMATS[options.format]
    if journal is None and form.header:
        _print(form.header)
    reasons: dict[str, str] = {}
    # Closed where writing fails or a user interrupts: the bar gives way to the message.
    with closing(_followed(recogniser.transcribe_all(paths, options.batch_frames), len(paths), options)) as results:
        for result in results:
            if result.hypothesis is None:
                reasons[result.path] = result.reason
                if len(paths) > 1:
                    tqdm.write(f"{_shown(result.path)}: {result.reason}", file=sys.stderr)
                continue
            row = form.row(result_row(result.path, result.hypothesis, recogniser.unit))
            if journal is None:
                _print(row)
            else:
                journal.add([(_shown(result.path), _size(result.path), row)])
            if options.verify and (difference := _difference(recogniser, result)):
                reasons[result.path] = difference
    return reasons


def _difference(recogniser: "Recogniser", result: "Result") -> str:
    """What is not the same when the file is transcribed alone; "" when all is."""
    assert result.hypothesis is not None
    alone, among = recogniser.transcribe(result.path), result.hypothesis
    if alone.text != among.text:
        return f"--verify: alone it reads {alone.text!r}, among others {among.text!r}"
    if [(word.start, word.end) for word in alone.words] != [(word.start, word.end) for word in among.words]:
        return "--verify: alone its words stand at other places than among others"
    if abs(alone.confidence - among.confidence) > CONFIDENCE_TOLERANCE:
        return f"--verify: confidence {alone.confidence:.6f} alone, {among.confidence:.6f} among others"
    return ""


def _followed(
    results: Generator["Result", None, None], total: int, options: argparse.Namespace
) -> Generator["Result", None, None]:
    from common.progress import with_progress

    # On a terminal the rows themselves show the progress.
    if options.quiet or (options.output is None and sys.stdout.isatty()):
        return results
    return with_progress(results, total, "transcribe", "file")


def _print(text: str) -> None:
    """Write to standard output at once, in UTF-8 whatever the locale."""
    sys.stdout.buffer.write(text.encode("utf-8"))
    sys.stdout.buffer.flush()


def _shown(path: str) -> str:
    from common.output import shown

    return shown(path)


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size  # noqa: PTH116  (a path may hold bytes that are no text)
    except OSError:
        return -1


def _command() -> int:
    try:
        return main()
    except BrokenPipeError:
        # The reader of our output has enough, e.g. `head`. Python would complain once more when it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


if __name__ == "__main__":
    run(_command)
