"""A trained model as a Python object: load a bundle, transcribe files.

>>> recogniser = Recogniser.load("models/audio")
>>> print(recogniser.transcribe("hello.wav").text)
"""

from __future__ import annotations

import math
import os
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
from pydantic import ValidationError

from common.calibration import calibrated
from common.decoding import DecodingSettings, Hypothesis, in_units, readable
from common.decoding.decoder import Decoder, chosen_settings, decoder_of
from common.errors import GlyphoneError, SampleError
from common.modality import Modality, Turn
from pipelines.modalities import modality

if TYPE_CHECKING:
    from common.bundle import Bundle
    from common.voting.poll import Method
    from pipelines.voters import Voters

DEFAULT_DECODING = DecodingSettings()
BATCH_SLICES = 16_000
# What is read before the network runs: enough for neighbours of like length and work for all threads, little enough to
# bound memory and the delay of the first result.
WAITING_FILES = 128
WAITING_BATCHES = 6
READERS = 2  # threads; more gain nothing, for the network takes longer than reading


@dataclass(frozen=True)
class Result:
    """One file's hypothesis, with the length and height of its signal in units; or None, and the reason.

    Those of a picture that was ``turned`` are of the turned one, as are the places of the hypothesis.
    """

    path: str
    hypothesis: Hypothesis | None
    reason: str = ""
    length: float = 0.0
    height: float = 0.0
    turned: Turn = ""


@dataclass(frozen=True)
class _Part:
    """Slices float32 [T, F] of a file or a part of it, and its length in units; slices of each voter."""

    slices: np.ndarray
    length: float
    others: tuple[np.ndarray, ...] = ()


@dataclass(frozen=True)
class _Input:
    """A file's parts, mostly one, the length and height of its upright signal in units, and how that was turned."""

    parts: tuple[_Part, ...]
    length: float
    height: float
    turned: Turn


class Recogniser:
    """A bundle, ready to transcribe.

    Attributes:
        bundle: network, alphabet and settings.
        decoding: how emissions become text.
        unit: of places in hypotheses: ``s`` or ``px``.
        voters: models that vote with it, or None.
    """

    def __init__(
        self,
        bundle: Bundle,
        device: str = "cpu",
        decoding: DecodingSettings = DEFAULT_DECODING,
        decoder: Decoder | None = None,
        voters: Voters | None = None,
    ) -> None:
        self.bundle = replace(bundle, network=bundle.network.to(device).eval())
        self.unit = bundle.unit
        self.modality: Modality = modality(bundle.modality)
        self.decoding = decoding
        self.decoder = decoder or Decoder(bundle.alphabet, decoding)
        self._slice_settings = self._settings_of(bundle)
        self.voters = voters
        self._other_settings = [self._settings_of(each) for each in voters.bundles] if voters else []

    def _settings_of(self, bundle: Bundle) -> Any:
        """Its slice settings, checked."""
        try:
            settings = self.modality.SliceSettings(**bundle.slice_settings)
        except ValidationError as error:
            keys = ", ".join(".".join(map(str, each["loc"])) for each in error.errors())
            raise GlyphoneError(f"the model's slice settings are not of this version of Glyphone: {keys}") from None
        if bundle.num_features != (expected := self.modality.num_features(settings)):
            raise GlyphoneError(f"the model takes {bundle.num_features} features a slice, its settings give {expected}")
        return settings

    @classmethod
    def load(
        cls,
        folder: str | Path,
        device: str = "auto",
        decoding: DecodingSettings | None = None,
        voters: Sequence[str | Path] = (),
        voting: Method = "confidences",
    ) -> Recogniser:
        """Load a model folder, or the zip archive of one.

        Args:
            device: ``auto`` (CUDA where there is one), ``cpu``, ``cuda``, ``cuda:1``, …
            decoding: engine and its settings; those that stage tune chose where none are given.
            voters: further model folders whose hypotheses vote with this one's; each has its own decoder.
            voting: by the ``confidences`` of hypotheses or the mean of ``emissions``, see ``common.voting.poll``.

        Raises:
            GlyphoneError: not a model folder, damaged, or no such device; a voter does not fit the model or would vote
                twice, or there is no such voting.
        """
        if isinstance(voters, str | os.PathLike):
            raise GlyphoneError(f"voters {os.fspath(voters)!r}: a list of model folders is needed")
        from common.archive import unpacked
        from common.bundle import read_bundle
        from common.device import choose_device
        from common.tuned_calibration import calibrated_for
        from common.voting.poll import Method

        if voting not in get_args(Method):
            raise GlyphoneError(f"voting {voting!r}: allowed: {', '.join(get_args(Method))}")
        if voting != "confidences" and not voters:  # the default, which says nothing
            raise GlyphoneError(f"voting {voting!r}: one model does not vote; name further ones as voters")

        with ExitStack() as stack:
            opened, *others = (stack.enter_context(unpacked(each)) for each in (folder, *voters))
            bundle = read_bundle(opened)
            decoding = decoding or chosen_settings(opened)
            bundle = calibrated_for(bundle, opened, decoding)
            decoder = decoder_of(opened, bundle.alphabet, decoding)
            chosen_device = choose_device(device, "device")
            if not voters:
                return cls(bundle, chosen_device, decoding, decoder)
            from pipelines.voters import load_voters

            bundle.network.to(chosen_device)
            voting_models = load_voters([str(each) for each in voters], others, bundle, decoder, voting)
            return cls(bundle, chosen_device, decoding, decoder, voting_models)

    def transcribe(self, path: str | Path) -> Hypothesis:
        """Transcribe one file; places are in seconds or pixels of the file (``unit``), from where the slices begin.

        That is the left edge of a picture; of one that ``slices.rotate_tall`` turned, the top for text that reads
        downwards, the bottom for text that reads upwards.

        Raises:
            SampleError: it cannot be read, or gives no slices.
            OSError: it cannot be opened.
        """
        return next(self._decoded([self._read(path)]))

    def slices(self, path: str | Path) -> np.ndarray:
        """Slices float32 [T, F] of a file, as the network reads them.

        Raises:
            SampleError: as ``transcribe``, and ``too_long`` of a file that is transcribed in parts.
            OSError: it cannot be opened.
        """
        return self._part(self.modality.read(Path(path))).slices

    def transcribe_all(
        self, paths: Iterable[str | Path], batch_slices: int = BATCH_SLICES
    ) -> Generator[Result, None, None]:
        """Transcribe many files, in order, some at a time through the network; a bad one becomes a reason.

        A result does not depend on the other files.

        Args:
            batch_slices: input slices in the network at once, padding included.
        """
        stream = (os.fspath(path) for path in paths)
        waiting: list[tuple[str, _Input | str]] = []
        with ThreadPoolExecutor(READERS) as pool:
            while some := list(islice(stream, READERS)):
                waiting += zip(some, pool.map(self._read_or_reason, some), strict=True)
                parts = [part for _, each in waiting if isinstance(each, _Input) for part in each.parts]
                num_slices = sum(len(part.slices) for part in parts)
                if len(waiting) >= WAITING_FILES or num_slices >= WAITING_BATCHES * batch_slices:
                    yield from self._results(waiting, batch_slices)
                    waiting = []
        yield from self._results(waiting, batch_slices)

    def _read_or_reason(self, path: str) -> _Input | str:
        try:
            return self._read(path)
        except (SampleError, OSError) as error:
            return reason_of(error, path)

    def _read(self, path: str | Path) -> _Input:
        signal = self.modality.read(Path(path))
        cut = self.modality.parts
        parts = [signal]
        if cut is not None:
            # A voter may take less at once than the model itself.
            for settings in (self._slice_settings, *self._other_settings):
                parts = [piece for part in parts for piece in cut(part, settings, self._longest)]
        upright, turned = self.modality.upright(signal, self._slice_settings)
        return _Input(
            tuple(map(self._part, parts)), self.modality.length(upright), self.modality.height(upright), turned
        )

    @property
    def _longest(self) -> float:
        """Units of a part of a long file: about as long as what the network has learnt from."""
        summary = self.bundle.summary
        return 2 * summary["training_units"] / summary["training_samples"] if "training_units" in summary else math.inf

    def _part(self, signal: Any) -> _Part:
        # pyarrow behind it takes its time to load.
        from common.store import halve

        def slices_by(settings: Any) -> np.ndarray:
            # Rounded as the slices that the network was trained and evaluated on.
            return halve(self.modality.slices(signal, settings)).astype(np.float32)

        slices = slices_by(self._slice_settings)
        others = []
        for name, settings in zip(self.voters.names if self.voters else (), self._other_settings, strict=True):
            try:
                others.append(slices if settings == self._slice_settings else slices_by(settings))
            except SampleError as error:  # the model itself takes it
                raise SampleError(error.code, f"voter {name}: {error}") from None
        upright, _ = self.modality.upright(signal, self._slice_settings)
        return _Part(slices, self.modality.length(upright), tuple(others))

    def _decoded(self, inputs: list[_Input], batch_slices: int = BATCH_SLICES) -> Iterator[Hypothesis]:
        from common.emissions import emissions
        from pipelines.joined import joined

        parts = [part for each in inputs for part in each.parts]
        emitted = emissions(self.bundle.network, [part.slices for part in parts], batch_slices, exact=True)
        hypotheses = self._hypotheses(parts, emitted, batch_slices)
        writable = self.bundle.alphabet.symbols if (allowed := self.decoder.settings.whitelist) is None else allowed
        separator = " " if " " in writable else ""
        for each in inputs:
            found = [
                in_units(next(hypotheses), self._step(part) * self.bundle.stride, part.length) for part in each.parts
            ]
            yield joined(found, [part.length for part in each.parts], separator)

    def _hypotheses(self, parts: list[_Part], emitted: Iterator[np.ndarray], batch_slices: int) -> Iterator[Hypothesis]:
        """Places are in emission slices."""
        if self.voters is None:
            for log_probs in emitted:
                yield calibrated(readable(self.decoder(log_probs)), self.bundle.calibration)
            return
        matrices = [[each.others[number] for each in parts] for number in range(len(self._other_settings))]
        for log_probs, others in zip(emitted, self.voters.emissions(matrices, batch_slices), strict=True):
            yield self.voters.poll.vote([log_probs, *others])

    def _step(self, each: _Part) -> float:
        """Units of the file from one slice to the next."""
        # A picture is scaled to the network's height, so its own pixels a slice are its own matter.
        return each.length / max(1, len(each.slices)) if self.unit == "px" else self.bundle.step

    def _results(self, waiting: list[tuple[str, _Input | str]], batch_slices: int) -> Iterator[Result]:
        hypotheses = self._decoded([each for _, each in waiting if isinstance(each, _Input)], batch_slices)
        for path, each in waiting:
            if isinstance(each, _Input):
                yield Result(path, next(hypotheses), length=each.length, height=each.height, turned=each.turned)
            else:
                yield Result(path, None, each)


def reason_of(error: SampleError | OSError, path: str) -> str:
    """The error's sentence without the path, which stands beside it."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error).removeprefix(f"{Path(path)}: ")  # ./a.wav was read as a.wav
