"""A decoder ready to use: settings, and the language models that they ask for, which a model folder carries.

``decoding.json`` and the language models lie in the folder ``language`` of a bundle; stage tune writes them.
"""

from pathlib import Path

import numpy as np
from pydantic import ValidationError

from common.alphabet import Alphabet
from common.decoding.engines import decode
from common.decoding.fusion import FusedSearch, Weights
from common.decoding.hypothesis import Hypothesis
from common.decoding.language_search import TextScorer
from common.decoding.places import CHOSEN, LANGUAGE_FOLDER
from common.decoding.settings import DecodingSettings
from common.errors import GlyphoneError
from common.files import read_json
from common.language.folder import NO_LANGUAGE, Language, read_language


class Decoder:
    """Emissions of one sample, float32 [T, V], to a hypothesis; may be called from several threads."""

    def __init__(
        self,
        alphabet: Alphabet,
        settings: DecodingSettings,
        language: Language = NO_LANGUAGE,
        scorer: TextScorer | None = None,
    ) -> None:
        check_whitelist(alphabet, settings)
        self.alphabet, self.settings, self.language, self.scorer = alphabet, settings, language, scorer
        self._search = fused(alphabet, settings, language) if settings.engine == "beam_lm" else None

    def __call__(self, log_probs: np.ndarray) -> Hypothesis:
        return decode(log_probs, self.alphabet, self.settings, self._search, self.scorer)


def decoder_of(folder: str | Path, alphabet: Alphabet, settings: DecodingSettings) -> Decoder:
    """The decoder for a bundle; its language models are read only where the settings need them."""
    languages = Path(folder) / LANGUAGE_FOLDER
    language = read_language(languages) if settings.engine == "beam_lm" else NO_LANGUAGE
    return Decoder(alphabet, settings, language, scorer_of(languages, settings))


def scorer_of(folder: str | Path, settings: DecodingSettings) -> TextScorer | None:
    """The character model of a language folder where texts are rescored, else None."""
    if settings.rescoring is None:
        return None
    from common.language.character_folder import read_characters

    return read_characters(folder)[0]


def fused(alphabet: Alphabet, settings: DecodingSettings, language: Language) -> FusedSearch:
    """The search with a language model. Raises GlyphoneError where there is nothing for it to know."""
    words = None if settings.lexicon == "none" else language.words
    if settings.hotwords and alphabet.direction == "rtl":
        raise GlyphoneError("hotwords: not for a model of lines that read from right to left (text.direction rtl)")
    for word in settings.hotwords:
        if missing := sorted(set(word) - set("".join(alphabet.symbols))):
            advice = "write it as section text leaves it (case: lower, …), in characters of the training texts"
            raise GlyphoneError(f"hotwords: {word!r}: the model writes no {' '.join(missing)}; {advice}")
    if language.ngrams is None and not settings.hotwords:
        raise GlyphoneError(
            "engine beam_lm: there is no language model (language.unit is none) and there are no hotwords"
        )
    if settings.lexicon != "none" and not words:
        raise GlyphoneError(f"lexicon {settings.lexicon!r}: the language model has no words; set language.unit")
    return FusedSearch(alphabet.symbols, language.ngrams, language.unit, weights_of(settings), words)


def check_whitelist(alphabet: Alphabet, settings: DecodingSettings) -> None:
    """Raise GlyphoneError where the whitelist has characters that the model never writes."""
    if unknown := alphabet.unknown(settings.whitelist or ""):
        raise GlyphoneError(
            f"whitelist {settings.whitelist!r}: the model writes no {' '.join(map(repr, unknown))}; allowed are "
            "characters of the training texts, as section text leaves them"
        )


def weights_of(settings: DecodingSettings) -> Weights:
    return Weights(
        alpha=settings.alpha,
        beta=settings.beta,
        unknown_score=settings.unknown_score,
        closed=settings.lexicon == "closed",
        margin=settings.beam_margin,
        hotwords=settings.hotwords,
    )


def was_rescored(folder: str | Path, chosen: DecodingSettings) -> bool:
    """Whether stage tune was asked for a rescoring, which it may have found not to help."""
    path = Path(folder) / LANGUAGE_FOLDER / CHOSEN
    return chosen.rescoring is not None or (path.is_file() and "rescoring_tried" in read_json(path))


def chosen_settings(folder: str | Path, default: DecodingSettings | None = None) -> DecodingSettings:
    """The settings that stage tune chose for a bundle; the default (greedy) where it was never run.

    Raises:
        GlyphoneError: ``decoding.json`` is damaged, of another version, or not there yet or any more.
    """
    path = Path(folder) / LANGUAGE_FOLDER / CHOSEN
    if not path.is_file():
        if path.parent.is_dir():
            raise GlyphoneError(f"{path} is missing: stage tune is not through or was cut short; run it again")
        return default or DecodingSettings()
    content = read_json(path)
    try:
        return DecodingSettings.model_validate(content["settings"])
    except (ValidationError, KeyError, TypeError) as error:
        raise GlyphoneError(f"{path}: not of this version of Glyphone: {str(error).splitlines()[0]}") from None
