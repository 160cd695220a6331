"""Any image file becomes upright grey pixels, or one SampleError with a reason."""

import io
import struct

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from common.errors import SampleError
from common.samples import REASONS
from ocr import reading
from ocr.reading import read
from tests.pictures import GREY, picture, reason, save


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.tif", "a.gif", "a.jpg", "a.webp", "a.ppm", "ünï.png"])
def test_formats(tmp_path, name):
    options = {"quality": 100} if name.endswith(("jpg", "webp")) else {}
    result = read(save(tmp_path / name, picture(), **options))
    assert result.dtype == np.uint8 and result.flags["C_CONTIGUOUS"]
    assert np.abs(result.astype(int) - GREY).max() <= 12


def test_suffix_does_not_matter(tmp_path):
    path = tmp_path / "a.png"
    picture().save(path, format="JPEG", quality=100)
    assert np.abs(read(path).astype(int) - GREY).mean() < 3


def test_16_bits_are_scaled(tmp_path):
    values = np.array([[0, 257, 40000, 65535]], np.uint16)
    cv2.imwrite(str(tmp_path / "a.png"), values)
    assert read(tmp_path / "a.png").tolist() == [[0, 1, 156, 255]]
    cv2.imwrite(str(tmp_path / "b.tif"), (GREY.astype(np.uint16) * 257))
    assert (read(tmp_path / "b.tif") == GREY).all()


@given(
    bits=st.sampled_from([8, 10, 12, 14, 16]),
    levels=st.lists(st.integers(0, 255), min_size=1, max_size=12),
    colours=st.sampled_from(["grey", "colours", "alpha"]),
    suffix=st.sampled_from([".png", ".tif"]),
)
def test_samples_of_16_bits_that_fill_fewer(tmp_path_factory, bits, levels, colours, suffix):
    """A picture with white on it is the same in each depth; alpha has a depth of its own."""
    levels = np.tile(np.array([*levels, 255], np.uint8), (4, 1))
    samples = np.round(levels / 255 * ((1 << bits) - 1)).astype(np.uint16)
    if colours != "grey":
        samples = np.dstack([samples] * 3)
    if colours == "alpha":
        samples = np.dstack([samples, np.full(levels.shape, 65535, np.uint16)])
        suffix = ".png"
    path = tmp_path_factory.mktemp("depth") / f"a{suffix}"
    cv2.imwrite(str(path), samples)
    assert (read(path) == levels).all()


@given(values=st.lists(st.integers(0, 65535) | st.integers(0, 5000), min_size=1, max_size=12))
def test_no_picture_of_16_bits_is_read_as_black(tmp_path_factory, values):
    path = tmp_path_factory.mktemp("dark") / "a.png"
    cv2.imwrite(str(path), np.array([values], np.uint16))
    result = read(path)[0].astype(int)
    assert result.max() >= min(63, max(values))
    assert (np.diff(result[np.argsort(values)]) >= 0).all()


def test_a_box_of_a_page_is_as_bright_as_the_page(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.array([[4095, 100, 50]], np.uint16))
    assert read(tmp_path / "a.png", (1, 0, 3, 1)).tolist() == [[6, 3]]


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("photometric", [0, 1])
def test_zero_is_white_where_a_tiff_says_so(tmp_path, bits, photometric):
    samples = (GREY if photometric else 255 - GREY).astype("<u2" if bits == 16 else np.uint8) * (
        257 if bits == 16 else 1
    )
    content, (height, width) = samples.tobytes(), GREY.shape
    tags = {
        256: width,
        257: height,
        258: bits,
        259: 1,
        262: photometric,
        273: 8,
        277: 1,
        278: height,
        279: len(content),
    }
    listed = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    ending = struct.pack("<H", len(tags)) + listed + bytes(4)
    (tmp_path / "a.tif").write_bytes(b"II*\0" + struct.pack("<I", 8 + len(content)) + content + ending)
    assert (read(tmp_path / "a.tif") == GREY).all()


def test_bilevel_and_palette(tmp_path):
    bilevel = picture().convert("1")
    expected = np.asarray(bilevel.convert("L"))
    assert (read(save(tmp_path / "a.png", bilevel)) == expected).all()
    assert (read(save(tmp_path / "a.tif", bilevel, compression="group4")) == expected).all()
    assert np.abs(read(save(tmp_path / "p.png", picture().quantize(64))).astype(int) - GREY).max() <= 16


def test_cmyk(tmp_path):
    path = save(tmp_path / "a.jpg", picture().convert("CMYK"), quality=100)
    assert np.abs(read(path).astype(int) - GREY).mean() < 4


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(("name", "alpha"), [("a.jpg", False), ("a.png", False), ("a.png", True), ("a.tif", False)])
def test_exif_orientation(tmp_path, orientation, name, alpha):
    image = picture()
    if alpha:
        image.putalpha(255)
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # Pillow's number of the stored form of an upright picture
    stored = image.transpose(Image.Transpose(undo[orientation])) if orientation > 1 else image
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(tmp_path / name, stored, exif=exif, **({"quality": 100} if name.endswith("jpg") else {}))
    result = read(path)
    assert result.shape == GREY.shape
    assert np.abs(result.astype(int) - GREY).mean() < 4


@pytest.mark.parametrize("bits", [2, 4])
@pytest.mark.parametrize("photometric", [0, 1])
@pytest.mark.parametrize("orientation", [1, 6])
def test_tiff_of_few_bits(tmp_path, bits, photometric, orientation):
    levels = np.arange(1 << bits) * 255 // ((1 << bits) - 1)
    stored = np.arange(1 << bits) if photometric else np.arange(1 << bits)[::-1]
    content = np.packbits((stored[:, None] >> np.arange(bits)[::-1]) & 1).tobytes()
    tags = {256: 1 << bits, 257: 1, 258: bits, 259: 1, 262: photometric, 273: 8, 274: orientation, 277: 1, 278: 1}
    tags[279] = len(content)
    listed = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    ending = struct.pack("<H", len(tags)) + listed + bytes(4)
    (tmp_path / "a.tif").write_bytes(b"II*\0" + struct.pack("<I", 8 + len(content)) + content + ending)
    result = read(tmp_path / "a.tif")
    assert result.shape == ((1, 1 << bits) if orientation == 1 else (1 << bits, 1))
    assert result.ravel().tolist() == levels.tolist()


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "CMYK"])
def test_jpeg_2000_of_all_kinds(tmp_path, mode):
    path = tmp_path / "a.jp2"
    image = picture().convert("RGB").convert(mode)
    if mode in ("LA", "RGBA"):
        image.putalpha(Image.fromarray(np.where(np.arange(GREY.size).reshape(GREY.shape) % 2, 255, 0).astype(np.uint8)))
    image.save(path, "JPEG2000", irreversible=False)
    expected = GREY.astype(int)
    if mode in ("LA", "RGBA"):
        expected = np.where(np.arange(GREY.size).reshape(GREY.shape) % 2, expected, 255)
    assert np.abs(read(path) - expected).max() <= 1
    path.write_bytes(path.read_bytes()[:200])
    assert reason(path) == "unreadable"


def test_one_pixel(tmp_path):
    assert read(save(tmp_path / "a.png", Image.new("L", (1, 1), 77))).tolist() == [[77]]


def test_a_page_is_decoded_once_for_all_its_lines(tmp_path, monkeypatch):
    pages = [save(tmp_path / name, picture()) for name in ("a.png", "b.png")]
    decoded = []
    decode = reading._whole
    monkeypatch.setattr(reading, "_whole", lambda path, data: decoded.append(path) or decode(path, data))
    for path in pages:
        lines = [read(path, (0, top, 40, top + 5)) for top in range(0, 15, 5)]
        for line, top in zip(lines, range(0, 15, 5), strict=True):
            assert np.array_equal(line, GREY[top : top + 5])
        lines[0][:] = 7
        assert np.array_equal(read(path, (0, 0, 40, 5)), GREY[:5])
    assert decoded == pages
    save(pages[1], picture(width=50))
    assert read(pages[1], (0, 0, 50, 20)).shape == (20, 50)


def test_box(tmp_path):
    path = save(tmp_path / "a.png", picture())
    assert (read(path, (0, 0, 40, 20)) == GREY).all()
    assert (read(path, (3, 2, 4, 9)) == GREY[2:9, 3:4]).all()
    for box in [(-1, 0, 5, 5), (0, 0, 41, 20), (0, 0, 40, 21), (5, 0, 5, 5), (9, 3, 4, 8)]:
        assert reason(path, box=box) == "out_of_range"


def test_what_is_no_image(tmp_path):
    assert reason(tmp_path / "gone.png") == "missing_file"
    assert reason(tmp_path) == "unreadable"
    for content in (b"", b"\0", b"hello", b"%!PS-Adobe-3.0 EPSF-3.0\n", b"<svg/>", b"RIFF\0\0\0\0WAVE"):
        (tmp_path / "a.png").write_bytes(content)
        assert reason(tmp_path / "a.png") == "unreadable"


def test_floating_point_pixels_are_refused(tmp_path):
    cv2.imwrite(str(tmp_path / "a.tif"), np.zeros((4, 4), np.float32))
    assert reason(tmp_path / "a.tif") == "unreadable"


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.tif", "a.gif", "a.bmp"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_truncated(tmp_path, name, share):
    path = save(tmp_path / name, picture(60, 90))
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    assert reason(path) == "unreadable"


@settings(max_examples=80)
@given(data=st.data(), name=st.sampled_from(["PNG", "JPEG", "WEBP", "TIFF", "GIF", "BMP", "PPM", "JPEG2000"]))
def test_damaged_files_end_in_pixels_or_a_reason(tmp_path_factory, data, name):
    buffer = io.BytesIO()
    picture().save(buffer, name)
    content = bytearray(buffer.getvalue())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("damaged") / "a"
    path.write_bytes(content)
    try:
        result = read(path)
    except SampleError as error:
        assert error.code in REASONS
    else:
        assert result.dtype == np.uint8 and result.ndim == 2 and result.size


def test_formats_of_real_files(shared_data):
    folder = shared_data / "ocr" / "lines" / "formats"
    if not folder.is_dir():
        pytest.skip(f"not there: {folder}")
    for path in sorted(folder.iterdir()):
        if path.suffix in (".png", ".jpg"):
            expected = np.asarray(Image.open(path).convert("RGBA").convert("L"))
            assert read(path).shape == expected.shape
