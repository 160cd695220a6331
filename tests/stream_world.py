"""What worker processes of the tests of streams import: no torch, so that they start quickly."""

import os
from pathlib import Path

import numpy as np

from common.alphabet import needed_slices
from common.errors import GlyphoneError
from common.modality import generator
from common.samples import Sample
from common.training.stream import Job, Stream


def recipe(sample_id: str) -> Sample:
    random = generator(1, "a", sample_id)
    text = "".join(random.choice(list("abc"), size=random.integers(1, 6)))
    return Sample(sample_id, "synthesis:1:x", text, "g", "train", licence="CC0")


def make(job: Job, failing: str = "") -> np.ndarray:
    """Each letter shows as five slices with its own pattern, and noise."""
    if job.sample.id == failing:
        raise GlyphoneError(f"sample {failing}: cannot be made")
    random = generator(1, "make", job.sample.id)
    patterns = np.eye(3, 6, dtype=np.float32).repeat(2, axis=1)[:, :6] * 3
    rows = [np.concatenate([np.tile(patterns["abc".index(c)], (3, 1)), np.zeros((2, 6))]) for c in job.sample.text]
    matrix = np.concatenate(rows)
    return (matrix + 0.3 * random.normal(size=matrix.shape)).astype(np.float16)


def counted(job: Job, folder: str) -> np.ndarray:
    (Path(folder) / f"{job.sample.id.replace('/', '.')}-{os.getpid()}").touch()
    return make(job)


def stream(num_workers: int = 1, num_samples: int = 30, num_epochs: int = 3, work=make) -> Stream:
    return Stream(num_samples, num_epochs, recipe, work, needed_slices, num_workers)
