"""Long recordings in parts as long as what a network has learnt from, cut where they are quietest."""

import math

import numpy as np

from audio.reading import Sound
from audio.slices import SliceSettings

# Levels are those of frames, compared over the time of a short pause.
FRAME_S, PAUSE_S = 0.01, 0.3
# The last part is no shorter, where that can be.
LEAST_S = 1.0


def parts(sound: Sound, settings: SliceSettings, longest_s: float) -> list[Sound]:
    """The sound alone, or, of one longer than ``max_seconds``, its parts of ``longest_s`` at most."""
    if sound.seconds <= settings.max_seconds:
        return [sound]
    return cut(sound, min(longest_s, settings.max_seconds))


def cut(sound: Sound, longest_s: float) -> list[Sound]:
    """A sound in parts of ``longest_s`` at most, which end to end are the sound.

    It is cut in the second half of what is allowed, in the middle of the ``PAUSE_S`` that are quietest.
    """
    rate_hz, found, start = sound.rate_hz, [], 0
    levels, size = _levels(sound)
    most, least = max(2 * size, math.floor(longest_s * rate_hz)), round(LEAST_S * rate_hz)
    while (left := len(sound.waveform) - start) > most:
        begin = math.ceil((start + most / 2) / size)
        end = max(begin + 1, (start + min(most, left - min(least, most // 2))) // size + 1)
        stop = (begin + int(levels[begin:end].argmin())) * size
        found.append(Sound(sound.waveform[start:stop], rate_hz))
        start = stop
    return [*found, Sound(sound.waveform[start:], rate_hz)]


def _levels(sound: Sound) -> tuple[np.ndarray, int]:
    """Power around the beginning of each frame, over ``PAUSE_S``, and the length of a frame in samples."""
    size = max(1, round(FRAME_S * sound.rate_hz))
    waveform = sound.waveform - sound.waveform.mean(dtype=np.float64).astype(np.float32)
    power = np.add.reduceat(np.square(waveform), np.arange(0, len(waveform), size))
    return np.convolve(power, np.ones(round(PAUSE_S / FRAME_S)), "same"), size
