"""The embedded corpus: sentences of a small grammar, spoken in conditions that no two splits share."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from audio.conditions import SPLITS
from audio.dictation import dictation
from audio.sentences import digit, sentence
from common.modality import CorpusReader, generator
from common.samples import SYNTHESIS, Sample


class SyntheticSettings(BaseModel):
    """What is said, and how many samples each split has; its conditions take turns."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # sentences: of the whole grammar; digits: one digit a sample; dictation: spelled names, codes, telephone numbers,
    # dates. The last two are additions to corpora of such.
    says: Literal["sentences", "digits", "dictation"] = "sentences"
    # Cut to the words, as the recordings of some corpora are; else a little silence stands before and after them.
    cut: bool = False
    num_train: int = Field(2000, ge=0)
    num_validation: int = Field(150, ge=0)
    num_test: int = Field(300, ge=0)


def read(settings: SyntheticSettings, root: Path, seed: int) -> Iterator[Sample]:
    """Samples whose group is their condition; root is not used."""
    numbers = {"train": settings.num_train, "validation": settings.num_validation, "test": settings.num_test}
    text = {"sentences": sentence, "digits": digit, "dictation": dictation}[settings.says]
    for split, conditions in SPLITS.items():
        names = sorted(conditions)
        for number in range(numbers[split]):
            name = names[number % len(names)]
            sample_id = f"{split}-{name}-{number:05d}"
            yield Sample(
                id=sample_id,
                path=f"{SYNTHESIS}{seed}:{name}" + (":cut" if settings.cut else ""),
                text=text(generator(seed, "sentence", sample_id)),
                group=name,
                split=split,
                licence="Apache-2.0",
            )


SYNTHETIC = CorpusReader(Settings=SyntheticSettings, read=read)
