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

# A sample that cannot be made is tried with other chances: another room, another size of letters. At last it may be
# longer than the settings allow by such a factor, and is pressed together by it.
PRESSES = (1.0,) * 8 + (1.1, 1.25, 1.5, 2.0, 3.0, 5.0, 8.0)


def make(job: Job, module: str, front: Any) -> np.ndarray:
    """Slices float16 [T, F] of a job; a pure function. ``module`` exports the modality, ``front`` is its SliceSettings.

    Where there are fewer than ``job.least``, they are drawn out, as of a slow speaker or a wide face; where there are
    more than the settings allow, they are pressed together, as of a quick speaker or a narrow face.

    Raises:
        GlyphoneError: it cannot be made, not even with other chances.
    """
    kind: Modality = import_module(module).MODALITY
    reason = ""
    for attempt, press in enumerate(PRESSES):
        tried = replace(job.sample, id=job.sample.id + f"/again{attempt}" * bool(attempt))
        try:
            return halve(drawn_out(pressed(kind, kind.load(tried, Path()), front, press), job.least))
        except SampleError as error:
            reason = str(error) if press == 1 else reason  # the later ones know of lifted limits alone
    raise GlyphoneError(f"stream: sample {job.sample.id}, text {job.sample.text!r}: {reason}")


def pressed(kind: Modality, signal: Any, front: Any, press: float) -> np.ndarray:
    """Slices float32 [T, F] of a signal, which may be too long by a factor and is pressed by it. Raises SampleError."""
    if press == 1 or not kind.limit:
        return kind.slices(signal, front)
    lifted = front.model_copy(update={kind.limit: getattr(front, kind.limit) * press})
    slices = kind.slices(signal, lifted)
    return _resampled(slices, max(1, int(len(slices) / press)))


def drawn_out(slices: np.ndarray, least: int) -> np.ndarray:
    """Slices [T, F], or as many as ``least`` of them with what lies between filled in by lines."""
    return slices if len(slices) >= least else _resampled(slices, least)


def _resampled(slices: np.ndarray, num: int) -> np.ndarray:
    places = np.linspace(0, len(slices) - 1, num)
    lower = places.astype(np.intp).clip(0, max(0, len(slices) - 2))
    share = (places - lower).astype(np.float32)[:, None]
    return slices[lower] * (1 - share) + slices[np.minimum(lower + 1, len(slices) - 1)] * share
