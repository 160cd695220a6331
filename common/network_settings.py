"""Settings of the network; a file of their own, since checking settings must not import torch."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from common.recurrent.kinds import LSTMS

Step = Annotated[int, Field(ge=1, le=1024)]


class ConvolutionSettings(BaseModel):
    """One block of the front end: convolution, batch normalisation, ReLU, max pooling. Pairs are (time, feature)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    channels: Annotated[int, Field(ge=1, le=1024)] = 32
    kernel: tuple[Literal[1, 3, 5, 7, 9, 11], Literal[1, 3, 5, 7, 9, 11]] = (3, 3)
    stride: tuple[Step, Step] = (1, 1)
    pool: tuple[Step, Step] = (1, 1)


class NetworkSettings(BaseModel):
    """Shape of the network; the number of features and of labels comes from the data."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    convolutions: tuple[ConvolutionSettings, ...] = (
        ConvolutionSettings(stride=(2, 2)),
        ConvolutionSettings(stride=(2, 2)),
    )
    cell: Literal[
        "rnn",
        "rnn_relu",
        "lstm",
        "peephole_lstm",
        "cifg",
        "layer_norm_lstm",
        "gru",
        "gru_reset_before",
        "transformer",
    ] = "lstm"
    num_layers: Annotated[int, Field(ge=1, le=20)] = 3
    num_hidden: Annotated[int, Field(ge=1, le=4096)] = 256
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.2
    bidirectional: bool = True  # False: a slice's emission depends on the past alone
    recurrent_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0  # share of recurrent weights, one choice a batch
    zoneout: Annotated[float, Field(ge=0, lt=1)] = 0.0  # share of units that keep their state at each step
    residual: bool = False  # a layer's input added to its output where both are as wide
    forget_bias: Annotated[float, Field(ge=-100, le=100)] = 1.0  # of LSTMs, at the start
    num_heads: Annotated[int, Field(ge=1, le=64, validate_default=True)] = 4  # of the transformer
    # Layers, from 1, behind which the head reads too: intermediate CTC (arXiv 2102.03216), weighed by
    # training.intermediate_weight. It is the same head, so it adds no weights and nothing to transcribing.
    intermediate_layers: tuple[int, ...] = ()
    # What the head reads there goes back through one matrix into the next layer (self-conditioned CTC, arXiv
    # 2104.02724): part of the network in transcribing too.
    self_conditioned: bool = False

    @property
    def is_lstm(self) -> bool:
        return self.cell in LSTMS

    @field_validator("intermediate_layers")
    @classmethod
    def _stand_before_the_last(cls, value: tuple[int, ...], info: ValidationInfo) -> tuple[int, ...]:
        last = info.data.get("num_layers", 1)
        if list(value) != sorted({number for number in value if 1 <= number < last}):
            allowed = f"numbers from 1 to {last - 1}" if last > 1 else "none"
            raise ValueError(f"of {last} layers, {list(value)}; allowed: {allowed}, each once and in order")
        return value

    @field_validator("self_conditioned")
    @classmethod
    def _needs_intermediate_layers(cls, value: bool, info: ValidationInfo) -> bool:
        if value and not info.data.get("intermediate_layers", True):
            raise ValueError("needs intermediate_layers, behind which the head reads; allowed: false, or some of them")
        return value

    @field_validator("recurrent_dropout", "zoneout")
    @classmethod
    def _needs_a_recurrence(cls, value: float, info: ValidationInfo) -> float:
        if value and info.data.get("cell") == "transformer":
            raise ValueError("a transformer has no recurrence; allowed: 0, or another cell")
        return value

    @field_validator("num_heads")
    @classmethod
    def _divides_the_width(cls, value: int, info: ValidationInfo) -> int:
        if info.data.get("cell") == "transformer" and {"num_hidden", "bidirectional"} <= info.data.keys():
            width = info.data["num_hidden"] * (2 if info.data["bidirectional"] else 1)
            if width % value:
                raise ValueError(f"must divide the width of the transformer, {width} (num_hidden for each direction)")
        return value
