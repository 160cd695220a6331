"""The files of a model and its results as the model card relies on them: what the report reads, and more."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from common.report import shapes
from common.report.shapes import Exact, Whole
from common.shapes import Amount, Count, Shape


class Corpus(shapes.Corpus):
    samples: Count


class Origin(shapes.Origin):
    corpora: Mapping[str, Corpus]


class Adaptation(Shape):
    """To files without transcripts."""

    files: Count
    rounds: list[dict[str, Any]]


class Summary(shapes.Summary):
    corpora: Mapping[str, Corpus]
    samples_digest: str
    epochs: Count
    seed: int
    precision: str
    warm_start: Origin = Origin(corpora={})
    adaptations: list[Adaptation] = Field(default_factory=list)


class Network(Shape):
    cell: str
    num_layers: Count
    num_hidden: Count
    bidirectional: bool
    convolutions: list[dict[str, Any]]


class Front(Shape):
    """What of a front end's settings the card speaks of; each modality has some of them."""

    rate_hz: Count = 0
    max_seconds: Amount = 0.0
    height_px: Count = 0
    polarity: str = ""


class Texts(Shape):
    case: str = ""


class Description(Shape):
    """``bundle.json``."""

    modality: str
    alphabet: list[str]
    unit: Literal["s", "px"]
    network: Network
    slice_settings: Front
    text_settings: Texts
    summary: Summary


class Scored(Whole):
    exact_ignoring_case: Exact


class Metrics(shapes.Metrics):
    """``metrics.json``."""

    exact_ignoring_case: Exact
    validation: Scored
    weights_sha256: str | None = None


class Training(Shape):
    """``training.json``."""

    seconds: Amount
    device: str
    num_threads: Count
    # After a pretraining alone, and older results have the time alone.
    pretraining_seconds: Amount = 0.0
    pretraining_epochs: Count = 0
    pretraining_best_epoch: Count = 0
    pretraining_samples: Count = 0
