"""From a recipe to its slices, in the processes beside a training; no torch is imported here."""

from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from common.errors import GlyphoneError, SampleError
from common.modality import Modality
from common.store_format import halve
from common.training.stream import Job

# A sample that cannot be made is tried with other chances so often: another room, another size of letters.
MAX_TRIES = 8


def make(job: Job, module: str, front: Any) -> np.ndarray:
    """Slices float16 [T, F] of a job; a pure function. ``module`` exports the modality, ``front`` is its SliceSettings.

    Where there are fewer than ``job.least``, they are drawn out, as of a slow speaker or a wide face.

    Raises:
        GlyphoneError: it cannot be made, not even with other chances.
    """
    kind: Modality = import_module(module).MODALITY
    for attempt in range(MAX_TRIES):
        tried = replace(job.sample, id=job.sample.id + f"/again{attempt}" * bool(attempt))
        try:
            return halve(drawn_out(kind.slices(kind.load(tried, Path()), front), job.least))
        except SampleError as error:
            reason = str(error)
    raise GlyphoneError(f"stream: sample {job.sample.id}, text {job.sample.text!r}: {reason}")


def drawn_out(slices: np.ndarray, least: int) -> np.ndarray:
    """Slices [T, F], or as many as ``least`` of them with what lies between filled in by lines."""
    if len(slices) >= least:
        return slices
    places = np.linspace(0, len(slices) - 1, least)
    lower = places.astype(np.intp).clip(0, max(0, len(slices) - 2))
    share = (places - lower).astype(np.float32)[:, None]
    return slices[lower] * (1 - share) + slices[np.minimum(lower + 1, len(slices) - 1)] * share
