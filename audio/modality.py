"""Speech as a modality: the twin of ocr/modality.py."""

import hashlib
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from audio.augment import AugmentSettings, augment
from audio.corpora import CORPORA
from audio.parts import parts
from audio.reading import SUFFIXES, Sound, rate_ratio, read
from audio.slices import SliceSettings, num_features, slices, step
from common.modality import Modality
from common.paths import inside
from common.samples import Sample

PREVIEW_RATE_HZ = 16_000
SILENT_PEAK = 1e-4
QUIET_RMS_DB = -45.0
SHORT_S = 0.1
# Share of samples at full scale, and of the mean against the level, from which on we speak up.
CLIPPED_SHARE = 1e-3
OFFSET_SHARE = 0.3
# Changes that take neighbouring features for neighbouring frequencies.
OF_FREQUENCIES = ("recorder", "voice_cut", "vocal_tract_change", "equaliser", "gain", "tilt", "num_frequency_masks")


def load(sample: Sample, root: Path) -> Sound:
    """The sound of a sample; raises SampleError."""
    if sample.is_synthetic:
        from audio.synthesis import synthesise  # not at the top: every --help would wait for scipy

        return synthesise(sample)
    return read(inside(root, sample.path), sample.start, sample.end)


def preview(sound: Sound) -> tuple[str, bytes]:
    """FLAC of 16 bits at 16 kHz at most, for a browser; the same sound gives the same bytes.

    Not Ogg, whose streams carry a random serial number.
    """
    import scipy.signal
    import soundfile

    waveform, rate_hz = sound.waveform, sound.rate_hz
    if rate_hz > PREVIEW_RATE_HZ:
        share = rate_ratio(rate_hz, PREVIEW_RATE_HZ)
        waveform = scipy.signal.resample_poly(waveform, share.denominator, share.numerator)
        rate_hz = PREVIEW_RATE_HZ
    file = io.BytesIO()
    soundfile.write(file, waveform.clip(-1, 1), rate_hz, format="FLAC", subtype="PCM_16")
    return "audio/flac", file.getvalue()


def inspect(sound: Sound, text: str) -> Iterator[tuple[str, str]]:
    """What a person should know of a recording, whatever is said: pairs of a finding's code and a sentence."""
    waveform = sound.waveform
    peak = float(np.abs(waveform).max())
    mean = float(waveform.mean(dtype=np.float64))
    rms = float(np.sqrt(np.square(waveform - mean, dtype=np.float64).mean()))
    if sound.seconds < SHORT_S:
        yield "short", f"{sound.seconds * 1000:.0f} ms of sound"
    if rms < SILENT_PEAK:
        yield "silence", f"level {_decibel(rms):.0f} dB of full scale: nothing is spoken"
        return
    if _decibel(rms) < QUIET_RMS_DB:
        yield "quiet", f"level {_decibel(rms):.0f} dB of full scale"
    clipped = float((np.abs(waveform) >= peak * 0.9999).mean())
    if peak > 0.5 and clipped > CLIPPED_SHARE:
        yield "clipping", f"{clipped:.1%} of the samples stand at the limit"
    if abs(mean) > OFFSET_SHARE * rms:
        yield "dc_offset", f"the mean is {mean:+.4f}, {abs(mean) / rms:.0%} of the level"


def _decibel(amplitude: float) -> float:
    return 20 * float(np.log10(max(amplitude, 1e-10)))


def mistakes(front: SliceSettings, chosen: AugmentSettings) -> Iterator[str]:
    """What slices cannot be changed by.

    A cepstral coefficient is of the whole spectrum, and normalised ones cannot be turned into spectra again. Where each
    feature is normalised by itself, noise has no level.
    """
    if front.kind == "mfcc" and (on := [name for name in OF_FREQUENCIES if getattr(chosen, name)]):
        values = ", ".join(f"{name}: {getattr(chosen, name):g}" for name in on)
        yield f"{values}: with slices.kind: mfcc only 0, since its features are no frequencies"
    elif chosen.recorder and front.normalise != "spectrum":
        yield f"recorder: {chosen.recorder:g}: with slices.normalise: {front.normalise} only 0; spectrum is needed"


def digest(sound: Sound) -> str:
    """Hex digest of the decoded samples, whatever the container."""
    content = hashlib.sha256(f"{sound.rate_hz}\n".encode())
    content.update(np.ascontiguousarray(sound.waveform, dtype="<f4").tobytes())
    return content.hexdigest()


def length(sound: Sound) -> float:
    """Seconds."""
    return sound.seconds


MODALITY = Modality(
    name="audio",
    unit="s",
    suffixes=SUFFIXES,
    SliceSettings=SliceSettings,
    AugmentSettings=AugmentSettings,
    corpora=CORPORA,
    num_features=num_features,
    step=step,
    load=load,
    read=read,
    slices=slices,
    augment=augment,
    mistakes=mistakes,
    preview=preview,
    inspect=inspect,
    digest=digest,
    length=length,
    parts=parts,
    limit="max_seconds",
)
