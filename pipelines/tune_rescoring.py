"""Stage tune's choice of how much the character model counts among the texts that the search finds."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from common.alphabet import Alphabet
from common.decoding.engines import find
from common.decoding.language_search import LanguageSearch, TextScorer
from common.decoding.rescoring import totals_of
from common.decoding.settings import DecodingSettings
from common.progress import with_progress
from common.scoring import Counts, count_characters, count_words
from common.text import TextSettings, normalise
from pipelines.stage_settings import TuneSettings


@dataclass(frozen=True)
class Found:
    """What the search found for one sample: texts as they are read, its scores, ln P by the character model."""

    texts: list[str]
    scores: list[float]
    log_probs: np.ndarray


def choose_rescoring(
    alphabet: Alphabet,
    decoding: DecodingSettings,
    tried: TuneSettings,
    search: LanguageSearch | None,
    scorer: TextScorer,
    emissions: Sequence[np.ndarray],
    references: Sequence[str],
    progress: str,
) -> tuple[DecodingSettings, list[dict[str, Any]]]:
    """The settings with the fewest errors (``rescoring`` None where it does not help), and all tried, the best first.

    Of equal errors the smaller weight and length bonus win, so that no rescoring at all is never worse.

    Args:
        search: of engine beam_lm, with the weights that it shall have.
        emissions: float32 [T, V] of each reference.
    """
    found = candidates(alphabet, decoding, search, scorer, emissions, progress)

    @cache
    def counts(sample: int, text: int) -> tuple[Counts, Counts]:
        reference, hypothesis = references[sample], found[sample].texts[text]
        return count_words(reference, hypothesis), count_characters(reference, hypothesis)

    rows = []
    points = [(0.0, 0.0), *((weight, bonus) for weight in tried.rescoring_weights for bonus in tried.length_bonuses)]
    for weight, bonus in points:
        words = characters = Counts(0, 0, 0, 0)
        for sample, each in enumerate(found):
            totals = totals_of(each.scores, each.log_probs, each.texts, weight, bonus)
            of_words, of_characters = counts(sample, int(np.argmax(totals)))  # the first of equal ones
            words += of_words
            characters += of_characters
        rows.append({"weight": weight, "length_bonus": bonus, **errors_row(words, characters)})

    def order(row: dict[str, Any]) -> tuple[float, ...]:
        errors = (row["word_errors"], row["character_errors"])
        size = (row["weight"], abs(row["length_bonus"]), row["length_bonus"])
        return (*(errors if tried.errors == "words" else errors[::-1]), *size)

    rows.sort(key=order)
    assert decoding.rescoring is not None
    best = {key: rows[0][key] for key in ("weight", "length_bonus")}
    rescoring = decoding.rescoring.model_copy(update=best) if best["weight"] else None
    return decoding.model_copy(update={"rescoring": rescoring}), rows


def candidates(
    alphabet: Alphabet,
    decoding: DecodingSettings,
    search: LanguageSearch | None,
    scorer: TextScorer,
    emissions: Sequence[np.ndarray],
    progress: str,
) -> list[Found]:
    """What the search finds for each sample, with the character model's scores."""
    assert decoding.rescoring is not None
    num_texts = decoding.rescoring.num_texts  # as many as decoding looks at
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        searched = list(pool.map(lambda each: find(each, alphabet, decoding, num_texts, search), emissions))
    found = []
    for beams in with_progress(searched, len(searched), progress):
        texts = [normalise(alphabet.decode(beam.labels), TextSettings()) for beam in beams]
        found.append(Found(texts, [beam.score for beam in beams], scorer.scores(texts)))
    return found


def errors_row(words: Counts, characters: Counts) -> dict[str, Any]:
    """What ``decoding.json`` says of the errors of one choice."""
    return {
        "word_errors": words.errors,
        "word_error_rate": round(words.rate, 6),
        "character_errors": characters.errors,
        "character_error_rate": round(characters.rate, 6),
    }
