"""A recurrent language model of characters: how probable a text is, all of it and as it grows."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from common.alphabet import Alphabet
from common.language.character_network import CharacterNetwork
from common.recurrent.recurrence import State

# As input the beginning of a text, as output its end.
BOUNDARY = 0


class CharacterModel:
    """Characters, their network, and ln P of texts.

    Symbol 0 is the border of texts, 1 … n are the characters, and n + 1 stands for all characters that training never
    saw. So the probabilities of all texts sum up to 1.

    Attributes:
        characters: sorted; those of the training texts.
        network: in evaluation mode, on the CPU.
    """

    def __init__(self, characters: Sequence[str], network: CharacterNetwork) -> None:
        self.characters = Alphabet(characters).symbols
        self.network = network.eval().requires_grad_(False)
        self._symbols = {character: symbol for symbol, character in enumerate(self.characters, BOUNDARY + 1)}

    @property
    def unknown(self) -> int:
        """The symbol of characters that training never saw, and the last one."""
        return len(self.characters) + 1

    def encode(self, text: str) -> list[int]:
        """Symbols of a text, without borders."""
        return [self._symbols.get(character, self.unknown) for character in text]

    @torch.inference_mode()
    def scores(self, texts: Sequence[str]) -> np.ndarray:
        """ln P of whole texts, ends included: float64 [N].

        To the last bit the same for a text, whatever the others are; equal texts are computed once.
        """
        distinct = sorted(set(texts), key=lambda text: (len(text), text))  # padding costs least so
        symbols = [torch.tensor([BOUNDARY, *self.encode(text)]) for text in distinct]
        found = {}
        for text, given, log_probs in zip(distinct, symbols, self.network.alone(symbols), strict=True):
            follows = torch.cat([given[1:], given[:1]])  # the end is the same symbol as the beginning
            found[text] = float(log_probs.gather(1, follows[:, None]).sum(dtype=torch.float64))
        return np.array([found[text] for text in texts], np.float64)

    @torch.inference_mode()
    def stream(self, symbols: Tensor, states: list[State] | None = None) -> tuple[np.ndarray, list[State]]:
        """Texts as they grow: symbols int64 [B, T], first of all ``BOUNDARY`` → ln P of what follows the last one.

        Args:
            states: behind the part before.

        Returns:
            float64 [B, V], and the states behind this part.
        """
        lengths = torch.full((len(symbols),), symbols.shape[1])
        log_probs, states = self.network.stream(symbols, lengths, states)
        return log_probs[:, -1].double().numpy(), states
