"""The figures of the page: emissions, gates and one unit over time, gradients over distance."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from markupsafe import Markup

from common.alphabet import BLANK, Alphabet
from common.decoding.hypothesis import Hypothesis
from common.explanation.drawing import Heat, Lines, Panel, Symbols, Window, figure, visible
from common.explanation.gates import Trace
from common.report.axes import HEIGHT, RIGHT, WIDTH, Plane, draw_axes, log_ticks, number, tag, ticks
from common.report.wording import short
from common.wording import plural

MAX_UNITS = 48  # in a picture, evenly spread over their order: rows that can be told apart
MAX_COLUMNS, MAX_ROWS = 600, 160  # of a picture; more are averaged over neighbours
MOST_PERCENT = 96  # of the states of a picture are below full colour: a few units count up without end
SHOWN_POSTERIOR = 0.15  # a label that was never read is drawn if it comes to so much
CURVE_STYLES = ("first", "second", "third", "fourth", "fifth", "sixth")


@dataclass(frozen=True)
class Scene:
    """What all figures over time share: one file, its slices, what was read of it, and the part that is drawn.

    Attributes:
        slices: [T, F], what the network sees.
        step, stride_units: length of a slice and of an emission slice in units.
        hypothesis: places in units.
        log_probs: [T', V].
    """

    slices: np.ndarray
    step: float
    stride_units: float
    window: Window
    hypothesis: Hypothesis
    log_probs: np.ndarray
    alphabet: Alphabet

    def symbols(self) -> list[tuple[str, float, float]]:
        """Those whose middle is in the window."""
        places = [(each.text, each.start, each.end) for each in self.hypothesis.symbols]
        return [each for each in places if self.window.start <= (each[1] + each[2]) / 2 < self.window.end]

    def columns(self, num_columns: int, width: float) -> tuple[int, int]:
        """Columns [first, last) of ``width`` units that the window touches."""
        first = min(max(int(self.window.start / width + 1e-9), 0), num_columns - 1)
        last = int(np.ceil(self.window.end / width - 1e-9))
        return first, min(max(last, first + 1), num_columns)

    def heat(self, label: Sequence[str], values: np.ndarray, width: float, height: int, style: str = "first") -> Heat:
        """values [columns, rows], a column ``width`` units, cut to the window."""
        first, last = self.columns(len(values), width)
        cut = _at_most(_at_most(values[first:last], MAX_COLUMNS).T, MAX_ROWS).T
        return Heat(label, cut, first * width, last * width, height, style)

    def points(self, values: np.ndarray) -> list[tuple[float, float]]:
        """One value an emission slice [T'], at the middles of the slices in the window."""
        first, last = self.columns(len(values), self.stride_units)
        return [((k + 0.5) * self.stride_units, float(values[k])) for k in range(first, last)]

    def head(self) -> list[Panel]:
        """What was read, over what the network sees."""
        is_sound = self.window.unit == "s"
        low, high = np.percentile(self.slices, (2, 99.5))
        shown = np.clip((self.slices - low) / max(high - low, 1e-6), 0, 1)
        name = {"s": "spectrogram", "px": "picture"}.get(self.window.unit, "slices")
        label = (name, f"{self.slices.shape[1]} rows")
        shown = shown[:, ::-1] if is_sound else shown  # low frequencies at the bottom
        height = 96 if is_sound else round(min(110, max(40, 640 * self._aspect())))
        return [Symbols(("read",), self.symbols()), self.heat(label, shown, self.step, height, "ink")]

    def _aspect(self) -> float:
        """Height of the picture over the width of the window, both in slices."""
        return self.slices.shape[1] * self.step / (self.window.end - self.window.start)

    def guides(self) -> list[float]:
        return [start for _, start, _ in self.symbols()]

    def spoken(self) -> str:
        return self.hypothesis.text or "nothing"


def emissions(scene: Scene, name: str) -> Markup:
    """Posteriors of the blank and of every label that was read, or nearly, below what the network saw."""
    posteriors = np.exp(scene.log_probs)
    first, last = scene.columns(len(posteriors), scene.stride_units)
    read = {text for text, _, _ in scene.symbols()}
    curves = [("blank", scene.points(posteriors[:, BLANK]))]
    notes = []
    for label, text in enumerate(scene.alphabet.symbols, BLANK + 1):
        part = posteriors[first:last, label]
        if text not in read and part.max() < SHOWN_POSTERIOR:
            continue
        curves.append(("first" if text in read else "second", scene.points(posteriors[:, label])))
        if text not in read:
            at = int(part.argmax())
            notes.append(((first + at + 0.5) * scene.stride_units, float(part[at]), visible(text)))
    panels = [
        *scene.head(),
        Lines(("posterior", "a label each,", "grey: blank"), curves, 0.0, 1.0, 110, notes),
    ]
    labels = f" and of {'each of ' * (len(read) > 1)}{plural(len(read), 'label')}" if read else ""
    sentence = (
        f"Emissions over time below what the network sees: as curves the posterior of the blank{labels}; "
        f"read was: {scene.spoken()}"
    )
    return figure(panels, scene.window, sentence, name, scene.guides())


def order_of_units(trace: Trace) -> np.ndarray:
    """Units by how much of their state they keep on average, most first; of a plain RNN by how much they move."""
    measure = trace.gates[trace.keeps].mean(0) if trace.keeps else trace.hidden.std(0)
    return np.argsort(-measure, kind="stable")


def gates(scene: Scene, trace: Trace, where: str, name: str) -> Markup:
    """Every gate, the cell state and the output of one direction, a row a unit."""
    order = order_of_units(trace)
    if len(order) > MAX_UNITS:
        order = order[np.linspace(0, len(order) - 1, MAX_UNITS).round().astype(int)]
    panels = scene.head()
    for gate in ("reset", "input", "forget", "update", "output"):
        if gate in trace.gates:
            values = trace.gates[gate][:, order]
            panels.append(scene.heat((f"{gate} gate", "0 to 1"), values, scene.stride_units, 96))
    for label, state in (("cell state", trace.cell), ("output h", trace.hidden)):
        if state is not None:
            limit = float(np.percentile(np.abs(state), MOST_PERCENT)) or 1.0
            shown = np.clip(state[:, order] / limit, -1, 1)
            bounds = f"to ±{short(limit, 2)}"
            panels.append(scene.heat((label, bounds), shown, scene.stride_units, 96))
    first = f"those that keep most of their state ({trace.keeps} gate)" if trace.keeps else "the liveliest"
    kinds = "".join(f"{gate} gate, " for gate in trace.gates)
    units = f"{len(order)} of {trace.hidden.shape[1]} units"
    sentence = f"{where}: {kinds}state and output of {units} over time, {first} at the top"
    return figure(panels, scene.window, sentence, name, scene.guides())


def liveliest(trace: Trace) -> int:
    """The unit whose output moves most over the file."""
    return int(trace.hidden.std(0).argmax())


def unit(scene: Scene, trace: Trace, number_of_unit: int, where: str, name: str) -> Markup:
    """Gates, state and output of one unit as curves."""
    panels = scene.head()
    for gate, values in trace.gates.items():
        panels.append(Lines((f"{gate} gate",), [("first", scene.points(values[:, number_of_unit]))], 0.0, 1.0, 44))
    states = [("candidate", trace.candidate), ("cell state", trace.cell), ("output h", trace.hidden)]
    for label, state in states:
        if state is None or (label == "candidate" and not trace.gates):
            continue
        one = state[:, number_of_unit]
        limit = ticks(0.0, max(float(np.abs(one).max()), 1e-3), 2)[-1]
        panels.append(Lines((label,), [("second", scene.points(one))], -limit, limit, 58))
    sentence = f"{where}, unit {number_of_unit + 1}: its gates, its state and its output as curves over time"
    return figure(panels, scene.window, sentence, name, scene.guides())


def gradients(curves: Mapping[str, np.ndarray]) -> Markup:
    """Norm of the gradient (log) over the slices between cause and effect; a number at each curve's end names it."""
    distance = max(len(norms) for norms in curves.values()) - 1
    # Of a layer whose gradient died at once or grew beyond single precision there is nothing, or a part, to draw.
    together = np.concatenate(list(curves.values()))
    finite = together[np.isfinite(together)]
    low, high = float(finite.min()), float(finite.max())
    marks = log_ticks(low, max(high, 1.0))
    marks = marks[:: -max(1, len(marks) // 6)][::-1]  # so that the highest stays
    plane = Plane((0, distance), (min(low, marks[0]), max(high, marks[-1])), is_log=True)
    across = [(x, f"{x:g}") for x in ticks(0, distance, 6) if x <= distance]
    up = [(y, f"{y:.0e}" if y < 0.01 else f"{y:g}") for y in marks]
    parts = [draw_axes(plane, across, up, "slices back", "gradient (log)")]
    ends = [next((float(each) for each in norms[::-1] if np.isfinite(each)), low) for norms in curves.values()]
    heights = _apart([plane.y(end) for end in ends], 14)
    for place, (name, norms) in enumerate(curves.items()):
        known = [(k, float(value)) for k, value in enumerate(norms) if np.isfinite(value)]
        path = " ".join(f"{number(plane.x(k))},{number(plane.y(value))}" for k, value in known)
        style = CURVE_STYLES[place % len(CURVE_STYLES)]
        parts.append(tag('<polyline class="curve {style}" points="{path}"/>', style=style, path=path))
        at = f'x="{WIDTH - RIGHT + 4}" y="{number(heights[place])}"'
        parts.append(tag(f'<text class="end" {at} dy="0.35em">{place + 1}<title>{{n}}</title></text>', n=name))
    told = "; ".join(f"{name}: {short(float(norms[-1]), 2)}" for name, norms in curves.items())
    what = "Norm of the gradient over the number of slices it reaches back, relative to none"
    return tag(
        f'<svg class="chart gradients" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{{s}}">{{body}}</svg>',
        s=f"{what}; {distance} slices back: {told}",
        body=Markup("").join(parts),
    )


def _apart(heights: Sequence[float], least: float) -> list[float]:
    """Heights moved up, the lowest in the drawing first, until each is ``least`` away from the one below it."""
    found = list(heights)
    order = sorted(range(len(found)), key=lambda place: -found[place])
    for below, above in pairwise(order):
        found[above] = min(found[above], found[below] - least)
    return found


def _at_most(values: np.ndarray, num_rows: int) -> np.ndarray:
    """Means over neighbours along the first axis, so that at most ``num_rows`` remain."""
    if len(values) <= num_rows:
        return values
    borders = np.linspace(0, len(values), num_rows + 1).astype(int)
    return np.add.reduceat(values, borders[:-1], axis=0) / np.diff(borders)[:, None]
