"""Sound files of all kinds become one waveform, or an error that says what to do."""

import io
import shutil
import zipfile
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from audio import reading
from audio.reading import Sound, rate_ratio, read
from common.errors import SampleError
from common.samples import REASONS

LOSSLESS = [
    ("WAV", "PCM_16"), ("WAV", "PCM_24"), ("WAV", "PCM_32"), ("WAV", "FLOAT"), ("WAV", "DOUBLE"), ("FLAC", "PCM_16"),
    ("FLAC", "PCM_24"), ("NIST", "PCM_16"), ("AIFF", "PCM_16"), ("AU", "PCM_16"),
]  # fmt: skip
LOSSY = [
    ("WAV", "PCM_U8"),
    ("WAV", "ULAW"),
    ("NIST", "ULAW"),
    ("OGG", "VORBIS"),
    ("OGG", "OPUS"),
    ("MP3", "MPEG_LAYER_III"),
]


def tone(seconds: float = 1.0, rate_hz: int = 16_000) -> np.ndarray:
    """A swelling tone of 300 Hz, float32 [N]."""
    time_s = np.arange(round(seconds * rate_hz)) / rate_hz
    return (0.5 * np.sin(2 * np.pi * 300 * time_s) * (0.3 + 0.7 * time_s / seconds)).astype(np.float32)


def encoded(waveform: np.ndarray, rate_hz: int = 16_000, kind: tuple[str, str] = ("WAV", "PCM_16")) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, waveform, rate_hz, format=kind[0], subtype=kind[1])
    return file.getvalue()


def code_of(path: Path | str, *arguments: float | None) -> str:
    with pytest.raises(SampleError) as caught:
        read(path, *arguments)
    assert caught.value.code in REASONS
    assert "\n" not in str(caught.value)
    return caught.value.code


@pytest.mark.parametrize("kind", LOSSLESS, ids=" ".join)
def test_lossless_formats_give_the_samples_back(tmp_path: Path, kind: tuple[str, str]) -> None:
    (tmp_path / "a").write_bytes(encoded(tone(), kind=kind))
    sound = read(tmp_path / "a")
    assert sound.rate_hz == 16_000 and sound.waveform.dtype == np.float32
    np.testing.assert_allclose(sound.waveform, tone(), atol=2**-15)


@pytest.mark.parametrize("kind", LOSSY, ids=" ".join)
def test_lossy_formats_keep_length_and_shape(tmp_path: Path, kind: tuple[str, str]) -> None:
    (tmp_path / "a").write_bytes(encoded(tone(), kind=kind))
    sound = read(tmp_path / "a")
    assert len(sound.waveform) == 16_000
    assert np.corrcoef(sound.waveform, tone())[0, 1] > 0.98


@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 22_050, 44_100, 48_000, 96_000])
@pytest.mark.parametrize("num_channels", [1, 2, 6, 32, 64])
def test_any_rate_and_channel_count(tmp_path: Path, rate_hz: int, num_channels: int) -> None:
    waveform = tone(0.1, rate_hz)
    shares = np.linspace(0, 1, num_channels)[:, None].T if num_channels > 1 else np.ones((1, 1))
    (tmp_path / "a.wav").write_bytes(encoded(waveform[:, None] * shares, rate_hz))
    sound = read(tmp_path / "a.wav")
    assert (sound.rate_hz, len(sound.waveform)) == (rate_hz, len(waveform))
    np.testing.assert_allclose(sound.waveform, waveform * shares.mean(), atol=2**-14)


@pytest.mark.parametrize("kind", [*LOSSLESS, *LOSSY], ids=" ".join)
def test_a_part_is_the_part_of_the_whole(tmp_path: Path, kind: tuple[str, str]) -> None:
    (tmp_path / "a").write_bytes(encoded(tone(2.0), kind=kind))
    whole = read(tmp_path / "a").waveform
    part = read(tmp_path / "a", 0.5, 1.25).waveform
    assert len(part) == 12_000
    # Lossy decoders start between packets: a hundredth of the level is allowed.
    np.testing.assert_allclose(part, whole[8_000:20_000], atol=0.01 if kind in LOSSY else 0)
    assert len(read(tmp_path / "a", 1.5).waveform) == 8_000
    assert len(read(tmp_path / "a", None, 0.25).waveform) == 4_000


@pytest.mark.parametrize("kind", LOSSY, ids=" ".join)
def test_the_end_of_a_file_stands_where_it_does_in_the_whole(tmp_path: Path, kind: tuple[str, str]) -> None:
    noise = 0.1 * np.random.default_rng(0).standard_normal(18_960)
    (tmp_path / "a").write_bytes(encoded(noise, 8_000, kind))
    whole = read(tmp_path / "a").waveform
    for first in range(10_000, 18_000, 800):
        np.testing.assert_allclose(read(tmp_path / "a", first / 8_000).waveform, whole[first:], atol=0.01)


@pytest.mark.parametrize("block", [1_000, 47_900])
@pytest.mark.parametrize("kind", [("WAV", "PCM_16"), *LOSSY], ids=" ".join)
def test_reading_in_blocks_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: tuple[str, str], block: int
) -> None:
    (tmp_path / "a").write_bytes(encoded(np.stack([tone(1, 48_000), -0.3 * tone(1, 48_000)], axis=1), 48_000, kind))
    whole = read(tmp_path / "a").waveform
    monkeypatch.setattr(reading, "BLOCK_VALUES", 2 * block)
    np.testing.assert_array_equal(read(tmp_path / "a").waveform, whole)


@pytest.mark.parametrize(
    ("start", "end"),
    [(-0.1, 0.5), (0.5, 0.5), (0.6, 0.5), (0.5, 1.1), (1.5, None), (0.0, 0.0), (1.0, 1.01), (1.005, 1.015)],
)
def test_parts_outside_the_file_are_refused(tmp_path: Path, start: float, end: float | None) -> None:
    (tmp_path / "a.wav").write_bytes(encoded(tone()))
    assert code_of(tmp_path / "a.wav", start, end) == "out_of_range"


def test_an_end_that_was_rounded_up_is_the_end(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(encoded(tone()))
    assert len(read(tmp_path / "a.wav", 0.5, 1.01).waveform) == 8_000


def test_float_files_above_full_scale_are_scaled(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(encoded(tone() * 20_000, kind=("WAV", "FLOAT")))
    sound = read(tmp_path / "a.wav")
    assert np.abs(sound.waveform).max() == 1
    np.testing.assert_allclose(sound.waveform, tone() / np.abs(tone()).max(), atol=1e-5)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_none_are_named(tmp_path: Path, value: float) -> None:
    waveform = tone()
    waveform[123] = value
    (tmp_path / "a.wav").write_bytes(encoded(waveform, kind=("WAV", "FLOAT")))
    with pytest.raises(SampleError, match="frame 123 is") as caught:
        read(tmp_path / "a.wav")
    assert caught.value.code == "unreadable"


MPEG4 = b"\0\0\0\x20ftypM4A \0\0\0\0M4A mp42isom" + bytes(200)
SHORTEN = encoded(tone(), kind=("NIST", "PCM_16")).replace(
    b"sample_coding -s3 pcm", b"sample_coding -s26 pcm,embedded-shorten-v2.00"
)
BAD = {
    "empty file": (b"", "unreadable", "0 bytes"),
    "no frames": (encoded(tone()[:0]), "empty_signal", "0 frames"),
    "text": (b"this is no sound\n" * 50, "unreadable", "not a sound file"),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(200), "unreadable", "wav, flac, ogg"),
    "m4a": (MPEG4, "unreadable", "wav, flac, ogg"),
    "shorten": (SHORTEN, "unreadable", "shorten"),
    "65 channels": (encoded(np.zeros((10, 65))), "over_limit", "65 channels; at most 64"),
    "rate": (encoded(tone(), 900), "over_limit", "900 Hz"),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("suffix", ["wav", "raw", "txt"])
def test_bad_files(tmp_path: Path, name: str, suffix: str) -> None:
    data, code, sentence = BAD[name]
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(data)
    assert code_of(path) == code
    with pytest.raises(SampleError, match=sentence) as caught:
        read(path)
    assert str(path) in str(caught.value)


def test_what_is_no_file(tmp_path: Path) -> None:
    assert code_of(tmp_path / "none.wav") == "missing_file"
    assert code_of(tmp_path) == "unreadable"


def test_the_length_is_bounded_before_anything_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.flac").write_bytes(encoded(np.zeros(100_000), kind=("FLAC", "PCM_16")))
    monkeypatch.setattr(reading, "MAX_FRAMES", 50_000)
    assert code_of(tmp_path / "a.flac") == "over_limit"
    assert len(read(tmp_path / "a.flac", 0.0, 1.0).waveform) == 16_000


@pytest.mark.parametrize("kind", [*LOSSLESS, *LOSSY], ids=" ".join)
@settings(max_examples=8)
@given(share=st.floats(0, 0.98))
def test_truncated_files_never_pass_for_whole_ones(
    tmp_path_factory: pytest.TempPathFactory, kind: tuple[str, str], share: float
) -> None:
    data = encoded(tone(), kind=kind)
    path = tmp_path_factory.mktemp("truncated") / "a"
    path.write_bytes(data[: int(len(data) * share)])
    assert code_of(path) in ("unreadable", "empty_signal")


@settings(max_examples=60)
@given(data=st.data())
def test_flipped_bytes_never_end_in_anything_but_a_sound_or_an_error(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    kind = data.draw(st.sampled_from([*LOSSLESS, *LOSSY]))
    content = bytearray(encoded(tone(0.2), kind=kind))
    for _ in range(data.draw(st.integers(1, 5))):
        content[data.draw(st.integers(0, min(len(content), 200) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("flipped") / "a"
    path.write_bytes(content)
    try:
        sound = read(path)
    except SampleError as error:
        assert error.code in REASONS
    else:
        assert np.isfinite(sound.waveform).all() and np.abs(sound.waveform).max() <= 1


@pytest.mark.parametrize("kind", [("WAV", "PCM_16"), ("FLAC", "PCM_24"), ("OGG", "VORBIS")], ids=" ".join)
@pytest.mark.parametrize("offset", [0.0, 0.2])
def test_channels_that_cancel_each_other_out_are_no_silence(
    tmp_path: Path, kind: tuple[str, str], offset: float
) -> None:
    """One of two microphones with its wires crossed: the mean was nothing, or what the encoder had left of it."""
    (tmp_path / "a").write_bytes(encoded(np.stack([tone() + offset, offset - tone()], axis=1), kind=kind))
    with pytest.raises(SampleError, match="its channels cancel each other out") as caught:
        read(tmp_path / "a")
    assert caught.value.code == "empty_signal"


@settings(max_examples=25)
@given(channels=st.integers(2, 64), gain=st.floats(-0.9, 1.0), seed=st.integers(0, 99))
def test_other_channels_are_averaged(
    tmp_path_factory: pytest.TempPathFactory, channels: int, gain: float, seed: int
) -> None:
    """Silent ones, echoes, noise of their own, digital silence in all."""
    path = tmp_path_factory.mktemp("channels") / "a"
    noise = np.random.default_rng(seed).normal(0, 0.1, (4_000, channels))
    for sound in (noise, noise * [1, *[0] * (channels - 1)], noise[:, :1] * [1, gain], noise * 0):
        path.write_bytes(encoded(sound, kind=("WAV", "FLOAT")))
        mean = sound.astype(np.float32).mean(axis=1, dtype=np.float32)
        np.testing.assert_allclose(read(path).waveform, mean, atol=1e-6)


def test_a_part_between_two_frames_says_so(tmp_path: Path) -> None:
    """It was said that there is no sound in the file."""
    (tmp_path / "a.wav").write_bytes(encoded(tone()))
    with pytest.raises(SampleError, match=r"seconds 0\.50001 to 0\.50002 are less than one frame") as caught:
        read(tmp_path / "a.wav", 0.50001, 0.50002)
    assert caught.value.code == "empty_signal"


def test_streams_of_unknown_length_are_read(tmp_path: Path) -> None:
    data = bytearray(encoded(tone()))
    position = data.index(b"data") + 4
    data[position : position + 4] = b"\xff\xff\xff\xff"
    (tmp_path / "a.wav").write_bytes(data)
    assert len(read(tmp_path / "a.wav").waveform) == 16_000


def test_members_of_archives_are_read_in_place(tmp_path: Path) -> None:
    data = encoded(tone(), kind=("FLAC", "PCM_16"))
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("folder/a.flac", data)
    (tmp_path / "a.flac").write_bytes(data)
    member = read(tmp_path / "a.zip!folder/a.flac", 0.25, 0.5)
    np.testing.assert_array_equal(member.waveform, read(tmp_path / "a.flac", 0.25, 0.5).waveform)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.flac", "a.zip"]
    shutil.copytree(tmp_path, tmp_path / "new!")
    assert len(read(tmp_path / "new!" / "a.zip!folder/a.flac").waveform) == 16_000
    assert code_of(tmp_path / "a.zip!folder/b.flac") == "missing_file"
    assert code_of(tmp_path / "b.zip!a.flac") == "missing_file"
    (tmp_path / "b.zip").write_bytes(b"no archive")
    assert code_of(tmp_path / "b.zip!a.flac") == "unreadable"


def test_large_members_are_refused_before_they_are_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.wav", encoded(np.zeros(100_000)))
    monkeypatch.setattr(reading, "MAX_MEMBER_BYTES", 50_000)
    assert code_of(tmp_path / "a.zip!a.wav") == "over_limit"


@settings(max_examples=50)
@given(st.integers(1_000, 768_000), st.integers(2_000, 192_000))
def test_rate_ratio_is_close_and_small(from_hz: int, to_hz: int) -> None:
    ratio = rate_ratio(from_hz, to_hz)
    assert ratio.denominator <= 1000
    assert abs(ratio - Fraction(from_hz, to_hz)) <= Fraction(1, 2000)


@pytest.mark.parametrize("from_hz", [8_000, 11_025, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000, 192_000])
def test_rate_ratio_is_exact_for_usual_rates(from_hz: int) -> None:
    assert rate_ratio(from_hz, 16_000) == Fraction(from_hz, 16_000)
    assert rate_ratio(from_hz, 8_000) == Fraction(from_hz, 8_000)


def test_seconds() -> None:
    assert Sound(np.zeros(4_000, np.float32), 8_000).seconds == 0.5


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_damaged_member_of_an_archive_is_one_rejection(method: int, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", method) as archive:
        archive.writestr("0.wav", np.random.default_rng(0).integers(0, 9, 5000, np.uint8).tobytes())
    data = bytearray((tmp_path / "a.zip").read_bytes())
    data[45:75] = b"\xff" * 30
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(SampleError, match="damaged or locked archive") as caught:
        read(f"{tmp_path}/a.zip!0.wav")
    assert caught.value.code == "unreadable"
