"""Settings of samples that are made while training."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class StreamSettings(BaseModel):
    """Samples of the modality's own generator, new ones for each epoch, stored nowhere."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    samples: int = Field(0, ge=0, le=10_000_000)  # an epoch; 0 is off
    # Processes that make them, beside each process that trains; results do not depend on it.
    num_workers: int = Field(1, ge=1, le=64)
    # Settings of the modality's reader `synthetic`; its numbers of samples only say which splits keep fonts of their
    # own, as they do there.
    generator: dict[str, Any] = {}
