"""Report stage: the results of a modality -> one self-contained page, ``results/<modality>/report.html``."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from common.errors import GlyphoneError, run

if TYPE_CHECKING:
    from common.comparison.runs import Run


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m pipelines.report", description=__doc__)
    parser.add_argument("modality", help="audio or ocr, a section of params.yaml")
    report(parser.parse_args().modality)


def report(name: str) -> Path:
    """Write the page of one modality from the files of the stages before it; return its path."""
    # Imported here, so that --help answers at once.
    from common.files import write_text
    from common.report.gather import gather
    from common.report.page import render
    from common.report.sources import read_sources
    from pipelines import settings

    chosen = settings.read(name, "seed", "recipe", "augment", "training", "decoding", "report")
    sections = {key: getattr(chosen, key).model_dump(mode="json") for key in ("augment", "training", "decoding")}
    other = other_run(name, chosen.report.compare_with)
    content = gather(read_sources(name), name, chosen.recipe, chosen.report.num_worst, chosen.seed, sections, other)
    page = Path("results") / name / "report.html"
    write_text(page, render(content))
    print(f"{name}: {page}", file=sys.stderr)
    return page


def other_run(name: str, path: str) -> "Run | None":
    """The run that ``report.compare_with`` names. Raises GlyphoneError where there is none."""
    from common.comparison.runs import read_run

    try:
        return read_run(path, modality=name) if path else None
    except GlyphoneError as error:
        raise GlyphoneError(f"{name}.report.compare_with: {error}") from None


if __name__ == "__main__":
    run(main)
