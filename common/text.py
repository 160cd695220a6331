"""One normalisation of text for references, targets and hypotheses alike."""

import unicodedata
from typing import Literal

from pydantic import BaseModel, ConfigDict


class TextSettings(BaseModel):
    """How transcripts are normalised."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    case: Literal["keep", "lower", "upper"] = "keep"
    # Characters to replace, each by none, one or more others, e.g. {"ſ": "s"}; applied after NFC.
    replace: dict[str, str] = {}


def normalise(text: str, settings: TextSettings) -> str:
    """Return text in NFC, case as set, characters replaced, white space folded to single blanks and stripped.

    Applying it twice is the same as once as long as ``replace`` does not map onto its own keys.
    """
    text = unicodedata.normalize("NFC", text.removeprefix("\ufeff"))
    if settings.case == "lower":
        text = text.lower()
    elif settings.case == "upper":
        text = text.upper()
    if settings.replace:
        text = text.translate(str.maketrans(settings.replace))
    return " ".join(unicodedata.normalize("NFC", text).split())
