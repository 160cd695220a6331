"""From a text to its ink: letters of one face set on a line, as a mask."""

import unicodedata
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ocr import fonts, shaping

# Render cases: how a text whose case may have been normalised away is shown again.
CASES = {
    "keep": lambda text: text,
    "upper": str.upper,
    "lower": str.lower,
    "title": lambda text: " ".join(word[:1].upper() + word[1:].lower() for word in text.split(" ")),
    "sentence": str.capitalize,
}

# Combining class (Unicode 15, section 4.3) of marks above a letter.
ABOVE = 230


@dataclass(frozen=True)
class Setting:
    """How a line is set.

    Attributes:
        key: face, ``family/file``.
        size_px: em square.
        weight_step, width_step: 0 … 8, for variable fonts.
        tracking: additional space between letters, as share of the em.
        initial: size of the first letter by that of the others.
        wobble: random shift of each letter up or down, as share of the em.
        whole_line: keep the height from capitals to baseline even where letters do not reach it, as in lines of print,
            so that o and O differ; otherwise the mask is cut to the ink, as words are cut out of photographs.
        direction: ltr or rtl, in which the line is read.

    Texts that are shaped (``ocr.shaping``) have no tracking, initial or wobble: their letters hang together.
    """

    key: str
    size_px: int
    weight_step: int = 4
    width_step: int = 4
    tracking: float = 0.0
    initial: float = 1.0
    wobble: float = 0.0
    whole_line: bool = False
    direction: str = "ltr"


def case_of(text: str) -> str:
    """The name of the case that gives this text back from its upper-case and from its lower-case form, else keep."""
    for name, show in CASES.items():
        if name != "keep" and show(text.upper()) == text and show(text.lower()) == text:
            return name
    return "keep"


def ink(text: str, setting: Setting, generator: np.random.Generator) -> np.ndarray:
    """Mask of a text: uint8 [h, w], 255 where the ink is, cut to the ink or the line (at least 1 x 1).

    Raises:
        GlyphoneError: the font is missing; or FriBiDi, of a text that is shaped.
    """
    if shaping.is_shaped(text, setting.direction):
        shaping.check(text, setting.direction)
        layout = ImageFont.Layout.RAQM
        font = fonts.load(setting.key, setting.size_px, setting.weight_step, setting.width_step, layout)
        return _cut(*shaping.draw(text, font, setting.direction), font, setting.whole_line)
    font = fonts.load(setting.key, setting.size_px, setting.weight_step, setting.width_step)
    big = setting.size_px
    if setting.initial != 1.0:
        big = round(setting.size_px * setting.initial)
    first = fonts.load(setting.key, big, setting.weight_step, setting.width_step) if big != setting.size_px else font
    margin = setting.size_px  # swashes reach beyond the advance widths
    marked = any(map(unicodedata.combining, text))
    if setting.tracking == 0 and setting.initial == 1.0 and setting.wobble == 0 and not marked:
        size = (int(font.getlength(text)) + 2 * margin, 3 * setting.size_px)
        image = Image.new("L", size)
        ImageDraw.Draw(image).text((margin, 2 * setting.size_px), text, 255, font, anchor="ls")
        return _cut(np.asarray(image), 2 * setting.size_px, font, setting.whole_line)
    space = setting.tracking * setting.size_px
    advances = [(font if place else first).getlength(letter) + space for place, letter in enumerate(text)]
    image = Image.new("L", (int(sum(advances)) + 2 * margin, 4 * setting.size_px))
    draw = ImageDraw.Draw(image)
    left = middle = float(margin)
    rise, top, face = 0.0, 0.0, first
    rises = generator.uniform(-1, 1, len(text)) * setting.wobble * setting.size_px
    for place, (letter, advance) in enumerate(zip(text, advances, strict=True)):
        if place and (kind := unicodedata.combining(letter)):
            # Where a mark stands, faces say in tables that are not read here: in the middle of its letter, above it.
            box = _box(letter, face)
            lift = max(0.0, box[3] - top) if kind == ABOVE else 0.0
            at = (middle - (box[0] + box[2]) / 2, 2.5 * setting.size_px + rise - lift)
            draw.text(at, letter, 255, face, anchor="ls")
            top = min(top, box[1] - lift)
            continue
        rise, face = float(rises[place]), font if place else first
        draw.text((left, 2.5 * setting.size_px + rise), letter, 255, face, anchor="ls")
        box = _box(letter, face)
        middle, top = left + (box[0] + box[2]) / 2, box[1]
        left += advance
    return _cut(np.asarray(image), round(2.5 * setting.size_px), font, setting.whole_line)


def _box(letter: str, face: ImageFont.FreeTypeFont) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of the ink of a letter, in pixels from where it is set on the line."""
    mask, (left, top) = face.getmask2(letter, anchor="ls")
    box = mask.getbbox() or (0, 0, face.getlength(letter), 0)
    return box[0] + left, box[1] + top, box[2] + left, box[3] + top


def _cut(mask: np.ndarray, baseline: int, font: ImageFont.FreeTypeFont, whole_line: bool) -> np.ndarray:
    rows, columns = np.flatnonzero(mask.max(axis=1) > 40), np.flatnonzero(mask.max(axis=0) > 40)
    if rows.size == 0:
        return np.zeros((1, 1), np.uint8)
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    if whole_line:
        top = min(top, baseline + int(font.getbbox("H", anchor="ls")[1]))
        bottom = max(bottom, baseline)
    return mask[top:bottom, columns[0] : columns[-1] + 1]
