"""From an image file to grey pixels. Whatever the file holds, the result is uint8 [H, W], upright, or a SampleError."""

import io
import stat
import struct
import warnings
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError
from PIL.TiffImagePlugin import TiffImageFile

from common.errors import SampleError
from common.paths import missing
from ocr import pnm

# A page scanned at 600 dpi has 35 megapixels. Checked in the header, before anything is unpacked.
MAX_PIXELS = 50_000_000
MAX_FILE_BYTES = 200_000_000
# Formats whose header Pillow parses and whose pixels OpenCV decodes; others (EPS, …) are never opened.
FORMATS = ("PNG", "JPEG", "TIFF", "WEBP", "BMP", "GIF", "PPM", "JPEG2000")
SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp", ".gif", ".pgm", ".ppm", ".pbm", ".pnm", ".jp2"}
)
# Formats of which OpenCV lacks kinds that Pillow has, and the modes of these.
OPENED_BY_PILLOW = ("TIFF", "JPEG2000", "PPM")
OPENCV_WHITES = (None, 255, 65_535)  # of PNM; it passes over others that a header names
PILLOW_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "LAB")
# Pillow's parsers meet hostile files with any of these.
PILLOW_ERRORS = (
    OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError, OverflowError, EOFError, RuntimeError,
    struct.error,
)  # fmt: skip
# EXIF tag and its values: what turns the stored pixels upright.
ORIENTATION_TAG = 0x0112
ORIENTATIONS = {
    2: lambda image: image[:, ::-1],
    3: lambda image: image[::-1, ::-1],
    4: lambda image: image[::-1],
    5: lambda image: image.swapaxes(0, 1),
    6: lambda image: np.rot90(image, -1),
    7: lambda image: image[::-1, ::-1].swapaxes(0, 1),
    8: lambda image: np.rot90(image),
}
# TIFF tag and its value where 0 is white. OpenCV turns samples of 1 and 8 bits itself, but none of 16.
PHOTOMETRIC_TAG, WHITE_IS_ZERO = 262, 0
# TIFF tags that tell a page from what belongs to another one: bits of the first (1 smaller version, 4 mask), a value of
# the older one.
NEW_SUBFILE_TYPE, SUBFILE_TYPE = 254, 255
SMALLER_OR_MASK, OLD_SMALLER = 0b101, 2
# Bits that cameras and scanners fill of samples of 16. No header says how many: PNG's sBIT speaks of the picture before
# its samples were scaled to all 16, and TIFF's MaxSampleValue is "not to be used to affect the visual appearance".
DEPTHS_BITS = (8, 10, 12, 14, 16)
# Transparent pictures whose grey values spread less than this on white are laid on black instead.
MIN_SPREAD_ON_WHITE = 16

cv2.setNumThreads(0)  # one image is too little work for threads, and the pipelines run a process a core
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # its complaints come back as SampleError

Box = tuple[int, int, int, int]


def read(path: str | Path, box: Box | None = None) -> np.ndarray:
    """Read an image as grey.

    16-bit images are scaled to 8 bits, from the fewest of ``DEPTHS_BITS`` that hold all their values; transparent ones
    are laid on white (or on black where white would hide all that is on them); EXIF orientation is honoured. Files of
    several pages or frames are refused: which one is meant is not known, and the others would be lost.

    Args:
        path: file.
        box: (left, top, right, bottom) in pixels of the upright image, half open.

    Returns:
        uint8 [H, W], contiguous; 0 is black.

    Raises:
        SampleError: missing_file, unreadable, several_pictures, over_limit, empty_signal, or out_of_range for the box.
    """
    if box is None:
        return np.ascontiguousarray(_whole(path, _bytes(Path(path))))
    return cut(_page(path, _version(Path(path))), box, path).copy()


def size(path: str | Path) -> tuple[int, int]:
    """(width, height) of the upright image that boxes are cut from. Raises SampleError as ``read``."""
    height, width = _page(path, _version(Path(path))).shape
    return width, height


@lru_cache(maxsize=1)
def _page(path: str | Path, version: tuple[int, int]) -> np.ndarray:
    """The page that lines are cut from, one after the other: decoded once, not for each of them."""
    return _whole(path, _bytes(Path(path)))


def _version(path: Path) -> tuple[int, int]:
    """What tells a file from a later one at the same path; zeros where there is none."""
    try:
        status = path.stat()
    except OSError:
        return 0, 0
    return status.st_mtime_ns, status.st_size


def _whole(path: str | Path, data: np.ndarray) -> np.ndarray:
    """The bytes of a file → grey pixels uint8 [H, W], upright."""
    image_format, orientation, white_is_zero = _check_header(data, path)
    pixels = _pixels(data, image_format, path)
    if pixels.size == 0:
        raise SampleError("empty_signal", f"{path}: no pixels")
    grey = _grey(_eight_bits(pixels, path))
    if white_is_zero and pixels.dtype == np.uint16:
        grey = 255 - grey
    if image_format == "TIFF":  # OpenCV turns it itself, even when asked for the unchanged image
        return grey
    return ORIENTATIONS.get(orientation, lambda image: image)(grey)


def _pixels(data: np.ndarray, image_format: str, path: str | Path) -> np.ndarray:
    """As they are stored: [H, W] or [H, W, C] (grey and alpha, BGR, BGRA)."""
    try:
        if image_format == "PPM" and pnm.white(data.tobytes()) not in OPENCV_WHITES:
            return _by_pillow(data, image_format)
        pixels = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
        if pixels is None and image_format in OPENED_BY_PILLOW:
            pixels = _by_pillow(data, image_format)
    except PILLOW_ERRORS as error:
        raise SampleError("unreadable", f"{path}: corrupt or truncated {image_format}: {error}") from None
    if pixels is None:
        raise SampleError("unreadable", f"{path}: corrupt or truncated {image_format}")
    return pixels


def _by_pillow(data: np.ndarray, image_format: str) -> np.ndarray:
    """What OpenCV lacks: TIFF of 2 and 4 bits, JPEG 2000 of grey with alpha and of CMYK, whites of PNM, plain PNM.

    Returns:
        uint8 [H, W] or [H, W, 2].
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Image.open(io.BytesIO(data.tobytes()), formats=(image_format,)) as image:
            if image_format == "PPM" and image.mode == "I":  # Pillow has made 65535 of its white
                return ((np.asarray(image).astype(np.uint32) + 128) // 257).astype(np.uint8)
            if image.mode not in PILLOW_MODES:
                raise ValueError(f"pixels of the kind {image.mode}, which is not read")
            return np.asarray(image.convert("LA" if image.mode.endswith("A") else "L"))


def cut(image: np.ndarray, box: Box, path: str | Path) -> np.ndarray:
    """The part of image [H, W] inside the half-open box. Raises SampleError(out_of_range)."""
    left, top, right, bottom = box
    height, width = image.shape
    if not (0 <= left < right <= width and 0 <= top < bottom <= height):
        raise SampleError(
            "out_of_range", f"{path}: box {left},{top},{right},{bottom} lies outside the {width} x {height} image"
        )
    return image[top:bottom, left:right]


def _bytes(path: Path) -> np.ndarray:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # a pipe would be waited for, a device never ends
            raise SampleError("unreadable", f"{path}: a folder, a pipe or a device; an image file is needed")
        if status.st_size > MAX_FILE_BYTES:
            raise SampleError("over_limit", f"{path}: {status.st_size} bytes, allowed are {MAX_FILE_BYTES}")
        # fromfile and not cv2.imread: paths beyond ASCII work on every system.
        data = np.fromfile(path, dtype=np.uint8)
    except FileNotFoundError:
        raise SampleError("missing_file", missing(str(path))) from None
    except OSError as error:
        raise SampleError("unreadable", f"{path}: {error.strerror or error}") from None
    if data.size == 0:
        raise SampleError("unreadable", f"{path}: an empty file")
    return data


def _check_header(data: np.ndarray, path: str | Path) -> tuple[str, int, bool]:
    """Format, EXIF orientation and whether 0 is white, from the header alone.

    Raises:
        SampleError: unreadable, several_pictures, over_limit.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns about sizes that are refused here anyway
            with Image.open(io.BytesIO(data.tobytes()), formats=FORMATS) as image:
                width, height = image.size
                image_format = image.format or ""
                _check_size(width, height, path)
                orientation = int(image.getexif().get(ORIENTATION_TAG, 1) or 1)
                white_is_zero = isinstance(image, TiffImageFile) and image.tag_v2.get(PHOTOMETRIC_TAG) == WHITE_IS_ZERO
                num_pictures = 1 + sum(_is_page(image, number) for number in range(1, getattr(image, "n_frames", 1)))
                if image_format == "PPM":
                    num_pictures = pnm.num_pictures(data.tobytes())
    except UnidentifiedImageError:
        raise SampleError("unreadable", f"{path}: not an image in one of {', '.join(FORMATS)}") from None
    except Image.DecompressionBombError:
        raise SampleError("over_limit", f"{path}: more than the {MAX_PIXELS} pixels allowed") from None
    except PILLOW_ERRORS as error:
        raise SampleError("unreadable", f"{path}: broken header: {error}") from None
    if num_pictures > 1:
        raise SampleError(
            "several_pictures", f"{path}: {num_pictures} pages or frames in one {image_format}, allowed is one a file"
        )
    return image_format, orientation, white_is_zero


def _is_page(image: Image.Image, number: int) -> bool:
    """Whether picture ``number`` of a file, from 1, says something that the first one does not.

    Smaller versions and masks in a TIFF do not, nor what cameras put behind a JPEG: previews, depths.
    """
    if image.format == "MPO":
        return False
    if not isinstance(image, TiffImageFile):
        return True
    image.seek(number)
    tags = image.tag_v2
    return not (int(tags.get(NEW_SUBFILE_TYPE, 0)) & SMALLER_OR_MASK or tags.get(SUBFILE_TYPE) == OLD_SMALLER)


def _check_size(width: int, height: int, path: str | Path) -> None:
    if width * height > MAX_PIXELS:
        raise SampleError("over_limit", f"{path}: {width} x {height} pixels, allowed are {MAX_PIXELS} in all")
    if width < 1 or height < 1:
        raise SampleError("empty_signal", f"{path}: {width} x {height} pixels")


def _eight_bits(pixels: np.ndarray, path: str | Path) -> np.ndarray:
    if pixels.dtype == np.uint8:
        return pixels
    if pixels.dtype == np.uint16:
        if pixels.ndim == 3 and pixels.shape[2] in (2, 4):  # alpha may fill more bits than the colours
            return np.dstack([_from_depth(pixels[..., :-1]), _from_depth(pixels[..., -1])])
        return _from_depth(pixels)
    raise SampleError("unreadable", f"{path}: pixels of type {pixels.dtype}, allowed are 8 and 16 bits without sign")


def _from_depth(samples: np.ndarray) -> np.ndarray:
    """uint16 → uint8 of one shape: white of the depth that they seem to have becomes 255."""
    highest = int(samples.max())
    white = next((1 << bits) - 1 for bits in DEPTHS_BITS if highest < 1 << bits)
    return ((samples.astype(np.uint32) * 255 + white // 2) // white).astype(np.uint8)


def _grey(pixels: np.ndarray) -> np.ndarray:
    """uint8 [H, W], [H, W, 3] (BGR) or [H, W, 4] (BGRA) → uint8 [H, W]."""
    if pixels.ndim == 2:
        return pixels
    if pixels.shape[2] == 3:
        return cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY)
    if pixels.shape[2] == 4:
        return _lay_on_ground(cv2.cvtColor(pixels[..., :3], cv2.COLOR_BGR2GRAY), pixels[..., 3])
    if pixels.shape[2] == 2:
        return _lay_on_ground(pixels[..., 0], pixels[..., 1])
    return np.ascontiguousarray(pixels[..., 0])


def _lay_on_ground(grey: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Grey values seen through alpha on white; on black where the picture is all but invisible on white."""
    if alpha.min() == 255:
        return grey
    share = alpha.astype(np.uint32)
    on_white = ((grey * share + 255 * (255 - share) + 127) // 255).astype(np.uint8)
    if int(on_white.max()) - int(on_white.min()) >= MIN_SPREAD_ON_WHITE:
        return on_white
    return ((grey * share + 127) // 255).astype(np.uint8)
