"""How far a trained network's confidences are to be trusted: fitted on validation data, kept in the model folder."""

from typing import Any

from common.alphabet import Alphabet
from common.calibration import describe, no_observations, observe
from common.decoding import DecodingSettings, decode, readable
from common.emissions import emissions
from common.network import Network
from common.store import Store


def calibration_of(network: Network, store: Store, alphabet: Alphabet) -> dict[str, Any]:
    """``calibration`` of the bundle, from greedy hypotheses of a store.

    Its errors are cross-validated over groups; over samples where there is one group, as for intervals of scores.
    """
    observed = no_observations()
    has_groups = len(set(store.groups)) > 1
    matrices = (store.slices(row) for row in range(len(store)))
    for row, log_probs in enumerate(emissions(network, matrices, exact=True)):
        hypothesis = readable(decode(log_probs, alphabet, DecodingSettings(engine="greedy")))
        observe(hypothesis, store.texts[row], store.groups[row] if has_groups else store.ids[row], observed)
    return describe(observed)
