"""Charts as inline SVG: no script, no fonts, colours from the page's style sheet, the same bytes for the same data.

All data passes ``axes.tag``, which escapes; every chart carries a sentence for screen readers.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from common.report.axes import BOTTOM, HEIGHT, TOP, WIDTH, Plane, draw_axes, log_ticks, number, tag, ticks
from common.report.wording import short
from common.wording import plural

MAX_MARKERS = 40  # a curve with more points is drawn as a line alone
BAR_WIDTH, BAR_HEIGHT = 240, 26  # view box of an interval bar
LOG_SPAN = 20  # positive values that span more than this factor get a logarithmic axis


@dataclass(frozen=True, slots=True)
class Curve:
    """One line of a chart. ``style`` is a class of the style sheet; points are (x, y) in data units."""

    name: str
    style: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Bar:
    """One bin of a histogram, half open [start, end)."""

    start: float
    end: float
    count: float


def _figure(sentence: str, body: Markup) -> Markup:
    return tag(
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{{sentence}}">{{body}}</svg>',
        sentence=sentence,
        body=body,
    )


def _value(y: float, is_percent: bool) -> str:
    if not is_percent:
        return short(y, 4)
    text = short(y * 100)
    return f"{'> 99.9' if text == '100' and y < 1 else text} %"  # 100 % is all


def line_chart(
    title: str,
    curves: Sequence[Curve],
    x_label: str,
    y_label: str,
    chosen: float | None = None,
    is_percent: bool = False,
) -> Markup:
    """Draw curves over one pair of axes; a dashed line stands at x = ``chosen``.

    The vertical axis starts at 0, or is logarithmic where positive values span more than a factor of ``LOG_SPAN`` and
    are no fractions: a loss falls by orders of magnitude and would lie flat on a linear axis.
    """
    across = [x for curve in curves for x, _ in curve.points]
    values = [y for curve in curves for _, y in curve.points]
    if not values:
        return Markup("")
    is_log = not is_percent and min(values) > 0 and max(values) > LOG_SPAN * min(values)
    y_ticks = log_ticks(min(values), max(values)) if is_log else ticks(min(0.0, *values), max(values))
    x_low, x_high = min(across), max(max(across), min(across) + 1)
    # Of a single epoch the axis goes on, and its text does not: there was no second one.
    x_ticks = [x for x in ticks(x_low, x_high, 6) if x_low <= x <= max(across) and x == int(x)]
    plane = Plane((x_low, x_high), (y_ticks[0], y_ticks[-1]), is_log)
    parts = [
        draw_axes(
            plane,
            [(x, f"{x:.0f}") for x in x_ticks],
            [(y, _value(y, is_percent)) for y in y_ticks],
            x_label,
            y_label + (" (log)" if is_log else ""),
        )
    ]
    if chosen is not None:
        x = number(plane.x(chosen))
        parts.append(tag(f'<line class="chosen" x1="{x}" x2="{x}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>'))
    parts += [_curve(plane, curve, chosen, is_percent) for curve in curves]
    ends = "; ".join(
        f"{curve.name} from {_value(curve.points[0][1], is_percent)} to {_value(curve.points[-1][1], is_percent)}"
        for curve in curves
        if curve.points
    )
    return _figure(f"{title}: {ends}", Markup("").join(parts))


def _curve(plane: Plane, curve: Curve, chosen: float | None, is_percent: bool) -> Markup:
    path = " ".join(f"{number(plane.x(x))},{number(plane.y(y))}" for x, y in curve.points)
    parts = [tag('<polyline class="curve {style}" points="{path}"/>', style=curve.style, path=path)]
    for x, y in curve.points:
        if len(curve.points) <= MAX_MARKERS or x == chosen:
            radius = 5 if x == chosen else 2.6
            parts.append(
                tag(
                    '<circle class="point {style}" cx="{x}" cy="{y}" r="{r}"><title>{text}</title></circle>',
                    style=curve.style,
                    x=number(plane.x(x)),
                    y=number(plane.y(y)),
                    r=radius,
                    text=f"{curve.name}, {x:g}: {_value(y, is_percent)}",
                )
            )
    return Markup("").join(parts)


def reliability(title: str, curves: Sequence[tuple[Curve, Sequence[int]]]) -> Markup:
    """Draw accuracy (up) over confidence (across), both fractions, with the line where they are equal.

    Args:
        curves: each with the observations behind its points; the area of a point is their share.
    """
    plane = Plane((0.0, 1.0), (0.0, 1.0))
    marks = [(each / 5, f"{each * 20} %") for each in range(6)]
    parts = [draw_axes(plane, marks, marks, "confidence", "right")]
    ends = [(number(plane.x(each)), number(plane.y(each))) for each in (0.0, 1.0)]
    parts.append(tag('<polyline class="ideal" points="{ends}"/>', ends=" ".join(map(",".join, ends))))
    for curve, counts in curves:
        path = " ".join(f"{number(plane.x(x))},{number(plane.y(y))}" for x, y in curve.points)
        parts.append(tag('<polyline class="curve {style}" points="{path}"/>', style=curve.style, path=path))
        for (x, y), count in zip(curve.points, counts, strict=True):
            parts.append(
                tag(
                    '<circle class="point {style}" cx="{x}" cy="{y}" r="{r}"><title>{text}</title></circle>',
                    style=curve.style,
                    x=number(plane.x(x)),
                    y=number(plane.y(y)),
                    r=number(2.2 + 7 * (count / sum(counts)) ** 0.5),
                    text=f"{curve.name}: said {_value(x, True)}, right {_value(y, True)}, of {count:,}",
                )
            )
    names = " and ".join(curve.name for curve, _ in curves)
    return _figure(f"{title}: how often right, over confidence, {names}", Markup("").join(parts))


def histogram(title: str, bars: Sequence[Bar], x_label: str, y_label: str) -> Markup:
    """Draw bars of equal unit height; both axes start at round values."""
    if not bars:
        return Markup("")
    x_low, x_high = bars[0].start, bars[-1].end
    y_ticks = ticks(0, max(1, *(bar.count for bar in bars)))
    y_ticks = [y for y in y_ticks if y == int(y)]
    plane = Plane((x_low, x_high), (0, y_ticks[-1]))
    x_ticks = [x for x in ticks(x_low, x_high, 6) if x_low <= x <= x_high]
    parts = [
        draw_axes(plane, [(x, short(x, 4)) for x in x_ticks], [(y, f"{y:,.0f}") for y in y_ticks], x_label, y_label)
    ]
    for bar in bars:
        left, right, top = plane.x(bar.start), plane.x(bar.end), plane.y(bar.count)
        gap = min(1.5, (right - left) * 0.15)
        parts.append(
            tag(
                '<rect class="bar" x="{x}" y="{y}" width="{w}" height="{h}"><title>{text}</title></rect>',
                x=number(left + gap / 2),
                y=number(top),
                w=number(right - left - gap),
                h=number(HEIGHT - BOTTOM - top),
                text=f"{short(bar.start, 4)} to {short(bar.end, 4)}: {bar.count:g}",
            )
        )
    total = sum(bar.count for bar in bars)
    return _figure(
        f"{title}: {total:g} in {plural(len(bars), 'bin')} from {short(x_low)} to {short(x_high)}",
        Markup("").join(parts),
    )


def interval_bar(
    value: float, low: float | None, high: float | None, limit: float, sentence: str, start: float = 0.0
) -> Markup:
    """Draw a value as a dot with its interval as a band on a line from ``start`` to ``limit`` (all in the same unit).

    Where the line begins below 0, a dashed line marks 0.
    """
    pad, middle = 7, BAR_HEIGHT / 2

    def across(each: float) -> str:
        return number(pad + min(max((each - start) / (limit - start), 0.0), 1.0) * (BAR_WIDTH - 2 * pad))

    parts = [tag(f'<line class="axis" x1="{pad}" x2="{BAR_WIDTH - pad}" y1="{middle:g}" y2="{middle:g}"/>')]
    if low is not None and high is not None:
        width = max(float(across(high)) - float(across(low)), 1.0)
        parts.append(
            tag(f'<rect class="band" x="{across(low)}" y="{middle - 5:g}" width="{number(width)}" height="10" rx="5"/>')
        )
    if start < 0:
        parts.append(tag(f'<line class="chosen" x1="{across(0)}" x2="{across(0)}" y1="1" y2="{BAR_HEIGHT - 1}"/>'))
    parts.append(tag(f'<circle class="dot" cx="{across(value)}" cy="{middle:g}" r="5"/>'))
    return tag(
        f'<svg class="interval" viewBox="0 0 {BAR_WIDTH} {BAR_HEIGHT}" role="img" aria-label="{{s}}">'
        "<title>{s}</title>{body}</svg>",
        s=sentence,
        body=Markup("").join(parts),
    )


def value_bar(value: float, limit: float, sentence: str) -> Markup:
    """Draw a value that has no interval as a bar from 0, on a line to ``limit``."""
    pad, middle = 7, BAR_HEIGHT / 2
    width = number(max(min(value / limit, 1.0) * (BAR_WIDTH - 2 * pad), 1.0))
    return tag(
        f'<svg class="interval" viewBox="0 0 {BAR_WIDTH} {BAR_HEIGHT}" role="img" aria-label="{{s}}">'
        f'<title>{{s}}</title><line class="axis" x1="{pad}" x2="{BAR_WIDTH - pad}" y1="{middle:g}" y2="{middle:g}"/>'
        f'<rect class="value" x="{pad}" y="{middle - 5:g}" width="{width}" height="10" rx="2"/></svg>',
        s=sentence,
    )


def stacked_bar(parts: Sequence[tuple[str, int, str]]) -> Markup:
    """Draw (name, count, style) side by side, as long as their share of all; nothing where all counts are 0."""
    total = sum(count for _, count, _ in parts)
    if not total:
        return Markup("")
    drawn, left = [], 0.0
    for name, count, style in parts:
        width = count / total * BAR_WIDTH
        if count:
            drawn.append(
                tag(
                    '<rect class="part {style}" x="{x}" y="0" width="{w}" height="8"><title>{text}</title></rect>',
                    style=style,
                    x=number(left),
                    w=number(max(width - 1.5, 0.5)),
                    text=f"{name}: {count}",
                )
            )
        left += width
    return tag(
        f'<svg class="interval" viewBox="0 0 {BAR_WIDTH} 8" role="img" aria-label="{{s}}">{{body}}</svg>',
        s=", ".join(f"{count} {name}" for name, count, _ in parts),
        body=Markup("").join(drawn),
    )
