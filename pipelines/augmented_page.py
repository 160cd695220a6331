"""Rows of slice matrices as pictures: one HTML page, or one PNG. It knows no modality."""

import base64
import html
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from common.files import atomic, write_text

# Low pictures are drawn larger, so that a person sees strokes.
LEAST_HEIGHT_PX = 64
SHEET_WIDTH_PX = 1280
GAP_PX = 8
LABEL_PX = 14

STYLE = """
body { font: 15px/1.4 system-ui, sans-serif; margin: 1.5rem; max-width: 90rem; color: #222; background: #f4f4f2 }
section { margin: 1.2rem 0; border-top: 1px solid #ccc } h2 { font-size: 1rem; margin: .6rem 0 }
h2 span { font-weight: normal; color: #555 } div { display: flex; flex-wrap: wrap; gap: 10px }
figure { margin: 0; max-width: 100% } img { display: block; max-width: 100%; image-rendering: pixelated }
figcaption { font-size: .8rem; color: #555 } pre { white-space: pre-wrap; font-size: .8rem }
"""


@dataclass(frozen=True)
class Picture:
    """Slices [T, F] with a caption.

    Attributes:
        upright: whether feature 0 stands below, as low frequencies do; else above, as the first row of an image does.
        limits: values of the least and the most ink, those of the original.
    """

    slices: np.ndarray
    caption: str
    upright: bool
    limits: tuple[float, float]

    def image(self) -> Image.Image:
        """Grey, high values dark, at least ``LEAST_HEIGHT_PX`` high."""
        low, high = self.limits
        ink = (self.slices.astype(np.float64) - low) / max(high - low, 1e-9)
        grey = np.round(255 * (1 - ink.clip(0, 1))).astype(np.uint8).T  # [T, F] → [F, T]
        image = Image.fromarray(np.ascontiguousarray(grey[::-1] if self.upright else grey))
        times = -(-LEAST_HEIGHT_PX // image.height)
        return image.resize((image.width * times, image.height * times), Image.Resampling.NEAREST)


@dataclass(frozen=True)
class Row:
    """A sample, or one change of it, its text and the pictures that belong to it."""

    title: str
    text: str
    pictures: Sequence[Picture]


def write(path: Path, title: str, settings: Mapping[str, Any], rows: Sequence[Row]) -> None:
    """The sheet at ``path``: PNG by its ending, else HTML. Equal input gives equal bytes."""
    if path.suffix.lower() == ".png":
        with atomic(path) as file:
            file.write(_png(_sheet(rows)))
    else:
        write_text(path, _page(title, settings, rows))


def _page(title: str, settings: Mapping[str, Any], rows: Sequence[Row]) -> str:
    parts = [
        '<!doctype html><html lang="en"><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{html.escape(title)}</title>",
        f"<style>{STYLE}</style><h1>{html.escape(title)}</h1>",
        f"<pre>{html.escape(json.dumps(dict(settings)))}</pre>",
    ]
    for row in rows:
        title, text = html.escape(row.title), html.escape(row.text)
        # Isolated, so that a text from right to left moves nothing that stands beside it.
        parts.append(f"<section><h2><bdi>{title}</bdi> <span><bdi>{text}</bdi></span></h2><div>")
        for picture in row.pictures:
            data = base64.b64encode(_png(picture.image())).decode("ascii")
            caption = html.escape(picture.caption)
            parts.append(
                f'<figure><img alt="{title}, {caption}: {text}" src="data:image/png;base64,{data}">'
                f"<figcaption>{caption}</figcaption></figure>"
            )
        parts.append("</div></section>")
    return "\n".join([*parts, "</html>", ""])


def _sheet(rows: Sequence[Row]) -> Image.Image:
    """All rows on one picture: a title a row, its pictures from left to right, on further lines where they are wide."""
    placed: list[tuple[Image.Image, int, int]] = []
    titles: list[tuple[str, int]] = []
    y = width = 0
    for row in rows:
        titles.append((row.title, y))
        x, y, highest = 0, y + LABEL_PX + GAP_PX // 2, 0
        for picture in row.pictures:
            image = picture.image()
            if x and x + image.width > SHEET_WIDTH_PX:
                x, y, highest = 0, y + highest + GAP_PX, 0
            placed.append((image, x, y))
            x, highest = x + image.width + GAP_PX, max(highest, image.height)
            width = max(width, x - GAP_PX)
        y += highest + 2 * GAP_PX
    sheet = Image.new("L", (max(1, width), max(1, y)), 255)
    draw = ImageDraw.Draw(sheet)
    for title, top in titles:
        # The font that Pillow brings along has no more than Latin letters.
        draw.text((0, top), title.encode("latin-1", "replace").decode("latin-1"), fill=0)
    for image, left, top in placed:
        sheet.paste(image, (left, top))
        draw.rectangle((left - 1, top - 1, left + image.width, top + image.height), outline=200)
    return sheet


def _png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    return file.getvalue()
