"""Which characters a face has letters for: the table ``cmap`` of its file (OpenType 1.9, formats 4 and 12)."""

import struct
import unicodedata
from functools import lru_cache
from pathlib import Path

import numpy as np

from ocr import fonts

# Characters of old print that few faces have, and what looks like them.
LOOKALIKES = {"⸗": "=", "ꝛ": "r", "‒": "–", "―": "—"}
INK_PX = 32  # em square that a letter is looked at in
CASED = "abdeghnqrtабегдαβγδλ"  # letters whose two cases differ by more than their size


def shown(text: str, key: str) -> str | None:
    """The text as a face can show it, with look-alikes where it lacks a character; None where it cannot."""
    letters = [letter if letter == " " or _has(letter, key) else LOOKALIKES.get(letter, "") for letter in text]
    return "".join(letters) if all(letter == " " or _has(letter, key) for letter in letters) else None


def _has(letter: str, key: str) -> bool:
    return letter in characters(key) and (not Path(key).is_absolute() or _leaves_ink(letter, key))


@lru_cache(maxsize=65536)
def _leaves_ink(letter: str, key: str) -> bool:
    """Fonts of one's own may name letters that are empty, as those cut out of a document, or broken."""
    if unicodedata.category(letter)[0] not in "LNPS":  # blanks, marks, joiners
        return True
    try:
        return fonts.load(key, INK_PX, 4, 4).getmask(letter).getbbox() is not None
    except OSError:
        return False


@lru_cache(maxsize=1024)
def has_capitals_alone(key: str) -> bool:
    """Whether small letters of a font of one's own look as its capitals do, in all of ``CASED`` that it has."""
    face = fonts.load(key, INK_PX, 4, 4)
    pairs = [(each, each.upper()) for each in CASED if _has(each, key) and _has(each.upper(), key)]
    return bool(pairs) and all(bytes(face.getmask(small)) == bytes(face.getmask(great)) for small, great in pairs)


@lru_cache(maxsize=1024)
def characters(key: str) -> frozenset[str]:
    """The characters of a face, ``family/file``; none of a file that is not understood.

    Raises:
        GlyphoneError: the package or the file is missing.
    """
    try:
        return _of_tables(fonts.file(key).read_bytes())
    except (struct.error, ValueError):  # its tables lead out of the file
        return frozenset()


def _of_tables(data: bytes) -> frozenset[str]:
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
