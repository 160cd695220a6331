"""Panels over one axis of time, as SVG: pictures of matrices, symbols with their places, curves.

Colours come from the style sheet, so that a figure follows the page's light or dark scheme: a matrix is a mask of grey
over a rectangle of one colour. All data passes ``axes.tag``, which escapes; the same data gives the same bytes.
"""

import base64
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from markupsafe import Markup

from common.report.axes import number, tag, ticks
from common.report.wording import short

WIDTH, LEFT, RIGHT = 760, 104, 12  # drawing units of the view box
GAP, AXIS = 12, 44  # between panels; below the last one
LETTER = 13  # closer symbols stand on two lines
LEVELS = 32  # of grey in a picture of a matrix: what the eye tells apart, and small files


@dataclass(frozen=True)
class Window:
    """The part of time that is drawn, in units of the file: seconds or pixels."""

    start: float
    end: float
    unit: str

    def x(self, value: float) -> float:
        """Drawing units; what lies outside of the window is drawn at its edge."""
        return min(max(self.place(value), LEFT), WIDTH - RIGHT)

    def place(self, value: float) -> float:
        """Drawing units, of what lies outside too: columns at the edge are cut, not squeezed."""
        return LEFT + (value - self.start) / (self.end - self.start) * (WIDTH - LEFT - RIGHT)


class Panel(Protocol):
    """One row of a figure."""

    @property
    def height(self) -> int: ...

    def draw(self, window: Window, top: int, name: str) -> Markup:
        """``name`` is unique in the page."""
        ...


@dataclass(frozen=True)
class Heat:
    """A matrix over time.

    Attributes:
        label: lines at the left.
        values: [columns, rows], the first row at the top; 0 is the ground, 1 full colour, -1 full second colour.
        start, end: of all columns, in units.
        style: colour: first or ink.
    """

    label: Sequence[str]
    values: np.ndarray
    start: float
    end: float
    height: int = 96
    style: str = "first"

    def draw(self, window: Window, top: int, name: str) -> Markup:
        left, right = window.place(self.start), window.place(self.end)
        box = f'x="{number(left)}" y="{top}" width="{number(right - left)}" height="{self.height}"'
        plane = f'x="{LEFT}" y="{top}" width="{WIDTH - LEFT - RIGHT}" height="{self.height}"'
        clip = f'<clipPath id="{name}-clip"><rect {plane}/></clipPath><g clip-path="url(#{name}-clip)">'
        parts = [_label(self.label, top, self.height), Markup(clip)]
        sides = [(self.style, self.values)]
        if self.values.min() < 0:
            sides.append(("second", -self.values))
        for side, (style, values) in enumerate(sides):
            picture = _png(values)
            parts.append(
                Markup(
                    f'<mask id="{name}-{side}" maskUnits="userSpaceOnUse" {box}>'
                    f'<image {box} preserveAspectRatio="none" href="data:image/png;base64,{picture}"/></mask>'
                    f'<rect class="heat {style}" {box} mask="url(#{name}-{side})"/>'
                )
            )
        parts += [Markup(f'<rect class="frame" {box}/>'), Markup("</g>")]
        return Markup("").join(parts)


@dataclass(frozen=True)
class Lines:
    """Curves over time; ``curves`` are (style, points), points (unit, value), and ``notes`` (unit, value, text)."""

    label: Sequence[str]
    curves: Sequence[tuple[str, Sequence[tuple[float, float]]]]
    low: float
    high: float
    height: int = 70
    notes: Sequence[tuple[float, float, str]] = ()

    def draw(self, window: Window, top: int, name: str) -> Markup:
        def y(value: float) -> str:
            share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
            return number(top + self.height * (1 - share))

        parts = [_label(self.label, top, self.height)]
        for value in sorted({self.low, 0.0 if self.low < 0 else self.low, self.high}):
            at = y(value)
            parts.append(Markup(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at}" y2="{at}"/>'))
            text = short(value, 2)
            parts.append(tag(f'<text class="tick" x="{LEFT - 6}" y="{at}" dy="0.35em">{{text}}</text>', text=text))
        for style, points in self.curves:
            path = " ".join(f"{number(window.x(unit))},{y(value)}" for unit, value in points)
            parts.append(tag('<polyline class="curve {style}" points="{path}"/>', style=style, path=path))
        for unit, value, text in self.notes:
            place = f'x="{number(window.x(unit))}" y="{y(value)}" dy="-0.3em"'
            parts.append(tag(f'<text class="note" {place}>{{text}}</text>', text=text))
        return Markup("").join(parts)


@dataclass(frozen=True)
class Symbols:
    """What was read, each symbol over its place: (text, start, end) in units; a bar is as wide as the place."""

    label: Sequence[str]
    symbols: Sequence[tuple[str, float, float]]
    height: int = 38

    def draw(self, window: Window, top: int, name: str) -> Markup:
        parts = [_label(self.label, top, self.height)]
        last = -math.inf  # where the letter before stands, if it was not lifted
        for place, (text, start, end) in enumerate(self.symbols):
            left, right = window.x(start), window.x(end)
            style = "odd" if place % 2 else "even"
            base = top + self.height - 5
            parts.append(
                Markup(
                    f'<rect class="place {style}" x="{number(left)}" y="{base}" '
                    f'width="{number(max(right - left - 1, 1.0))}" height="5"/>'
                )
            )
            middle = (left + right) / 2
            lift = LETTER if middle - last < LETTER else 0
            last = -math.inf if lift else middle
            at = f'x="{number(middle)}" y="{base - 5 - lift}"'
            parts.append(tag(f'<text class="symbol" {at}>{{text}}</text>', text=visible(text)))
        return Markup("").join(parts)


def figure(panels: Sequence[Panel], window: Window, sentence: str, name: str, guides: Sequence[float] = ()) -> Markup:
    """Panels from top to bottom over one axis.

    Args:
        sentence: for those who do not see the figure.
        name: unique in the page.
        guides: units at which a faint line runs through all panels.
    """
    parts, top, bodies = [], 6, []
    for place, panel in enumerate(panels):
        bodies.append(panel.draw(window, top, f"{name}-{place}"))
        top += panel.height + GAP
    base = top - GAP + 4
    for unit in guides:
        x = number(window.x(unit))
        parts.append(Markup(f'<line class="guide" x1="{x}" x2="{x}" y1="6" y2="{base}"/>'))
    parts += bodies
    parts.append(Markup(f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{base}" y2="{base}"/>'))
    for value in ticks(window.start, window.end, 8):
        if window.start <= value <= window.end:
            x = number(window.x(value))
            parts.append(tag(f'<text class="across" x="{x}" y="{base + 17}">{{text}}</text>', text=f"{value:g}"))
    name_of_unit = {"s": "seconds", "px": "pixels of the picture"}.get(window.unit, window.unit)
    middle = number((LEFT + WIDTH - RIGHT) / 2)
    parts.append(tag(f'<text class="across label" x="{middle}" y="{base + 36}">{{text}}</text>', text=name_of_unit))
    return tag(
        f'<svg class="timeline" viewBox="0 0 {WIDTH} {base + AXIS}" role="img" aria-label="{{s}}">{{body}}</svg>',
        s=sentence,
        body=Markup("").join(parts),
    )


def visible(text: str) -> str:
    """A symbol to look at: white space as the sign for an open box."""
    return "␣" if text.isspace() else text


def _label(lines: Sequence[str], top: int, height: int) -> Markup:
    first = top + height / 2 - 7.5 * (len(lines) - 1)
    return Markup("").join(
        tag(f'<text class="name" x="4" y="{number(first + 15 * place)}" dy="0.35em">{{text}}</text>', text=line)
        for place, line in enumerate(lines)
    )


def _png(values: np.ndarray) -> str:
    """[columns, rows] of [0, 1] → a grey PNG in base64."""
    from PIL import Image

    levels = np.round(np.clip(values, 0, 1) * (LEVELS - 1)) / (LEVELS - 1)
    file = io.BytesIO()
    Image.fromarray((levels.T * 255).round().astype(np.uint8)).save(file, "PNG", optimize=True)
    return base64.b64encode(file.getvalue()).decode("ascii")
