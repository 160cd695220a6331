"""Any image file becomes upright grey pixels, or one SampleError with a reason."""

import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, TiffImagePlugin

from common.errors import SampleError
from common.samples import REASONS
from ocr import reading
from ocr.header import MAX_PIXELS
from ocr.reading import read


def picture(height=20, width=40):
    """RGB picture with a grey ramp and a dark block: nothing about it is symmetric."""
    values = np.tile(np.linspace(120, 250, width).astype(np.uint8), (height, 1))
    values[2 : height // 2, 3 : width // 3] = 10
    return Image.fromarray(values).convert("RGB")


def save(path, image, **options):
    image.save(path, **options)
    return path


def chunk(kind, content):
    """Of a PNG."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def reason(path, **arguments):
    with pytest.raises(SampleError) as caught:
        read(path, **arguments)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)
    assert caught.value.code in REASONS
    return caught.value.code


GREY = np.asarray(picture().convert("L"))


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


@pytest.mark.parametrize("name", ["a.tif", "a.bmp", "a.pgm", "a.png"])
@pytest.mark.parametrize("size", [(1, 1_100_000), (1_100_000, 1)])
def test_longer_sides_than_opencv_takes_are_refused(tmp_path, name, size):
    assert reason(save(tmp_path / name, Image.new("L", size))) == "over_limit"


def test_white_letters_on_transparent_ground_stay_visible(tmp_path):
    image = Image.new("RGBA", (40, 20), (255, 255, 255, 0))
    image.paste((255, 255, 255, 255), (5, 5, 15, 15))
    result = read(save(tmp_path / "a.png", image))
    assert result[8, 8] == 255 and result[0, 0] == 0


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


def test_decompression_bomb_is_refused_by_its_header(tmp_path):
    for side in (8000, 60000, 2**31 - 1):
        header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
        content = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")
        (tmp_path / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + content)
        assert side * side > MAX_PIXELS
        assert reason(tmp_path / "bomb.png") == "over_limit"


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
