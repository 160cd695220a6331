"""What libsndfile reads as a shorter sound without a word: truncated Ogg, RF64 and W64, several sounds in an Ogg."""

import io
import os
from pathlib import Path
from typing import Any

from audio import ogg

RF64 = (b"RF64", b"BW64")
WAVE64 = b"riff\x2e\x91\xcf\x11"
WAVE64_HEADER_BYTES = 24  # of a chunk: its name and its length, which counts them
# Lengths that writers put in who do not know it.
UNKNOWN_BYTES = 2**62


def flaw(file: Any, header: bytes) -> str:
    """Why less would be read than there is or was, as a sentence about the file; or nothing.

    Args:
        file: a name, or an ``io.BytesIO``.
        header: the first KiBs of it.
    """
    if header.startswith(ogg.CAPTURE):
        return ogg.flaw(header, _tail(file, 2 * ogg.MOST_PAGE_BYTES)[1])
    announced = _end_of_data(header)
    if not 0 < announced < UNKNOWN_BYTES or (size := _tail(file, 0)[0]) >= announced:
        return ""
    return f"truncated, it holds {size} of {announced} bytes that its header announces"


def _tail(file: Any, most_bytes: int) -> tuple[int, bytes]:
    """The bytes of the whole, and the last ones."""
    if isinstance(file, io.BytesIO):
        content = file.getbuffer()
        return len(content), bytes(content[max(0, len(content) - most_bytes) :])
    with Path(os.fsdecode(file)).open("rb") as opened:
        size = opened.seek(0, os.SEEK_END)
        opened.seek(max(0, size - most_bytes))
        return size, opened.read(most_bytes)


def _end_of_data(header: bytes) -> int:
    """Where the chunk of samples should end, in bytes of the file; 0 for other files or a later place."""
    if header[:4] in RF64 and header[12:16] == b"ds64":
        return _end_in_rf64(header, int.from_bytes(header[28:36], "little"))
    return _end_in_wave64(header) if header.startswith(WAVE64) else 0


def _end_in_rf64(header: bytes, long_bytes: int) -> int:
    """EBU Tech 3306: a chunk has a name and a length of 32 bits; where these are all set, ds64 has that of samples."""
    place = 12
    while place + 8 <= len(header):
        size = int.from_bytes(header[place + 4 : place + 8], "little")
        if header[place : place + 4] == b"data":
            return place + 8 + (long_bytes if size == 0xFFFFFFFF else size)
        place += 8 + size + size % 2
    return 0


def _end_in_wave64(header: bytes) -> int:
    place = 40
    while place + WAVE64_HEADER_BYTES <= len(header):
        size = int.from_bytes(header[place + 16 : place + WAVE64_HEADER_BYTES], "little")
        if header[place : place + 4] == b"data":
            return place + size
        place += max(WAVE64_HEADER_BYTES, -(-size // 8) * 8)
    return 0
