"""From a waveform to slices: log-mel (default), MFCC or the linear spectrum, normalised by the utterance alone.

Slice t stands for the time [t · hop, (t + 1) · hop): its window is centred in the middle of it.
T = ceil(seconds / hop), so any sound, however short, gives at least one slice; beyond both ends the waveform counts as
its mean (zeros after the mean is removed).
"""

import math
from fractions import Fraction
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from audio.reading import Sound, rate_ratio
from common.errors import SampleError

# Power below this share of the mean power of the utterance counts as silence: 70 dB.
FLOOR = 1e-7
# Root mean square below which a sound is silence: -120 dB, a 30th of the last bit of 16.
SILENCE = 1e-6
# Standard deviation (natural logarithm of power) below which a feature is held to be constant, not to be blown up.
# Speech has 1.5 to 3; the empty upper half of telephone speech about 0.01.
MIN_DEVIATION = 0.3


class SliceSettings(BaseModel):
    """Of what a slice is made."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["logmel", "mfcc", "linear"] = "logmel"
    # All sounds are brought to this rate first.
    rate_hz: int = Field(16_000, ge=2_000, le=192_000)
    window_ms: float = Field(25.0, gt=0, le=1_000)
    # Length of a slice.
    hop_ms: float = Field(10.0, gt=0, le=1_000)
    # Triangular filters between low_hz and high_hz, equally wide in mel (HTK's formula).
    num_mels: int = Field(80, ge=1, le=512)
    # For kind mfcc: the first so many coefficients.
    num_mfcc: int = Field(40, ge=1, le=512)
    low_hz: float = Field(20.0, ge=0)
    # 0: half the rate.
    high_hz: float = Field(0.0, ge=0)
    # Longer sounds are refused, never cut.
    max_seconds: float = Field(60.0, gt=0, le=3_600)
    # utterance: mean 0 and variance 1 of each feature over this utterance; mean: only the mean; spectrum: of all
    # features together, so the spectrum's mean shape stays, which in single words says much; none: as it is.
    normalise: Literal["utterance", "mean", "spectrum", "none"] = "utterance"
    # For normalise utterance. The variance of a feature is drawn to that of all features as if so many seconds of such
    # had been heard: 0.3 seconds alone hold about ten independent slices, too few for one variance a feature.
    variance_prior_s: float = Field(0.5, ge=0, le=60)

    @model_validator(mode="after")
    def _check(self) -> "SliceSettings":
        for name in ("window_ms", "hop_ms"):
            samples = self.rate_hz * Fraction(str(getattr(self, name))) / 1000
            if samples.denominator != 1:
                raise ValueError(
                    f"{name} {getattr(self, name):g} at {self.rate_hz} Hz is {float(samples):g} samples; "
                    "a whole number is needed"
                )
        if self.hop_ms > self.window_ms:
            raise ValueError(
                f"hop_ms {self.hop_ms:g} is more than window_ms {self.window_ms:g}; sound would fall between"
            )
        if not self.low_hz < self.top_hz <= self.rate_hz / 2:
            raise ValueError(
                f"high_hz {self.top_hz:g} must be above low_hz {self.low_hz:g} "
                f"and at most {self.rate_hz / 2:g}, half of rate_hz"
            )
        if self.kind == "mfcc" and self.num_mfcc > self.num_mels:
            raise ValueError(f"num_mfcc {self.num_mfcc} must be at most num_mels {self.num_mels}")
        if self.kind == "linear" and not num_features(self):
            raise ValueError(
                f"low_hz {self.low_hz:g} and high_hz {self.top_hz:g}: no bin of the spectrum lies between, they are "
                f"{self.rate_hz / self.fft_size:g} Hz apart"
            )
        if self.kind != "linear" and (empty := _num_empty_filters(self)):
            raise ValueError(
                f"num_mels {self.num_mels}: {empty} filters are narrower than the spectrum's resolution; "
                f"take fewer, or a longer window than {self.window_ms:g} ms"
            )
        return self

    @property
    def top_hz(self) -> float:
        return self.high_hz or self.rate_hz / 2

    @property
    def window(self) -> int:
        """Samples of a window."""
        return round(self.rate_hz * self.window_ms / 1000)

    @property
    def hop(self) -> int:
        """Samples from one slice to the next."""
        return round(self.rate_hz * self.hop_ms / 1000)

    @property
    def fft_size(self) -> int:
        """Samples of a transform: the power of two that holds the window."""
        return 1 << (self.window - 1).bit_length()


def num_features(settings: SliceSettings) -> int:
    """F: the width of a slice."""
    if settings.kind == "linear":
        first, last = _linear_bins(settings)
        return last - first
    return settings.num_mels if settings.kind == "logmel" else settings.num_mfcc


def step(settings: SliceSettings) -> float:
    """Seconds that a slice is long."""
    return settings.hop_ms / 1000


def slices(sound: Sound, settings: SliceSettings) -> np.ndarray:
    """Slices float32 [T, F] of a sound.

    The result does not depend on the sound's level nor on a constant offset. Silence gives zeros.

    Raises:
        SampleError: ``empty_signal`` or ``too_long``.
    """
    import torch

    if not len(sound.waveform):
        raise SampleError("empty_signal", "no sound in it (0 frames)")
    if sound.seconds > settings.max_seconds:
        raise SampleError("too_long", f"{sound.seconds:.2f} s of sound; max_seconds allows {settings.max_seconds:g}")
    with torch.inference_mode():
        waveform = torch.from_numpy(np.ascontiguousarray(sound.waveform, dtype=np.float32))
        # Before the resampler, which takes what lies beyond the ends for zeros: an offset would click there.
        waveform = waveform - waveform.double().mean().float()
        waveform = _resampled(waveform, sound.rate_hz, settings.rate_hz)
        level = waveform.double().square().mean().sqrt().float()
        power = _power(waveform / level.clamp(min=SILENCE), settings)  # [bins, T]
        if level <= SILENCE:
            return np.zeros((power.shape[1], num_features(settings)), np.float32)
        features = _features(power, settings)  # [T, F]
        return _normalised(features, settings).numpy()


def _resampled(waveform: Any, from_hz: int, to_hz: int) -> Any:
    if from_hz == to_hz:
        return waveform
    return _resampler(from_hz, to_hz)(waveform)


@lru_cache(maxsize=16)
def _resampler(from_hz: int, to_hz: int) -> Any:
    import torchaudio

    ratio = rate_ratio(from_hz, to_hz)
    return torchaudio.transforms.Resample(ratio.numerator, ratio.denominator)


def _power(waveform: Any, settings: SliceSettings) -> Any:
    """Power spectrum [fft_size / 2 + 1, T]; 1 everywhere for white noise of unit power."""
    import torch

    hop, size = settings.hop, settings.fft_size
    num_slices = math.ceil(len(waveform) / hop)
    left = (size - hop) // 2
    right = (num_slices - 1) * hop + size - left - len(waveform)
    padded = torch.nn.functional.pad(waveform, (left, right))
    window = _window(settings.window)
    spectrum = torch.stft(padded, size, hop, settings.window, window, center=False, return_complex=True)
    return spectrum.real.square() + spectrum.imag.square()


@lru_cache(maxsize=8)
def _window(num_samples: int) -> Any:
    """Hann window [num_samples] with a sum of squares of 1."""
    import torch

    window = torch.hann_window(num_samples)
    return window / window.square().sum().sqrt()


def _features(power: Any, settings: SliceSettings) -> Any:
    """Power [bins, T] → features [T, F]."""
    if settings.kind == "linear":
        first, last = _linear_bins(settings)
        return (power[first:last].T + FLOOR).log()
    logmel = (power.T @ _filters(settings) + FLOOR).log()
    return logmel if settings.kind == "logmel" else logmel @ _cosines(settings)


def _linear_bins(settings: SliceSettings) -> tuple[int, int]:
    """Bins [first, last) of the spectrum from low_hz to high_hz."""
    width_hz = settings.rate_hz / settings.fft_size
    return math.ceil(settings.low_hz / width_hz), math.floor(settings.top_hz / width_hz) + 1


@lru_cache(maxsize=8)
def _filters(settings: SliceSettings) -> Any:
    """Mel filters [bins, num_mels], each with weights that sum to 1: a mean of power."""
    import torchaudio

    filters = torchaudio.functional.melscale_fbanks(
        settings.fft_size // 2 + 1, settings.low_hz, settings.top_hz, settings.num_mels, settings.rate_hz
    )
    return filters / filters.sum(dim=0)


@lru_cache(maxsize=8)
def _cosines(settings: SliceSettings) -> Any:
    """Orthonormal discrete cosine transform [num_mels, num_mfcc]."""
    import torchaudio

    return torchaudio.functional.create_dct(settings.num_mfcc, settings.num_mels, "ortho")


def _num_empty_filters(settings: SliceSettings) -> int:
    """How many mel filters hold no bin of the spectrum, by the formula of HTK: mel = 2595 log10(1 + hz / 700)."""
    low, high = (2595 * math.log10(1 + hz / 700) for hz in (settings.low_hz, settings.top_hz))
    mels = np.linspace(low, high, settings.num_mels + 2)
    edges_hz = 700 * (10 ** (mels / 2595) - 1)
    bins_hz = np.arange(settings.fft_size // 2 + 1) * settings.rate_hz / settings.fft_size
    # A bin on an edge has no weight; by rounding it may lie within.
    edge_hz = settings.rate_hz / settings.fft_size * 1e-4
    first = np.searchsorted(bins_hz, edges_hz[:-2] + edge_hz, "right")
    inside = np.searchsorted(bins_hz, edges_hz[2:] - edge_hz, "left") - first
    return int((inside <= 0).sum())


def _normalised(features: Any, settings: SliceSettings) -> Any:
    """Features [T, F] with mean 0 and, as settings say, variance 1 over this utterance."""
    if settings.normalise == "none":
        return features
    if settings.normalise == "spectrum":
        features = features - features.mean()
        return features / features.square().mean().sqrt().clamp(min=MIN_DEVIATION)
    features = features - features.mean(dim=0)
    if settings.normalise == "mean":
        return features
    variance = features.square().mean(dim=0)
    prior = settings.variance_prior_s / step(settings)
    pooled = variance.mean() if settings.kind != "mfcc" else variance
    shrunk = (len(features) * variance + prior * pooled) / (len(features) + prior)
    return features / shrunk.sqrt().clamp(min=MIN_DEVIATION)
