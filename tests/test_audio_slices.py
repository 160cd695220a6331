"""Slices: the formula against an independent one, and what must not change them."""

import math
from typing import Any

import numpy as np
import pytest
import scipy.fft
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from audio.reading import Sound
from audio.slices import FLOOR, SliceSettings, num_features, slices, step
from common.errors import SampleError


def speechlike(seconds: float = 1.0, rate_hz: int = 16_000, seed: int = 0) -> Sound:
    """Pulses at 120 Hz through two resonances, swelling, with a little noise."""
    random = np.random.default_rng(seed)
    time_s = np.arange(round(seconds * rate_hz)) / rate_hz
    harmonics = [np.sin(2 * np.pi * 120 * k * time_s) / (1 + abs(k - 5)) for k in range(1, 25)]
    waveform = np.sum(harmonics, axis=0) * (0.2 + np.sin(2 * np.pi * 3 * time_s) ** 2)
    waveform += 0.01 * random.standard_normal(len(time_s))
    return Sound((0.1 * waveform).astype(np.float32), rate_hz)


def reference_logmel(sound: Sound, s: SliceSettings) -> np.ndarray:
    """Log-mel [T, num_mels] without normalisation, from the definitions, one slice and one filter at a time."""
    waveform = sound.waveform.astype(np.float64)
    waveform = waveform - waveform.mean()
    waveform /= np.sqrt(np.mean(waveform**2))
    window_length = round(s.rate_hz * s.window_ms / 1000)
    hop = round(s.rate_hz * s.hop_ms / 1000)
    size = 2 ** math.ceil(math.log2(window_length))
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window_length) / window_length)
    window /= np.sqrt(np.sum(window**2))

    def mel(hz: float) -> float:
        return 2595 * math.log10(1 + hz / 700)

    top_hz = s.high_hz or s.rate_hz / 2
    edges = [700 * (10 ** (m / 2595) - 1) for m in np.linspace(mel(s.low_hz), mel(top_hz), s.num_mels + 2)]
    bins_hz = np.arange(size // 2 + 1) * s.rate_hz / size
    rows = []
    for t in range(math.ceil(len(waveform) / hop)):
        middle = t * hop + hop // 2
        indices = np.arange(middle - window_length // 2, middle - window_length // 2 + window_length)
        inside = (indices >= 0) & (indices < len(waveform))
        piece = np.where(inside, waveform[indices.clip(0, len(waveform) - 1)], 0) * window
        power = np.abs(np.fft.rfft(piece, size)) ** 2
        row = []
        for left, centre, right in zip(edges, edges[1:], edges[2:], strict=False):
            weights = np.minimum((bins_hz - left) / (centre - left), (right - bins_hz) / (right - centre)).clip(0)
            row.append(math.log(power @ weights / weights.sum() + FLOOR))
        rows.append(row)
    return np.array(rows)


@pytest.mark.parametrize(
    "changes", [{}, {"window_ms": 32, "hop_ms": 16, "num_mels": 40}, {"low_hz": 100, "high_hz": 6_000}]
)
def test_logmel_is_its_definition(changes: dict) -> None:
    made = SliceSettings(normalise="none", **changes)
    sound = speechlike(0.4)
    np.testing.assert_allclose(slices(sound, made), reference_logmel(sound, made), atol=2e-3)


def test_normalised_is_mean_zero_and_variance_one() -> None:
    made = slices(speechlike(2.0), SliceSettings(variance_prior_s=0))
    np.testing.assert_allclose(made.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(made.std(axis=0), 1, atol=1e-3)


def test_normalised_spectrum_keeps_its_shape() -> None:
    plain = slices(speechlike(0.4), SliceSettings(normalise="none"))
    made = slices(speechlike(0.4), SliceSettings(normalise="spectrum"))
    np.testing.assert_allclose([made.mean(), made.std()], [0, 1], atol=1e-3)
    np.testing.assert_allclose(made, (plain - plain.mean()) / plain.std(), atol=1e-3)


def test_short_sounds_keep_features_comparable() -> None:
    """With 0.1 s the variance of each feature is drawn to the mean of all: none is blown up."""
    sound = Sound(speechlike(0.3).waveform[800:2400], 16_000)
    alone = slices(sound, SliceSettings(normalise="mean")).std(axis=0)
    shrunk = slices(sound, SliceSettings()).std(axis=0)
    free = slices(sound, SliceSettings(variance_prior_s=0)).std(axis=0)
    assert np.ptp(free) < np.ptp(shrunk)
    assert np.corrcoef(alone, shrunk)[0, 1] > 0.9


def test_mfcc_is_the_cosine_transform_of_logmel() -> None:
    logmel = slices(speechlike(), SliceSettings(normalise="none"))
    mfcc = slices(speechlike(), SliceSettings(kind="mfcc", num_mfcc=13, normalise="none"))
    np.testing.assert_allclose(mfcc, scipy.fft.dct(logmel, norm="ortho", axis=1)[:, :13], atol=1e-2)


@pytest.mark.parametrize("frequency_hz", [250, 1_000, 3_500])
def test_linear_shows_a_tone_at_its_frequency(frequency_hz: int) -> None:
    made = SliceSettings(kind="linear", low_hz=0, normalise="none")
    time_s = np.arange(16_000) / 16_000
    spectrum = slices(Sound(np.sin(2 * np.pi * frequency_hz * time_s).astype(np.float32), 16_000), made)
    assert num_features(made) == spectrum.shape[1] == 257
    assert (np.abs(spectrum[5:-5].argmax(axis=1) * 16_000 / 512 - frequency_hz) <= 16_000 / 512).all()


@pytest.mark.parametrize("kind", ["logmel", "mfcc", "linear"])
@settings(max_examples=15)
@given(num_samples=st.integers(1, 5_000), rate_hz=st.sampled_from([8_000, 16_000, 22_050, 44_100]))
def test_any_length_gives_the_promised_shape(kind: str, num_samples: int, rate_hz: int) -> None:
    made = SliceSettings(kind=kind)
    waveform = np.random.default_rng(num_samples).standard_normal(num_samples).astype(np.float32) * 0.1
    result = slices(Sound(waveform, rate_hz), made)
    num_resampled = math.ceil(num_samples * 16_000 / rate_hz)
    assert result.shape == (math.ceil(num_resampled / 160), num_features(made))
    assert result.dtype == np.float32 and np.isfinite(result).all()


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 44_100])
@settings(max_examples=20)
@given(level=st.floats(0.01, 1.0), offset=st.floats(-0.5, 0.5))
def test_level_and_offset_do_not_matter(rate_hz: int, level: float, offset: float) -> None:
    sound = speechlike(rate_hz=rate_hz)
    changed = Sound((sound.waveform * np.float32(level) + np.float32(offset)), rate_hz)
    np.testing.assert_allclose(slices(changed, SliceSettings()), slices(sound, SliceSettings()), atol=0.05)


@pytest.mark.parametrize("rate_hz", [16_000, 44_100])
@pytest.mark.parametrize("kind", ["logmel", "mfcc", "linear"])
@pytest.mark.parametrize("value", [0.0, 0.3, -1.0])
@pytest.mark.parametrize("normalise", ["utterance", "none"])
def test_silence_gives_zeros(kind: str, value: float, rate_hz: int, normalise: Any) -> None:
    chosen = SliceSettings(kind=kind, normalise=normalise)
    made = slices(Sound(np.full(rate_hz // 2, value, np.float32), rate_hz), chosen)
    assert made.shape == slices(speechlike(0.5, rate_hz=rate_hz), chosen).shape
    assert not made.any()


@pytest.mark.parametrize("slice_index", [0, 17, 49])
def test_a_click_shows_in_its_own_slice(slice_index: int) -> None:
    waveform = np.random.default_rng(0).standard_normal(8_000).astype(np.float32) * 1e-4
    waveform[slice_index * 160 + 80] = 1
    assert slices(Sound(waveform, 16_000), SliceSettings(normalise="none")).sum(axis=1).argmax() == slice_index


@pytest.mark.parametrize("rate_hz", [22_050, 44_100, 44_099, 48_000])
def test_the_rate_of_the_file_hardly_matters(rate_hz: int) -> None:
    made = SliceSettings(high_hz=6_000, normalise="none")
    original, other = (slices(Sound(chirp(rate), rate), made) for rate in (16_000, rate_hz))
    assert original.shape == other.shape
    strong = original > original.max() - 8
    assert np.abs(original - other)[strong].max() < 0.2


def chirp(rate_hz: int) -> np.ndarray:
    time_s = np.arange(rate_hz) / rate_hz
    return (0.3 * np.sin(2 * np.pi * (300 * time_s + 1_500 * time_s**2))).astype(np.float32)


def test_too_long_and_empty_sounds_are_refused() -> None:
    with pytest.raises(SampleError, match=r"2\.00 s of sound; max_seconds allows 1\.5") as caught:
        slices(speechlike(2.0), SliceSettings(max_seconds=1.5))
    assert caught.value.code == "too_long"
    with pytest.raises(SampleError) as caught:
        slices(Sound(np.zeros(0, np.float32), 16_000), SliceSettings())
    assert caught.value.code == "empty_signal"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rate_hz": 11_025}, "window_ms 25 at 11025 Hz is 275.625 samples; a whole number is needed"),
        ({"hop_ms": 10.01}, "hop_ms 10.01 at 16000 Hz is 160.16 samples"),
        ({"hop_ms": 30}, "hop_ms 30 is more than window_ms 25"),
        ({"high_hz": 9_000}, "at most 8000, half of rate_hz"),
        ({"low_hz": 8_000}, "high_hz 8000 must be above low_hz 8000"),
        ({"kind": "mfcc", "num_mels": 20}, "num_mfcc 40 must be at most num_mels 20"),
        ({"num_mels": 400}, "filters are narrower"),
        ({"num_mel": 40}, "Extra inputs"),
        (
            {"kind": "linear", "low_hz": 20, "high_hz": 25},
            "no bin of the spectrum lies between, they are 31.25",
        ),
        ({"num_mels": 128, "low_hz": 62.5}, "filters are narrower"),
        ({"num_mels": 100, "low_hz": 187.5, "rate_hz": 8_000}, "filters are narrower"),
        ({"normalise": "corpus"}, "utterance"),
    ],
)
def test_impossible_settings_say_why(changes: dict, message: str) -> None:
    with pytest.raises(ValidationError, match=message.replace(".", r"\.")):
        SliceSettings(**changes)


def test_step_is_the_hop() -> None:
    assert step(SliceSettings()) == 0.01
    assert step(SliceSettings(hop_ms=12.5)) == 0.0125


def test_the_sound_stays_as_it_is() -> None:
    sound = speechlike()
    before = sound.waveform.copy()
    slices(sound, SliceSettings())
    np.testing.assert_array_equal(sound.waveform, before)
