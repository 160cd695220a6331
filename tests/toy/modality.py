"""A toy modality: a file is a line of numbers, a slice is a number and its square. Small, but complete."""

import hashlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict

from common.errors import SampleError
from common.manifest import FolderSettings, ManifestSettings, read_folder, read_manifest
from common.modality import CorpusReader, Modality, generator
from common.samples import SYNTHESIS, Rejection, Sample

SUFFIXES = frozenset({".numbers"})
MAX_NUMBERS = 100
# Of the environment: how long reading a file takes, for tests that interrupt it.
READ_SECONDS = "GLYPHONE_TOY_READ_SECONDS"


class SliceSettings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    scale: float = 1.0


class AugmentSettings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    noise: float = 0.0


class SyntheticSettings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    num_train: int = 6
    num_validation: int = 2
    num_test: int = 3


def synthetic(settings: SyntheticSettings, root: Path, seed: int) -> Iterator[Sample]:
    for split in ("train", "validation", "test"):
        for number in range(getattr(settings, f"num_{split}")):
            path = f"{SYNTHESIS}{seed}:{split}"
            yield Sample(f"{split}-{number}", path, f"word {number}", f"{split}/{number % 2}", split)


def recipe(settings: SyntheticSettings, seed: int, sample_id: str, text: str | None) -> Sample:
    random = generator(seed, "toy recipe", sample_id)
    own = "".join(random.choice(list("abc"), size=random.integers(1, 6)))
    return Sample(sample_id, f"{SYNTHESIS}{seed}:train", own if text is None else text, "g", "train", licence="CC0")


def folder(settings: FolderSettings, root: Path, seed: int) -> Iterator[Sample | Rejection]:
    return read_folder(settings, root, SUFFIXES)


def read(path: Path) -> np.ndarray:
    time.sleep(float(os.environ.get(READ_SECONDS, 0)))
    if not path.is_file():
        raise SampleError("missing_file", f"{path.name}: no such file")
    try:
        numbers = np.array([float(word) for word in path.read_text("utf-8").split()])
    except ValueError as error:
        raise SampleError("unreadable", f"{path.name}: {error}") from None
    if not len(numbers):
        raise SampleError("empty_signal", f"{path.name}: no numbers")
    return numbers


def load(sample: Sample, root: Path) -> np.ndarray:
    if sample.is_synthetic:
        seed = int(sample.path.split(":")[1])
        return generator(seed, "synthesis", sample.id).normal(size=4 * len(sample.text))
    return read(root / sample.path)


def slices(signal: np.ndarray, settings: SliceSettings) -> np.ndarray:
    if len(signal) > MAX_NUMBERS:
        raise SampleError("too_long", f"{len(signal)} numbers, {MAX_NUMBERS} are allowed")
    scaled = settings.scale * signal
    return np.stack([scaled, scaled**2], axis=1).astype(np.float32)


def inspect(signal: np.ndarray, text: str) -> Iterator[tuple[str, str]]:
    if not signal.any():
        yield "silence", "all numbers are 0"


def augment(
    matrix: np.ndarray,
    settings: AugmentSettings,
    random: np.random.Generator,
    surface: np.random.Generator | None = None,
) -> np.ndarray:
    return matrix + settings.noise * (surface or random).normal(size=matrix.shape).astype(np.float32)


MODALITY = Modality(
    name="toy",
    unit="px",
    suffixes=SUFFIXES,
    SliceSettings=SliceSettings,
    AugmentSettings=AugmentSettings,
    corpora={
        "synthetic": CorpusReader(SyntheticSettings, synthetic, recipe=recipe),
        "folder": CorpusReader(FolderSettings, folder),
        "manifest": CorpusReader(ManifestSettings, read_manifest),
    },
    num_features=lambda settings: 2,
    step=lambda settings: 1.0,
    load=load,
    read=read,
    slices=slices,
    augment=augment,
    preview=lambda signal: ("text/plain", str(len(signal)).encode()),
    inspect=inspect,
    digest=lambda signal: hashlib.sha256(signal.tobytes()).hexdigest(),
    length=lambda signal: float(len(signal)),
)
