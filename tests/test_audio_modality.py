"""The object that pipelines see: loading, looking at, showing; and all real recordings through it."""

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audio.modality import MODALITY
from audio.reading import Sound
from common.errors import SampleError
from common.samples import Sample

RATE_HZ = 16_000


def voice(seconds: float = 1.0, rate_hz: int = RATE_HZ) -> np.ndarray:
    time_s = np.arange(round(seconds * rate_hz)) / rate_hz
    return (0.3 * np.sin(2 * np.pi * 220 * time_s) * np.sin(2 * np.pi * 2 * time_s)).astype(np.float32)


def codes(waveform: np.ndarray) -> set[str]:
    return {code for code, _ in MODALITY.inspect(Sound(waveform.astype(np.float32), RATE_HZ), "a")}


def test_a_file_becomes_slices(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.flac", voice(), RATE_HZ)
    sample = Sample(id="a", path="a.flac", text="", group="", split="train", start=0.25, end=0.75)
    sound = MODALITY.load(sample, tmp_path)
    assert MODALITY.length(sound) == 0.5
    made = MODALITY.SliceSettings()
    assert MODALITY.slices(sound, made).shape == (50, MODALITY.num_features(made))
    assert MODALITY.read(tmp_path / "a.flac").seconds == 1


def test_paths_that_climb_are_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", voice(), RATE_HZ)
    (tmp_path / "corpus").mkdir()
    with pytest.raises(SampleError) as caught:
        MODALITY.load(Sample(id="a", path="../a.wav", text="", group="", split="train"), tmp_path / "corpus")
    assert caught.value.code == "outside_corpus"


def test_a_synthetic_sample_needs_no_file() -> None:
    sample = Sample(id="a", path="synthesis:1:booth", text="YES", group="", split="train")
    assert MODALITY.load(sample, Path("nowhere")).rate_hz == RATE_HZ


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 22_050, 44_100, 44_099])
def test_preview_can_be_played_and_is_the_same_each_time(rate_hz: int) -> None:
    sound = Sound(voice(1.0, rate_hz), rate_hz)
    media_type, data = MODALITY.preview(sound)
    assert MODALITY.preview(sound) == (media_type, data)
    assert media_type == "audio/flac"
    shown, shown_hz = soundfile.read(io.BytesIO(data))
    assert shown_hz == min(rate_hz, 16_000)
    assert len(shown) / shown_hz == pytest.approx(1, abs=0.01)
    assert np.corrcoef(shown[:: shown_hz // 4_000][:3_900], voice(1.0, 4_000)[:3_900])[0, 1] > (
        0.98 if shown_hz % 4_000 == 0 else -1
    )


def test_inspect() -> None:
    assert codes(voice()) == set()
    assert codes(voice() * 0) == {"silence"}
    assert codes(voice() * 0 + 0.2) == {"silence"}
    assert codes((voice() * 8).clip(-1, 1)) == {"clipping"}
    assert codes((voice() * 8).clip(-1, 1) * 0.7) == {"clipping"}
    assert codes(voice() + 0.1) == {"dc_offset"}
    assert codes(voice() * 0.01) == {"quiet"}
    assert codes(voice()[:800]) == {"short"}


def test_digest_is_of_the_samples_and_not_of_the_file(tmp_path: Path) -> None:
    for name in ("a.wav", "a.flac", "a.sph"):
        samples = (voice() * 32_767).astype(np.int16)
        soundfile.write(tmp_path / name, samples, RATE_HZ, format="NIST" if name.endswith("sph") else None)
    digests = {MODALITY.digest(MODALITY.read(tmp_path / name)) for name in ("a.wav", "a.flac", "a.sph")}
    assert len(digests) == 1
    sound = MODALITY.read(tmp_path / "a.wav")
    assert MODALITY.digest(Sound(sound.waveform, 8_000)) not in digests
    assert MODALITY.digest(Sound(sound.waveform[1:], RATE_HZ)) not in digests


def test_the_table_of_corpora_and_settings_needs_no_torch(repository: Path) -> None:
    command = "import sys, audio.modality; sys.exit(any(name in sys.modules for name in ('torch', 'scipy', 'hibari')))"
    assert subprocess.run([sys.executable, "-c", command], cwd=repository, check=False).returncode == 0


def test_all_odd_recordings_there_are(shared_data: Path) -> None:
    root = shared_data / "speech" / "other"
    reader = MODALITY.corpora["manifest"]
    samples = list(reader.read(reader.Settings(), root, 1))
    assert len(samples) == 121
    made = MODALITY.SliceSettings()
    digests = set()
    for sample in samples:
        sound = MODALITY.load(sample, root)
        result = MODALITY.slices(sound, made)
        assert len(result) == pytest.approx(sound.seconds * 100, abs=2) and np.isfinite(result).all()
        assert not {"silence", "clipping"} & {code for code, _ in MODALITY.inspect(sound, "a")}
        digests.add(MODALITY.digest(sound))
    assert len(digests) == 121
