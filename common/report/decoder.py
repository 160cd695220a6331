"""A decoder in words."""

from collections.abc import Mapping
from typing import Any

from common.report.wording import short
from common.wording import plural

UNITS = {"word": "word", "char": "character"}


def in_words(decoder: Mapping[str, Any]) -> str:
    """One line of an entry ``decoder`` of metrics.json, or of the settings where results have none.

    Settings do not say which n-grams the language model has.
    """
    engine = decoder["engine"]
    parts = ["greedy" if engine == "greedy" else "beam search by ctcdecode" if engine == "ctcdecode" else "beam search"]
    if engine == "beam_lm" and "language_model" not in decoder:
        parts = ["beam search with a language model"]
    elif engine != "greedy":
        parts.append(plural(decoder.get("beam_width", 0), "prefix", "prefixes"))
    if model := decoder.get("language_model"):
        weights = f"alpha {short(decoder.get('alpha', 0), 4)}, beta {short(decoder.get('beta', 0), 4)}"
        parts.append(f"{UNITS.get(model['unit'], model['unit'])} {model['order']}-grams ({weights})")
    if engine == "beam_lm":
        if (lexicon := decoder.get("lexicon", "none")) != "none":
            parts.append(f"{lexicon} lexicon")
        if hotwords := decoder.get("hotwords"):
            parts.append(plural(len(hotwords), "hotword"))
    if whitelist := decoder.get("whitelist"):
        parts.append(f"whitelist of {plural(len(set(whitelist)), 'character')}")
    if decoder.get("rescoring"):
        parts.append("rescored by a character model")
    if engine == "beam_lm" and "language_model" not in decoder:
        parts.append("as tuned on validation data")
    return ", ".join(parts)
