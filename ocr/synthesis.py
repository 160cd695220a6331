"""Text images that are recipes and not files: the same path, id and text always give the same picture.

A path is ``synthesis:<seed>:<condition>`` with the condition ``<style>/<case>/<face>``, the face ``<family>/<file>`` of
the packages or the absolute path of a font: the style is ``clean`` or ``scene`` (``scene+marks`` adds marks that the
text does not hold, as scene-text corpora leave punctuation out of their labels; ``+rtl`` sets a line that reads from
right to left); the case says how letters are shown, since the text's own case may have been normalised away.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from common.errors import SampleError
from common.modality import generator
from common.samples import SYNTHESIS, Sample
from ocr.distortions import STRENGTHS, Strength, ground, light, photograph, warp
from ocr.glyphs import LOOKALIKES, shown
from ocr.typesetting import CASES, Setting, ink

MARKS_SUFFIX, RIGHT_TO_LEFT_SUFFIX = "+marks", "+rtl"
MARKS_BEFORE = ("'", '"', "(", "-", "$", "#", "*")
MARKS_AFTER = (",", ".", ".", ",", "!", "?", ":", "'", '"', ")", "-", "...", "%")


@dataclass(frozen=True)
class Recipe:
    """A parsed path. ``direction`` is ltr or rtl, ``key`` the face, ``family/file``."""

    seed: int
    style: str
    marks: bool
    direction: str
    case: str
    key: str


def path(seed: int, style: str, case: str, key: str) -> str:
    """The path of a synthetic sample."""
    return f"{SYNTHESIS}{seed}:{style}/{case}/{key}"


def parse(path: str) -> Recipe:
    """The recipe in a path. Raises SampleError(unreadable) naming what is wrong."""
    try:
        seed, condition = path.removeprefix(SYNTHESIS).split(":", 1)
        style, case, key = condition.split("/", 2)
        direction = "rtl" if style.endswith(RIGHT_TO_LEFT_SUFFIX) else "ltr"
        style = style.removesuffix(RIGHT_TO_LEFT_SUFFIX)
        marks = style.endswith(MARKS_SUFFIX)
        recipe = Recipe(int(seed), style.removesuffix(MARKS_SUFFIX), marks, direction, case, key)
    except ValueError:
        raise SampleError("unreadable", f"{path!r}: not {SYNTHESIS}<seed>:<style>/<case>/<family>/<file>") from None
    if "/" not in key:
        raise SampleError("unreadable", f"{path!r}: {key!r} is no face; one is <family>/<file>, or a file's path")
    if recipe.style not in STRENGTHS or recipe.case not in CASES:
        raise SampleError(
            "unreadable", f"{path!r}: style must be of {', '.join(STRENGTHS)}, case of {', '.join(CASES)}"
        )
    return recipe


def synthesise(sample: Sample) -> np.ndarray:
    """Render a synthetic sample.

    Returns:
        uint8 [H, W] grey.

    Raises:
        SampleError: the path is no recipe, or the text leaves no ink.
        GlyphoneError: the font is not installed; or FriBiDi, of a text that is shaped.
    """
    recipe = parse(sample.path)
    strength = STRENGTHS[recipe.style]
    random = generator(recipe.seed, "ocr synthesis", f"{sample.path}\0{sample.id}\0{sample.text}")
    text = CASES[recipe.case](sample.text)
    if recipe.marks:
        marked = _with_marks(text, random)
        text = text if shown(marked, recipe.key) is None else marked  # a box in its place would be no mark
    if any(letter in LOOKALIKES for letter in text):
        text = shown(text, recipe.key) or text
    setting = _setting(recipe, strength, random)
    mask = ink(text, setting, random)
    if mask.size <= 1:
        raise SampleError("empty_signal", f"{sample.id}: no ink for {sample.text!r} in {recipe.key}")
    letters, halo = _lay_out(mask, setting.whole_line, strength, random)
    return _compose(letters, halo, strength, random)


def _with_marks(text: str, random: np.random.Generator) -> str:
    draw = random.random()
    if draw < 0.03:
        return MARKS_BEFORE[int(random.integers(len(MARKS_BEFORE)))] + text
    if draw < 0.13:
        return text + MARKS_AFTER[int(random.integers(len(MARKS_AFTER)))]
    return text


def _setting(recipe: Recipe, strength: Strength, random: np.random.Generator) -> Setting:
    loose = strength.slant  # styles that bend letters also set them loosely
    tracking = 0.0
    if random.random() < 0.15 + loose:
        tracking = float(random.choice([-0.04, 0.03, 0.08, 0.15, 0.3, 0.5], p=[0.15, 0.3, 0.25, 0.15, 0.1, 0.05]))
    return Setting(
        key=recipe.key,
        size_px=int(random.choice([28, 32, 40, 48])),
        weight_step=int(random.integers(9)),
        width_step=int(random.integers(9)),
        tracking=tracking,
        initial=float(random.uniform(1.15, 1.4)) if random.random() < loose / 5 else 1.0,
        wobble=float(random.uniform(0, 0.06)) if random.random() < loose / 5 else 0.0,
        whole_line=random.random() < strength.whole_line,
        direction=recipe.direction,
    )


def _lay_out(
    mask: np.ndarray, whole_line: bool, strength: Strength, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Scale, margins, halo and warp: a mask of ink [h, w] → letters and halo, uint8 [H, W] each."""
    wide = float(np.exp(random.normal(0, 0.12 + strength.slant / 2)))  # condensed and extended lettering
    if abs(wide - 1) > 0.03:
        mask = cv2.resize(mask, (max(1, round(mask.shape[1] * wide)), mask.shape[0]), interpolation=cv2.INTER_LINEAR)
    halo = np.zeros_like(mask)
    reach = 0
    if random.random() < strength.halo:
        reach = int(random.integers(1, 4))
        mask = cv2.copyMakeBorder(mask, reach, reach, reach, reach, cv2.BORDER_CONSTANT)
        kind = int(random.integers(4))
        kernel = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
        if kind == 0:  # outline
            halo = cv2.dilate(mask, kernel)
        elif kind == 1:  # cast shadow or depth
            across, down = (float(reach * (2 * random.integers(2) - 1)) for _ in range(2))
            move = np.array([[1, 0, across], [0, 1, down]], np.float32)
            halo = cv2.warpAffine(mask, move, (mask.shape[1], mask.shape[0]))
        elif kind == 2:  # glow
            halo = cv2.GaussianBlur(cv2.dilate(mask, kernel), (0, 0), reach)
        else:  # hollow letters: the outline is the ink, the inside belongs to the halo
            halo = mask
            mask = cv2.dilate(mask, kernel[: reach + 1, : reach + 1]) - mask
    extent = np.full_like(mask, 255) if whole_line else mask
    warped = warp(np.dstack([mask, halo, extent]), strength, random)
    height = warped.shape[0]
    top, bottom, left, right = (
        int(random.uniform(0, strength.margin) * random.random() * 2 * height) + 1 for _ in range(4)
    )
    warped = cv2.copyMakeBorder(warped, top, bottom, left, right, cv2.BORDER_CONSTANT)
    letters, halo = warped[..., 0].copy(), warped[..., 1]
    if random.random() < strength.clutter / 2:
        _neighbours(letters, top, bottom, random)
    return letters, halo


def _neighbours(letters: np.ndarray, top: int, bottom: int, random: np.random.Generator) -> None:
    """Let the feet of a line above or the heads of a line below look into the margins, in place."""
    shifted = np.roll(letters, int(random.integers(letters.shape[1])), axis=1)
    height = letters.shape[0]
    if random.random() < 0.5 and top > 2:
        sliver = top - 1
        letters[:sliver] = shifted[height - bottom - sliver : height - bottom]
    elif bottom > 2:
        sliver = bottom - 1
        letters[height - sliver :] = shifted[top : top + sliver]


def _compose(letters: np.ndarray, halo: np.ndarray, strength: Strength, random: np.random.Generator) -> np.ndarray:
    """Colour the masks, light them and take the picture: uint8 [H, W] twice → uint8 [H', W']."""
    ink_level, ground_level = _levels(strength, random)
    image = ground(letters.shape, ground_level, abs(ink_level - ground_level), strength, random)
    if halo.any():
        halo_level = _halo_level(ink_level, ground_level, random)
        share = halo.astype(np.float32) * np.float32(random.uniform(0.5, 1) / 255)
        image += share * (halo_level - image)
    share = letters.astype(np.float32) / np.float32(255)
    colour: float | np.ndarray = ink_level
    if random.random() < strength.texture / 2:  # worn or shaded letters
        depth = float(random.uniform(0.05, 0.3)) * abs(ink_level - ground_level)
        colour = ink_level + depth * _soft(letters.shape, random)
    image += share * (colour - image)
    return photograph(light(image, strength, random), strength, random)


def _soft(shape: tuple[int, int], random: np.random.Generator) -> np.ndarray:
    nodes = random.uniform(-1, 1, (3, 5)).astype(np.float32)
    return cv2.resize(nodes, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR)


def _levels(strength: Strength, random: np.random.Generator) -> tuple[float, float]:
    """Grey levels of ink and ground, far enough apart; strong contrasts are the most common."""
    contrast = float(strength.least_contrast + (235 - strength.least_contrast) * random.beta(1.6, 1.2))
    dark = float(random.uniform(0, 250 - contrast))
    light_level = dark + contrast
    return (light_level, dark) if random.random() < strength.light_on_dark else (dark, light_level)


def _halo_level(ink_level: float, ground_level: float, random: np.random.Generator) -> float:
    """Outlines mostly set the ink off from the ground: the halo stands on the far side of the ground, or between."""
    if random.random() < 0.6:
        away = ground_level + (ground_level - ink_level) * float(random.uniform(0.2, 0.8))
        return float(np.clip(away, 0, 255))
    return float(ground_level + (ink_level - ground_level) * random.uniform(0.1, 0.45))
