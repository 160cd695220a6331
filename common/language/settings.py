"""Settings of the language model, a section of ``params.yaml``."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class LanguageSettings(BaseModel):
    """What the n-grams of engine ``beam_lm`` are learned from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # Of what: words (for running text), characters (for single words, names and languages with many forms), or nothing.
    unit: Literal["none", "word", "char"] = "none"
    # Length of the longest n-grams.
    order: int = Field(3, ge=1, le=20)
    # Beside the training transcripts: a text file, plain or .gz, a text a line; absolute, or as the roots of corpora.
    text: str = ""
    # Digest of that file, filled in by pipelines.recipe, so that DVC sees a changed one.
    text_digest: str = ""
