"""Settings of training."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from common.training.stream_settings import StreamSettings


class TrainingSettings(BaseModel):
    """How a network is trained. A *slice* here is an input slice, before the front end's strides."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    epochs: int = Field(60, ge=1)
    learning_rate: float = Field(1.5e-3, gt=0)  # peak, reached after the warm-up
    final_learning_rate: float = Field(1e-5, ge=0)  # end of the cosine
    warmup_share: float = Field(0.05, ge=0, lt=1)  # of all steps
    weight_decay: float = Field(1e-2, ge=0)
    clip_norm: float = Field(1.0, gt=0)  # of the gradient, over all weights
    batch_slices: int = Field(6400, ge=1)  # padded slices a batch
    batch_samples: int = Field(64, ge=1)  # samples a batch at most
    # Padded slices computed at once; what a batch has beyond is computed after it (gradient accumulation): loss and
    # gradient are the same up to the order of summation. 0: no bound.
    part_slices: int = Field(0, ge=0)
    # GiB that training may take, of main memory or of a GPU, what the process has before included; 0: what is free.
    # Batches that would need more are computed in parts.
    memory_gib: float = Field(0.0, ge=0)
    sorted_epochs: int = Field(1, ge=0)  # first epochs in order of length (SortaGrad, Amodei et al. 2015)
    averaging: float = Field(0.998, ge=0, lt=1)  # decay a step of the exponential average of the weights; 0 is off
    patience: int = Field(0, ge=0)  # epochs without a better validation error before an early stop; 0 is off
    # Samples drawn anew for each epoch, by corpus; a corpus that is not named is used whole.
    draw: dict[str, int] = {}
    # Samples made while training, beside the stored ones.
    stream: StreamSettings = StreamSettings()
    precision: Literal["auto", "float32", "bfloat16"] = "auto"  # auto: bfloat16 where the processor multiplies it
    device: Literal["auto", "cpu", "cuda"] = "auto"
    num_threads: int = Field(0, ge=0)  # of a process; 0: all usable cores
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
