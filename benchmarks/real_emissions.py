"""Emissions of trained models on real samples that training never saw."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np


def real_emissions(model: Path) -> Iterator[np.ndarray]:
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
