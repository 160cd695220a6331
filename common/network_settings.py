"""Settings of the network; a file of their own, since checking settings must not import torch."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class ConvolutionSettings(BaseModel):
    """One block of the front end: convolution, batch normalisation, ReLU, max pooling. Pairs are (time, feature)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    channels: Annotated[int, Field(ge=1, le=1024)] = 32
    kernel: tuple[Literal[1, 3, 5, 7, 9, 11], Literal[1, 3, 5, 7, 9, 11]] = (3, 3)
    stride: tuple[int, int] = (1, 1)
    pool: tuple[int, int] = (1, 1)


class NetworkSettings(BaseModel):
    """Shape of the network; the number of features and of labels comes from the data."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    convolutions: tuple[ConvolutionSettings, ...] = (
        ConvolutionSettings(stride=(2, 2)),
        ConvolutionSettings(stride=(2, 2)),
    )
    cell: Literal["rnn", "lstm", "gru"] = "lstm"
    num_layers: Annotated[int, Field(ge=1, le=20)] = 3
    num_hidden: Annotated[int, Field(ge=1, le=4096)] = 256
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.2
