"""Settings of the language models, a section of ``params.yaml``."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class CharacterSettings(BaseModel):
    """A recurrent language model of characters: its shape, and how it is trained."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cell: Literal["rnn", "lstm", "peephole_lstm", "cifg", "layer_norm_lstm", "gru", "gru_reset_before"] = "lstm"
    num_layers: int = Field(1, ge=1, le=8)
    num_hidden: int = Field(256, ge=1, le=4096)
    num_embedded: int = Field(64, ge=1, le=1024)  # numbers that stand for a character at the input
    dropout: float = Field(0.2, ge=0, lt=1)
    epochs: int = Field(30, ge=1, le=10_000)
    patience: int = Field(3, ge=0)  # epochs without a better validation perplexity before an early stop; 0 is off
    learning_rate: float = Field(3e-3, gt=0, le=1)  # at the start; half a cosine takes it down to a hundredth
    weight_decay: float = Field(1e-2, ge=0)
    clip_norm: float = Field(1.0, gt=0)  # of the gradient, over all weights
    batch_texts: int = Field(32, ge=1, le=4096)
    # Characters that the gradient goes back; longer texts go on from the state that the part before ended with.
    window: int = Field(128, ge=1, le=10_000)
    num_threads: int = Field(1, ge=0, le=1024)  # 0: all usable cores; another number may end in other last bits
    checkpoint_minutes: float = Field(2.0, ge=0)  # between checkpoints within an epoch


class LanguageSettings(BaseModel):
    """What language models are learned, and from what."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # n-grams of engine beam_lm: of words (for running text), of characters (for single words, names and languages with
    # many forms), or none.
    unit: Literal["none", "word", "char"] = "none"
    # Length of the longest n-grams.
    order: int = Field(3, ge=1, le=20)
    # Beside the training transcripts: a text file, plain or .gz, a text a line; absolute, or as the roots of corpora.
    text: str = ""
    # Digest of that file, filled in by pipelines.recipe, so that DVC sees a changed one.
    text_digest: str = ""
    # Beside the n-grams, for `decoding.rescoring` and pipelines.generate; none: not learned. {} takes the defaults.
    characters: CharacterSettings | None = None
