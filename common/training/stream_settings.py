"""Settings of samples that are made while training."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class StreamSettings(BaseModel):
    """Samples of the modality's own generator, new ones for each epoch, stored nowhere."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    samples: int = Field(default=0, ge=0, le=10_000_000)  # an epoch; 0 is off
    # Processes that make them, beside each process that trains; results do not depend on it.
    num_workers: int = Field(default=1, ge=1, le=64)
    # Settings of the modality's reader `synthetic`; its numbers of samples only say which splits keep fonts of their
    # own, as they do there.
    generator: dict[str, Any] = {}
    # Share of the texts that are drawn from n-grams of the real training texts; the others are the generator's own.
    ngrams: float = Field(default=0.0, ge=0, le=1)
    ngram_unit: Literal["word", "char"] = "char"
    ngram_order: int = Field(default=5, ge=1, le=20)
