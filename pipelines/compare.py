"""Compare two runs on the same samples: which errs less, how sure that is, and which samples changed.

A and B are results folders (results/audio), files of hypotheses (hypotheses.jsonl), or workspaces that hold
results/<modality>. Ids and references must be the same in both. Differences are B less A: below 0, B is better. The
intervals and p-values are of a paired bootstrap over groups. docs/compare.md explains the figures.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from common.errors import GlyphoneError, run

FORMATS = {".txt": "text", ".md": "markdown", ".html": "html", ".htm": "html", ".json": "json"}
NUM_SHOWN = {"text": 10, "markdown": 50, "html": 500}  # samples of each kind; JSON holds all


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    form = _format(options.format, options.output)
    if options.num_shown is not None and options.num_shown < 0:
        raise GlyphoneError(f"--num-shown {options.num_shown}: 0 or more is needed")

    from common.comparison.compare import compare, tree
    from common.comparison.runs import find, read_run
    from common.files import to_json, write_text
    from common.output import put, shown
    from common.report.comparison import view
    from common.report.comparison_text import markdown, text
    from common.report.page import render_comparison

    first, second = (
        read_run(path, shown(path), options.modality, options.ignore_case) for path in (options.first, options.second)
    )
    comparison = compare(
        first, second, num_samples=options.bootstrap_samples, confidence=options.confidence, seed=options.seed
    )
    for path in (options.first, options.second):
        run = find(path, options.modality)
        if options.output is not None and options.output.exists() and options.output.samefile(run):
            raise GlyphoneError(f"-o {options.output}: is {run}, which is compared; name another file")
    if form == "json":
        result = to_json(tree(comparison), indent=2) + "\n"
    else:
        num_shown = NUM_SHOWN[form] if options.num_shown is None else options.num_shown
        result = {"text": text, "markdown": markdown, "html": render_comparison}[form](view(comparison, num_shown))
    if options.output is None:
        put(result)
    else:
        write_text(options.output, result)
        print(f"{shown(options.first)}, {shown(options.second)}: {shown(options.output)}", file=sys.stderr)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.compare", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("first", metavar="A", type=Path, help="the run to compare with, e.g. ../before/results/audio")
    parser.add_argument("second", metavar="B", type=Path, help="the run that is judged, e.g. results/audio")
    parser.add_argument("-f", "--format", choices=sorted(set(FORMATS.values())), help="default: text, or as FILE ends")
    parser.add_argument("-o", "--output", metavar="FILE", type=Path, help=f"write it there ({', '.join(FORMATS)})")
    parser.add_argument("--modality", metavar="M", default="", help="of workspaces that hold several: audio, ocr")
    parser.add_argument("--ignore-case", action="store_true", help="of references and hypotheses")
    parser.add_argument("--num-shown", metavar="N", type=int, help="samples of each kind: better, worse, other")
    parser.add_argument("--bootstrap-samples", metavar="N", type=int, default=10_000, help="draws (%(default)s)")
    parser.add_argument("--confidence", metavar="P", type=float, default=0.95, help="of intervals (%(default)s)")
    parser.add_argument("--seed", metavar="N", type=int, default=0, help="of the draws (%(default)s)")
    return parser


def _format(asked: str | None, output: Path | None) -> str:
    if asked is not None:
        return asked
    if output is None:
        return "text"
    if output.suffix.lower() not in FORMATS:
        raise GlyphoneError(f"{output}: its name must end in {', '.join(FORMATS)}, or give --format")
    return FORMATS[output.suffix.lower()]


if __name__ == "__main__":
    run(main)
