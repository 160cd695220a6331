"""The layer unrolled over three slices, as a drawing with the real shapes."""

from markupsafe import Markup

from common.report.axes import tag

WIDTH, HEIGHT = 760, 306
COLUMNS = (170, 400, 630)  # middles of the three slices
BOX_WIDTH, BOX_HEIGHT = 132, 42
INPUT, AHEAD, BACK, OUTPUT = 278, 194, 118, 34  # middles of the rows


def unrolled(kind: str, num_inputs: int, num_hidden: int, bidirectional: bool, has_cell: bool) -> Markup:
    """One recurrent layer over slices t - 1, t and t + 1; the same weights stand in every column."""
    state = "h, c" if has_cell else "h"
    rows = [(AHEAD, "forwards", "W, R, b")] + ([(BACK, "backwards", "its own W, R, b")] if bidirectional else [])
    name = kind.replace("_", " ").upper() if len(kind) < 5 else kind.replace("_", " ")
    parts = [
        Markup(
            '<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
            'orient="auto-start-reverse"><path class="tip" d="M0 0L8 4L0 8z"/></marker></defs>'
        )
    ]
    half, tall = BOX_WIDTH // 2, BOX_HEIGHT // 2
    for place, x in enumerate(COLUMNS):
        time = ("t - 1", "t", "t + 1")[place]
        width = num_hidden * len(rows)
        parts.append(_box(x, INPUT, f"x({time})", f"{num_inputs} values", "data"))
        parts.append(_box(x, OUTPUT, f"y({time})", f"{width} values", "data"))
        for row, direction, weights in rows:
            parts.append(_box(x, row, f"{name} {direction}", weights, "cell"))
        # Past the boxes of the other direction, left and right of the middle.
        parts.append(_arrow(x - 30, INPUT - tall, x - 30, AHEAD + tall))
        if bidirectional:
            parts.append(_path(f"M{x + 30} {INPUT - tall}V{INPUT - 32}H{x + half + 14}V{BACK}H{x + half + 3}"))
            parts.append(_path(f"M{x - half} {AHEAD}H{x - half - 14}V{OUTPUT}H{x - half - 3}"))
            parts.append(_arrow(x, BACK - tall, x, OUTPUT + tall))
        else:
            parts.append(_arrow(x, AHEAD - tall, x, OUTPUT + tall))
    for row, direction, _ in rows:
        y = row + (9 if direction == "forwards" else -9)
        for left, right in zip((8, *COLUMNS), (*COLUMNS, WIDTH - 8), strict=True):
            start = left + (half if left != 8 else 0)
            end = right - (half if right != WIDTH - 8 else 0)
            ends = (start, end) if direction == "forwards" else (end, start)
            parts.append(_arrow(ends[0], y, ends[1], y))
            middle = (start + end) // 2
            parts.append(Markup(f'<text class="carried" x="{middle}" y="{y + (15 if y > row else -6)}">{state}</text>'))
    both = f", and {num_hidden} units backwards, from the last slice to the first" if bidirectional else ""
    sentence = (
        f"One layer unrolled over three slices: each slice of {num_inputs} values goes into {num_hidden} units "
        f"forwards, which pass {state} on to the next slice{both}; the same weights stand at every slice"
    )
    return tag(
        f'<svg class="schematic" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{{sentence}}">{{body}}</svg>',
        sentence=sentence,
        body=Markup("").join(parts),
    )


def _box(x: int, y: int, first: str, second: str, style: str) -> Markup:
    left, top = x - BOX_WIDTH // 2, y - BOX_HEIGHT // 2
    return tag(
        f'<rect class="box {style}" x="{left}" y="{top}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="7"/>'
        f'<text class="in" x="{x}" y="{y - 3}">{{first}}</text>'
        f'<text class="in small" x="{x}" y="{y + 13}">{{second}}</text>',
        first=first,
        second=second,
    )


def _arrow(x1: int, y1: int, x2: int, y2: int) -> Markup:
    return _path(f"M{x1} {y1}L{x2} {y2}")


def _path(path: str) -> Markup:
    return tag('<path class="arrow" d="{path}" marker-end="url(#arrow)"/>', path=path)
