"""What a network hears of samples, and whether that is still as much as before it learnt from itself."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from common.decoding import Hypothesis, readable
from common.decoding.decoder import Decoder
from common.emissions import emissions
from common.network import Network
from common.wording import plural

# Of the characters that the model itself hears; a round behind which fewer are heard has unlearnt more than it learnt.
LEAST_HEARD = 0.5


@dataclass(frozen=True)
class Heard:
    """What a network hears of samples: emissions [T, V] and hypotheses of each; none where emissions are no numbers."""

    emitted: Sequence[np.ndarray]
    hypotheses: Sequence[Hypothesis]

    @property
    def num_characters(self) -> int:
        return sum(len(each.text) for each in self.hypotheses)


def hear(network: Network, decoder: Decoder, matrices: Sequence[np.ndarray]) -> Heard:
    """Of each matrix [T, F]; a decoder is shown numbers alone."""
    emitted = list(emissions(network, matrices))
    if not all(np.isfinite(each).all() for each in emitted):
        return Heard(emitted, [])
    return Heard(emitted, [readable(decoder(log_probs)) for log_probs in emitted])


def collapsed(heard: Heard, first: Heard) -> str:
    """What is wrong with what is heard behind a round, as ``first`` was before all of them; empty where nothing is."""
    if len(heard.hypotheses) < len(heard.emitted):
        return "the network emits no numbers"
    if heard.num_characters < LEAST_HEARD * first.num_characters:
        now = plural(heard.num_characters, "character is", "characters are")
        return f"{now} heard where it was {first.num_characters} at first"
    return ""
