"""One normalisation of text for references, targets and hypotheses alike."""

import unicodedata
from typing import Literal

from pydantic import BaseModel, ConfigDict, field_validator


class TextSettings(BaseModel):
    """How transcripts are normalised."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    case: Literal["keep", "lower", "upper"] = "keep"
    # Characters to replace, each by none, one or more others, e.g. {"ſ": "s"}; applied after NFC.
    replace: dict[str, str] = {}
    # rtl: lines of text images that read from right to left (Arabic, Hebrew). Texts stay in the order in which they are
    # read; a network learns and writes their characters as the picture shows them, from left to right.
    direction: Literal["ltr", "rtl"] = "ltr"

    @field_validator("replace")
    @classmethod
    def _one_character_each(cls, replace: dict[str, str]) -> dict[str, str]:
        composed = {unicodedata.normalize("NFC", key): value for key, value in replace.items()}
        for key in composed:
            if len(key) != 1:
                raise ValueError(f"each key must be one character, not {key!r}")
        return composed


def normalise(text: str, settings: TextSettings) -> str:
    """Return text in NFC, without U+FEFF, case as set, characters replaced, white space folded to single blanks.

    Applying it twice is the same as once as long as what ``replace`` puts in is of the case set, and none of its keys.
    """
    # A byte order mark is no character, wherever files that began with one were joined.
    text = unicodedata.normalize("NFC", text.replace("\ufeff", ""))
    if settings.case == "lower":
        text = text.lower()
    elif settings.case == "upper":
        text = text.upper()
    if settings.replace:
        text = text.translate({ord(key): value for key, value in settings.replace.items()})
    return " ".join(unicodedata.normalize("NFC", text).split())
