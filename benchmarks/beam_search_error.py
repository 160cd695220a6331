"""Share of real samples whose best prefix by the default beam is not that of a beam of 2000, models that stand here."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

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
        for log_probs in _real_emissions(model):
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


def _real_emissions(model: Path) -> Iterator[np.ndarray]:
    """Emissions of the validation and test samples that no program made; none, where data or model is not finished."""
    from common.bundle import read_bundle
    from common.emissions import emissions
    from common.store import Store
    from pipelines.evaluate import check_fit

    stores = [model.parents[1] / "data" / model.name / "slices" / f"{split}.arrow" for split in ("validation", "test")]
    if not all(path.exists() for path in (*stores, model / "bundle.json")):
        return
    bundle = read_bundle(model)
    for store in map(Store, stores):
        check_fit(bundle, model, store)
        real = [i for i, corpus in enumerate(store.corpora) if corpus != "synthetic"]
        yield from emissions(bundle.network, map(store.slices, real))
