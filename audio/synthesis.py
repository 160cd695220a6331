"""The embedded corpus: sentences spoken by a voice that is a package, in conditions drawn from a seed, or by others.

The voice predicts a pitch curve and spectral envelopes; between prediction and waveform both are changed on their own:
the pitch by a factor, the envelopes along the frequency axis as a longer or shorter vocal tract would.
"""

import os
import re
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np
import scipy.signal

from audio.accents import accented
from audio.acoustics import band_limited, clipped, noise, reverberated, through_microphone, with_noise
from audio.conditions import ACCENT, ANOTHER, VARIED, Condition, condition, varied
from audio.reading import Sound
from audio.respelling import respelled
from audio.spoken import unspoken
from audio.voices import VOICES, Voice, readable, speak
from common.errors import SampleError
from common.modality import generator
from common.samples import SYNTHESIS, Sample

RATE_HZ = 16_000
VOICE = "heart"
VOICE_RATE_HZ = 24_000
# Silence before and after the words; what is quieter than this share of the peak counts as silence.
MARGIN_S = (0.05, 0.15)
TRIM_SHARE = 0.003
ANOTHERS_TRIM_SHARE = 0.01  # put together from recordings, with the noise of these
# The voice takes a lower pitch for none.
VOICED_HZ = 40.0

# The names of letters in the voice's phonemes; spelled out, since it would read A as the article.
LETTERS = {
    "A": "ˈA", "B": "bˈi", "C": "sˈi", "D": "dˈi", "E": "ˈi", "F": "ˈɛf", "G": "ʤˈi", "H": "ˈAʧ", "I": "ˈI",
    "J": "ʤˈA", "K": "kˈA", "L": "ˈɛl", "M": "ˈɛm", "N": "ˈɛn", "O": "ˈO", "P": "pˈi", "Q": "kjˈu", "R": "ˈɑɹ",
    "S": "ˈɛs", "T": "tˈi", "U": "jˈu", "V": "vˈi", "W": "dˈʌbᵊlju", "X": "ˈɛks", "Y": "wˈI", "Z": "zˈi",
}  # fmt: skip

# What may stand beside a letter that is a word. No apostrophes: 's is no letter.
BESIDE = '.,;:!?…"“”„«»()'
# The voice takes [word](/phonemes/) as a word's pronunciation: of a text's own brackets it would leave words out.
ROUND = str.maketrans("[]", "()")


def synthesise(sample: Sample) -> Sound:
    """The recording of a sample whose path is ``synthesis:<seed>:<condition>``, at 16 kHz; with ``:cut``, no margins.

    A condition may end in ``+accent``: it is spoken in a foreign one. In place of both may stand one of
    ``audio.voices``, which speaks in a silent room. The same path, id and text give the same sound.

    Raises:
        SampleError: the path is not of this form, the condition is unknown, or the text can't be spoken.
    """
    seed, name, accent, cut = _parsed(sample.path)
    random = generator(seed, f"synthesis {name}", sample.id)
    if name in VOICES and not accent:
        chosen = ANOTHER
        spoken = _by_another(VOICES[name], sample, random)
    else:
        chosen = varied(random) if name == VARIED else condition(name)
        spoken = _spoken(sample, chosen, random, generator(seed, "accent", sample.id) if accent else None)
    before, after = (np.zeros(round(random.uniform(*MARGIN_S) * RATE_HZ), np.float32) for _ in range(2))
    waveform = spoken if cut else np.concatenate([before, spoken, after])
    waveform = reverberated(waveform, RATE_HZ, random.uniform(*chosen.reverberation_s), random)
    if chosen.noise:
        added = noise(chosen.noise, len(waveform), RATE_HZ, random)
        waveform = with_noise(waveform, added, random.uniform(*chosen.snr_db))
    if chosen.microphone_db:
        waveform = through_microphone(waveform, RATE_HZ, random.uniform(*chosen.microphone_db), random)
    waveform = band_limited(waveform, RATE_HZ, chosen.band_hz)
    if chosen.clipping:
        waveform = clipped(waveform, random.uniform(*chosen.clipping))
    level = 10 ** (random.uniform(*chosen.level_db) / 20)
    return Sound((waveform * (level / np.abs(waveform).max())).astype(np.float32), RATE_HZ)


def _parsed(path: str) -> tuple[int, str, bool, bool]:
    """Seed, condition, whether there is an accent, and whether silence is cut off at both ends."""
    match = re.fullmatch(rf"{SYNTHESIS}(\d+):([^:+]*)({re.escape(ACCENT)})?(:cut)?", path)
    if not match:
        form = f"{SYNTHESIS}SEED:CONDITION[{ACCENT}][:cut]"
        raise SampleError("unreadable", f"{path!r}: a generated sample's path is {form}")
    return int(match[1]), match[2], bool(match[3]), bool(match[4])


def _spoken(
    sample: Sample, chosen: Condition, random: np.random.Generator, accent: np.random.Generator | None
) -> np.ndarray:
    """The bare voice, float32 [N] at RATE_HZ."""
    from hibari import dsp

    sentences = _phonemes(sample)
    if accent is not None:
        sentences = accented(sentences, accent)
    voice = _voice(os.getpid())
    ids = [each for phonemes in sentences for each in voice.ids(phonemes)[1:-1]]
    if not ids:
        raise SampleError("empty_text", f"sample {sample.id}: nothing to speak in {sample.text!r}")
    tempo = np.asarray([random.uniform(*chosen.tempo)], np.float32)
    outputs = voice.sess.run(None, {"ids": np.asarray([[0, *ids, 0]], np.int64), "speed": tempo})
    harmonic, phase, breath, free, free_phase, pitch_hz = (output[0] for output in outputs)
    pitch_hz = pitch_hz * np.float32(random.uniform(*chosen.pitch))
    if chosen.melody:
        pitch_hz = _with_melody(pitch_hz, random.uniform(*chosen.melody))
    if chosen.breath_db:  # natural logarithms of magnitudes
        breath = breath + np.float32(random.uniform(*chosen.breath_db) * np.log(10) / 20)
    positions = _tract_positions(len(harmonic), random.uniform(*chosen.vocal_tract))
    harmonic, breath, free = (_warped(envelope, positions) for envelope in (harmonic, breath, free))
    waveform = dsp.synth(harmonic, phase, breath, free, free_phase, pitch_hz, random)
    return _trimmed(scipy.signal.resample_poly(waveform, RATE_HZ // 8_000, VOICE_RATE_HZ // 8_000), TRIM_SHARE)


def _phonemes(sample: Sample) -> list[str]:
    """A text's phonemes, in the voice's alphabet: a string a sentence."""
    if missing := unspoken(sample.text):
        raise SampleError(
            "unreadable",
            f"sample {sample.id}: the voice cannot say {' '.join(missing)} of {sample.text!r}; it says Latin letters, "
            "the usual signs and the digits 0 to 9",
        )
    try:
        return list(_voice(os.getpid()).phonemize(_pronounced(sample.text)))
    except (ValueError, IndexError):  # a number that it has no name for
        raise SampleError("unreadable", f"sample {sample.id}: the voice cannot say {sample.text!r}") from None


def _by_another(voice: Voice, sample: Sample, random: np.random.Generator) -> np.ndarray:
    """The text by a voice of another program, float32 [N] at RATE_HZ."""
    sentences = _phonemes(sample)
    text = readable(sample.text) if voice.language == "en" else respelled(" ".join(sentences), voice.language, random)
    if not text:
        raise SampleError("empty_text", f"sample {sample.id}: nothing to speak in {sample.text!r}")
    tempo, pitch, tract = (random.uniform(*each) for each in (ANOTHER.tempo, ANOTHER.pitch, ANOTHER.vocal_tract))
    # Played faster by a factor, formants, pitch and tempo rise by it.
    waveform, rate_hz = speak(voice, text, tempo / tract, pitch / tract, random)
    faster = Fraction(RATE_HZ, round(rate_hz * tract / 100) * 100)
    return _trimmed(scipy.signal.resample_poly(waveform, faster.numerator, faster.denominator), ANOTHERS_TRIM_SHARE)


def _with_melody(pitch_hz: np.ndarray, factor: float) -> np.ndarray:
    """Pitch [frames] whose distance in octaves from its middle is × factor; 0 stays, it is no voice."""
    voiced = pitch_hz > VOICED_HZ
    if not voiced.any():
        return pitch_hz
    octaves = np.log2(np.where(voiced, pitch_hz, 1.0))
    middle = np.median(octaves[voiced])
    return np.where(voiced, 2 ** (middle + factor * (octaves - middle)), pitch_hz).astype(np.float32)


def _trimmed(waveform: np.ndarray, share: float) -> np.ndarray:
    """Without what voices leave at both ends that is quieter than a share of the peak."""
    loud = np.flatnonzero(np.abs(waveform) > share * np.abs(waveform).max(initial=0.0))
    if not len(loud):
        raise SampleError("empty_signal", "the voice made no sound of the text")
    return waveform[loud[0] : loud[-1] + 1]


def _pronounced(text: str) -> str:
    """The text as the voice takes it, whatever its case: lower case, letters with their pronunciation."""
    return " ".join(map(_pronounced_word, text.upper().translate(ROUND).split()))


def _pronounced_word(word: str) -> str:
    letter = word.strip(BESIDE)
    return word.replace(letter, f"[{letter}](/{LETTERS[letter]}/)") if letter in LETTERS else word.lower()


@lru_cache(maxsize=1)
def _voice(process: int) -> Any:
    # A process makes its own: a session of onnxruntime does not survive a fork.
    from hibari import Hibari

    return Hibari(voice=VOICE, threads=1)


def _tract_positions(num_bins: int, factor: float) -> np.ndarray:
    """Bins [num_bins] to read an envelope at, so that formants move by factor up to 80 % of the band."""
    bins = np.arange(num_bins, dtype=np.float64)
    knee = 0.8 * (num_bins - 1) * min(1.0, factor)
    above = knee / factor + (bins - knee) * ((num_bins - 1) - knee / factor) / ((num_bins - 1) - knee)
    return np.where(bins <= knee, bins / factor, above)


def _warped(envelope: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Log magnitudes [bins, frames] read at fractional bins."""
    lower = positions.astype(np.intp).clip(0, len(envelope) - 2)
    weights = (positions - lower).astype(np.float32)[:, None]
    return envelope[lower] * (1 - weights) + envelope[lower + 1] * weights
