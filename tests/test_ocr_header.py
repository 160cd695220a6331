"""What a picture's header says is heeded before anything is unpacked: sizes, pages, versions of the same."""

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, TiffImagePlugin

from common.errors import SampleError
from ocr.header import MAX_PIXELS
from ocr.reading import read
from tests.pictures import GREY, chunk, picture, reason, save


@pytest.mark.parametrize("name", ["a.tif", "a.bmp", "a.pgm", "a.png"])
@pytest.mark.parametrize("size", [(1, 1_100_000), (1_100_000, 1)])
def test_longer_sides_than_opencv_takes_are_refused(tmp_path, name, size):
    assert reason(save(tmp_path / name, Image.new("L", size))) == "over_limit"


@settings(max_examples=30)
@given(
    name=st.sampled_from(["GIF", "WEBP", "PNG", "TIFF"]),
    shades=st.lists(st.integers(0, 255), max_size=5, unique=True),
    data=st.data(),
)
def test_further_pages_and_frames_are_told(tmp_path_factory, name, shades, data):
    """A file is read where it is one picture, and else rejected with their number."""
    others = [
        Image.new("RGB", (data.draw(st.integers(1, 40)), 20) if name == "TIFF" else (40, 20), (shade,) * 3)
        for shade in shades
    ]
    path = tmp_path_factory.mktemp("several") / "a"
    picture().save(path, name, save_all=True, append_images=others, lossless=True)
    if not others:
        assert np.abs(read(path).astype(int) - GREY).max() <= 12
        return
    with pytest.raises(SampleError, match=f": {1 + len(others)} pages or frames in one {name}, allowed is one a file"):
        read(path)
    assert reason(path, box=(0, 0, 5, 5)) == "several_pictures"


def tiff_of(path, pictures):
    """A TIFF of pictures with their tags."""
    file = io.BytesIO()
    with TiffImagePlugin.AppendingTiffWriter(file, True) as writer:
        for image, tags in pictures:
            image.save(writer, "TIFF", tiffinfo=tags)
            writer.newFrame()
    path.write_bytes(file.getvalue())
    return path


@given(kinds=st.lists(st.sampled_from([{254: 1}, {254: 4}, {254: 5}, {255: 2}, {254: 2}, {254: 0}, {255: 3}, {}])))
def test_smaller_versions_and_masks_are_no_pages(tmp_path_factory, kinds):
    others = [(picture(10, 20), tags) for tags in kinds]
    path = tiff_of(tmp_path_factory.mktemp("pyramid") / "a.tif", [(picture(), {}), *others])
    num_pages = 1 + sum(tags in ({254: 2}, {254: 0}, {255: 3}, {}) for tags in kinds)
    if num_pages == 1:
        assert (read(path) == GREY).all()
    else:
        with pytest.raises(SampleError, match=f": {num_pages} pages or frames"):
            read(path)


def test_a_preview_before_its_picture_is_not_read_for_it(tmp_path):
    assert reason(tiff_of(tmp_path / "a.tif", [(picture(5, 10), {254: 1}), (picture(), {})])) == "several_pictures"


def test_what_a_camera_puts_behind_a_jpeg_is_no_page(tmp_path):
    path = tmp_path / "a.jpg"
    picture().save(path, "MPO", save_all=True, append_images=[picture(10, 20)], quality=100)
    assert np.abs(read(path).astype(int) - GREY).mean() < 4


def test_decompression_bomb_is_refused_by_its_header(tmp_path):
    for side in (8000, 60000, 2**31 - 1):
        header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
        content = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")
        (tmp_path / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + content)
        assert side * side > MAX_PIXELS
        assert reason(tmp_path / "bomb.png") == "over_limit"
