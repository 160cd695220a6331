"""Every array of a network by formula: its name in the weights' file, its shape in letters, its number of values.

Nothing here looks into a network; ``tests/test_explanation.py`` compares with real ones.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from common.network_settings import ConvolutionSettings, NetworkSettings
from common.recurrent.cells import NUM_GATES, TORCH_CELLS


@dataclass(frozen=True, slots=True)
class Array:
    """One array of weights.

    Attributes:
        name: in ``model.safetensors``.
        part: of the network, e.g. ``layer 1, forwards``.
        symbol: as equations call it.
        letters: its shape by formula, e.g. ``("4 H", "F")``.
        shape: the same in numbers.
    """

    name: str
    part: str
    symbol: str
    letters: tuple[str, ...]
    shape: tuple[int, ...]

    @property
    def num_values(self) -> int:
        return math.prod(self.shape)


@dataclass(frozen=True, slots=True)
class Stage:
    """What stands between two parts for one sample: shape in letters and in numbers."""

    name: str
    letters: tuple[str, ...]
    shape: tuple[int, ...]


def size(formula: str, letters: Mapping[str, int]) -> int:
    """``4 H`` with H = 128 → 512: factors stand side by side."""
    return math.prod(int(each) if each.isdigit() else letters[each] for each in formula.split())


def arrays(settings: NetworkSettings, num_features: int, num_labels: int) -> list[Array]:
    """All learnt arrays of ``common.network.Network``, in the order of the computation."""
    found: list[Array] = []

    def add(prefix: str, part: str, rows: Mapping[str, tuple[str, tuple[str, ...]]], **letters: int) -> None:
        for name, (symbol, formula) in rows.items():
            shape = tuple(size(each, letters) for each in formula)
            found.append(Array(f"{prefix}.{name}", part, symbol, formula, shape))

    channels = 1
    for number, block in enumerate(settings.convolutions):
        rows = {
            "convolution.weight": ("K", ("C'", "C", "k_t", "k_f")),
            "norm.weight": ("scale", ("C'",)),
            "norm.bias": ("shift", ("C'",)),
        }
        kernel = {"k_t": block.kernel[0], "k_f": block.kernel[1]}
        add(f"blocks.{number}", f"block {number + 1}", rows, **{"C": channels, "C'": block.channels}, **kernel)
        channels = block.channels
    width = channels * _rows_behind(settings, num_features)
    directions = ("forwards", "backwards") if settings.bidirectional else ("forwards",)
    outer = len(directions) * settings.num_hidden
    norm = {"weight": ("gain", ("F",)), "bias": ("bias", ("F",))}
    if settings.cell == "transformer":
        add("encoder.entry", "entry", {"weight": ("W", ("W", "F")), "bias": ("b", ("W",))}, W=outer, F=width)
        for number in range(settings.num_layers):
            add(f"encoder.layers.{number}", f"layer {number + 1}", _ATTENTION, W=outer)
        add("encoder.norm", "last normalisation", norm, F=outer)
    else:
        for number in range(settings.num_layers):
            add(f"encoder.norms.{number}", f"normalisation before layer {number + 1}", norm, F=width)
            for each in directions:
                part = f"layer {number + 1}, {each}"
                rows = _cell(settings.cell)
                add(f"encoder.layers.{number}.{each}", part, rows, F=width, H=settings.num_hidden)
            width = outer
        add(f"encoder.norms.{settings.num_layers}", "last normalisation", norm, F=outer)
    add("head", "head", {"weight": ("W", ("V", "F")), "bias": ("b", ("V",))}, V=num_labels, F=outer)
    if settings.self_conditioned:
        rows = {"weight": ("S", ("F", "V")), "bias": ("b", ("F",))}
        add("condition", "what intermediate emissions add", rows, V=num_labels, F=outer)
    return found


def stages(settings: NetworkSettings, num_features: int, num_labels: int, num_slices: int) -> list[Stage]:
    """Shapes of one sample of ``num_slices`` slices on its way through the network."""
    found = [Stage("slices", ("T", "F"), (num_slices, num_features))]
    steps, rows, channels = num_slices, num_features, 1
    for number, block in enumerate(settings.convolutions, 1):
        channels = block.channels
        steps, rows = (_shortened(each, block, axis) for axis, each in enumerate((steps, rows)))
        found.append(Stage(f"behind block {number}", ("C", "T'", "F'"), (channels, steps, rows)))
    found.append(Stage("a vector a slice", ("T'", "C F'"), (steps, channels * rows)))
    factor = "2 " if settings.bidirectional else ""
    width = (2 if settings.bidirectional else 1) * settings.num_hidden
    layers = range(1, settings.num_layers + 1)
    found += [Stage(f"behind layer {number}", ("T'", f"{factor}H"), (steps, width)) for number in layers]
    found.append(Stage("emissions", ("T'", "V"), (steps, num_labels)))
    return found


def _rows_behind(settings: NetworkSettings, num_features: int) -> int:
    """F', the rows of features behind the convolutions."""
    for block in settings.convolutions:
        num_features = _shortened(num_features, block, 1)
    return num_features


def _shortened(length: int, block: ConvolutionSettings, axis: int) -> int:
    """Positions behind a block along time (axis 0) or features (1): divided twice, rounded up each time."""
    return math.ceil(math.ceil(length / block.stride[axis]) / block.pool[axis])


def _cell(kind: str) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Arrays of one direction of a layer: H units over F inputs."""
    gates = NUM_GATES[kind]
    rows = "H" if gates == 1 else f"{gates} H"
    if kind in TORCH_CELLS:
        return {
            "weight_ih_l0": ("W", (rows, "F")),
            "weight_hh_l0": ("R", (rows, "H")),
            "bias_ih_l0": ("b", (rows,)),
            "bias_hh_l0": ("b'", (rows,)),
        }
    found: dict[str, tuple[str, tuple[str, ...]]] = {
        "weight_ih": ("W", (rows, "F")),
        "weight_hh": ("R", (rows, "H")),
        "bias": ("b", (rows,)),
    }
    if kind == "peephole_lstm":
        found["peephole"] = ("p", ("3", "H"))
    if kind == "layer_norm_lstm":
        found |= {"gain_ih": ("gain of W x", (rows,)), "gain_hh": ("gain of R h", (rows,))}
        found |= {"gain_cell": ("gain of c", ("H",)), "bias_cell": ("bias of c", ("H",))}
    return found


_ATTENTION: dict[str, tuple[str, tuple[str, ...]]] = {
    "attention_norm.weight": ("gain of attention", ("W",)),
    "attention_norm.bias": ("bias of attention's norm", ("W",)),
    "queries_keys_values.weight": ("Q, K, V", ("3 W", "W")),
    "queries_keys_values.bias": ("bias of Q, K, V", ("3 W",)),
    "joined.weight": ("O", ("W", "W")),
    "joined.bias": ("bias of O", ("W",)),
    "inner_norm.weight": ("gain of the inner part", ("W",)),
    "inner_norm.bias": ("bias of the inner norm", ("W",)),
    "inner.0.weight": ("A", ("4 W", "W")),
    "inner.0.bias": ("bias of A", ("4 W",)),
    "inner.3.weight": ("B", ("W", "4 W")),
    "inner.3.bias": ("bias of B", ("W",)),
}


def rows_of_table(found: list[Array]) -> Iterator[tuple[str, str, str, str, str]]:
    """(part, symbol, shape by formula, shape, values), the directions of a layer together, since they are alike."""
    for each in found:
        if each.part.endswith(", backwards"):
            continue
        both = each.part.endswith(", forwards") and any(other.part.endswith(", backwards") for other in found)
        part = each.part.removesuffix(", forwards") + (", each direction" if both else "")
        yield (
            part,
            each.symbol,
            f"[{', '.join(each.letters)}]",
            f"[{', '.join(map(str, each.shape))}]",
            f"2 × {each.num_values:,}" if both else f"{each.num_values:,}",
        )
