"""The embedded corpus: sentences of a small grammar, spoken in conditions that no two splits share."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from audio import voices
from audio.conditions import ACCENT, SPLITS, VARIED
from audio.dictation import dictation
from audio.sentences import digit, phrase, sentence
from audio.spoken import spoken
from common.modality import CorpusReader, generator
from common.samples import SYNTHESIS, Sample


class SyntheticSettings(BaseModel):
    """What is said, and how many samples each split has; its conditions take turns."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # sentences: of the whole grammar; digits: one digit a sample; dictation: spelled names, codes, telephone numbers,
    # dates, as digits an addition to corpora of such; phrases: English words by frequency; mix: sentences and phrases.
    says: Literal["sentences", "digits", "dictation", "phrases", "mix"] = "sentences"
    # Another voice, room, noise and microphone for each training sample, from wide ranges; else the conditions of the
    # training split take turns, in a stream by chance. Not said: in a stream yes, in a corpus no.
    varied: bool | None = None
    # Share of the training samples in a foreign accent, each in one of its own.
    accents: float = Field(0.0, ge=0, le=1)
    # Programs whose voices take turns in the training samples, in place of the embedded one; see ``audio.voices``.
    voices: tuple[Literal["espeak-ng", "festival", "flite"], ...] = ()
    # Cut to the words, as the recordings of some corpora are; else a little silence stands before and after them.
    cut: bool = False
    num_train: int = Field(2000, ge=0, le=10_000_000)
    num_validation: int = Field(150, ge=0, le=1_000_000)
    num_test: int = Field(300, ge=0, le=1_000_000)

    @model_validator(mode="after")
    def _one_kind_of_voice(self) -> Self:
        if self.voices and (self.accents or self.varied):
            raise ValueError(
                "voices: other programs' voices take no accents and no varied; give these a corpus of their own"
            )
        return self


def read(settings: SyntheticSettings, root: Path, seed: int) -> Iterator[Sample]:
    """Samples whose group is their condition; root is not used."""
    numbers = {"train": settings.num_train, "validation": settings.num_validation, "test": settings.num_test}
    for split, conditions in SPLITS.items():
        training = split == "train"
        names = voices.names(settings.voices) if training and settings.voices else sorted(conditions)
        for number in range(numbers[split]):
            name = VARIED if training and settings.varied else names[number % len(names)]
            sample_id = f"{split}-{name}-{number:05d}"
            yield Sample(
                id=sample_id,
                path=_path(settings, seed, name, sample_id, training),
                text=_text(settings, generator(seed, "sentence", sample_id)),
                group=name,
                split=split,
                licence=_licence(name),
            )


def recipe(settings: SyntheticSettings, seed: int, sample_id: str, text: str | None) -> Sample:
    """One training sample, whatever ``num_train`` is; it says a text of its own or a given one.

    Words of a given text that the voice cannot say are left out of it.
    """
    random = generator(seed, "audio stream", sample_id)
    names = voices.names(settings.voices) if settings.voices else sorted(SPLITS["train"])
    is_named = bool(settings.voices) or settings.varied is False
    name = names[int(random.integers(len(names)))] if is_named else VARIED
    return Sample(
        id=sample_id,
        path=_path(settings, seed, name, sample_id, training=True),
        text=_text(settings, random) if text is None else spoken(text),
        group=name,
        split="train",
        licence=_licence(name),
    )


def _licence(name: str) -> str:
    """Of a voice of another program its own, else that of the embedded one."""
    return voices.VOICES[name].licence if name in voices.VOICES else "Apache-2.0"


def _path(settings: SyntheticSettings, seed: int, name: str, sample_id: str, training: bool) -> str:
    has_accent = training and generator(seed, "has accent", sample_id).random() < settings.accents
    return f"{SYNTHESIS}{seed}:{name}" + ACCENT * has_accent + ":cut" * settings.cut


def _text(settings: SyntheticSettings, random: np.random.Generator) -> str:
    says = settings.says
    if says == "mix":
        says = "sentences" if random.random() < 0.5 else "phrases"
    return {"sentences": sentence, "digits": digit, "dictation": dictation, "phrases": phrase}[says](random)


SYNTHETIC = CorpusReader(Settings=SyntheticSettings, read=read, recipe=recipe)
