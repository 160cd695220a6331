"""The error of a network on validation samples, by greedy decoding."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from common.alphabet import Alphabet
from common.decoding import greedy
from common.emissions import emissions
from common.errors import GlyphoneError
from common.network import Network
from common.scoring import Counts, count_characters, count_words


@dataclass(frozen=True)
class ValidationErrors:
    """Mean CTC loss a character, NaN where no text counts in it, and pooled error rates, as fractions."""

    loss: float
    word_error_rate: float
    character_error_rate: float


def validate(
    network: Network, matrices: Sequence[np.ndarray], texts: Sequence[str], alphabet: Alphabet
) -> ValidationErrors:
    """Decode slice matrices [T, F] and hold the result against their texts.

    A text with characters outside the alphabet counts in the error rates and is left out of the loss, which it would
    make infinite.

    Raises:
        GlyphoneError: the network emits what is no number.
    """
    words = characters = Counts(0, 0, 0, 0)
    losses, num_labels = 0.0, 0
    for log_probs, text in zip(emissions(network, matrices), texts, strict=True):
        if np.isnan(log_probs).any():
            raise GlyphoneError(
                "validation: the network's emissions are no numbers any more: a smaller training.learning_rate may help"
            )
        hypothesis = alphabet.decode(greedy.search(log_probs)[0])
        words += count_words(text, hypothesis)
        characters += count_characters(text, hypothesis)
        if text and len(log_probs) and not alphabet.unknown(text):
            labels = torch.tensor(alphabet.encode(text))
            loss = torch.nn.functional.ctc_loss(
                torch.from_numpy(log_probs)[:, None],
                labels[None],
                torch.tensor([len(log_probs)]),
                torch.tensor([len(labels)]),
                reduction="sum",
            )
            if torch.isfinite(loss):
                losses += float(loss)
                num_labels += len(labels)
    return ValidationErrors(losses / num_labels if num_labels else math.nan, words.rate, characters.rate)
