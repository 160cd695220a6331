"""The network of the character model: what stands so far, as numbers, → log-probabilities of what follows."""

import torch
from torch import Tensor, nn

from common.language.settings import CharacterSettings
from common.recurrent.recurrence import State
from common.recurrent.stack import RecurrentStack


class CharacterNetwork(nn.Module):
    """Embedding, recurrent stack in one direction, softmax over the same V symbols."""

    def __init__(self, settings: CharacterSettings, num_symbols: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(num_symbols, settings.num_embedded)
        with torch.no_grad():
            self.embedding.weight[-1] = 0.0  # of characters that training never sees: no noise
        self.stack = RecurrentStack(
            settings.cell,
            settings.num_embedded,
            settings.num_hidden,
            settings.num_layers,
            settings.dropout,
            bidirectional=False,
        )
        self.head = nn.Linear(settings.num_hidden, num_symbols)

    def stream(self, symbols: Tensor, lengths: Tensor, states: list[State] | None = None) -> tuple[Tensor, list[State]]:
        """The next part of texts: symbols int64 [B, T], lengths [B] → log-probabilities [B, T, V], states behind it.

        Row t is about the symbol behind symbols[:, t]. A state is that at the row's own length, which may be 0.
        """
        x, states = self.stack.stream(self.embedding(symbols), lengths, states)
        return torch.log_softmax(self.head(x), dim=-1), states

    def alone(self, texts: list[Tensor]) -> list[Tensor]:
        """Symbols [T] each → log-probabilities [T, V] each, to the last bit the same whatever the others are."""
        samples = self.stack.alone([self.embedding(symbols)[None] for symbols in texts])
        return [torch.log_softmax(self.head(x), dim=-1)[0] for x in samples]
