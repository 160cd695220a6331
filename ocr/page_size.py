"""Boxes of a page whose stated size is not that of its picture: made smaller since, or measured in other units."""

from pathlib import Path

from common.errors import SampleError
from ocr.reading import Box

Size = tuple[int, int]
# Share by which the factors of width and height may differ; beyond it the picture shows something else.
MAX_DIFFERENCE = 0.01


def scaled(box: Box, page_size: Size, size: Size, box_id: str, path: str | Path) -> Box:
    """The pixels of a picture that a box of its page touches.

    Args:
        box: (left, top, right, bottom) in units of the page, half open.
        page_size: (width, height) of the page in the same units.
        size: (width, height) of the picture in pixels.
        box_id, path: of the sample and of the picture, for the message.

    Raises:
        SampleError: size_mismatch, where width and height differ by factors of their own.
    """
    width, height = size
    page_width, page_height = page_size
    if not alike(page_size, size):
        turned = alike((page_height, page_width), size)
        cause = "it is turned by 90 degrees" if turned else "another picture, or a cut one"
        raise SampleError(
            "size_mismatch",
            f"{path}: {width} x {height} pixels, the page of {box_id} is {page_width} x {page_height}: {cause}",
        )
    left, top, right, bottom = box
    # Whole numbers all the way: a page of the picture's own size gives the box itself.
    return (
        left * width // page_width,
        top * height // page_height,
        -(-right * width // page_width),
        -(-bottom * height // page_height),
    )


def alike(page_size: Size, size: Size) -> bool:
    """Whether one factor makes one size the other, but for ``MAX_DIFFERENCE`` or one unit of rounding."""
    across, down = size[0] * page_size[1], size[1] * page_size[0]
    return abs(across - down) <= max(MAX_DIFFERENCE * max(across, down), *size, *page_size)
