"""A page that explains a trained model's recurrent core on one file: shapes, weights, gates, gradients, CTC.

OUT is one self-contained HTML page, or, where it ends in .md, Markdown with its figures as SVG in the folder images
beside it. docs/recurrent.md is such a page.
"""

import argparse
import shlex
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from common.errors import GlyphoneError, SampleError, run

if TYPE_CHECKING:
    from common.explanation.content import Input

SUFFIXES = (".html", ".htm", ".md")


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    if options.output.suffix.lower() not in SUFFIXES:
        raise GlyphoneError(f"{options.output}: the page's name must end in {', '.join(SUFFIXES)}")
    # Heavy libraries only from here on: --help answers at once.
    from common.archive import unpacked
    from common.explanation.content import explain
    from common.explanation.page import html, markdown, standalone
    from common.files import write_text

    with ExitStack() as stack:
        first, *others = (
            (stack.enter_context(unpacked(model)), Path(file))
            for model, file in [(options.model, options.file), *options.beside]
        )
        given = _read(*first, options.start, options.end)
        beside = [_read(*each, None, None) for each in others]
    content = explain(given, beside, _command(options))
    if options.output.suffix.lower() == ".md":
        prefix = f"images/{options.output.stem}-"
        for name, figure in content["figures"].items():
            write_text(options.output.parent / f"{prefix}{name}.svg", standalone(figure))
        write_text(options.output, markdown(content, quote(prefix)))
    else:
        write_text(options.output, html(content))
    print(f"{options.file}: {options.output}", file=sys.stderr)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.explain", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", metavar="MODEL", type=Path, help="model folder or archive, e.g. models/audio")
    parser.add_argument("file", metavar="FILE", type=Path, help="sound or picture, of the model's modality")
    parser.add_argument(
        "-o", "--output", metavar="OUT", type=Path, default=Path("explanation.html"), help="the page (%(default)s)"
    )
    parser.add_argument("--start", metavar="U", type=float, help="draw from here: seconds or pixels of the file")
    parser.add_argument("--end", metavar="U", type=float, help="up to here; default: as much as can be told apart")
    parser.add_argument(
        "--beside",
        nargs=2,
        metavar=("MODEL", "FILE"),
        action="append",
        default=[],
        help="add the figures of another model or file; may be given again",
    )
    return parser


def _read(model: Path, path: Path, start: float | None, end: float | None) -> "Input":
    """A model in front of a file. Raises GlyphoneError naming which of them cannot be used."""
    import numpy as np

    from common.calibration import calibrated
    from common.decoding import in_units, readable
    from common.emissions import emissions
    from common.explanation.content import Input, window_of
    from common.explanation.figures import Scene
    from common.files import read_json
    from common.network_settings import NetworkSettings
    from common.output import shown
    from common.store import halve
    from pipelines.recogniser import Recogniser

    recogniser = Recogniser.load(model, "cpu")
    bundle, kind = recogniser.bundle, recogniser.modality
    signal = kind.read(path)
    # The very numbers that transcribe gives the network.
    front = kind.SliceSettings(**bundle.slice_settings)
    try:
        slices = halve(kind.slices(signal, front)).astype(np.float32)
    except SampleError as error:
        raise GlyphoneError(f"{path}: {error}") from None
    length = kind.length(kind.upright(signal, front)[0])
    step = length / max(1, len(slices)) if bundle.unit == "px" else bundle.step
    (log_probs,) = emissions(bundle.network, [slices], exact=True)
    hypothesis = calibrated(readable(recogniser.decoder(log_probs)), bundle.calibration)
    hypothesis = in_units(hypothesis, step * bundle.stride, length)
    begin, last = 0.0 if start is None else start, length if end is None else end
    if not 0 <= begin < last or begin >= length:
        raise GlyphoneError(
            f"{path}: --start {begin:g} --end {last:g}: a part of 0 to {length:g} {bundle.unit} is needed"
        )
    window = window_of(bundle, step * bundle.stride, length, start, end)
    scene = Scene(slices, step, step * bundle.stride, window, hypothesis, log_probs, bundle.alphabet)
    settings = NetworkSettings(**read_json(model / "bundle.json")["network"])
    return Input(bundle, settings, shown(path.name), length, scene)


def _command(options: argparse.Namespace) -> str:
    """The call that writes this page again."""
    from common.output import shown

    parts = [options.model, options.file]
    parts += [option for model, file in options.beside for option in ("--beside", model, file)]
    for name in ("start", "end"):
        value = getattr(options, name)
        parts += [] if value is None else [f"--{name}", f"{value:g}"]
    return "python -m pipelines.explain " + shlex.join(shown(str(each)) for each in [*parts, "-o", options.output])


if __name__ == "__main__":
    run(main)
