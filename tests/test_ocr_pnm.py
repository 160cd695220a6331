"""PNM, plain and binary, of any white: as bright as its header says, and one picture a file."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import SampleError
from ocr.reading import read
from tests.pictures import reason


def netpbm(kind, samples, white):
    """A file of kind 1 to 6 of samples [H, W] or [H, W, 3]; bitmaps of 0 and 1, where 1 is black."""
    height, width = samples.shape[:2]
    head = f"P{kind} # made\n{width} {height}\n" + ("" if kind in (1, 4) else f"{white}\n")
    if kind < 4:
        return head.encode() + b" # a comment\n".join(b"%d" % value for value in samples.ravel()) + b"\n"
    packed = np.packbits(samples, axis=1) if kind == 4 else samples.astype(np.uint8 if white < 256 else ">u2")
    return head.encode() + packed.tobytes()


WHITES = st.sampled_from([1, 15, 100, 254, 255, 256, 1000, 4095, 65534]) | st.integers(1, 65534)


@given(kind=st.integers(1, 6), white=WHITES, shares=st.lists(st.floats(0, 1), min_size=1, max_size=9))
def test_a_pnm_is_as_bright_as_its_header_says(tmp_path_factory, kind, white, shares):
    white = 1 if kind in (1, 4) else white
    row = np.round(np.array(shares) * white).astype(int)
    samples = np.dstack([[row, row]] * 3).reshape(2, len(shares), 3) if kind in (3, 6) else np.array([row, row])
    path = tmp_path_factory.mktemp("pnm") / "a.pnm"
    path.write_bytes(netpbm(kind, samples, white))
    expected = 255 * (1 - row if kind in (1, 4) else row / white)
    assert np.abs(read(path) - np.array([expected, expected])).max() <= 0.5


def test_colours_of_a_pnm_and_values_beyond_its_white(tmp_path):
    colours = np.array([[[200, 0, 0], [0, 200, 0], [0, 0, 200]]])
    for kind in (3, 6):
        (tmp_path / "a.ppm").write_bytes(netpbm(kind, colours, 200))
        assert read(tmp_path / "a.ppm").tolist() == [[76, 150, 29]]
    (tmp_path / "a.pgm").write_bytes(netpbm(5, np.array([[9, 200, 100]]), 100))
    assert read(tmp_path / "a.pgm").tolist() == [[23, 255, 255]]


def test_a_pnm_of_16_bits_is_as_bright_as_a_png_of_them(tmp_path):
    """Programs that write what cameras give call 65535 white, whatever the camera fills."""
    cv2.imwrite(str(tmp_path / "a.png"), np.array([[1023, 100]], np.uint16))
    (tmp_path / "a.pgm").write_bytes(netpbm(5, np.array([[1023, 100]]), 65535))
    assert (read(tmp_path / "a.pgm") == read(tmp_path / "a.png")).all()


@given(
    kinds=st.lists(st.integers(1, 3), min_size=1, max_size=4) | st.lists(st.integers(4, 6), min_size=1, max_size=4),
    white=st.sampled_from([15, 255, 1000]),
)
def test_pnm_one_behind_the_other_are_told(tmp_path_factory, kinds, white):
    parts = [netpbm(kind, np.ones((3, 9, 3) if kind in (3, 6) else (3, 9), int), white) for kind in kinds]
    path = tmp_path_factory.mktemp("pnm") / "a.pnm"
    path.write_bytes(b"".join(parts) + b"\n")
    if len(kinds) == 1:
        assert read(path).shape == (3, 9)
    else:
        with pytest.raises(SampleError, match=f": {len(kinds)} pages or frames in one PPM, allowed is one a file"):
            read(path)


@given(kind=st.sampled_from([2, 3, 5, 6]), white=st.sampled_from([15, 255, 1000]), share=st.floats(0.3, 0.9))
def test_a_truncated_pnm_is_refused(tmp_path_factory, kind, white, share):
    content = netpbm(kind, np.ones((8, 9, 3) if kind in (3, 6) else (8, 9), int), white)
    path = tmp_path_factory.mktemp("pnm") / "a.pnm"
    path.write_bytes(content[: int(len(content) * share)])
    assert reason(path) == "unreadable"
