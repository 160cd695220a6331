"""A bundle, a file's slices and what was read of it → everything that the page says and shows."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from markupsafe import Markup

from common.alphabet import BLANK
from common.bundle import Bundle
from common.explanation import figures
from common.explanation.drawing import Window, visible
from common.explanation.gates import Trace
from common.explanation.gradients import curves
from common.explanation.parameters import arrays, rows_of_table, stages
from common.explanation.passage import LayerPassage, passages
from common.explanation.schematic import unrolled
from common.network_settings import NetworkSettings
from common.recurrent.cells import NUM_GATES
from common.report.wording import short

DISTANCE = 80  # slices that gradients are followed back
TOLD_DISTANCES = (1, 5, 10, 20, 40, 80)
MAX_LAYERS = 3  # whose gates are shown
MAX_WINDOW = 90  # emission slices in a figure, unless the user says which part
BLANK_SIGN = "·"


@dataclass(frozen=True)
class Input:
    """One file in front of one model.

    Attributes:
        file: its name, as the page calls it.
        slices: float32 [T, F].
        step: units a slice.
        length: of the signal in units.
        scene: what the figures over time are drawn from.
        settings: of the network.
        command: that makes this page again.
    """

    bundle: Bundle
    settings: NetworkSettings
    file: str
    length: float
    scene: figures.Scene


def explain(main: Input, others: list[Input], command: str) -> dict[str, Any]:
    """All values of the template, and ``figures``: name → SVG."""
    settings = main.settings
    layers = passages(main.bundle.network, main.scene.slices)
    told, drawn = _model(main, layers, "")
    beside = []
    for place, other in enumerate(others, 1):
        seen = passages(other.bundle.network, other.scene.slices)
        each, more = _model(other, seen[-1:], f"-beside{place}", len(seen) - 1)
        beside.append(each)
        drawn |= more
    measured = curves([each.layer for each in layers], told["front_width"], settings.num_hidden, DISTANCE)
    drawn["gradients"] = figures.gradients(measured)
    if layers:
        sizes = (told["front_width"], settings.num_hidden)
        drawn["unrolled"] = unrolled(settings.cell, *sizes, settings.bidirectional, settings.is_lstm)
    gradients = [
        (str(number), name, [short(float(norms[k]), 2) for k in TOLD_DISTANCES])
        for number, (name, norms) in enumerate(measured.items(), 1)
    ]
    told |= {"command": command, "beside": beside, "gradients": gradients, "distances": TOLD_DISTANCES}
    return {**told, "figures": drawn}


def window_of(bundle: Bundle, stride_units: float, length: float, start: float | None, end: float | None) -> Window:
    """The part that is drawn: what the user asks for, else as much from the start as can be told apart."""
    begin = 0.0 if start is None else start
    last = min(length, begin + MAX_WINDOW * stride_units) if end is None else min(end, length)
    return Window(begin, last, bundle.unit)


def _model(
    given: Input, layers: list[LayerPassage], suffix: str, num_before: int = 0
) -> tuple[dict[str, Any], dict[str, Markup]]:
    """What is said of one model and file, and its figures, whose names hold ``suffix``.

    Args:
        layers: those to show.
        num_before: layers of the network before them; where there are such, all is kept short.
    """
    scene = given.scene
    drawn = {f"emissions{suffix}": figures.emissions(scene, f"emissions{suffix}")}
    memories, pictures, difference, unit_shown = [], [], 0.0, None
    # Of a deep stack the first and the last, or the page would grow without end.
    for place in range(len(layers)) if len(layers) <= MAX_LAYERS else (0, len(layers) - 1):
        traces = layers[place].traces()
        difference = max(difference, layers[place].difference(traces))
        for direction, trace in traces.items():
            where = f"Layer {num_before + place + 1}, {direction}"
            name = f"gates{suffix}-{num_before + place + 1}-{direction}"
            pictures.append((where, name))
            drawn[name] = figures.gates(scene, trace, where, name)
            memories.append((where, *_memory(trace, scene.stride_units)))
            if place == len(layers) - 1 and direction == "forwards" and not suffix:
                unit = figures.liveliest(trace)
                drawn["unit"] = figures.unit(scene, trace, unit, where, "unit")
                unit_shown = (where, unit + 1)
    told = {
        "suffix": suffix,
        "pictures": pictures,
        "num_shown": min(figures.MAX_UNITS, given.settings.num_hidden),
        "memories": memories,
        "difference": difference,
        "unit_shown": unit_shown,
        **_shapes(given),
        **_file(given),
        **_odds(scene),
    }
    return told, drawn


def _shapes(given: Input) -> dict[str, Any]:
    """Shapes and counts by formula."""
    settings, bundle = given.settings, given.bundle
    found = arrays(settings, bundle.num_features, len(bundle.alphabet))
    on_the_way = stages(settings, bundle.num_features, len(bundle.alphabet), len(given.scene.slices))
    num_parameters = sum(each.num_values for each in found)
    return {
        "settings": settings,
        "num_gates": NUM_GATES.get(settings.cell, 0),
        "num_features": bundle.num_features,
        "num_labels": len(bundle.alphabet),
        "stride": bundle.stride,
        "stages": [
            (each.name, f"[{', '.join(each.letters)}]", f"[{', '.join(map(str, each.shape))}]") for each in on_the_way
        ],
        "front_width": on_the_way[len(settings.convolutions) + 1].shape[1],
        "arrays": list(rows_of_table(found)),
        "num_parameters": num_parameters,
        "share_recurrent": sum(each.num_values for each in found if ".layers." in each.name) / num_parameters,
    }


def _file(given: Input) -> dict[str, Any]:
    """The file, and what was read in it."""
    scene, bundle = given.scene, given.bundle
    first, last = scene.columns(len(scene.log_probs), scene.stride_units)
    path = scene.log_probs[first:last].argmax(1).tolist()
    # Two digits of a step tell places apart; of a scaled picture it is no whole number of pixels.
    decimals = 1 - math.floor(math.log10(scene.stride_units))

    def place(units: float) -> str:
        return f"{round(units, decimals):g}"

    return {
        "modality": bundle.modality,
        "unit": bundle.unit,
        "file": given.file,
        "length": short(given.length, 4),
        "text": scene.hypothesis.text,
        "num_slices": len(scene.slices),
        "num_emissions": len(scene.log_probs),
        "step": short(scene.step, 3),
        "stride_units": short(scene.stride_units, 3),
        "window": tuple(short(each, 4) for each in (scene.window.start, scene.window.end)),
        "is_cut": scene.window.start > 0 or scene.window.end < given.length,
        "path": "".join(BLANK_SIGN if k == BLANK else visible(bundle.alphabet.symbols[k - 1]) for k in path),
        "symbols": [(visible(text), place(start), place(end)) for text, start, end in scene.symbols()],
    }


def _memory(trace: Trace, stride_units: float) -> tuple[str, str, str]:
    """How long the state lasts: half-lives of the fast, the middle and the slow units, in slices and units.

    A unit's half-life comes from the geometric mean of the gate that keeps its state: after n slices a share f ** n is
    left of what was there.
    """
    if not trace.keeps:
        return ("no gate", "no gate", "no gate")
    logs = np.log(np.maximum(trace.gates[trace.keeps], 1e-300)).mean(0)
    lives = math.log(0.5) / np.minimum(logs, -1e-12)
    fast, middle, slow = np.quantile(lives, (0.1, 0.5, 0.9))
    return (_life(fast, stride_units), _life(middle, stride_units), _life(slow, stride_units))


def _life(slices: float, stride_units: float) -> str:
    return f"{short(slices, 2)} ({short(slices * stride_units, 2)})"


def _probability(logarithm: float) -> str:
    """``0.62``; of a long file, where that would be a row of zeros, ``exp(-812)``."""
    return short(math.exp(logarithm), 2) if logarithm > -7 else f"exp({logarithm:.0f})"


def _odds(scene: figures.Scene) -> Mapping[str, str]:
    """Natural logarithms: of the best single path, and of all paths together that write the text that it writes."""
    best = scene.log_probs.argmax(1)
    labels = [int(k) for place, k in enumerate(best) if k != BLANK and (place == 0 or best[place - 1] != k)]
    path = float(scene.log_probs.max(1).sum(dtype=np.float64))
    emissions = torch.from_numpy(scene.log_probs).double()[:, None]
    lengths = torch.tensor([len(scene.log_probs)]), torch.tensor([len(labels)])
    loss = torch.nn.functional.ctc_loss(
        emissions, torch.tensor([labels], dtype=torch.long), *lengths, blank=BLANK, reduction="sum"
    )
    return {
        "path_probability": _probability(path),
        "text_probability": _probability(-float(loss)),
        "loss": short(float(loss), 3),
    }
