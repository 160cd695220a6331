"""Settings of training."""

import unicodedata
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from common.training.stream_settings import StreamSettings


class TrainingSettings(BaseModel):
    """How a network is trained. A *slice* here is an input slice, before the front end's strides."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    epochs: int = Field(60, ge=1)
    learning_rate: float = Field(1.5e-3, gt=0)  # peak, reached after the warm-up
    final_learning_rate: float = Field(1e-5, ge=0)  # end of the cosine
    warmup_share: float = Field(0.05, ge=0, lt=1)  # of all steps
    weight_decay: float = Field(1e-2, ge=0)
    clip_norm: float = Field(1.0, gt=0)  # of the gradient, over all weights
    # Slices of the longest sample times samples, a batch; collating pads them to multiples of 8 beyond that.
    batch_slices: int = Field(6400, ge=1)
    batch_samples: int = Field(64, ge=1)  # samples a batch at most
    # Padded slices computed at once; what a batch has beyond is computed after it (gradient accumulation): loss and
    # gradient are the same up to the order of summation. 0: no bound.
    part_slices: int = Field(0, ge=0)
    # GiB that training may take, of main memory or of a GPU, what the process has before included; 0: what is free.
    # Batches that would need more are computed in parts.
    memory_gib: float = Field(0.0, ge=0, le=1_000_000)
    # What the loss has beside CTC (common/training/objective.py); all act in training alone.
    # Weight of the consistency of two augmented views of each sample, which have the same geometry (CR-CTC, arXiv
    # 2410.05101, where it is 0.2); 0: one view. A step computes twice the rows; batch_slices counts a sample once.
    consistency: float = Field(0.0, ge=0)
    # Share of the loss that the layers of network.intermediate_layers have, if there are some (0.3: arXiv 2102.03216).
    intermediate_weight: float = Field(0.3, ge=0, lt=1)
    # Weight of CTC straight from the convolutions (0.1: arXiv 2404.11339); its weights are not in the bundle. 0: none.
    short_cut: float = Field(0.0, ge=0)
    # Share of the loss that pulls each slice's emissions towards uniform (arXiv 1711.02212); 0: none.
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    # Share of the labels' log priors taken from the emissions in the loss: less peaky ones (0.3: arXiv 2406.02560).
    label_prior: float = Field(0.0, ge=0, le=1)
    sorted_epochs: int = Field(1, ge=0)  # first epochs in order of length (SortaGrad, Amodei et al. 2015)
    averaging: float = Field(0.998, ge=0, lt=1)  # decay a step of the exponential average of the weights; 0 is off
    patience: int = Field(0, ge=0)  # epochs without a better validation error before an early stop; 0 is off
    # Samples drawn anew for each epoch, by corpus; a corpus that is not named is used whole.
    draw: dict[str, Annotated[int, Field(ge=1)]] = {}
    # Share of an epoch's samples that go on with another random training sample, of the same group (speaker, book)
    # where it has others, else of the same corpus; texts are joined by a space, if the alphabet has one. 0 is off.
    joined: float = Field(0.0, ge=0, le=1)
    # Longest joined sample, at most as long as the widest picture may be: OpenCV changes none of 32,767 columns, and
    # augmentation nearly doubles some. 0: as the longest training sample.
    joined_slices: int = Field(0, ge=0, le=16_384)
    # Slices of ground between the two: 0 to twice as many.
    joined_gap: int = Field(10, ge=0, le=1_000)
    # Share of the samples that are mixed with another of their batch: λ · this + (1 - λ) · that, and so the losses of
    # both texts (MixSpeech, arXiv 2102.12664, mixes 0.15). λ is drawn from Beta(α, α), the greater of λ and 1 - λ.
    mixup: float = Field(0.0, ge=0, le=1)
    mixup_alpha: float = Field(0.5, gt=0, le=100)
    # Samples made while training, beside the stored ones; mixup goes with it, joined does not.
    stream: StreamSettings = StreamSettings()
    precision: Literal["auto", "float32", "bfloat16"] = "auto"  # auto: bfloat16 where the processor multiplies it
    device: Literal["auto", "cpu", "cuda"] = "auto"
    # Of a process; 0: the fastest number, tried out, at most all usable cores.
    num_threads: int = Field(0, ge=0, le=1024)
    # Processes on this machine that share each batch, on CPUs by gloo, each with a GPU of its own by nccl. Losses are
    # those of one process up to the order of summation. torchrun's own environment goes before.
    processes: int = Field(1, ge=1, le=64)
    checkpoint_minutes: float = Field(2.0, ge=0)  # between checkpoints within an epoch
    # Model folder whose weights the training starts from, absolute or as the roots of corpora; not the one it writes.
    warm_start: str = ""
    # Digest of that model, filled in by pipelines.recipe, so that DVC sees a changed one.
    warm_start_digest: str = ""
    # New character: the one of the model whose weights it starts from. New ones that are not named start near zero.
    new_characters: dict[str, str] = {}
    max_nonfinite: int = Field(20, ge=0)  # batches with a loss that is no number before training stops

    @field_validator("stream")
    @classmethod
    def _joins_nothing(cls, value: StreamSettings, info: ValidationInfo) -> StreamSettings:
        if value.samples and info.data.get("joined"):
            raise ValueError(
                f"{value.samples} samples with joined {info.data['joined']:g}: lengths of streamed samples are "
                "estimates, by which no pair can be chosen; allowed: one of the two"
            )
        return value

    @field_validator("new_characters")
    @classmethod
    def _as_in_alphabets(cls, value: dict[str, str]) -> dict[str, str]:
        """Texts are NFC; a keyboard or an editor may write a letter and its mark as two characters."""
        new, like = ([unicodedata.normalize("NFC", each) for each in given] for given in (value, value.values()))
        for each in (*new, *like):
            if len(each) != 1:
                raise ValueError(f"each must be one character and start from one, not {each!r}")
        return dict(zip(new, like, strict=True))

    @model_validator(mode="after")
    def _falls(self) -> Self:
        if self.final_learning_rate > self.learning_rate:
            raise ValueError(
                f"final_learning_rate {self.final_learning_rate:g} is above learning_rate {self.learning_rate:g}, "
                "from which the cosine falls to it; allowed: at most as much"
            )
        return self

    @property
    def num_views(self) -> int:
        """Rows that a sample takes of a batch."""
        return 2 if self.consistency else 1
