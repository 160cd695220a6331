"""What libsndfile reads as a shorter sound without a word: truncated Ogg, RF64 and W64, several sounds in an Ogg."""

import io
import os
import re
from pathlib import Path
from typing import Any

# A page has 27 bytes, up to 255 lengths and as many segments of up to 255 bytes (RFC 3533, 6).
MOST_PAGE_BYTES = 27 + 255 + 255 * 255
CAPTURE, FIRST = b"OggS", b"\2"
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
    if header.startswith(CAPTURE):
        return _flaw_of_ogg(header, _tail(file, 2 * MOST_PAGE_BYTES)[1])
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


def _flaw_of_ogg(header: bytes, tail: bytes) -> str:
    """A last page that is whole may lack the flag of the end: programs that many people record with leave it out.

    Behind it may stand what is no page, as a tag.
    """
    whole = {end: start for start, end in _pages(tail) if end <= len(tail)}
    rest = tail[max(whole, default=0) :]
    if rest and (rest.startswith(CAPTURE) or CAPTURE.startswith(rest)):
        return "truncated, it holds a part of its last page"
    if whole and _serial(tail, whole[max(whole)]) not in _streams(header):
        return "several sounds, one behind the other, of which only the first would be read; write them as one"
    return ""


def _pages(data: bytes) -> list[tuple[int, int]]:
    """Where pages may begin, and where they end as far as they tell."""
    return [(each.start(), _end_of_page(data, each.start())) for each in re.finditer(CAPTURE + b"\0", data)]


def _streams(header: bytes) -> set[bytes]:
    """Numbers of the streams that run side by side: their first pages come before all others."""
    found, place = set(), 0
    while header[place : place + 4] == CAPTURE and header[place + 5 : place + 6] == FIRST:
        found.add(_serial(header, place))
        place = _end_of_page(header, place)
    return found


def _serial(data: bytes, start: int) -> bytes:
    """The number of the stream that a page belongs to."""
    return data[start + 14 : start + 18]


def _end_of_page(data: bytes, place: int) -> int:
    """Where the page that begins there ends, as far as it tells; behind the data where not even its head is whole."""
    lengths = place + 27
    if lengths > len(data):
        return lengths
    num_lengths = data[lengths - 1]
    return lengths + num_lengths + sum(data[lengths : lengths + num_lengths])


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
