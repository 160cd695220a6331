"""What lies between a mouth and a file: a room, noise, a line. Waveforms are float32 [N] at rate_hz."""

import numpy as np
import scipy.fft
import scipy.signal

# Ratio of the direct sound's energy to that of the echoes, in dB: about a metre from the microphone.
DIRECT_TO_ECHO_DB = 6.0


def reverberated(waveform: np.ndarray, rate_hz: int, seconds: float, generator: np.random.Generator) -> np.ndarray:
    """Sound in a room whose echo falls by 60 dB in so many seconds: Gaussian noise under an exponential."""
    if seconds <= 0:
        return waveform
    time_s = np.arange(round(seconds * rate_hz)) / rate_hz
    echo = generator.standard_normal(len(time_s)) * np.exp(-np.log(1000) * time_s / seconds)
    echo *= np.sqrt(10 ** (-DIRECT_TO_ECHO_DB / 10) / np.square(echo).sum())
    # First echoes come after 3 ms, a metre's detour.
    response = np.concatenate([[1.0], np.zeros(round(0.003 * rate_hz)), echo]).astype(np.float32)
    return scipy.signal.fftconvolve(waveform, response)[: len(waveform) + len(response) // 3].astype(np.float32)


def noise(kind: str, num_samples: int, rate_hz: int, generator: np.random.Generator) -> np.ndarray:
    """Noise float32 [num_samples] of unit power."""
    made = _KINDS[kind](num_samples, rate_hz, generator)
    return (made / np.sqrt(np.square(made).mean() + 1e-12)).astype(np.float32)


def with_noise(waveform: np.ndarray, noise: np.ndarray, snr_db: float) -> np.ndarray:
    """Sum at a ratio of speech to noise; speech counts where it is loud: by its upper half of 20-ms energies."""
    blocks = np.square(waveform[: len(waveform) // 320 * 320].reshape(-1, 320)).mean(axis=1)
    power = blocks[blocks >= np.median(blocks)].mean() if len(blocks) else np.square(waveform).mean()
    return waveform + noise * np.float32(np.sqrt(power) * 10 ** (-snr_db / 20))


def band_limited(waveform: np.ndarray, rate_hz: int, band_hz: tuple[float, float] | None) -> np.ndarray:
    """Sound after a line that passes only [low, high] Hz: a Butterworth filter of order 4 at each end."""
    if band_hz is None:
        return waveform
    sections = scipy.signal.butter(4, band_hz, "bandpass", fs=rate_hz, output="sos")
    return scipy.signal.sosfilt(sections, waveform).astype(np.float32)


def through_microphone(
    waveform: np.ndarray, rate_hz: int, deviation_db: float, generator: np.random.Generator
) -> np.ndarray:
    """Sound by a microphone whose curve is drawn: its gain at eight frequencies, an octave apart, and lines between."""
    gains_db = deviation_db * generator.standard_normal(8)
    frequencies_hz = rate_hz / 2 * 2.0 ** np.arange(-7, 1)
    spectrum = scipy.fft.rfft(waveform, scipy.fft.next_fast_len(len(waveform), real=True))
    places_hz = np.linspace(1.0, rate_hz / 2, len(spectrum))
    curve_db = np.interp(np.log(places_hz), np.log(frequencies_hz), gains_db)
    size = 2 * (len(spectrum) - 1)
    changed = scipy.fft.irfft(spectrum * (10 ** (curve_db / 20)).astype(np.float32), size)
    return changed[: len(waveform)].astype(np.float32)


def clipped(waveform: np.ndarray, share: float) -> np.ndarray:
    """Sound whose peaks are cut at a share of the greatest."""
    limit = share * np.abs(waveform).max()
    return waveform.clip(-limit, limit)


def _coloured(num_samples: int, generator: np.random.Generator, exponent: float) -> np.ndarray:
    """Gaussian noise whose power falls with frequency to the given power; flat below a 500th of the rate."""
    spectrum = np.fft.rfft(generator.standard_normal(num_samples))
    frequency = np.maximum(np.fft.rfftfreq(num_samples), 0.002)
    return np.fft.irfft(spectrum * frequency ** (-exponent / 2), num_samples)


def _hum(num_samples: int, rate_hz: int, generator: np.random.Generator, base_hz: float = 50.0) -> np.ndarray:
    """Harmonics of the mains, with a little pink noise."""
    time_s = np.arange(num_samples) / rate_hz
    phases = generator.uniform(0, 2 * np.pi, 8)
    tones = sum(np.sin(2 * np.pi * base_hz * k * time_s + phases[k - 1]) / k for k in range(1, 9))
    return tones + 0.3 * _coloured(num_samples, generator, 1.0)


def _babble(num_samples: int, rate_hz: int, generator: np.random.Generator) -> np.ndarray:
    """Many voices at once: bands of noise like formants, each swelling three to six times a second, as syllables do."""
    time_s = np.arange(num_samples) / rate_hz
    total = np.zeros(num_samples)
    for centre_hz in (300, 550, 900, 1500, 2300, 3200):
        sections = scipy.signal.butter(2, (centre_hz * 0.8, centre_hz * 1.25), "bandpass", fs=rate_hz, output="sos")
        band = scipy.signal.sosfilt(sections, generator.standard_normal(num_samples))
        swell = 1 + 0.8 * np.sin(2 * np.pi * generator.uniform(3, 6) * time_s + generator.uniform(0, 2 * np.pi))
        total += band * swell * (300 / centre_hz) ** 0.25
    return total


def _rumble(num_samples: int, rate_hz: int, generator: np.random.Generator) -> np.ndarray:
    """A fan: low noise in waves, with a tone."""
    time_s = np.arange(num_samples) / rate_hz
    tone = np.sin(2 * np.pi * generator.uniform(90, 140) * time_s)
    waves = 1 + 0.4 * np.sin(2 * np.pi * generator.uniform(5, 9) * time_s)
    low = _coloured(num_samples, generator, 1.5)
    return low / low.std() * waves + 0.5 * tone


def _crackle(num_samples: int, rate_hz: int, generator: np.random.Generator) -> np.ndarray:
    """Clicks, some thirty a second, over faint noise."""
    clicks = (generator.random(num_samples) < 30 / rate_hz) * generator.standard_normal(num_samples) * 20
    return scipy.signal.lfilter([1.0], [1.0, -0.7], clicks) + 0.3 * generator.standard_normal(num_samples)


def _traffic(num_samples: int, rate_hz: int, generator: np.random.Generator) -> np.ndarray:
    """Cars that pass: noise between pink and brown, slowly swelling."""
    time_s = np.arange(num_samples) / rate_hz
    swell = 1 + 0.7 * np.sin(2 * np.pi * generator.uniform(0.2, 0.6) * time_s + generator.uniform(0, 2 * np.pi))
    return _coloured(num_samples, generator, 1.3) * swell


def _buzz(num_samples: int, rate_hz: int, generator: np.random.Generator) -> np.ndarray:
    """A ground loop: narrow pulses 100 to 130 times a second."""
    phase = np.arange(num_samples) / rate_hz * generator.uniform(100, 130)
    return np.exp(-20 * (phase % 1.0)) - 0.05 + 0.1 * generator.standard_normal(num_samples)


_KINDS = {
    "white": lambda num_samples, rate_hz, generator: generator.standard_normal(num_samples),
    "pink": lambda num_samples, rate_hz, generator: _coloured(num_samples, generator, 1.0),
    "brown": lambda num_samples, rate_hz, generator: _coloured(num_samples, generator, 2.0),
    "hum": _hum,
    "babble": _babble,
    "rumble": _rumble,
    "crackle": _crackle,
    "traffic": _traffic,
    "buzz": _buzz,
}
