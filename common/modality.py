"""What a modality is: the few things in which speech and text images differ."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel

from common.samples import Rejection, Sample

Turn = Literal["", "left", "right"]


@dataclass(frozen=True)
class Modality:
    """The way from a file to slices, and what the doctor and the report want to know of a signal.

    A *signal* is what reading gives: ``audio.reading.Sound`` or a grey image ``uint8 [H, W]``; nobody but the modality
    looks into it.

    Attributes:
        name: ``audio``, ``ocr``, …; the key in ``params.yaml`` and the folder of its results.
        unit: of times and positions: ``s`` or ``px``.
        suffixes: lower-case file endings that transcribe picks from folders.
        SliceSettings, AugmentSettings: frozen pydantic models, all fields with defaults.
        corpora: name → reader: (CorpusSettings of that reader, root folder, seed) → samples, and the settings' model.
        num_features: settings → F.
        step: settings → how many units one slice is long.
        load: (sample, root) → signal; opens the file, cuts start/end or box, or synthesises. Raises SampleError.
        read: path → signal of a whole file (transcribe). Raises SampleError.
        slices: (signal, settings) → float32 [T, F], normalised by itself alone. Raises SampleError.
        augment: (slices [T, F], settings, generator, surface = None) → float32 [T', F]. All that moves slices in time
            is drawn from the generator, and first; what only changes values from ``surface``, or without it from the
            same generator. So two views with equal generators and different surfaces are alike in time.
        mistakes: (settings of slices, of augment) → sentences about changes that such slices cannot be given.
        preview: signal → (media type, bytes) for the report, e.g. ("audio/ogg", …) or ("image/png", …).
        inspect: (signal, text) → pairs (finding code, sentence): silence, clipping, tiny, rotated, …
        digest: signal → hex digest of its content, to find duplicates.
        length: signal → units (seconds; pixels of width).
        height: signal → pixels of height, for boxes; 1 where a signal has none.
        upright: (signal, settings) → the signal as its slices see it, and how it was turned for that: "" (it was not),
            "left" or "right" by 90 degrees.
        limit: the field of SliceSettings that says how long a signal may be; empty: there is none.
        parts: (signal, settings, longest) → signals of that length at most which end to end are a signal that is longer
            than ``settings`` allow, for transcribe; one that is not, alone. None: there is no cutting.
    """

    name: str
    unit: str
    suffixes: frozenset[str]
    SliceSettings: type[BaseModel]
    AugmentSettings: type[BaseModel]
    corpora: Mapping[str, "CorpusReader"]
    num_features: Callable[[Any], int]
    step: Callable[[Any], float]
    load: Callable[[Sample, Path], Any]
    read: Callable[[Path], Any]
    slices: Callable[[Any, Any], np.ndarray]
    augment: Callable[..., np.ndarray]
    preview: Callable[[Any], tuple[str, bytes]]
    inspect: Callable[[Any, str], Iterable[tuple[str, str]]]
    digest: Callable[[Any], str]
    length: Callable[[Any], float]
    height: Callable[[Any], float] = lambda signal: 1.0
    upright: Callable[[Any, Any], tuple[Any, Turn]] = lambda signal, settings: (signal, "")
    mistakes: Callable[[Any, Any], Iterable[str]] = lambda slices, augment: ()
    limit: str = ""
    parts: Callable[[Any, Any, float], list[Any]] | None = None


@dataclass(frozen=True)
class Archive:
    """An archive at an official address.

    Attributes:
        url: of a zip or tar file.
        sha256: its checksum, as the publisher states it, in hex.
        member: the folder inside the archive that is taken; empty: all of it.
        folder: where that goes.
    """

    url: str
    sha256: str
    member: str
    folder: Path


@dataclass(frozen=True)
class CorpusReader:
    """How to list the samples of one kind of corpus.

    Attributes:
        Settings: frozen pydantic model of the reader's own settings, all with defaults where that makes sense.
        read: (settings, root, seed) → samples with raw text (not yet normalised), group and split; split may be the
            empty string where the corpus has no fixed one: prepare then splits by group. And rejections of what
            cannot be a sample (no_outline), or is none yet (no_transcript): these do not count as rejected samples.
        missing: (settings, root) → the official archives whose content is not below root yet, for ``--download``;
            None where the corpus has no open address with a checksum.
        recipe: (settings, seed, sample id, text or None) → one generated training sample by these alone, of a text of
            its own or the given one, for streams; None where a reader reads.
    """

    Settings: type[BaseModel]
    read: Callable[[Any, Path, int], Iterable[Sample | Rejection]]
    missing: Callable[[Any, Path], list[Archive]] | None = None
    recipe: Callable[[Any, int, str, str | None], Sample] | None = None


def generator(seed: int, purpose: str, sample_id: str) -> np.random.Generator:
    """Random numbers that depend on (seed, purpose, sample) alone, never on order or the number of workers."""
    key = hashlib.sha256(f"{seed}\0{purpose}\0{sample_id}".encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(key[:16], "big")))
