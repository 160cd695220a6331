"""Changing slices of training images, so that the network sees each differently each time: SpecAugment's image twin."""

import math
from typing import ClassVar

import cv2
import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from ocr.degradations import DEGRADATIONS, degrade

cv2.setNumThreads(0)

# Spacing of the nodes of the elastic grid, in pixels of 32-pixel-high images; scaled with the height.
ELASTIC_SPACING = 0.5


class AugmentSettings(BaseModel):
    """Ranges; a value is drawn for each sample from [-range, range] or [0, range]. Zero switches a change off."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    # Fields that say how a change is done, not whether.
    HOW: ClassVar[frozenset[str]] = frozenset({"probability", "column_mask", "row_mask", "min_share"})
    # Fields that say how often, and not how far.
    HOW_OFTEN: ClassVar[frozenset[str]] = frozenset({"inversion"})

    # Geometry, all done by one remapping. Shares are of the height unless said otherwise.
    rotation_degrees: float = Field(2.0, ge=0, le=45)
    slant: float = Field(0.25, ge=0, le=1)  # horizontal shift a pixel of height
    shift: float = Field(0.06, ge=0, le=0.5)  # up or down
    scale: float = Field(0.12, ge=0, le=0.5)  # taller or lower by this share
    stretch: float = Field(0.2, ge=0, le=0.9)  # wider or narrower by up to the factor 1 + stretch: T' changes
    keystone: float = Field(0.12, ge=0, le=0.9)  # one end of the text higher than the other, as share
    bend: float = Field(0.06, ge=0, le=0.5)  # baseline bent up or down in the middle
    elastic: float = Field(0.03, ge=0, le=0.3)  # nodes of a grid moved by up to this (Wigington et al. 2017)
    # Degradations, each applied with ``probability``.
    probability: float = Field(0.25, ge=0, le=1)
    morphology: float = Field(0.6, ge=0, le=1)  # thicken or thin strokes, blended by up to this share
    blur_px: float = Field(0.9, ge=0, le=5)  # deviation of a Gaussian
    motion_px: float = Field(3.0, ge=0, le=15)  # length of a horizontal or vertical smear
    resolution: float = Field(0.5, ge=0, lt=0.95)  # shrunk by up to this share and grown again
    noise: float = Field(0.1, ge=0, le=1)  # deviation, of a range of values of 1
    gamma: float = Field(0.4, ge=0, le=2)  # exponent up to 1 + gamma or its inverse
    contrast: float = Field(0.4, ge=0, le=0.95)  # weakened by up to this share
    inversion: float = Field(0.03, ge=0, le=1)  # this: the probability of swapping ink and ground
    # More of them, of ``ocr/degradations.py``, after the geometry and before those above; each with ``probability``.
    stroke_px: int = Field(0, ge=0, le=7)  # erosion or dilation in full, greatest side of the kernel beyond 1
    fading: float = Field(0.0, ge=0, le=1)  # patches of weak ink, by up to this share
    blots: float = Field(0.0, ge=0, le=5)  # spots of ink and holes in it, up to so many a stretch as long as high
    bleed_through: float = Field(0.0, ge=0, le=1)  # mirrored ink of the other side, up to this strong
    neighbours: float = Field(0.0, ge=0, le=0.5)  # slivers of the lines above and below, up to this share of the height
    uneven_ground: float = Field(0.0, ge=0, le=0.95)  # stains and shadows, up to this share of the contrast
    jpeg: float = Field(0.0, ge=0, le=1)  # quality from 100 down; 1: down to 5
    # Masks, drawn always: number and greatest size. Masked values become the ground.
    num_column_masks: int = Field(1, ge=0, le=20)
    column_mask: float = Field(0.12, ge=0, le=2)  # greatest width, as share of the height
    num_row_masks: int = Field(0, ge=0, le=10)
    row_mask: float = Field(0.1, ge=0, le=1)
    # T' never falls below this share of T, so that the text still fits.
    min_share: float = Field(0.7, gt=0, le=1)


def augment(
    slices: np.ndarray,
    settings: AugmentSettings,
    generator: np.random.Generator,
    surface: np.random.Generator | None = None,
) -> np.ndarray:
    """A changed copy of slices.

    Args:
        slices: float32 [T, F].
        settings: ranges of all changes.
        generator: the only source of chance: the same state gives the same result.
        surface: another one for degradations and masks, so that two views can share their geometry.

    Returns:
        float32 [T', F] with min_share * T <= T'; without slices none.
    """
    if not len(slices):
        return slices.astype(np.float32)
    ground = _ground(slices)
    result = _warp(slices, settings, generator, ground)
    generator = generator if surface is None else surface
    strengths = {name: getattr(settings, name) for name in DEGRADATIONS}
    if any(strengths.values()):
        # A child of the generator: what the changes below draw is the same with and without.
        result = degrade(result, strengths, settings.probability, ground, generator.spawn(1)[0])
    result = _degrade(result, settings, generator)
    _mask(result, settings, generator, ground)
    return result


def _ground(slices: np.ndarray) -> float:
    """The value outside the picture: the median of its border."""
    return float(np.median(np.concatenate([slices[0], slices[-1], slices[:, 0], slices[:, -1]])))


def _signed(generator: np.random.Generator, limit: float) -> float:
    return float(generator.uniform(-limit, limit)) if limit else 0.0


def _warp(slices: np.ndarray, settings: AugmentSettings, generator: np.random.Generator, ground: float) -> np.ndarray:
    """All geometric changes as one map from target to source positions: [T, F] → [T', F]."""
    num_slices, height = slices.shape
    factor = math.exp(_signed(generator, math.log1p(settings.stretch)))
    num_target = max(math.ceil(settings.min_share * num_slices), round(num_slices * factor), 1)
    angle = math.radians(_signed(generator, settings.rotation_degrees))
    # A long line turned by the angle of a word would leave the picture: its ends may move by half a height at most.
    angle = math.copysign(min(abs(angle), math.atan(0.5 * height / num_slices)), angle)
    slant = _signed(generator, settings.slant)
    shift = _signed(generator, settings.shift) * height
    scale = 1 + _signed(generator, settings.scale)
    keystone = _signed(generator, settings.keystone)
    bend = _signed(generator, settings.bend) * height
    elastic = settings.elastic * height

    along = np.linspace(-1, 1, num_target, dtype=np.float32)  # position in the line, -1 … 1
    time = along * np.float32((num_slices - 1) / 2)  # centred source slices
    row = np.arange(height, dtype=np.float32) - np.float32((height - 1) / 2)
    size = (1 + keystone * along) / scale  # [T']
    source_row = row[None, :] * size[:, None] + (math.sin(angle) * time - shift + bend * (along**2 - 0.5))[:, None]
    source_time = (math.cos(angle) * time)[:, None] - ((math.sin(angle) + slant) * row)[None, :]
    if elastic:
        spacing = max(4.0, ELASTIC_SPACING * height)
        grid = (math.ceil(num_target / spacing) + 2, math.ceil(height / spacing) + 2)
        nodes = generator.uniform(-elastic, elastic, (*grid, 2)).astype(np.float32)
        moves = cv2.resize(nodes, (height, num_target), interpolation=cv2.INTER_LINEAR)
        source_time += moves[..., 0]
        source_row += moves[..., 1]
    source_time += np.float32((num_slices - 1) / 2)
    source_row += np.float32((height - 1) / 2)
    # OpenCV's x runs along the last axis: here the rows of the text image.
    return cv2.remap(
        slices, source_row, source_time, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=ground
    )


def _degrade(slices: np.ndarray, settings: AugmentSettings, generator: np.random.Generator) -> np.ndarray:
    """What cameras and printers do to strokes and values. One draw decides about each, whether it is on or off."""
    chosen = generator.random(7) < settings.probability
    if chosen[0] and settings.morphology:
        change = cv2.dilate if generator.random() < 0.5 else cv2.erode
        share = float(generator.uniform(0, settings.morphology))
        slices = (1 - share) * slices + share * change(slices, np.ones((2, 2), np.uint8))
    if chosen[1] and settings.resolution:
        factor = 1 - float(generator.uniform(0, settings.resolution))
        small = [max(2, round(side * factor)) for side in slices.shape]
        shrunk = cv2.resize(slices, (small[1], small[0]), interpolation=cv2.INTER_AREA)
        slices = cv2.resize(shrunk, (slices.shape[1], slices.shape[0]), interpolation=cv2.INTER_LINEAR)
    if chosen[2] and settings.blur_px:
        sigma = float(generator.uniform(0.2, max(0.2, settings.blur_px)))
        slices = cv2.GaussianBlur(slices, (0, 0), sigma)
    if chosen[3] and settings.motion_px >= 2:
        length = int(generator.integers(2, int(settings.motion_px) + 1))
        slices = cv2.blur(slices, (1, length) if generator.random() < 0.5 else (length, 1))
    low, high = float(slices.min()), float(slices.max())
    if chosen[4] and settings.gamma and high > low:
        exponent = math.exp(_signed(generator, math.log1p(settings.gamma)))
        slices = np.power((slices - low) / (high - low), np.float32(exponent)) * (high - low) + low
    if chosen[5] and settings.contrast:
        weak = float(generator.uniform(0, settings.contrast))
        slices = slices * (1 - weak) + weak * (low + (high - low) * float(generator.random()))
    if settings.inversion and generator.random() < settings.inversion:
        slices = (low + high) - slices
    if chosen[6] and settings.noise:
        deviation = float(generator.uniform(0, settings.noise))
        slices = slices + deviation * generator.standard_normal(slices.shape, dtype=np.float32)
    return np.ascontiguousarray(slices, dtype=np.float32)


def _mask(slices: np.ndarray, settings: AugmentSettings, generator: np.random.Generator, ground: float) -> None:
    """Erase blocks of columns and rows in place, as SpecAugment (arXiv:1904.08779) does with time and frequency."""
    num_slices, height = slices.shape
    for axis, number, share in (
        (0, settings.num_column_masks, settings.column_mask),
        (1, settings.num_row_masks, settings.row_mask),
    ):
        longest = min(int(share * height), (num_slices, height)[axis] // 3)
        for _ in range(number):
            length = int(generator.integers(0, longest + 1))
            start = int(generator.integers(0, slices.shape[axis] - length + 1))
            if axis == 0:
                slices[start : start + length] = ground
            else:
                slices[:, start : start + length] = ground
