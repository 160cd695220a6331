"""Texts as tokens of n-grams, and how well a model foresees them."""

from collections.abc import Iterable
from typing import Any

from common.language.ngrams import END, Ngrams

# How character n-grams write the blank between words.
SPACE_TOKEN = "<space>"


def tokens_of(text: str, unit: str) -> list[str]:
    """Words, or characters, of a normalised text."""
    if unit == "word":
        return text.split()
    return [SPACE_TOKEN if character == " " else character for character in text]


def perplexity(model: Ngrams, unit: str, texts: Iterable[str]) -> dict[str, Any]:
    """Perplexity a token (ends of texts count as tokens), and the share of the tokens that the model does not know.

    Unknown tokens count with the probability of ``<unk>``, as in KenLM's "including OOVs". Null without texts.
    """
    total, num_tokens, num_unknown = 0.0, 0, 0
    known = set(model.tokens)
    for text in texts:
        tokens = tokens_of(text, unit)
        total += sum(model.score(tokens))
        num_tokens += len(tokens) + 1
        num_unknown += sum(token not in known for token in [*tokens, END])
    if not num_tokens:
        return {"perplexity": None, "unknown_share": None, "tokens": 0}
    return {
        "perplexity": float(f"{10 ** (-total / num_tokens):.6g}"),
        "unknown_share": float(f"{num_unknown / num_tokens:.6g}"),
        "tokens": num_tokens,
    }
