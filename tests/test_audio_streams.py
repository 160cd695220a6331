"""Sounds that do not tell their length are read whole."""

import io
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audio import reading, streams
from audio.reading import read
from common.errors import SampleError

RATE_HZ = 16_000
SYNC = b"\xff\xf3"  # of LAME's frames at this rate
LAST_FRAMES = 3 * 1152  # an encoder's delay and padding


def noise_mp3(loud_first: bool) -> bytes:
    """Six seconds whose halves need very different bit rates; the first frame tells how many there are."""
    noise = 0.3 * np.random.default_rng(0).normal(size=6 * RATE_HZ).clip(-3, 3)
    noise[len(noise) // 2 :] *= 1e-3
    data = io.BytesIO()
    soundfile.write(data, noise if loud_first else noise[::-1], RATE_HZ, format="MP3")
    return data.getvalue()


def tag(size: int) -> bytes:
    """ID3v2 with so many bytes of content, as players write titles and pictures in front."""
    return b"ID3\4\0\0" + bytes([0, 0, size >> 7, size & 127]) + bytes(size) if size else b""


@pytest.mark.parametrize("size", [0, 45, 4000])
@pytest.mark.parametrize("loud_first", [True, False])
def test_mp3_without_a_telling_frame_is_read_whole(size: int, loud_first: bool, tmp_path: Path) -> None:
    whole = noise_mp3(loud_first)
    (tmp_path / "whole.mp3").write_bytes(whole)
    (tmp_path / "bare.mp3").write_bytes(tag(size) + whole[whole.index(SYNC, 100) :])
    wanted, found = read(tmp_path / "whole.mp3").waveform, read(tmp_path / "bare.mp3").waveform
    assert 0 <= len(found) - len(wanted) <= LAST_FRAMES
    # Later by half a frame: nothing tells the delay of the encoder.
    np.testing.assert_allclose(found[576 : 576 + 90_000], wanted[:90_000], atol=1e-5)


def test_mp3_that_tells_its_length_stays_as_it_is() -> None:
    assert streams.mp3_with_length(noise_mp3(True), guessed=0) == b""
    assert streams.mp3_with_length(b"", guessed=0) == b""
    assert streams.mp3_with_length(b"no sound at all", guessed=0) == b""


@pytest.mark.parametrize("damage", [0, 7])
def test_frames_behind_damage_count(damage: int) -> None:
    """Bytes between two frames, as a stream that was cut and joined has them."""
    whole = noise_mp3(True)
    bare = whole[whole.index(SYNC, 100) :]
    places = list(streams._frames(bare, 0))
    spoilt = bare[: places[20]] + bytes(damage) + bare[places[20] :]
    assert len(list(streams._frames(spoilt, 0))) == len(places) > 100


def unknown_flac(whole: bytes) -> bytes:
    """The number of frames, 36 bits of STREAMINFO, is 0: unknown."""
    return whole[:21] + bytes([whole[21] & 0xF0]) + bytes(4) + whole[26:]


@pytest.fixture
def flac() -> bytes:
    data = io.BytesIO()
    noise = 0.2 * np.random.default_rng(0).normal(size=(200_000, 2)).clip(-3, 3)
    soundfile.write(data, noise, RATE_HZ, format="FLAC", subtype="PCM_16")
    return data.getvalue()


def test_flac_of_unknown_length_is_read(flac: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.flac").write_bytes(flac)
    (tmp_path / "b.flac").write_bytes(unknown_flac(flac))
    for part in ((None, None), (0.25, 0.5)):
        wanted = read(tmp_path / "a.flac", *part).waveform
        np.testing.assert_array_equal(read(tmp_path / "b.flac", *part).waveform, wanted)


def test_flac_of_unknown_length_is_bounded(flac: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "b.flac").write_bytes(unknown_flac(flac))
    monkeypatch.setattr(reading, "MAX_FRAMES", 100_000)
    with pytest.raises(SampleError, match="at most 100000 values are unpacked") as caught:
        read(tmp_path / "b.flac")
    assert caught.value.code == "over_limit"


def test_many_channels_of_unknown_length_take_no_more_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = io.BytesIO()
    soundfile.write(data, np.zeros((400_000, 8)), RATE_HZ, format="FLAC", subtype="PCM_16")
    (tmp_path / "a.flac").write_bytes(unknown_flac(data.getvalue()))
    monkeypatch.setattr(reading, "MAX_FRAMES", 1_000_000)
    tracemalloc.start()
    try:
        with pytest.raises(SampleError, match="at most 1000000 values are unpacked"):
            read(tmp_path / "a.flac")
        assert tracemalloc.get_traced_memory()[1] < 16 * 1_000_000
    finally:
        tracemalloc.stop()
    monkeypatch.setattr(reading, "MAX_FRAMES", 4_000_000)
    assert len(read(tmp_path / "a.flac").waveform) == 400_000


@pytest.mark.parametrize("kind", ["GSM610", "G721_32"])
def test_wav_that_libsndfile_reads_from_its_start_alone(kind: str, tmp_path: Path) -> None:
    """As telephone systems write it; it was refused as no file."""
    tone = 0.3 * np.sin(np.arange(RATE_HZ) / 5)
    soundfile.write(tmp_path / "a.wav", tone, RATE_HZ, format="WAV", subtype=kind)
    whole = read(tmp_path / "a.wav").waveform
    assert RATE_HZ <= len(whole) < RATE_HZ + 400
    assert np.corrcoef(whole[2000:RATE_HZ], tone[2000:])[0, 1] > 0.95
    np.testing.assert_array_equal(read(tmp_path / "a.wav", 0.25, 0.5).waveform, whole[4000:8000])
    data = (tmp_path / "a.wav").read_bytes()
    for share in (0.2, 0.7, 0.99):
        (tmp_path / "b.wav").write_bytes(data[: int(share * len(data))])
        with pytest.raises(SampleError, match="truncated"):
            read(tmp_path / "b.wav")
