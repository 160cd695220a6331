"""What an image file says of itself in its header, by Pillow's parsers: limits hold before anything is unpacked."""

import io
import struct
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError
from PIL.TiffImagePlugin import TiffImageFile

from common.errors import SampleError
from ocr import pnm

# A page scanned at 600 dpi has 35 megapixels. Checked in the header, before anything is unpacked.
MAX_PIXELS = 50_000_000
MAX_SIDE_PX = 1 << 20  # OpenCV's own limit, beyond which it raises errors of other kinds
# Formats whose header Pillow parses and whose pixels OpenCV decodes; others (EPS, …) are never opened.
FORMATS = ("PNG", "JPEG", "TIFF", "WEBP", "BMP", "GIF", "PPM", "JPEG2000")
ALPHA_MODES = ("LA", "La", "PA", "RGBA", "RGBa")
GREY_MODES = ("1", "L", "I;16")
# Pillow's parsers meet hostile files with any of these.
PILLOW_ERRORS = (
    OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError, OverflowError, EOFError, RuntimeError,
    struct.error,
)  # fmt: skip
# EXIF tag that turns the stored pixels upright.
ORIENTATION_TAG = 0x0112
# TIFF tag and its value where 0 is white. OpenCV turns samples of 1 and 8 bits itself, but none of 16.
PHOTOMETRIC_TAG, WHITE_IS_ZERO = 262, 0
# TIFF tags that tell a page from what belongs to another one: bits of the first (1 smaller version, 4 mask), a value of
# the older one.
NEW_SUBFILE_TYPE, SUBFILE_TYPE = 254, 255
SMALLER_OR_MASK, OLD_SMALLER = 0b101, 2


@dataclass(frozen=True)
class Header:
    """What a file says of its picture.

    Attributes:
        orientation: EXIF's.
        white_is_zero: of a TIFF.
        has_alpha: whether a fourth channel, or a second one, is transparency.
        transparent: the grey value that is, of a PNG that has one.
    """

    image_format: str
    orientation: int
    white_is_zero: bool
    has_alpha: bool
    transparent: int | None


def header_of(data: np.ndarray, path: str | Path) -> Header:
    """What the bytes of a file say of its picture, before anything is unpacked.

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
                hidden = image.info.get("transparency")
                has_alpha = image.mode in ALPHA_MODES or hidden is not None
                is_grey = image_format == "PNG" and image.mode in GREY_MODES
                transparent = hidden if is_grey and isinstance(hidden, int) else None
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
    return Header(image_format, orientation, white_is_zero, has_alpha, transparent)


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
    if width * height > MAX_PIXELS or max(width, height) > MAX_SIDE_PX:
        allowed = f"{MAX_PIXELS} in all and {MAX_SIDE_PX} on a side"
        raise SampleError("over_limit", f"{path}: {width} x {height} pixels, allowed are {allowed}")
    if width < 1 or height < 1:
        raise SampleError("empty_signal", f"{path}: {width} x {height} pixels")
