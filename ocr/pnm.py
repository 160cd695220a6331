"""Headers of Netpbm's pictures (P1 to P6): how many a file holds, and which value is white.

OpenCV passes over both, Pillow over the first.
Source: the manual pages pbm(5), pgm(5) and ppm(5) of Netpbm.
"""

import re
from dataclasses import dataclass

_GAP = rb"(?:\s|#[^\r\n]*[\r\n])+"
_BITMAP = re.compile(rb"P([14])" + _GAP + rb"(\d+)" + _GAP + rb"(\d+)\s")
_OTHER = re.compile(rb"P([2356])" + _GAP + rb"(\d+)" + _GAP + rb"(\d+)" + _GAP + rb"(\d+)\s")
_FURTHER = re.compile(rb"\sP[1-6]\s")
_COMMENT = re.compile(rb"#[^\r\n]*")


@dataclass(frozen=True)
class _Header:
    """Attributes: kind: 1 to 6; white: the largest value; start: where the samples begin."""

    kind: int
    width: int
    height: int
    white: int
    start: int

    @property
    def num_samples(self) -> int:
        return self.width * self.height * (3 if self.kind in (3, 6) else 1)

    @property
    def end(self) -> int:
        """Behind the samples of a raw picture."""
        if self.kind == 4:
            return self.start + self.height * -(-self.width // 8)
        return self.start + self.num_samples * (1 if self.white < 256 else 2)


def num_pictures(data: bytes) -> int:
    """Pictures one behind the other, 1 at least; Netpbm's own programs write so."""
    header = _header(data, 0)
    if header and header.kind < 4:
        return 1 + len(_FURTHER.findall(_COMMENT.sub(b"", data[header.start :])))
    count = 1
    while header and (header := _header(data, header.end)):
        count += 1
    return count


def white(data: bytes) -> int | None:
    """Which value the header of the first picture calls white; None of bitmaps and where there is no header."""
    header = _header(data, 0)
    return header.white if header and header.kind not in (1, 4) else None


def _header(data: bytes, start: int) -> _Header | None:
    while data[start : start + 1].isspace():
        start += 1
    match = _BITMAP.match(data, start) or _OTHER.match(data, start)
    if match is None:
        return None
    kind, width, height, *white = map(int, match.groups())
    return _Header(kind, width, height, white[0] if white else 1, match.end())
