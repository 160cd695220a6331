"""A trained model as a Python object: load a bundle, transcribe files.

>>> recogniser = Recogniser.load("models/audio")
>>> print(recogniser.transcribe("hello.wav").text)
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pydantic import ValidationError

from common.calibration import calibrated
from common.decoding import DecodingSettings, Hypothesis, in_units, readable
from common.decoding.decoder import Decoder, chosen_settings, decoder_of
from common.errors import GlyphoneError, SampleError
from common.modality import Modality
from pipelines.modalities import modality

if TYPE_CHECKING:
    from common.bundle import Bundle

DEFAULT_DECODING = DecodingSettings()
BATCH_SLICES = 16_000
# Files whose slices wait for each other: bounds memory and the delay of the first result.
MAX_WAITING_FILES = 64


@dataclass(frozen=True)
class Result:
    """One file's hypothesis, with the length and height of its signal in units; or None, and the reason."""

    path: str
    hypothesis: Hypothesis | None
    reason: str = ""
    length: float = 0.0
    height: float = 0.0


@dataclass(frozen=True)
class _Input:
    """Slices float32 [T, F] of a file, and the length and height of its signal in units."""

    slices: np.ndarray
    length: float
    height: float


class Recogniser:
    """A bundle, ready to transcribe.

    Attributes:
        bundle: network, alphabet and settings.
        decoding: how emissions become text.
        unit: of places in hypotheses: ``s`` or ``px``.
    """

    def __init__(
        self,
        bundle: Bundle,
        device: str = "cpu",
        decoding: DecodingSettings = DEFAULT_DECODING,
        decoder: Decoder | None = None,
    ) -> None:
        self.bundle = replace(bundle, network=bundle.network.to(device).eval())
        self.unit = bundle.unit
        self.modality: Modality = modality(bundle.modality)
        self.decoding = decoding
        self.decoder = decoder or Decoder(bundle.alphabet, decoding)
        try:
            self._slice_settings = self.modality.SliceSettings(**bundle.slice_settings)
        except ValidationError as error:
            keys = ", ".join(".".join(map(str, each["loc"])) for each in error.errors())
            raise GlyphoneError(f"the model's slice settings are not of this version of Glyphone: {keys}") from None
        if bundle.num_features != (expected := self.modality.num_features(self._slice_settings)):
            raise GlyphoneError(f"the model takes {bundle.num_features} features a slice, its settings give {expected}")

    @classmethod
    def load(cls, folder: str | Path, device: str = "auto", decoding: DecodingSettings | None = None) -> Recogniser:
        """Load a model folder, or the zip archive of one.

        Args:
            device: ``auto`` (CUDA where there is one), ``cpu``, ``cuda``, ``cuda:1``, …
            decoding: engine and its settings; those that stage tune chose where none are given.

        Raises:
            GlyphoneError: not a model folder, damaged, or no such device.
        """
        from common.archive import unpacked
        from common.bundle import read_bundle
        from common.device import choose_device
        from common.tuned_calibration import calibrated_for

        with unpacked(folder) as opened:
            bundle = read_bundle(opened)
            decoding = decoding or chosen_settings(opened)
            bundle = calibrated_for(bundle, opened, decoding)
            return cls(bundle, choose_device(device, "device"), decoding, decoder_of(opened, bundle.alphabet, decoding))

    def transcribe(self, path: str | Path) -> Hypothesis:
        """Transcribe one file; places are in seconds or pixels of the file (``unit``).

        Raises:
            SampleError: it cannot be read, or gives no slices.
            OSError: it cannot be opened.
        """
        return next(self._decoded([self._read(path)]))

    def transcribe_all(
        self, paths: Iterable[str | Path], batch_slices: int = BATCH_SLICES
    ) -> Generator[Result, None, None]:
        """Transcribe many files, in order, some at a time through the network; a bad one becomes a reason.

        A result does not depend on the other files.

        Args:
            batch_slices: input slices in the network at once, padding included.
        """
        waiting: list[tuple[str, _Input | str]] = []
        num_slices = 0
        for path in paths:
            name = os.fspath(path)
            try:
                each = self._read(name)
                num_slices += len(each.slices)
                waiting.append((name, each))
            except (SampleError, OSError) as error:
                waiting.append((name, _reason(error, name)))
            if num_slices >= batch_slices or len(waiting) >= MAX_WAITING_FILES:
                yield from self._results(waiting, batch_slices)
                waiting, num_slices = [], 0
        yield from self._results(waiting, batch_slices)

    def _read(self, path: str | Path) -> _Input:
        # pyarrow behind it takes its time to load.
        from common.store import halve

        signal = self.modality.read(Path(path))
        # Rounded as the slices that the network was trained and evaluated on.
        slices = halve(self.modality.slices(signal, self._slice_settings)).astype(np.float32)
        return _Input(slices, self.modality.length(signal), self.modality.height(signal))

    def _decoded(self, inputs: list[_Input], batch_slices: int = BATCH_SLICES) -> Iterator[Hypothesis]:
        from common.emissions import emissions

        matrices = [each.slices for each in inputs]
        network = self.bundle.network
        for each, log_probs in zip(inputs, emissions(network, matrices, batch_slices, exact=True), strict=True):
            hypothesis = calibrated(readable(self.decoder(log_probs)), self.bundle.calibration)
            yield in_units(hypothesis, self._step(each) * self.bundle.stride, each.length)

    def _step(self, each: _Input) -> float:
        """Units of the file from one slice to the next."""
        # A picture is scaled to the network's height, so its own pixels a slice are its own matter.
        return each.length / max(1, len(each.slices)) if self.unit == "px" else self.bundle.step

    def _results(self, waiting: list[tuple[str, _Input | str]], batch_slices: int) -> Iterator[Result]:
        hypotheses = self._decoded([each for _, each in waiting if isinstance(each, _Input)], batch_slices)
        for path, each in waiting:
            if isinstance(each, _Input):
                yield Result(path, next(hypotheses), length=each.length, height=each.height)
            else:
                yield Result(path, None, each)


def _reason(error: SampleError | OSError, path: str) -> str:
    """The error's sentence without the path, which stands beside it."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error).removeprefix(f"{path}: ")
