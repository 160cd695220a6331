"""The conditions of the embedded corpus: voice, room, noise and line, and which of them only a test may hold."""

from dataclasses import dataclass

import numpy as np

from common.errors import SampleError


@dataclass(frozen=True)
class Condition:
    """Ranges that a recording is drawn from.

    Attributes:
        tempo: words as the voice speaks them × this.
        pitch: fundamental frequency × this; the voice has about 200 Hz.
        vocal_tract: formants × this.
        reverberation_s: time in which the echo falls by 60 dB; 0 is no room.
        noise: a kind that ``audio.acoustics.noise`` makes, or ``""`` for none.
        snr_db: of the speech to the noise.
        band_hz: of the line, or None for the whole band.
        level_db: peak below full scale.
        melody: movement of the pitch about its middle × this, in octaves; 0 is monotonous.
        breath_db: breath of the voice louder by this.
        microphone_db: standard deviation of a microphone's curve at eight frequencies.
        clipping: level that peaks are cut at, as share of the greatest; 1 is none.
    """

    tempo: tuple[float, float] = (0.9, 1.1)
    pitch: tuple[float, float] = (0.95, 1.05)
    vocal_tract: tuple[float, float] = (0.97, 1.03)
    reverberation_s: tuple[float, float] = (0.0, 0.0)
    noise: str = ""
    snr_db: tuple[float, float] = (20.0, 30.0)
    band_hz: tuple[float, float] | None = None
    level_db: tuple[float, float] = (-12.0, -3.0)
    melody: tuple[float, float] | None = None
    breath_db: tuple[float, float] | None = None
    microphone_db: tuple[float, float] | None = None
    clipping: tuple[float, float] | None = None


TRAIN = {
    "booth": Condition(),
    "quick": Condition(tempo=(1.05, 1.15), noise="white", snr_db=(25, 35)),
    "slow": Condition(tempo=(0.8, 0.9), noise="pink", snr_db=(25, 35)),
    "low_voice": Condition(pitch=(0.62, 0.78), vocal_tract=(0.86, 0.94)),
    "high_voice": Condition(pitch=(1.12, 1.25), vocal_tract=(1.04, 1.12)),
    "low_office": Condition(pitch=(0.7, 0.85), vocal_tract=(0.88, 0.97), reverberation_s=(0.15, 0.3), noise="pink"),
    "office": Condition(reverberation_s=(0.15, 0.3), noise="brown", snr_db=(12, 25)),
    "living_room": Condition(reverberation_s=(0.3, 0.45), noise="hum", snr_db=(12, 25)),
    "hiss": Condition(noise="white", snr_db=(12, 22), vocal_tract=(0.93, 1.07)),
    "crowd": Condition(noise="babble", snr_db=(14, 24), pitch=(0.85, 1.1)),
    "telephone": Condition(band_hz=(300, 3400), noise="white", snr_db=(20, 30), pitch=(0.8, 1.1)),
    "far": Condition(reverberation_s=(0.25, 0.4), noise="pink", snr_db=(14, 24), level_db=(-40, -26)),
}
VALIDATION = {
    "tenor": Condition(pitch=(0.78, 0.84), vocal_tract=(0.98, 1.04), reverberation_s=(0.46, 0.55)),
    "kitchen": Condition(reverberation_s=(0.2, 0.3), noise="rumble", snr_db=(12, 20), tempo=(1.0, 1.15)),
    "radio": Condition(band_hz=(200, 4500), noise="crackle", snr_db=(14, 22), pitch=(0.9, 1.1)),
}
TEST = {
    "bass": Condition(pitch=(0.54, 0.6), vocal_tract=(0.9, 0.96), noise="pink", snr_db=(18, 28)),
    "child": Condition(pitch=(1.28, 1.4), vocal_tract=(1.1, 1.16), noise="brown", snr_db=(18, 28)),
    "hall": Condition(reverberation_s=(0.56, 0.75), snr_db=(20, 30), noise="white"),
    "street": Condition(noise="traffic", snr_db=(10, 18), tempo=(0.85, 1.15), pitch=(0.8, 1.1)),
    "narrow": Condition(band_hz=(400, 3000), noise="buzz", snr_db=(14, 22)),
}
SPLITS = {"train": TRAIN, "validation": VALIDATION, "test": TEST}
CONDITIONS: dict[str, Condition] = TRAIN | VALIDATION | TEST
# Another voice, room, noise and microphone for each recording: what a network sees that is to hear real ones later. Its
# noises are those of TRAIN, its voices wider than those of any split.
VARIED = "varied"
VARIED_NOISES = ("white", "pink", "brown", "hum", "babble")
# Of voices of other programs, as factors of their own; rooms and noises are left to augmentation.
ANOTHER = Condition(tempo=(0.75, 1.35), pitch=(0.75, 1.3), vocal_tract=(0.88, 1.12))
# Behind the name of a condition: the voice has a foreign accent.
ACCENT = "+accent"


def condition(name: str) -> Condition:
    """Condition of a name. Raises SampleError naming those that there are."""
    try:
        return CONDITIONS[name]
    except KeyError:
        raise SampleError("unreadable", f"condition {name!r} is none of {', '.join(CONDITIONS)}, {VARIED}") from None


def varied(generator: np.random.Generator) -> Condition:
    """A condition drawn from wide ranges. A long vocal tract mostly goes with a low voice, as in people."""
    height = generator.normal(0, 1)  # of the voice
    pitch = float(np.clip(0.85 * 2 ** (0.38 * height + 0.12 * generator.normal()), 0.42, 1.6))
    tract = float(np.clip(0.97 * np.exp(0.06 * height + 0.04 * generator.normal()), 0.8, 1.22))
    tempo = float(np.clip(np.exp(0.16 * generator.normal()), 0.65, 1.5))
    room_s = float(generator.uniform(0.08, 0.7)) if generator.random() < 0.5 else 0.0
    noisy, band = generator.random() < 0.7, generator.random() < 0.2
    noise = VARIED_NOISES[int(generator.integers(len(VARIED_NOISES)))] if noisy else ""
    snr_db = float(generator.uniform(8, 35))
    band_hz = (float(generator.uniform(80, 350)), float(generator.uniform(3000, 7000))) if band else None
    clipping = float(generator.uniform(0.3, 0.9)) if generator.random() < 0.1 else 1.0
    return Condition(
        tempo=(tempo, tempo),
        pitch=(pitch, pitch),
        vocal_tract=(tract, tract),
        reverberation_s=(room_s, room_s),
        noise=noise,
        snr_db=(snr_db, snr_db),
        band_hz=band_hz,
        level_db=(-40.0, -1.0),
        melody=(0.2, 1.8),
        breath_db=(-6.0, 9.0),
        microphone_db=(0.0, 6.0),
        clipping=(clipping, clipping),
    )
