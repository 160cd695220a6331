"""Settings of decoding, a section of ``params.yaml``."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class DecodingSettings(BaseModel):
    """How emissions become text."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # greedy: the best label of each slice; beam: prefix beam search, which sums over alignments.
    engine: Literal["greedy", "beam"] = "greedy"
    # Prefixes kept after each slice, engine beam only.
    beam_width: Annotated[int, Field(ge=1, le=10_000)] = 16
    # Further texts beside the best one, engine beam only; at most beam_width - 1 are found.
    num_alternatives: Annotated[int, Field(ge=0, le=10_000)] = 0
