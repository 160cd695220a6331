"""Pages of an Ogg file (RFC 3533): whether the last one is whole, whether sounds stand one behind the other."""

import re

# A page has 27 bytes, up to 255 lengths and as many segments of up to 255 bytes (6).
MOST_PAGE_BYTES = 27 + 255 + 255 * 255
CAPTURE = b"OggS"
# Of the sixth byte.
FIRST, LAST = 2, 4
POLYNOMIAL = 0x04C11DB7


def flaw(header: bytes, tail: bytes) -> str:
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


def with_end(data: bytes) -> bytes:
    """A file whose last page says so; nothing where it does. libsndfile ends in an error where Opus lacks that flag."""
    whole = {end: start for start, end in _pages(data) if end <= len(data)}
    start, end = (whole[max(whole)], max(whole)) if whole else (0, 0)
    if not end or data[start + 5] & LAST:
        return b""
    # The checksum is linear: it changes by that of a page with the flag alone.
    change = LAST << 24
    for _ in range(8 * (end - start - 5)):
        change = change << 1 & 0xFFFFFFFF ^ (POLYNOMIAL if change >> 31 else 0)
    page = bytearray(data[start:end])
    page[5] |= LAST
    page[22:26] = (int.from_bytes(page[22:26], "little") ^ change).to_bytes(4, "little")
    return data[:start] + page + data[end:]


def _pages(data: bytes) -> list[tuple[int, int]]:
    """Where pages may begin, and where they end as far as they tell."""
    return [(each.start(), _end_of_page(data, each.start())) for each in re.finditer(CAPTURE + b"\0", data)]


def _streams(header: bytes) -> set[bytes]:
    """Numbers of the streams that run side by side: their first pages come before all others."""
    found, place = set(), 0
    while header[place : place + 4] == CAPTURE and header[place + 5 : place + 6] == bytes([FIRST]):
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
