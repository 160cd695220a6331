"""The files of results as the report relies on them. docs/formats.md has every key; here are those that it reads."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import ConfigDict, Field

from common.shapes import Amount, Count, Shape

Rate = Amount | None  # None where there is nothing to divide by


class Counted(Shape):
    """Counts of edits, and nothing else."""

    model_config = ConfigDict(extra="forbid")

    substitutions: Count
    deletions: Count
    insertions: Count
    reference: Count


class Hypothesis(Shape):
    """A line of ``hypotheses.jsonl``."""

    id: str
    group: str
    reference: str
    hypothesis: str
    length: Amount
    confidence: Rate
    word_counts: Counted
    character_counts: Counted


class Errors(Shape):
    """Errors of words or characters."""

    substitutions: Count
    deletions: Count
    insertions: Count
    errors: Count
    reference: Count
    rate: Rate
    low: Rate = None
    high: Rate = None


class Exact(Shape):
    """Samples without an error."""

    hits: Count
    samples: Count
    share: Rate
    low: Rate = None
    high: Rate = None


class Part(Shape):
    """A part of the test set; tables hold the bare number of samples without an error."""

    samples: Count
    words: Errors
    characters: Errors
    exact: Exact | Count


class OfGroup(Part):
    group: str


class OfLength(Part):
    first: Amount = Field(alias="from")
    last: Amount = Field(alias="to")


class ByTranscript(Shape):
    model_config = ConfigDict(extra="forbid")

    seen: Part
    unseen: Part


class Interval(Shape):
    confidence: Amount
    bootstrap_samples: Count = Field(ge=1)
    drawn_over: Literal["groups", "samples"]


class Whole(Part):
    """The figures of all samples of a split."""

    exact: Exact
    exact_ignoring_case: Exact | None = None


class Voter(Part):
    model: str


class Vote(Whole):
    method: str
    voters: list[Voter]


class Bin(Shape):
    confidence: Amount
    accuracy: Amount
    count: Count


class Reliability(Shape):
    expected_calibration_error: Rate
    bins: list[Bin] = Field(default_factory=list)


class Calibrated(Shape):
    """Confidences of characters or words before and after calibration."""

    observations: Count
    before: Reliability
    after: Reliability


class Measured(Calibrated):
    right: Count


class OnValidation(Shape):
    characters: Calibrated
    words: Calibrated


class Calibration(Shape):
    test: dict[Literal["characters", "words"], Measured]
    validation: OnValidation | None


class Ngrams(Shape):
    unit: str
    order: Count


class MeasuredDecoder(Shape):
    """The decoder that was measured; keys of settings that did not act are left out."""

    engine: str
    beam_width: Count = 0
    language_model: Ngrams | None = None
    alpha: float = 0.0
    beta: float = 0.0
    lexicon: str = "none"
    hotwords: dict[str, float] = Field(default_factory=dict)
    whitelist: str | None = None
    rescoring: dict[str, Any] | None = None


class Metrics(Whole):
    """``metrics.json``."""

    groups: Count
    one_minus_ned: Rate
    interval: Interval
    by_transcript: ByTranscript
    by_group: list[OfGroup]
    by_length: list[OfLength]
    by_condition: dict[str, Part] = Field(default_factory=dict)
    validation: Whole | None = None
    calibration: Calibration | None = None
    decoder: MeasuredDecoder | None = None  # results before it existed have none
    vote: Vote | None = None
    adapted: Whole | None = None


class Corpus(Shape):
    licence: str


class Origin(Shape):
    """Of the model that a training started from."""

    corpora: Mapping[str, Corpus]


class Summary(Shape):
    corpora: Mapping[str, Corpus]
    training_samples: Count
    training_units: Amount
    validation_samples: Count
    num_parameters: Count
    best_epoch: int
    warm_start: Origin = Origin(corpora={})


class Description(Shape):
    """``bundle.json``."""

    unit: str
    step: Amount
    num_features: Count
    alphabet: list[str]
    network: dict[str, Any]
    slice_settings: dict[str, Any]
    text_settings: dict[str, Any]
    summary: Summary


class Training(Shape):
    """``training.json``."""

    seconds: Amount
    epochs: Count
    device: str
    precision: str
    pretraining_seconds: Amount = 0.0


class Decoder(Shape):
    engine: str
    beam_width: Count


class Tuned(Shape):
    """``decoding.json`` as stage tune leaves it."""

    settings: Decoder


class Bar(Shape):
    """A row of ``lengths.csv``."""

    model_config = ConfigDict(strict=False)  # cells are text

    bin: Amount
    count: Count
    split: str
