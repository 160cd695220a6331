"""Share of real samples whose best prefix by the default beam is not that of a beam of 2000, models that stand here."""

import sys
from typing import Any

from benchmarks.real_emissions import real_emissions
from benchmarks.result import Result
from benchmarks.workspace import REPOSITORY, WORKSPACES
from common.errors import GlyphoneError

EXHAUSTIVE = 2000
WIDTHS = (1, 4, 16, 100)


def run() -> Result:
    """Validation and test samples of each trained model: the repository's, and those of benchmarks that ran here."""
    from common.decoding import DecodingSettings, beam

    default = DecodingSettings().beam_width
    widths = sorted({*WIDTHS, default})
    found: dict[str, Any] = {}
    for model in sorted([*REPOSITORY.glob("models/*"), *WORKSPACES.glob("*/models/*")]):
        name = str(model.relative_to(REPOSITORY))
        different, num = dict.fromkeys(widths, 0), 0
        for log_probs in real_emissions(model):
            best, _ = beam.search(log_probs, EXHAUSTIVE)[0]
            for width in widths:
                different[width] += beam.search(log_probs, width)[0][0] != best
            num += 1
        if num:
            found[name] = {"samples": num, "different": {f"beam {width}": different[width] for width in widths}}
            print(f"{name}: {found[name]}", file=sys.stderr)
    if not found:
        raise GlyphoneError(f"{REPOSITORY}: no model of a real corpus beside its data; run a recipe's benchmark first")
    num = sum(each["samples"] for each in found.values())
    wrong = sum(each["different"][f"beam {default}"] for each in found.values())
    return Result(wrong / num, "fraction", False, {"beam_width": default, "samples": num, "by_model": found})
