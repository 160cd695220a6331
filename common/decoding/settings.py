"""Settings of decoding, a section of ``params.yaml``."""

import unicodedata
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

Finite = Annotated[float, Field(allow_inf_nan=False)]
# More take memory that few machines have.
MOST_PREFIXES = 10_000
# Of alpha and beta: sums of scores stay finite; beyond the range of floats every text would be as bad as the empty one.
MOST_WEIGHT = 1e6


class RescoringSettings(BaseModel):
    """The texts that a search finds, put in a new order by the character model of stage lm."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # Texts of the search that are looked at; at most beam_width are found.
    num_texts: Annotated[int, Field(ge=2, le=MOST_PREFIXES)] = 20
    # What ln P(text) by the character model counts beside the search's score. Stage tune chooses both.
    weight: Annotated[float, Field(ge=0, le=100)] = 0.3
    # Added for each character.
    length_bonus: Finite = 0.0


class DecodingSettings(BaseModel):
    """How emissions become text."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # greedy: the best label of each slice; beam: prefix beam search, which sums over alignments; beam_lm: the same with
    # the language model of stage lm; ctcdecode: the search of beam by the package of that name, where it is installed.
    engine: Literal["greedy", "beam", "beam_lm", "ctcdecode"] = "greedy"
    # Prefixes kept after each slice, all engines but greedy. docs/decoding.md has the search error by width.
    beam_width: Annotated[int, Field(ge=1, le=MOST_PREFIXES)] = 100
    # Further texts beside the best one, all engines but greedy; at most beam_width - 1 are found, with rescoring
    # num_texts - 1.
    num_alternatives: Annotated[int, Field(ge=0, le=MOST_PREFIXES)] = 0
    # The only characters that may be written, a space among them if it may; none: all of the alphabet.
    whitelist: Annotated[str, Field(min_length=1)] | None = None
    # What follows is of engine beam_lm; scores are natural logarithms. Stage tune chooses alpha, beta and beam_width.
    # Prefixes this much worse than the best one are dropped after each slice; narrower is quicker.
    beam_margin: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 20.0
    # Weight of the n-grams' log-probability.
    alpha: Annotated[float, Field(ge=0, le=100)] = 0.5
    # Added for each word (word n-grams) or character (character n-grams).
    beta: Finite = 1.0
    # Words that the language model has learned from: none: no word is special; open: words outside cost
    # unknown_score; closed: there are no others. Word n-grams always have their words: none is open there.
    lexicon: Literal["none", "open", "closed"] = "none"
    # Added for each word outside the lexicon.
    unknown_score: Finite = -10.0
    # Word → added wherever it is written; it belongs to the lexicon.
    hotwords: dict[str, Finite] = {}
    # Engines beam and beam_lm; needs language.characters. None: the search's best text is the result.
    rescoring: RescoringSettings | None = None

    @field_validator("hotwords")
    @classmethod
    def _are_single_words(cls, value: dict[str, float]) -> dict[str, float]:
        if wrong := [word for word in value if word.split() != [word]]:
            raise ValueError(f"{', '.join(map(repr, wrong))}: each must be one word, without blanks")
        # As texts are normalised: an accent that stands behind its letter would never be written.
        return {unicodedata.normalize("NFC", word): bonus for word, bonus in value.items()}

    @field_validator("rescoring")
    @classmethod
    def _needs_a_beam(cls, value: RescoringSettings | None, info: ValidationInfo) -> RescoringSettings | None:
        if value is not None and info.data.get("engine") in ("greedy", "ctcdecode"):
            raise ValueError(f"engine {info.data['engine']} finds no texts to choose from; allowed: beam, beam_lm")
        return value
