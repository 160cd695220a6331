"""Settings of decoding, a section of ``params.yaml``."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class DecodingSettings(BaseModel):
    """How emissions become text."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # greedy: the best label of each slice; beam: prefix beam search, which sums over alignments;
    # ctcdecode: the same search by the package of that name, where it can be imported.
    engine: Literal["greedy", "beam", "ctcdecode"] = "greedy"
    # Prefixes kept after each slice, engines beam and ctcdecode. docs/decoding.md has the search error by width.
    beam_width: Annotated[int, Field(ge=1, le=10_000)] = 100
    # Further texts beside the best one, engines beam and ctcdecode; at most beam_width - 1 are found.
    num_alternatives: Annotated[int, Field(ge=0, le=10_000)] = 0
    # The only characters that may be written, a space among them if it may; none: all of the alphabet.
    whitelist: Annotated[str, Field(min_length=1)] | None = None
