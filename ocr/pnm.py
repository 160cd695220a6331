"""Netpbm's pictures (P1 to P6): how many a file holds, and the pixels of grey and coloured ones.

A header says which value is white. OpenCV passes over that, and over all pictures behind the first.
Source: the manual pages pbm(5), pgm(5) and ppm(5) of Netpbm.
"""

import re
from dataclasses import dataclass

import numpy as np

_GAP = rb"(?:\s|#[^\r\n]*[\r\n])+"
_BITMAP = re.compile(rb"P([14])" + _GAP + rb"(\d+)" + _GAP + rb"(\d+)\s")
_OTHER = re.compile(rb"P([2356])" + _GAP + rb"(\d+)" + _GAP + rb"(\d+)" + _GAP + rb"(\d+)\s")
_FURTHER = re.compile(rb"\sP[1-6]\s")
_COMMENT = re.compile(rb"#[^\r\n]*")
MOST_WHITE = 65_535


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


def decode(data: bytes) -> np.ndarray | None:
    """The first picture: [H, W] or [H, W, 3] (BGR), uint8 with 255 as white; None for bitmaps and other kinds.

    Samples of 16 bits whose header calls 65535 white are given as they are, uint16: that all of them are used says the
    program that wrote them, not the camera.

    Raises:
        ValueError: fewer samples than the header says, or what is none.
    """
    header = _header(data, 0)
    if header is None or header.kind in (1, 4) or not 1 <= header.white <= MOST_WHITE:
        return None
    samples = _plain(data, header) if header.kind < 4 else _raw(data, header)
    if len(samples) < header.num_samples:
        raise ValueError(f"{len(samples)} of {header.num_samples} samples")
    values = np.minimum(samples, header.white).astype(np.uint16)
    if header.white == 255:
        values = values.astype(np.uint8)
    elif header.white < MOST_WHITE:
        values = ((values.astype(np.uint32) * 255 + header.white // 2) // header.white).astype(np.uint8)
    if header.kind in (2, 5):
        return values.reshape(header.height, header.width)
    return values.reshape(header.height, header.width, 3)[..., ::-1].copy()


def _header(data: bytes, start: int) -> _Header | None:
    while data[start : start + 1].isspace():
        start += 1
    match = _BITMAP.match(data, start) or _OTHER.match(data, start)
    if match is None:
        return None
    kind, width, height, *white = map(int, match.groups())
    return _Header(kind, width, height, white[0] if white else 1, match.end())


def _plain(data: bytes, header: _Header) -> np.ndarray:
    text = _COMMENT.sub(b" ", data[header.start :]).decode("ascii", "replace")
    # Without a count, with which it returns what stood in memory for samples that are missing.
    return np.fromstring(text, np.int64, sep=" ")[: header.num_samples].clip(0)


def _raw(data: bytes, header: _Header) -> np.ndarray:
    kind = np.dtype(np.uint8 if header.white < 256 else ">u2")
    whole = min(header.end, len(data))
    return np.frombuffer(data, kind, (whole - header.start) // kind.itemsize, header.start)
