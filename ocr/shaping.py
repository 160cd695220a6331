"""Lines whose letters join, stack or change places, set by HarfBuzz and FriBiDi; others are set letter by letter."""

import unicodedata
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont, features

from common.bidi import shown_order
from common.errors import GlyphoneError

# Scripts read from left to right whose letters join, stack or change places (HarfBuzz has shapers for them), by the
# first word of their characters' names.
_SCRIPTS = """
AHOM BALINESE BATAK BENGALI BHAIKSUKI BRAHMI BUGINESE BUHID CHAKMA CHAM DEVANAGARI DIVES DOGRA GRANTHA GUJARATI
GUNJALA GURMUKHI HANUNOO JAVANESE KAITHI KANNADA KAWI KAYAH KHMER KHOJKI KHUDAWADI LAO LEPCHA LIMBU MAHAJANI
MAKASAR MALAYALAM MARCHEN MASARAM MEETEI MODI MONGOLIAN MYANMAR NANDINAGARI NEWA ORIYA PHAGS-PA REJANG
SAURASHTRA SHARADA SIDDHAM SINHALA SOYOMBO SUNDANESE SYLOTI TAGALOG TAGBANWA TAI TAKRI TAMIL TELUGU THAI TIBETAN
TIRHUTA ZANABAZAR
"""
SCRIPTS = frozenset(_SCRIPTS.split())
# Controls of Unicode's bidirectional algorithm: what is between one of the first two and the third is read so.
FROM_THE_LEFT, FROM_THE_RIGHT, END = "\u202d", "\u202e", "\u202c"


def is_shaped(text: str, direction: str) -> bool:
    """Whether a text is set by HarfBuzz: in lines from right to left always, else by its characters."""
    return direction == "rtl" or any(map(_needs_shaping, text))


@lru_cache(maxsize=4096)
def _needs_shaping(character: str) -> bool:
    """Letters read from right to left, Hebrew too, and all of ``SCRIPTS``."""
    return (
        unicodedata.bidirectional(character) in ("R", "AL")
        or unicodedata.name(character, "").partition(" ")[0] in SCRIPTS
    )


def check(text: str, direction: str) -> None:
    """Raise GlyphoneError where a text must be shaped and Pillow cannot: its wheels look for FriBiDi as they run."""
    if is_shaped(text, direction) and not features.check("raqm"):
        letter = next(filter(_needs_shaping, text), "")
        why = f"{unicodedata.name(letter)} joins or changes places" if letter else "the line reads from right to left"
        raise GlyphoneError(
            f"the picture of {text!r} needs FriBiDi, since {why}; Pillow does not find that library: install it "
            "(Debian and Ubuntu: libfribidi0)"
        )


def draw(text: str, font: ImageFont.FreeTypeFont, direction: str) -> tuple[np.ndarray, int]:
    """A line as it is printed, and the row of its baseline.

    Args:
        font: loaded with Pillow's layout RAQM.
        direction: ltr or rtl, of the line; words of the other direction stand in it as they are read.

    Returns:
        uint8 [h, w], 255 where the ink is, at least an em high above the baseline; the row may be the one below.
    """
    shown = _in_shown_order(text) if direction == "rtl" else text
    left, top, right, bottom = font.getbbox(shown, anchor="ls", direction=direction)
    top, bottom = min(top, -font.size), max(bottom, 0)
    image = Image.new("L", (int(right - left) + 2, int(bottom - top) + 2))
    ImageDraw.Draw(image).text((1 - left, 1 - top), shown, 255, font, anchor="ls", direction=direction)
    return np.asarray(image), int(1 - top)


def _in_shown_order(text: str) -> str:
    """The text with controls, so that FriBiDi, which knows more rules, shows it in the order of ``common.bidi`` too.

    That is the order of the labels that a network learns.
    """
    runs: list[list[int]] = []
    for place in shown_order(text):  # from the left; what is read from there rises
        if runs and place == runs[-1][-1] + 1:
            runs[-1].append(place)
        else:
            runs.append([place])
    pieces = [text[run[0] : run[-1] + 1] for run in reversed(runs)]
    held = [f"{FROM_THE_LEFT}{piece}{END}" if len(piece) > 1 else piece for piece in pieces]
    return FROM_THE_RIGHT + "".join(held) + END
