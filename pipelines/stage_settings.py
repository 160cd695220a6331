"""The small sections of ``params.yaml`` that belong to one stage each."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator


class PrepareSettings(BaseModel):
    """What prepare draws, as the splits of corpora that have none of their own, and when it gives up."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # Share of a corpus's samples that goes to validation and to test, whole groups at a time.
    validation_share: float = Field(0.1, ge=0, lt=1)
    test_share: float = Field(0.1, ge=0, lt=1)
    # The stage fails when a larger share of the samples is rejected.
    max_rejected: float = Field(0.05, ge=0, le=1)
    # Training samples kept at most, of those that are read and not made: whole groups by the hash of their names, and
    # of the last group the part that fits. A smaller number keeps a part of what a larger one keeps. 0: all.
    max_train_samples: int = Field(0, ge=0)
    # Seed of splits and made samples, so that models of other seeds learn and are tested on the same; null: ``seed``.
    seed: int | None = Field(None, ge=0, lt=2**63)

    @field_validator("test_share")
    @classmethod
    def _leaves_something(cls, value: float, info: ValidationInfo) -> float:
        if (other := info.data.get("validation_share", 0.0)) + value >= 1:
            raise ValueError(
                f"with validation_share {other:g} nothing is left to train on; allowed: below {1 - other:g}"
            )
        return value


class ExtractSettings(BaseModel):
    """When extract gives up."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_rejected: float = Field(0.05, ge=0, le=1)


class TuneSettings(BaseModel):
    """What stage tune tries on validation data; engine ``beam_lm``, and ``decoding.rescoring``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # Every alpha is tried with every beta at the first beam width, then the best of them with every other width.
    # Each as section decoding allows it.
    alphas: tuple[Annotated[float, Field(ge=0, le=100)], ...] = Field((0.1, 0.25, 0.5, 0.75, 1.0, 1.5), min_length=1)
    betas: tuple[Annotated[float, Field(allow_inf_nan=False)], ...] = Field((-1.0, 0.0, 1.0, 2.0, 4.0), min_length=1)
    beam_widths: tuple[Annotated[int, Field(ge=1, le=10_000)], ...] = Field((16, 64), min_length=1)
    # Of rescoring: every weight with every length bonus, and no rescoring at all.
    rescoring_weights: tuple[Annotated[float, Field(gt=0, le=100)], ...] = Field(
        (0.1, 0.2, 0.3, 0.5, 0.75, 1.0), min_length=1
    )
    length_bonuses: tuple[Annotated[float, Field(allow_inf_nan=False)], ...] = Field(
        (0.0, 0.25, 0.5, 1.0), min_length=1
    )
    # What is to be least: errors in words or in characters; the other one decides where it is equal.
    errors: Literal["words", "characters"] = "words"


class EvaluateSettings(BaseModel):
    """How sure the figures are said to be, and which models vote with this one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # Bootstrap draws of whole groups behind each interval, and the share of them that the interval holds.
    bootstrap_samples: int = Field(1000, ge=1, le=1_000_000)
    confidence: float = Field(0.95, gt=0, lt=1)
    # Folders or archives of further models whose hypotheses vote with this model's, absolute or as the roots of
    # corpora; the vote is scored beside the model alone. None: no vote.
    voters: tuple[str, ...] = ()
    # Digest of those models, filled in by pipelines.recipe, so that DVC sees changed ones.
    voters_digest: str = ""
    # confidences: each decodes as tuned for it, and characters are elected by the sum of their confidences; emissions:
    # this model's decoder reads the mean of all models' probabilities, which must be of one alphabet and stride.
    voting: Literal["confidences", "emissions"] = "confidences"
    # Of confidences: no character counts this times the mean confidence of the characters beside.
    gap_weight: float = Field(1.0, gt=0, le=100)


class ReportSettings(BaseModel):
    """What the report shows."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # Worst test samples shown with sound or picture.
    num_worst: int = Field(30, ge=0, le=1000)
    # Results folder, workspace or hypotheses.jsonl of another run that the page compares this one with; empty: none.
    # Relative to the workspace. DVC does not watch it: where only that run changed, force the stage.
    compare_with: str = ""
