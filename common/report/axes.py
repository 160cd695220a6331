"""Axes of a chart: round ticks, and the way from data units to drawing units."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

# Drawing units of the view box; the page scales it to the width at hand.
WIDTH, HEIGHT = 520, 300
SMALLEST = 1e-30  # values below are drawn as 0
LEFT, RIGHT, TOP, BOTTOM = 74, 18, 16, 52


def tag(template: str, **values: object) -> Markup:
    """Fill a piece of markup; every value is escaped."""
    return Markup(template).format(**values)


def number(value: float) -> str:
    """A coordinate with at most two decimals, so that equal data gives equal bytes on any machine."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round values 1, 2 or 5 times a power of ten apart, from at most ``low`` to at least ``high``."""
    size = max(abs(low), abs(high))
    if size < SMALLEST:
        low, high, size = 0.0, 0.0, 1.0
    # What differs in the last digits of a double alone is drawn as equal.
    span = high - low if high - low > size * 1e-9 else size
    power = 10.0 ** math.floor(math.log10(span / about))
    step = next(factor * power for factor in (1, 2, 5, 10, 20) if factor * power >= span / about * 0.999999)
    first = math.floor(low / step + 1e-9)
    last = max(math.ceil(high / step - 1e-9), first + 1)
    return [float(f"{index * step:.12g}") for index in range(first, last + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Powers of ten, with 2 and 5 between where these are few, from at most ``low`` to at least ``high`` (both > 0)."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1
    factors = (1, 2, 5) if last - first <= 3 else (1,)
    values = [float(f"{factor * 10.0**power:.12g}") for power in range(first, last + 1) for factor in factors]
    start = max(index for index, value in enumerate(values) if value <= low * 1.000001)
    end = min(index for index, value in enumerate(values) if value >= high * 0.999999)
    return values[start : max(end, start + 1) + 1]


@dataclass(frozen=True)
class Plane:
    """The drawing area of a chart, ``x`` and ``y`` given as (lowest, highest) in data units."""

    x_range: tuple[float, float]
    y_range: tuple[float, float]
    is_log: bool = False

    def x(self, value: float) -> float:
        low, high = self.x_range
        return LEFT + (value - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        low, high = self.y_range
        if self.is_log:
            low, high, value = math.log(low), math.log(high), math.log(max(value, low))
        return HEIGHT - BOTTOM - (value - low) / (high - low) * (HEIGHT - TOP - BOTTOM)


def draw_axes(
    plane: Plane,
    x_ticks: Sequence[tuple[float, str]],
    y_ticks: Sequence[tuple[float, str]],
    x_label: str,
    y_label: str,
) -> Markup:
    """Grid lines, tick texts (value, text) and labels."""
    base, end = HEIGHT - BOTTOM, WIDTH - RIGHT
    parts = []
    for value, text in y_ticks:
        y = number(plane.y(value))
        parts.append(tag(f'<line class="grid" x1="{LEFT}" x2="{end}" y1="{y}" y2="{y}"/>'))
        parts.append(tag(f'<text x="{LEFT - 8}" y="{y}" dy="0.35em" text-anchor="end">{{text}}</text>', text=text))
    for value, text in x_ticks:
        x = number(plane.x(value))
        parts.append(tag(f'<text x="{x}" y="{base + 19}" text-anchor="middle">{{text}}</text>', text=text))
    parts.append(tag(f'<line class="axis" x1="{LEFT}" x2="{end}" y1="{base}" y2="{base}"/>'))
    across = number((LEFT + end) / 2)
    parts.append(
        tag(f'<text class="label" x="{across}" y="{HEIGHT - 8}" text-anchor="middle">{{text}}</text>', text=x_label)
    )
    up = number((TOP + base) / 2)
    parts.append(
        tag(
            f'<text class="label" x="12" y="{up}" text-anchor="middle" transform="rotate(-90 12 {up})">{{text}}</text>',
            text=y_label,
        )
    )
    return Markup("").join(parts)
