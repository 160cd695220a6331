"""Pictures that tests of reading write."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from common.errors import SampleError
from common.samples import REASONS
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
