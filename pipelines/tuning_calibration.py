"""How far the confidences of texts that the tuned decoder writes are to be trusted: fitted on validation data."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from common.calibration import describe, no_observations, observe
from common.decoding import readable
from common.decoding.decoder import Decoder
from common.store import Store


def calibration_of(decoder: Decoder, emissions: Sequence[np.ndarray], store: Store) -> dict[str, Any]:
    """``calibration`` of ``decoding.json``; its errors are cross-validated over groups, as those of the bundle's.

    Args:
        emissions: float32 [T, V] of each sample of the store.
    """
    observed = no_observations()
    has_groups = len(set(store.groups)) > 1
    for row, log_probs in enumerate(emissions):
        group = store.groups[row] if has_groups else store.ids[row]
        observe(readable(decoder(log_probs)), store.texts[row], group, observed)
    return describe(observed)
