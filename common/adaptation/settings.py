"""Settings of adaptation."""

from pydantic import BaseModel, ConfigDict, Field


class AdaptationSettings(BaseModel):
    """How a model learns a speaker or a book from samples of it that nobody transcribed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # Times that the samples are transcribed and the surest of them learnt. 0 is off: evaluate then adapts to nobody.
    rounds: int = Field(0, ge=0, le=100)
    # Of the samples of each hypothesised text, those that are learnt: the surest ones, by confidence.
    share: float = Field(0.7, gt=0, le=1)
    # Texts are taken to be as frequent in the samples as the decoder's language model says (all alike without one), of
    # those that are heard in them at all: right for digits or commands, wrong where each sample says something else.
    match_prior: bool = False
    epochs: int = Field(3, ge=1, le=100)  # of each round
    # At first; half a cosine over all rounds takes it to nothing.
    learning_rate: float = Field(3e-4, gt=0, allow_inf_nan=False)
    # Groups with fewer samples are transcribed by the model as it is.
    min_samples: int = Field(10, ge=1)
