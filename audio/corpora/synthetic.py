"""The embedded corpus: sentences of a small grammar, spoken in conditions that no two splits share."""

from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from audio.conditions import SPLITS
from audio.sentences import sentence
from common.modality import CorpusReader, generator
from common.samples import SYNTHESIS, Sample


class SyntheticSettings(BaseModel):
    """How many sentences each split has; its conditions take turns."""

    model_config = ConfigDict(frozen=True, extra="forbid")

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
                path=f"{SYNTHESIS}{seed}:{name}",
                text=sentence(generator(seed, "sentence", sample_id)),
                group=name,
                split=split,
                licence="Apache-2.0",
            )


SYNTHETIC = CorpusReader(Settings=SyntheticSettings, read=read)
