"""Sounds that do not tell their length, as programs write them that cannot go back to the start of a file.

libsndfile takes the length of an MP3 from its first frame (Xing, Info or VBRI); without that it guesses from the size
of the file and the bit rate of one frame, and reads no further. Here its frames are counted, and a first frame that
tells their number is put in front. A FLAC stream of unknown length is unpacked up to a limit, and so are sounds that
libsndfile can only read from the start (WAV of GSM 6.10, as telephone systems write it). Opus is given its end.
"""

import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from audio.ogg import with_end

# MPEG 1 (3), 2 (2) and 2.5 (0), layer III: thousands of bits a second by index (ISO 11172-3, 2.4.2.3, and 13818-3).
KBIT = {
    3: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    2: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
RATES_HZ = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
SAMPLES = {3: 1152, 2: 576}  # of one channel in a frame
TELLS_LENGTH = (b"Xing", b"Info", b"VBRI")
UNKNOWN_FRAMES = 2**63 - 1
BLOCK_FRAMES = 2**16


def with_length(file: Any, most_values: int, most_bytes: int) -> Any:
    """An open ``soundfile.SoundFile`` that knows how long it is.

    Args:
        file: a name, or an ``io.BytesIO``.
        most_values: of a stream to be unpacked, all channels together; what is longer ends a block behind that, and the
            result has ``is_cut``.
        most_bytes: of a file to be read as a whole; the length of a longer one is what libsndfile takes it for.
    """
    import soundfile  # not at the top: every --help would wait for it

    sound = soundfile.SoundFile(file)
    if sound.format == "MP3":
        data = _content(file, most_bytes + 1)
        counted = b"" if len(data) > most_bytes else mp3_with_length(data, sound.frames)
        return soundfile.SoundFile(io.BytesIO(counted)) if counted else sound
    if sound.subtype == "OPUS":
        data = _content(file, most_bytes + 1)
        ended = b"" if len(data) > most_bytes else with_end(data)
        return soundfile.SoundFile(io.BytesIO(ended)) if ended else sound
    if sound.frames < UNKNOWN_FRAMES and sound.seekable():
        return sound
    return _unpacked(file, most_values, sound.extra_info)


def _content(file: Any, most_bytes: int) -> bytes:
    if isinstance(file, io.BytesIO):
        return file.getvalue()
    with Path(os.fsdecode(file)).open("rb") as opened:
        return opened.read(most_bytes)


def _unpacked(file: Any, most_values: int, told: str) -> Any:
    """The same sound with its length, in memory as float32; ``told`` is what libsndfile says of the file itself."""
    import soundfile

    class Unpacked(soundfile.SoundFile):
        extra_info = told
        is_cut = False

    class Stream(soundfile.SoundFile):
        def seekable(self) -> bool:  # soundfile seeks after each block, which a FLAC of unknown length cannot
            return False

    if isinstance(file, io.BytesIO):
        file.seek(0)
    whole = io.BytesIO()
    with Stream(file) as stream:
        form = {"samplerate": stream.samplerate, "channels": stream.channels, "subtype": "FLOAT", "format": "W64"}
        with soundfile.SoundFile(whole, "w", **form) as copy:
            while len(block := stream.read(BLOCK_FRAMES, dtype="float32")):
                Unpacked.is_cut = copy.frames * stream.channels > most_values
                if Unpacked.is_cut:
                    break
                copy.write(block)
    whole.seek(0)
    return Unpacked(whole)


def mp3_with_length(data: bytes, guessed: int) -> bytes:
    """An MP3 whose first frame tells its length; nothing where it does so already or ``guessed`` samples are right."""
    frames = _frames(data, _behind_tags(data))
    start = next(frames, None)
    if start is None or any(mark in data[start : start + 200] for mark in TELLS_LENGTH):
        return b""
    places = [start, *frames]
    head = data[start : start + 4]
    version, mono = head[1] >> 3 & 3, head[3] >> 6 == 3
    if len(places) * SAMPLES[3 if version == 3 else 2] == guessed:
        return b""
    # Side information is left empty: as long as the version and the number of channels ask for.
    side = (17 if mono else 32) if version == 3 else (9 if mono else 17)
    # No checksum, and a bit rate in the middle of the table: large enough for the number.
    header = bytes([head[0], head[1] | 1, 0x80 | head[2] & 0x0C, head[3]])
    first = header + bytes(side) + b"Xing" + (1).to_bytes(4, "big") + len(places).to_bytes(4, "big")
    content = b"".join(data[place : place + _frame_bytes(data, place)] for place in places)
    return first.ljust(_frame_bytes(header, 0), b"\0") + content


def _behind_tags(data: bytes) -> int:
    """Where the sound may begin: behind the tags ID3v2 (id3.org, 3.1: sizes of four times seven bits)."""
    start = 0
    while data[start : start + 3] == b"ID3" and len(data) > start + 10:
        a, b, c, d = data[start + 6 : start + 10]
        start += 10 + (a << 21 | b << 14 | c << 7 | d)
    return start


def _frames(data: bytes, place: int) -> Iterator[int]:
    """Places of all frames. Behind a tag or damage the next one counts that another follows, or the end."""
    version, in_step = None, False
    while 0 <= place < len(data) - 4:
        size = _frame_bytes(data, place)
        behind = place + size
        alike = version in (None, data[place + 1] & 0xFE)
        sure = in_step or behind == len(data) or data[behind : behind + 3] in (b"TAG", b"APE")
        if size and alike and behind <= len(data) and (sure or _frame_bytes(data, behind)):
            yield place
            version, in_step, place = data[place + 1] & 0xFE, True, behind
        else:
            place, in_step = data.find(b"\xff", place + 1), False


def _frame_bytes(data: bytes, place: int) -> int:
    """Bytes of the frame of layer III that stands there; 0 where none does."""
    head = data[place : place + 4]
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE6 != 0xE2:
        return 0
    version, index, rate = head[1] >> 3 & 3, head[2] >> 4, head[2] >> 2 & 3
    if version == 1 or index in (0, 15) or rate == 3:
        return 0
    table = 3 if version == 3 else 2
    return SAMPLES[table] // 8 * KBIT[table][index] * 1000 // RATES_HZ[version][rate] + (head[2] >> 1 & 1)
