"""New texts from a character model, drawn by temperature."""

from collections.abc import Iterator

import numpy as np
import torch

from common.language.character_model import BOUNDARY, CharacterModel
from common.language.ngrams import LanguageError
from common.modality import generator

# Texts that grow together: always as many rows, so that a text does not depend on the others.
ROWS = 16


def generate(
    model: CharacterModel,
    count: int = 1,
    *,
    temperature: float = 1.0,
    seed: int = 1,
    prompt: str = "",
    max_characters: int = 200,
) -> Iterator[tuple[str, bool]]:
    """Yield texts, and whether each came to its end within ``max_characters``, the prompt's included.

    Text i is the same for the same model, arguments and seed, however many there are.

    Args:
        temperature: probabilities p become p^(1 / temperature), put to a sum of 1; 0 takes the most probable character,
            of equals that with the smallest symbol. Characters that training never saw are not written.
        prompt: what all texts begin with; characters of the model alone.

    Raises:
        LanguageError: a character of the prompt is unknown, or the prompt is longer than ``max_characters``.
    """
    if missing := sorted(set(prompt) - set(model.characters)):
        raise LanguageError(
            f"prompt {prompt!r}: the model does not know {missing}; it knows {''.join(model.characters)!r}"
        )
    if len(prompt) > max_characters:
        raise LanguageError(f"prompt: {len(prompt)} characters, at most {max_characters} are to be written")
    given = torch.tensor([[BOUNDARY, *model.encode(prompt)]]).expand(ROWS, -1).contiguous()
    started = model.stream(given)
    for first in range(0, count, ROWS):
        names = range(first, min(first + ROWS, count))
        numbers = [generator(seed, "generate", str(name)) for name in names]
        texts, ended = [prompt] * len(names), [False] * len(names)
        log_probs, states = started
        for _ in range(len(prompt), max_characters + 1):
            symbols = torch.full((ROWS, 1), BOUNDARY)
            for row, draw in enumerate(numbers):
                if not ended[row]:
                    symbols[row, 0] = symbol = choose(log_probs[row, : model.unknown], temperature, draw)
                    ended[row] = symbol == BOUNDARY
                    texts[row] += "" if ended[row] else model.characters[symbol - 1]
            if all(ended):
                break
            log_probs, states = model.stream(symbols, states)
        # One step more than characters may be written: the last one is for the end alone.
        yield from ((text[:max_characters], end) for text, end in zip(texts, ended, strict=True))


def choose(log_probs: np.ndarray, temperature: float, draw: np.random.Generator) -> int:
    """A symbol of natural log-probabilities float64 [V], one random number used; they need not sum up to 1."""
    number = draw.random()
    if temperature == 0:
        return int(np.argmax(log_probs))
    # The difference first: with a tiny temperature the quotient of each could be infinite.
    with np.errstate(over="ignore"):
        weights = np.exp((log_probs - log_probs.max()) / temperature)
    sums = np.cumsum(weights)
    return int(np.searchsorted(sums, number * sums[-1], side="right"))
