"""Text images as a modality: everything that the pipelines need to know about them."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from common.modality import Modality
from common.paths import inside
from common.samples import Sample
from ocr import reading
from ocr.augment import AugmentSettings, augment
from ocr.corpora import alto, folder, fraktur, icdar, iiit5k, line_pairs, manifest, page_xml, svt, synthetic
from ocr.page_size import scaled
from ocr.slices import TALL_ASPECT, SliceSettings, num_features, slices, step, upright
from ocr.synthesis import synthesise

# Lower or narrower than this, letters cannot be told apart by a person either.
TINY_PX = 10
# A tall picture is probably turned by 90 degrees where its letters, if it were upright, would be narrower than this by
# their height: "it" is not, "BAR" is. A lone I may be as narrow as it likes.
NARROW_LETTER = 0.25
# Grey levels between the 2nd and the 98th percentile.
BLANK_LEVELS, LOW_CONTRAST_LEVELS = 4, 30
PREVIEW_HEIGHT_PX, PREVIEW_WIDTH_PX = 64, 1600


def load(sample: Sample, root: Path) -> np.ndarray:
    """Grey image uint8 [H, W] of a sample, cut to its box, or rendered. Raises SampleError."""
    if sample.is_synthetic:
        return synthesise(sample)
    path, box = inside(root, sample.path), sample.box
    if box is not None and sample.page_size is not None:
        box = scaled(box, sample.page_size, reading.size(path), sample.id, path)
    return reading.read(path, box)


def preview(image: np.ndarray) -> tuple[str, bytes]:
    """The image as PNG, at most 64 pixels high and 1600 wide."""
    height, width = image.shape
    factor = min(1.0, PREVIEW_HEIGHT_PX / height, PREVIEW_WIDTH_PX / width)
    if factor < 1:
        size = (max(1, round(width * factor)), max(1, round(height * factor)))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    _, data = cv2.imencode(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, 9])
    return "image/png", data.tobytes()


def inspect(image: np.ndarray, text: str) -> Iterator[tuple[str, str]]:
    """What a person should look at: blank, low_contrast, tiny, rotated; each with a sentence.

    A lone mark is as small as itself: a dash is low and an I is narrow, though both are large enough.
    """
    height, width = image.shape
    smaller = max(height, width) if len(text) == 1 else min(height, width)
    low, high = np.percentile(image, (2, 98))
    if high - low < BLANK_LEVELS and int(image.max()) - int(image.min()) < LOW_CONTRAST_LEVELS:
        yield "blank", f"nothing on it: grey levels from {image.min()} to {image.max()}"
    elif high - low < LOW_CONTRAST_LEVELS:
        yield "low_contrast", f"{high - low:.0f} grey levels between ink and ground"
    if smaller < TINY_PX:
        yield "tiny", f"{width} x {height} pixels"
    if len(text) > 1 and height > TALL_ASPECT * width and width < NARROW_LETTER * height * len(text):
        yield "rotated", f"{width} x {height} pixels: much taller than wide, perhaps turned by 90 degrees"


def digest(image: np.ndarray) -> str:
    """Hex digest of size and pixels: equal for equal pictures in whatever format."""
    return hashlib.sha256(repr(image.shape).encode() + np.ascontiguousarray(image).tobytes()).hexdigest()


def length(image: np.ndarray) -> float:
    """Width in pixels."""
    return float(image.shape[1])


def height(image: np.ndarray) -> float:
    """In pixels."""
    return float(image.shape[0])


MODALITY = Modality(
    name="ocr",
    unit="px",
    suffixes=reading.SUFFIXES,
    SliceSettings=SliceSettings,
    AugmentSettings=AugmentSettings,
    corpora={
        "synthetic": synthetic.READER,
        "manifest": manifest.READER,
        "folder": folder.READER,
        "line_pairs": line_pairs.READER,
        "page_xml": page_xml.READER,
        "alto": alto.READER,
        "iiit5k": iiit5k.READER,
        "svt": svt.READER,
        "icdar": icdar.READER,
        "fraktur": fraktur.READER,
    },
    num_features=num_features,
    step=step,
    load=load,
    read=reading.read,
    slices=slices,
    augment=augment,
    preview=preview,
    inspect=inspect,
    digest=digest,
    length=length,
    height=height,
    upright=upright,
    limit="max_width_px",
)
