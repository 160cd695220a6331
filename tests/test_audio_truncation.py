"""Files that end before their time are told from whole ones, where libsndfile reads both."""

import io
import re
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from audio.ogg import MOST_PAGE_BYTES, with_end
from audio.reading import read
from audio.truncation import flaw
from common.errors import SampleError

OGG = [("OGG", "VORBIS"), ("OGG", "OPUS")]
LONG = [("RF64", "PCM_16"), ("RF64", "FLOAT"), ("W64", "PCM_16"), ("W64", "PCM_24")]
NAMES = {"ids": " ".join}


def encoded(kind: tuple[str, str], num_frames: int = 60_000, channels: int = 1, rate_hz: int = 16_000) -> bytes:
    noise = 0.2 * np.random.default_rng(num_frames).normal(size=(num_frames, channels)).clip(-3, 3)
    file = io.BytesIO()
    soundfile.write(file, noise, rate_hz, format=kind[0], subtype=kind[1])
    return file.getvalue()


WHOLE = {kind: encoded(kind) for kind in (*OGG, *LONG)}


def pages(data: bytes) -> Iterator[bytes]:
    while data:
        size = 27 + data[26] + sum(data[27 : 27 + data[26]])
        yield data[:size]
        data = data[size:]


def checksum(page: bytes) -> bytes:
    """Of a page whose own bytes of it are 0 (RFC 3533, 6)."""
    value = 0
    for byte in page:
        value ^= byte << 24
        for _ in range(8):
            value = (value << 1 ^ (0x04C11DB7 if value >> 31 else 0)) & 0xFFFFFFFF
    return value.to_bytes(4, "little")


def found(data: bytes) -> str:
    return flaw(io.BytesIO(data), data[:4096])


@pytest.mark.parametrize("kind", [*OGG, *LONG], **NAMES)
@settings(max_examples=30)
@given(data=st.data())
def test_a_cut_file_is_refused(tmp_path_factory: pytest.TempPathFactory, kind: tuple[str, str], data: st.DataObject):
    whole = WHOLE[kind]
    # Where a page ends, nothing tells more from less.
    between = set(np.cumsum([len(page) for page in pages(whole)]).tolist()) if kind in OGG else set()
    cut = data.draw(st.integers(200, len(whole) - 1).filter(lambda place: place not in between))
    path = tmp_path_factory.mktemp("cut") / "a"
    path.write_bytes(whole[:cut])
    with pytest.raises(SampleError, match="truncated, it holds") as caught:
        read(path)
    assert caught.value.code == "unreadable" and "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", [*OGG, *LONG], **NAMES)
@settings(max_examples=15)
@given(num_frames=st.integers(1, 50_000), channels=st.integers(1, 3), rate_hz=st.sampled_from([8_000, 48_000]))
def test_whole_files_are_none(kind: tuple[str, str], num_frames: int, channels: int, rate_hz: int) -> None:
    assert not found(encoded(kind, num_frames, channels, rate_hz))


@pytest.mark.parametrize("kind", OGG, **NAMES)
@pytest.mark.parametrize("behind", [b"TAG" + bytes(125), bytes(4096)], ids=["tag", "zeros"])
def test_ogg_without_the_flag_of_the_end_or_with_something_behind_is_whole(
    kind: tuple[str, str], behind: bytes, tmp_path: Path
) -> None:
    """Android's own writer and others leave the flag out."""
    *before, last = pages(WHOLE[kind])
    bare = last[:5] + b"\0" + last[6:22] + bytes(4) + last[26:]
    open_end = b"".join(before) + bare[:22] + checksum(bare) + bare[26:]
    for data in (open_end, WHOLE[kind] + behind, open_end + behind, b"".join(before)):
        assert not found(data)
    (tmp_path / "whole.ogg").write_bytes(WHOLE[kind])
    for number, data in enumerate((open_end, WHOLE[kind] + behind)):
        path = tmp_path / f"{number}.ogg"
        path.write_bytes(data)
        for part in ((None, None), (1.0, 3.75)):
            wanted = read(tmp_path / "whole.ogg", *part).waveform
            np.testing.assert_array_equal(read(path, *part).waveform, wanted)
    assert with_end(open_end + behind) == WHOLE[kind] + behind and with_end(WHOLE[kind]) == with_end(b"") == b""


def test_sounds_one_behind_the_other_are_not_read_as_the_first(tmp_path: Path) -> None:
    """As radio stations send them, and as files that were joined byte by byte."""
    short = encoded(OGG[1], 900)
    assert len(short) < 4096
    for first in (*(WHOLE[kind] for kind in OGG), short):
        (tmp_path / "a.ogg").write_bytes(first + encoded(OGG[1], 9_000))
        with pytest.raises(SampleError, match="several sounds, one behind the other"):
            read(tmp_path / "a.ogg")


def test_the_largest_pages_and_empty_ones_count() -> None:
    def page(body: bytes, lengths: bytes) -> bytes:
        return b"OggS\0\2" + bytes(20) + bytes([len(lengths)]) + lengths + body

    large = page(b"O" * 255 * 255, b"\xff" * 255)
    assert len(large) == MOST_PAGE_BYTES
    assert not found(large * 3) and not found(large + page(b"", b"")) and not found(large + page(b"", b"\0"))
    for cut in (1, 30, 300, 40_000, MOST_PAGE_BYTES - 1):
        assert found(large * 2 + large[:cut])
    found(b"OggS\0" * 60_000)  # ends soon


def test_unknown_lengths_and_far_samples_are_not_looked_into() -> None:
    for kind, name in ((LONG[0], b"ds64"), (LONG[2], b"data")):
        data = bytearray(WHOLE[kind])
        place = data.index(name) + 16
        for value in (2**63 - 1, 2**64 - 1, 0):
            data[place : place + 8] = struct.pack("<Q", value)
            assert not found(bytes(data))
    junk = b"JUNK" + struct.pack("<I", 5001) + bytes(5002)
    far = re.sub(b"fmt ", lambda match: junk + match[0], WHOLE[LONG[0]], count=1)
    assert not found(far) and not found(far[:-1])
    near = far.replace(junk, b"JUNK" + struct.pack("<I", 501) + bytes(502))
    assert not found(near) and found(near[:-1])


def test_members_of_archives_are_told_alike(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for kind, data in WHOLE.items():
            archive.writestr(" ".join(kind), data[:-1])
    for kind in WHOLE:
        with pytest.raises(SampleError, match="truncated, it holds"):
            read(f"{tmp_path}/a.zip!{' '.join(kind)}")
