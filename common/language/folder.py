"""A language model as a folder: language.json, model.arpa.gz and words.txt. Stage lm writes it, a bundle carries it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.files import read_json, write_json, write_text
from common.language.arpa import read_arpa, write_arpa
from common.language.kneser_ney import train
from common.language.ngrams import LanguageError, Ngrams
from common.language.settings import LanguageSettings
from common.language.text import perplexity, tokens_of

FORMAT_VERSION = 1
DESCRIPTION, MODEL, WORDS = "language.json", "model.arpa.gz", "words.txt"
# What a folder of a model holds; of unit none the description alone.
FILES = (DESCRIPTION, MODEL, WORDS)
# And of a character model: common.language.character_folder, which needs torch.
CHARACTER_FILES = CHARACTER_DESCRIPTION, CHARACTER_WEIGHTS = "characters.json", "characters.safetensors"


@dataclass(frozen=True)
class Language:
    """n-grams and a word list.

    Attributes:
        unit: ``word``, ``char``, or ``none``: then there are neither n-grams nor words.
        words: of the texts that the model has learned from, sorted.
    """

    unit: str
    ngrams: Ngrams | None = None
    words: tuple[str, ...] = ()


NO_LANGUAGE = Language("none")


def read_language(folder: str | Path) -> Language:
    """Read a language folder. Raises LanguageError where it is missing or of another format."""
    folder = Path(folder)
    if not (folder / DESCRIPTION).is_file():
        raise LanguageError(f"{folder}: no language model there, {DESCRIPTION} is missing; stages lm and tune write it")
    description = read_json(folder / DESCRIPTION)
    fields = description if isinstance(description, dict) else {}
    version, unit = fields.get("format_version"), fields.get("unit")
    if version != FORMAT_VERSION or unit not in ("none", "word", "char"):
        raise LanguageError(
            f"{folder / DESCRIPTION}: format_version {version!r}, unit {unit!r}; this version of Glyphone reads "
            f"{FORMAT_VERSION} with none, word or char"
        )
    if unit == "none":
        return NO_LANGUAGE
    try:
        words = (folder / WORDS).read_text(encoding="utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise LanguageError(f"{folder / WORDS}: not UTF-8: {error}; run stages lm and tune again") from None
    return Language(unit, read_arpa(folder / MODEL), tuple(filter(None, words)))


def learn(
    folder: str | Path, settings: LanguageSettings, texts: Iterable[str], validation: Sequence[str]
) -> dict[str, Any]:
    """Learn a model and write its folder; return the description.

    Args:
        texts: normalised; empty ones teach nothing.
        validation: normalised texts that the model does not learn, for its perplexity.
    """
    folder = Path(folder)
    # What earlier settings left must not be taken for theirs, nor what a kill leaves for a whole model.
    for file in FILES:
        (folder / file).unlink(missing_ok=True)
    description: dict[str, Any] = {"format_version": FORMAT_VERSION, "unit": settings.unit}
    if settings.unit != "none":
        kept = [text for text in texts if text]
        ngrams, discounts = train((tokens_of(text, settings.unit) for text in kept), settings.order)
        write_arpa(folder / MODEL, ngrams)
        words = sorted({word for text in kept for word in text.split()})
        write_text(folder / WORDS, "".join(f"{word}\n" for word in words))
        description |= {
            "order": settings.order,
            "num_texts": len(kept),
            "num_words": len(words),
            "num_ngrams": [len(level.log_probs) for level in ngrams.levels()],
            "discounts": [{"amounts": each.amounts, "fallback": each.fallback} for each in discounts],
            "validation": perplexity(ngrams, settings.unit, validation),
        }
    write_json(folder / DESCRIPTION, description)
    return description
