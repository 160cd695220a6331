"""The embedded corpus: sentences of a small grammar, spoken in conditions that no two splits share."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from audio.conditions import SPLITS, VARIED
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
    # Of a stream: another voice, room, noise and microphone for each sample, from wide ranges; else the conditions of
    # the training split take turns by chance.
    varied: bool = True
    # Cut to the words, as the recordings of some corpora are; else a little silence stands before and after them.
    cut: bool = False
    num_train: int = Field(2000, ge=0)
    num_validation: int = Field(150, ge=0)
    num_test: int = Field(300, ge=0)


def read(settings: SyntheticSettings, root: Path, seed: int) -> Iterator[Sample]:
    """Samples whose group is their condition; root is not used."""
    numbers = {"train": settings.num_train, "validation": settings.num_validation, "test": settings.num_test}
    for split, conditions in SPLITS.items():
        names = sorted(conditions)
        for number in range(numbers[split]):
            name = names[number % len(names)]
            sample_id = f"{split}-{name}-{number:05d}"
            yield Sample(
                id=sample_id,
                path=f"{SYNTHESIS}{seed}:{name}" + (":cut" if settings.cut else ""),
                text=_text(settings, generator(seed, "sentence", sample_id)),
                group=name,
                split=split,
                licence="Apache-2.0",
            )


def recipe(settings: SyntheticSettings, seed: int, sample_id: str, text: str | None) -> Sample:
    """One training sample, whatever ``num_train`` is; it says a text of its own or a given one.

    Words of a given text that the voice cannot say are left out of it.
    """
    random = generator(seed, "audio stream", sample_id)
    names = sorted(SPLITS["train"])
    name = VARIED if settings.varied else names[int(random.integers(len(names)))]
    return Sample(
        id=sample_id,
        path=f"{SYNTHESIS}{seed}:{name}" + (":cut" if settings.cut else ""),
        text=_text(settings, random) if text is None else spoken(text),
        group=name,
        split="train",
        licence="Apache-2.0",
    )


def _text(settings: SyntheticSettings, random: np.random.Generator) -> str:
    says = settings.says
    if says == "mix":
        says = "sentences" if random.random() < 0.5 else "phrases"
    return {"sentences": sentence, "digits": digit, "dictation": dictation, "phrases": phrase}[says](random)


SYNTHETIC = CorpusReader(Settings=SyntheticSettings, read=read, recipe=recipe)
