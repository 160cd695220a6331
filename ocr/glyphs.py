"""Which characters a face has letters for: the table ``cmap`` of its file (OpenType 1.9, formats 4 and 12)."""

import struct
from functools import lru_cache

import numpy as np

from ocr import fonts

# Characters of old print that few faces have, and what looks like them.
LOOKALIKES = {"⸗": "=", "ꝛ": "r", "‒": "–", "―": "—"}


def shown(text: str, key: str) -> str | None:
    """The text as a face can show it, with look-alikes where it lacks a character; None where it cannot."""
    has = characters(key)
    letters = [letter if letter in has or letter == " " else LOOKALIKES.get(letter, "") for letter in text]
    return "".join(letters) if all(letter == " " or letter in has for letter in letters) else None


@lru_cache(maxsize=1024)
def characters(key: str) -> frozenset[str]:
    """The characters of a face, ``family/file``; none of a file that is not understood.

    Raises:
        GlyphoneError: the package or the file is missing.
    """
    data = fonts.file(key).read_bytes()
    num_tables = struct.unpack_from(">H", data, 4)[0]
    tables = {data[12 + 16 * each : 16 + 16 * each]: 12 + 16 * each for each in range(num_tables)}
    if b"cmap" not in tables:
        return frozenset()
    start = struct.unpack_from(">L", data, tables[b"cmap"] + 8)[0]
    found: set[int] = set()
    for each in range(struct.unpack_from(">H", data, start + 2)[0]):
        place = start + struct.unpack_from(">L", data, start + 8 + 8 * each)[0]
        kind = struct.unpack_from(">H", data, place)[0]
        if kind == 4:
            found |= _segments(data, place)
        elif kind == 12:
            for group in range(struct.unpack_from(">L", data, place + 12)[0]):
                first, last, glyph = struct.unpack_from(">3L", data, place + 16 + 12 * group)
                found.update(range(first + (glyph == 0), last + 1))
    return frozenset(map(chr, found - {0xFFFF}))


def _segments(data: bytes, place: int) -> set[int]:
    """Code points of a subtable of format 4 whose glyph is not 0, the box of what is missing."""
    count = struct.unpack_from(">H", data, place + 6)[0] // 2
    places = (0, 2 * count + 2, 4 * count + 2, 6 * count + 2)
    ends, starts, deltas, offsets = (np.frombuffer(data, ">u2", count, place + 14 + each) for each in places)
    found: set[int] = set()
    for number, (start, end, delta, offset) in enumerate(
        zip(starts.tolist(), ends.tolist(), deltas.tolist(), offsets.tolist(), strict=True)
    ):
        for code in range(start, end + 1):
            glyph = code
            if offset:
                where = place + 16 + 6 * count + 2 * number + offset + 2 * (code - start)
                glyph = struct.unpack_from(">H", data, where)[0] if where + 2 <= len(data) else 0
                if not glyph:
                    continue
            if (glyph + delta) % 0x10000:
                found.add(code)
    return found
