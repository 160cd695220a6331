"""Changes to slices while training: what another speaker, tempo, microphone or noise would do, and masks.

All work on normalised slices (mean 0 and variance 1 a feature), in numpy. Every change is a setting; 0 switches it off.
"""

from typing import ClassVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from audio.recorder import recorded

EQUALISER_TERMS = 4
VOICE_SHARE = 4  # of the features: the lowest quarter, up to some 600 Hz, where voice is and fricatives are not
VOICE_DEPTHS = (1.0, 2.5)
# Time masks of the longest sample where their number hangs on the length.
MAX_ADAPTIVE_MASKS = 20


class AugmentSettings(BaseModel):
    """How far slices are changed; each range is drawn from anew for each sample and epoch."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    # Fields that say how a change is done, not whether.
    HOW: ClassVar[frozenset[str]] = frozenset({"time_mask_slices", "time_mask_share", "frequency_mask_share"})
    # Fields that say how often, and not how far.
    HOW_OFTEN: ClassVar[frozenset[str]] = frozenset({"recorder", "voice_cut"})

    # Recorder: with this probability another one is taken, whose own noise is 15 to 50 dB below the loudest slice, of a
    # random colour, and which cuts off both ends where they are quieter than the loudest slice by 12 to 35 dB. For
    # slices.normalise: spectrum alone.
    recorder: float = Field(0.0, ge=0, le=1)
    # Cut: up to this share of the slices at each end, where a recorder set in late or an editor trimmed too much.
    edge_cut: float = Field(0.0, ge=0, le=0.3)
    # Cut to the voice: at each end, with this probability, what stands before or behind the voiced part is cut off, as
    # recorders that listen for voice lose the fricatives of SIX.
    voice_cut: float = Field(0.0, ge=0, le=1)
    # Tempo: a factor from 1 - x to 1 + x; the faster the fewer slices, T / (1 + x) at least.
    speed_change: float = Field(0.1, ge=0, le=0.5)
    # Vocal-tract length: frequencies are multiplied by 1 - x to 1 + x (on the axis of the features).
    vocal_tract_change: float = Field(0.05, ge=0, le=0.3)
    # Microphone: a smooth random curve over frequency of this standard deviation, in standard deviations of the slices.
    # For slices.normalise: spectrum; where each feature has its own mean, microphones are mostly gone already.
    equaliser: float = Field(0.0, ge=0, le=2)
    # Level: a constant of up to ± x standard deviations is added to the utterance.
    gain: float = Field(0.1, ge=0, le=2)
    # Tone: a slope over frequency, up to ± x standard deviations at both ends.
    tilt: float = Field(0.2, ge=0, le=2)
    # Gaussian noise of up to x standard deviations.
    noise: float = Field(0.2, ge=0, le=2)
    # SpecAugment (arXiv 1904.08779): masked with 0, the mean. Up to so many masks of time, each of at most so many
    # slices, all together at most this share of the sample: short clips get narrower masks, very short ones none.
    num_time_masks: int = Field(2, ge=0, le=50)
    time_mask_slices: int = Field(25, ge=0, le=1_000)
    time_mask_share: float = Field(0.15, ge=0, le=0.9)
    # Masks of time a slice instead of num_time_masks, at most 20: longer samples get more (Park et al. 2020, arXiv
    # 1912.05533: 0.04). They share time_mask_share among them. 0 is off.
    adaptive_time_masks: float = Field(0.0, ge=0, le=0.5)
    # Time warping: a point of the middle half is moved by up to this share of the sample, what is before and behind it
    # is stretched or pressed; the length stays. SpecAugment's, which moves it by 40 or 80 slices. 0 is off.
    time_warp: float = Field(0.0, ge=0, le=0.2)
    # Up to so many masks of frequency, each of at most this share of the features.
    num_frequency_masks: int = Field(2, ge=0, le=20)
    frequency_mask_share: float = Field(0.2, ge=0, le=0.9)


def augment(
    slices: np.ndarray,
    settings: AugmentSettings,
    generator: np.random.Generator,
    surface: np.random.Generator | None = None,
) -> np.ndarray:
    """Changed slices float32 [T', F] of slices float32 [T, F], which stay as they are.

    T' = round(T / factor) without a cut, at least 1; 0 where T is. A fresh generator of the same seed gives the same
    result. Recorder, cut, tempo and warp are drawn from it, all behind them from ``surface`` where that is given. What
    ``recorder``, ``voice_cut`` and ``time_warp`` draw comes from children of the generator, so what all others draw
    is the same with them and without.
    """
    if not len(slices):
        return slices.astype(np.float32)
    if settings.recorder:
        slices = _by_recorder(slices, settings.recorder, generator.spawn(1)[0])
    changed = _cut(slices, settings.edge_cut, generator)
    if settings.voice_cut:
        changed = _cut_to_voice(changed, settings.voice_cut, generator.spawn(1)[0])
    changed = _speed(changed, settings.speed_change, generator)
    if settings.time_warp:
        changed = _time_warp(changed, settings.time_warp, generator.spawn(1)[0])
    generator = generator if surface is None else surface
    changed = _vocal_tract(changed, settings.vocal_tract_change, generator)
    changed = _equalised(changed, settings.equaliser, generator)
    changed = _tone_and_noise(changed, settings, generator)
    _mask_time(changed, settings, generator)
    _mask_frequency(changed, settings, generator)
    return changed


def _by_recorder(slices: np.ndarray, probability: float, generator: np.random.Generator) -> np.ndarray:
    return recorded(slices, generator) if generator.random() < probability else slices


def _cut(slices: np.ndarray, share: float, generator: np.random.Generator) -> np.ndarray:
    if not share:
        return slices
    first, last = (int(part * len(slices)) for part in generator.uniform(0, share, 2))
    return slices[first : len(slices) - last]


def _cut_to_voice(slices: np.ndarray, probability: float, generator: np.random.Generator) -> np.ndarray:
    """Voiced is where the lowest quarter of the features is at most 1 to 2.5 deviations below its greatest mean."""
    low = slices[:, : -(-slices.shape[1] // VOICE_SHARE)].mean(axis=1)
    voiced = np.flatnonzero(low >= low.max() - generator.uniform(*VOICE_DEPTHS))
    before, behind = generator.random(2) < probability
    return slices[voiced[0] if before else 0 : voiced[-1] + 1 if behind else None]


def _speed(slices: np.ndarray, change: float, generator: np.random.Generator) -> np.ndarray:
    """Another tempo at the same pitch, by linear interpolation over time."""
    if not change:
        return slices.astype(np.float32)
    num_slices = len(slices)
    num_wanted = max(1, round(num_slices / generator.uniform(1 - change, 1 + change)))
    # Middles of slices stay middles of slices.
    positions = (np.arange(num_wanted) + 0.5) * (num_slices / num_wanted) - 0.5
    return _interpolated(slices, positions)


def _time_warp(slices: np.ndarray, share: float, generator: np.random.Generator) -> np.ndarray:
    """One point in time moved, both ends kept, linear between (Park et al. 2019, arXiv 1904.08779)."""
    last = len(slices) - 1
    point = generator.uniform(0.25, 0.75)
    moved = point + generator.uniform(-share, share)
    positions = np.interp(np.arange(len(slices)), (0, moved * last, last), (0, point * last, last))
    return _interpolated(slices, positions)


def _vocal_tract(slices: np.ndarray, change: float, generator: np.random.Generator) -> np.ndarray:
    """Formants moved as a longer or shorter vocal tract moves them."""
    if not change:
        return slices
    positions = np.arange(slices.shape[1]) * generator.uniform(1 - change, 1 + change)
    return _interpolated(slices.T, positions).T


def _equalised(slices: np.ndarray, deviation: float, generator: np.random.Generator) -> np.ndarray:
    """Cosines over frequency, the k-th with a random height of deviation / √k, added to all slices.

    Mean and variance over all values are then what they were, since normalisation would have seen to that.
    """
    if not deviation:
        return slices
    terms = np.arange(1, EQUALISER_TERMS + 1)
    heights = generator.standard_normal(EQUALISER_TERMS) * deviation / np.sqrt(terms)
    changed = slices + heights @ np.cos(terms[:, None] * np.linspace(0, np.pi, slices.shape[1]))
    scale = slices.std() / max(changed.std(), np.finfo(np.float32).tiny)
    return ((changed - changed.mean()) * scale + slices.mean()).astype(np.float32)


def _interpolated(rows: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Rows [N, D] at fractional positions [M] → float32 [M, D]; beyond the ends the last row counts."""
    positions = positions.clip(0, len(rows) - 1)
    lower = positions.astype(np.intp)
    upper = np.minimum(lower + 1, len(rows) - 1)
    weights = (positions - lower).astype(np.float32)[:, None]
    return rows[lower] * (1 - weights) + rows[upper] * weights


def _tone_and_noise(slices: np.ndarray, settings: AugmentSettings, generator: np.random.Generator) -> np.ndarray:
    """Gain and tilt as one offset a feature, and Gaussian noise, as new slices in one block of memory."""
    num_features = slices.shape[1]
    gain, tilt = generator.uniform(-1, 1) * settings.gain, generator.uniform(-1, 1) * settings.tilt
    offset = gain + tilt * np.linspace(-1, 1, num_features)
    changed = np.array(slices, order="C")
    changed += offset.astype(np.float32)
    if settings.noise:
        noise = generator.standard_normal(changed.shape, dtype=np.float32)
        noise *= np.float32(generator.uniform(0, settings.noise))
        changed += noise
    return changed


def _mask_time(slices: np.ndarray, settings: AugmentSettings, generator: np.random.Generator) -> None:
    num_slices = len(slices)
    number = settings.num_time_masks
    if settings.adaptive_time_masks:
        number = min(MAX_ADAPTIVE_MASKS, int(settings.adaptive_time_masks * num_slices))
    if not number:
        return
    # The share is split among the masks, so their sum can't exceed it.
    widest = min(settings.time_mask_slices, int(settings.time_mask_share * num_slices / number))
    for _ in range(number):
        width = int(generator.integers(widest + 1))
        first = int(generator.integers(num_slices - width + 1))
        slices[first : first + width] = 0


def _mask_frequency(slices: np.ndarray, settings: AugmentSettings, generator: np.random.Generator) -> None:
    num_features = slices.shape[1]
    widest = int(settings.frequency_mask_share * num_features)
    for _ in range(settings.num_frequency_masks):
        width = int(generator.integers(widest + 1))
        first = int(generator.integers(num_features - width + 1))
        slices[:, first : first + width] = 0
