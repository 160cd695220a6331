"""From grey pixels to slices: columns of the image at one height, ink high, ground low, each image by itself."""

from typing import Literal

import cv2
import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from common.errors import SampleError
from common.modality import Turn

# Grey levels that darkest and lightest must lie apart; below, noise would be blown up to look like ink.
MIN_CONTRAST_LEVELS = 12.0


class SliceSettings(BaseModel):
    """How an image becomes columns. Positions in slices are pixels of the height-normalised image."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # Height after scaling: the number of features. 32 for words; 48 for lines, whose x-height is smaller.
    height_px: int = Field(32, ge=8, le=256)
    # auto: each image is turned to dark on light by the look of its margins; dark_on_light: all are so already;
    # light_on_dark: all are the other way round; keep: no turning and light is high, so polarity is left to learn.
    polarity: Literal["auto", "keep", "dark_on_light", "light_on_dark"] = "auto"
    # stretch: the given percentiles of the image become 0 and 1; standardise: mean 0, deviation 1; none: grey / 255.
    contrast: Literal["stretch", "standardise", "none"] = "stretch"
    # Percentile at each end that may be clipped by stretch.
    clip_percent: float = Field(1.0, ge=0, lt=20)
    # Horizontal widening of every image: more slices a character, e.g. for condensed faces.
    stretch: float = Field(1.0, gt=0.1, le=8)
    # Narrower images are widened to this many slices, so that a lone 1 or I keeps enough for its text.
    min_width_px: int = Field(16, ge=1, le=512)
    # Wider images are rejected (too_long).
    max_width_px: int = Field(4096, ge=16, le=16_384)
    # What to do with images taller than 1.5 times their width: leave them, or turn them by 90 degrees: ``left`` for
    # text that reads downwards, ``right`` for text that reads upwards.
    rotate_tall: Literal["keep", "left", "right"] = "keep"

    @field_validator("max_width_px")
    @classmethod
    def _takes_the_narrowest(cls, value: int, info: ValidationInfo) -> int:
        if (least := info.data.get("min_width_px", 1)) > value:
            raise ValueError(f"every picture is at least min_width_px {least} wide; allowed: from {least} on")
        return value


TALL_ASPECT = 1.5


def num_features(settings: SliceSettings) -> int:
    """F: rows of the normalised image."""
    return settings.height_px


def step(settings: SliceSettings) -> float:
    """Pixels of the normalised image that one slice is wide."""
    return 1.0


def slices(image: np.ndarray, settings: SliceSettings) -> np.ndarray:
    """Slices of one image; no other image has a part in it.

    Args:
        image: uint8 [H, W] grey.
        settings: see SliceSettings.

    Returns:
        float32 [T, F]: T columns from left to right, F = height_px rows from top to bottom. With the default settings
        ink is near 1 and ground near 0; a blank image is all 0.

    Raises:
        SampleError: empty_signal without pixels, too_long beyond max_width_px.
    """
    if image.ndim != 2 or image.size == 0:
        raise SampleError("empty_signal", f"an image without pixels: shape {image.shape}")
    image, _ = upright(image, settings)
    turn = settings.polarity == "dark_on_light" or (settings.polarity == "auto" and not is_light_on_dark(image))
    values = _normalise(_resize(image, settings), settings, turn)
    if turn:
        values = {"stretch": 1.0, "standardise": 0.0, "none": 1.0}[settings.contrast] - values
    if settings.contrast == "stretch" and np.ptp(values) == 0:
        values = np.zeros_like(values)
    return np.ascontiguousarray(values.T, dtype=np.float32)  # [F, T] → [T, F]


def upright(image: np.ndarray, settings: SliceSettings) -> tuple[np.ndarray, Turn]:
    """An image [H, W] with its text from left to right, and how it was turned for that, by ``rotate_tall``."""
    if settings.rotate_tall == "keep" or image.shape[0] <= TALL_ASPECT * image.shape[1]:
        return image, ""
    return np.rot90(image, 1 if settings.rotate_tall == "left" else -1), settings.rotate_tall


def is_light_on_dark(image: np.ndarray) -> bool:
    """Whether the text of a grey image [H, W] seems lighter than its ground.

    Otsu's threshold (IEEE Trans. SMC 9(1), 1979) parts dark from light. Margins belong to the ground, and ink rarely
    covers half of a picture, so the class that owns more of the border and of the whole is taken as the ground.
    """
    _, light = cv2.threshold(image, 0, 1, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    border = np.concatenate([light[0], light[-1], light[:, 0], light[:, -1]])
    return float(border.mean()) + float(light.mean()) < 1.0


def width_px(height: int, width: int, settings: SliceSettings) -> int:
    """Width after scaling an image of height x width pixels to ``height_px``."""
    scaled = round(width * settings.stretch * settings.height_px / height)
    return max(settings.min_width_px, scaled, 1)


def _resize(image: np.ndarray, settings: SliceSettings) -> np.ndarray:
    """uint8 [H, W] → uint8 [height_px, W']."""
    height, width = image.shape
    new_width = width_px(height, width, settings)
    if new_width > settings.max_width_px:
        raise SampleError(
            "too_long",
            f"{width} x {height} pixels become {new_width} slices, max_width_px allows {settings.max_width_px}",
        )
    if (height, width) == (settings.height_px, new_width):
        return image
    # Averaging keeps thin strokes when shrinking; cubic keeps edges when growing.
    method = cv2.INTER_AREA if height > settings.height_px else cv2.INTER_CUBIC
    return cv2.resize(np.ascontiguousarray(image), (new_width, settings.height_px), interpolation=method)


def _normalise(image: np.ndarray, settings: SliceSettings, dark_on_light: bool) -> np.ndarray:
    """uint8 [H, W] → float32 [H, W], light is high; of a faint picture the ground is at its end of the range."""
    values = image.astype(np.float32)
    if settings.contrast == "none":
        return values / 255
    if settings.contrast == "standardise":
        return (values - values.mean()) / max(float(values.std()), MIN_CONTRAST_LEVELS / 4)
    cumulative = np.cumsum(np.bincount(image.ravel(), minlength=256)) / image.size
    low = float(np.searchsorted(cumulative, settings.clip_percent / 100, side="right"))
    high = float(np.searchsorted(cumulative, 1 - settings.clip_percent / 100, side="left"))
    if high <= low:
        low, high = float(image.min()), float(image.max())
    if high - low < MIN_CONTRAST_LEVELS and dark_on_light:
        low = high - MIN_CONTRAST_LEVELS
    return np.clip((values - low) / max(high - low, MIN_CONTRAST_LEVELS), 0, 1)
