"""From an image file to grey pixels. Whatever the file holds, the result is uint8 [H, W], upright, or a SampleError."""

import io
import stat
import warnings
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from common.errors import SampleError
from common.paths import missing
from ocr import pnm
from ocr.header import PILLOW_ERRORS, Header, header_of

MAX_FILE_BYTES = 200_000_000
SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp", ".gif", ".pgm", ".ppm", ".pbm", ".pnm", ".jp2"}
)
# Formats of which OpenCV lacks kinds that Pillow has, and the modes of these.
OPENED_BY_PILLOW = ("TIFF", "JPEG2000", "PPM")
PNG_DEPTH = 24  # place of the byte that has the bits of a sample
OPENCV_WHITES = (None, 255, 65_535)  # of PNM; it passes over others that a header names
PILLOW_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "LAB")
# Values of EXIF's tag: what turns the stored pixels upright.
ORIENTATIONS = {
    2: lambda image: image[:, ::-1],
    3: lambda image: image[::-1, ::-1],
    4: lambda image: image[::-1],
    5: lambda image: image.swapaxes(0, 1),
    6: lambda image: np.rot90(image, -1),
    7: lambda image: image[::-1, ::-1].swapaxes(0, 1),
    8: lambda image: np.rot90(image),
}
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
    header = header_of(data, path)
    pixels = _pixels(data, header, path)
    if pixels.ndim == 3 and pixels.shape[2] in (2, 4) and not header.has_alpha:
        pixels = pixels[..., :-1]  # what fills four bytes up
    if pixels.size == 0:
        raise SampleError("empty_signal", f"{path}: no pixels")
    grey = _grey(_eight_bits(pixels, path))
    if header.white_is_zero and pixels.dtype == np.uint16:
        grey = 255 - grey
    if header.image_format == "TIFF":  # OpenCV turns it itself, even when asked for the unchanged image
        return grey
    return ORIENTATIONS.get(header.orientation, lambda image: image)(grey)


def _pixels(data: np.ndarray, header: Header, path: str | Path) -> np.ndarray:
    """As they are stored: [H, W] or [H, W, C] (grey and alpha, BGR, BGRA)."""
    image_format = header.image_format
    try:
        if image_format == "PPM" and pnm.white(data.tobytes()) not in OPENCV_WHITES:
            return _by_pillow(data, image_format)
        pixels = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
        if pixels is None and image_format in OPENED_BY_PILLOW:
            pixels = _by_pillow(data, image_format)
        if pixels is not None and header.transparent is not None:
            pixels = _with_transparent(pixels, header.transparent, int(data[PNG_DEPTH]))
    except (*PILLOW_ERRORS, cv2.error) as error:
        raise SampleError("unreadable", f"{path}: corrupt or truncated {image_format}: {error}") from None
    if pixels is None:
        raise SampleError("unreadable", f"{path}: corrupt or truncated {image_format}")
    return pixels


def _with_transparent(grey: np.ndarray, value: int, depth: int) -> np.ndarray:
    """Grey pixels [H, W] → [H, W, 2], where those of one value are transparent: OpenCV knows that of colours alone.

    Args:
        value: as the file has it, in samples of ``depth`` bits; of 1 bit as Pillow says it, 0 or 255.
    """
    most = np.iinfo(grey.dtype).max
    hidden = value if depth in (1, 8, 16) else value * most // ((1 << depth) - 1)
    return np.dstack([grey, np.where(grey == hidden, 0, most).astype(grey.dtype)])


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
