"""What is transparent is white, and what only looks like transparency is not."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from ocr.reading import read
from tests.pictures import GREY, chunk, picture, save


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_is_white(tmp_path, mode):
    image = picture().convert(mode)
    image.putalpha(Image.fromarray(np.where(GREY == 10, 255, 0).astype(np.uint8)))
    expected = np.where(GREY == 10, 10, 255)
    assert (read(save(tmp_path / "a.png", image)) == expected).all()


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("ink", [0, 1])
def test_a_grey_that_a_png_calls_transparent_is_white(tmp_path, bits, ink):
    """tRNS of colour type 0: one value, of as many bits as the samples."""
    hidden = (1 << bits) - 1 if ink == 0 else 0
    shown = 0 if ink == 0 else 1
    samples = np.where(GREY == 10, shown, hidden).astype(np.uint32)
    rows = [
        b"\0" + np.packbits((row[:, None] >> np.arange(bits - 1, -1, -1) & 1).astype(np.uint8).ravel()).tobytes()
        for row in samples
    ]
    content = chunk(b"IHDR", struct.pack(">IIBBBBB", GREY.shape[1], GREY.shape[0], bits, 0, 0, 0, 0))
    content += chunk(b"tRNS", struct.pack(">H", hidden)) + chunk(b"IDAT", zlib.compress(b"".join(rows)))
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + content + chunk(b"IEND", b""))
    result = read(tmp_path / "a.png")
    if bits == 1 and ink == 1:  # white on transparent: on black
        assert (result == np.where(GREY == 10, 255, 0)).all()
    else:
        assert (result[GREY != 10] == 255).all() and (result[GREY == 10] < 100).all()


def test_what_fills_a_pixel_up_is_no_transparency(tmp_path):
    """32 bits of BMP with masks of colours alone, and TIFF whose fourth sample is called unspecified: zeros there."""
    height, width = GREY.shape
    pixels = np.dstack([GREY, GREY, GREY, np.zeros_like(GREY)])
    masks = struct.pack("<III", 0xFF0000, 0xFF00, 0xFF)
    info = struct.pack("<IiiHHIIiiII", 40, width, -height, 1, 32, 3, pixels.size, 2835, 2835, 0, 0)
    start = 14 + len(info) + len(masks)
    bmp = b"BM" + struct.pack("<IHHI", start + pixels.size, 0, 0, start) + info + masks + pixels.tobytes()
    (tmp_path / "a.bmp").write_bytes(bmp)
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[338] = 0  # ExtraSamples: unspecified
    Image.fromarray(pixels[..., :3]).convert("RGBX").save(tmp_path / "a.tif", tiffinfo=tags)
    for name in ("a.bmp", "a.tif"):
        assert np.abs(read(tmp_path / name).astype(int) - GREY).max() <= 1, name


def test_white_letters_on_transparent_ground_stay_visible(tmp_path):
    image = Image.new("RGBA", (40, 20), (255, 255, 255, 0))
    image.paste((255, 255, 255, 255), (5, 5, 15, 15))
    result = read(save(tmp_path / "a.png", image))
    assert result[8, 8] == 255 and result[0, 0] == 0
