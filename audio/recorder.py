"""What a recorder does to speech: noise of its own, and quiet ends cut off.

Works on slices of log power that one mean and one deviation of all features normalised (``normalise: spectrum``), so
that they are powers again up to a factor; where each feature has a mean of its own, loud and quiet ones are not told
apart any more.
"""

import numpy as np

from audio.slices import MIN_DEVIATION

# Standard deviation of log power (natural logarithm) that normalisation divided by: a middle one, FSDD's speakers have
# 2.7 to 4.4.
DEVIATION = 3.6
# Noise below the loudest slice; quieter than that by so much is cut, and always what stands out of the noise by less
# than AUDIBLE_DB.
SNR_DB, THRESHOLD_DB, AUDIBLE_DB = (15.0, 50.0), (12.0, 35.0), 3.0
# Slices that a recorder keeps before and behind what it heard.
MAX_MARGIN = 3
# Colour of the noise: cosines over frequency, the k-th with a random height of COLOUR / √k; and what a slice of noise
# differs from the next by, both in natural logarithms of power.
COLOUR, COLOUR_TERMS, FLUTTER = 1.2, 4, 0.5
DECIBEL = np.log(10) / 10


def recorded(slices: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Slices float32 [T', F], T' ≤ T, of slices float32 [T, F], normalised anew by one mean and one deviation."""
    num_slices, num_features = slices.shape
    power = slices * DEVIATION  # its logarithm, up to a constant
    level = _loudness(power).max() - generator.uniform(*SNR_DB) * DECIBEL
    terms = np.arange(1, COLOUR_TERMS + 1)
    heights = generator.standard_normal(COLOUR_TERMS) * COLOUR / np.sqrt(terms)
    colour = heights @ np.cos(terms[:, None] * np.linspace(0, np.pi, num_features))
    noise = level + colour - _loudness(colour[None])
    heard = np.logaddexp(power, noise + FLUTTER * generator.standard_normal((num_slices, num_features)))
    loudness = _loudness(heard)
    threshold = max(loudness.max() - generator.uniform(*THRESHOLD_DB) * DECIBEL, level + AUDIBLE_DB * DECIBEL)
    loud = np.flatnonzero(loudness >= min(threshold, loudness.max()))
    margin = int(generator.integers(MAX_MARGIN + 1))
    kept = heard[max(0, loud[0] - margin) : loud[-1] + 1 + margin]
    kept = kept - kept.mean()
    return (kept / max(float(kept.std()), MIN_DEVIATION)).astype(np.float32)


def _loudness(power: np.ndarray) -> np.ndarray:
    """Logarithm of each slice's mean power [T]."""
    return np.logaddexp.reduce(power, axis=1) - np.log(power.shape[1])
