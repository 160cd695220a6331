"""What the page about the core is computed from: shapes by formula, gates from the weights, gradients, drawings."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from common.explanation.drawing import Heat, Lines, Symbols, Window, figure
from common.explanation.figures import gradients
from common.explanation.gates import trace
from common.explanation.gradients import alone, curves, fresh, reach
from common.explanation.page import standalone
from common.explanation.parameters import arrays, rows_of_table, size, stages
from common.explanation.passage import passages
from common.explanation.schematic import unrolled
from common.network import Network, NetworkSettings
from common.recurrent.cells import NUM_GATES
from common.recurrent.layers import LayerOptions, RecurrentLayer
from pipelines.modalities import MODULES, modality
from pipelines.recipe import compose

CELLS = (*NUM_GATES, "transformer")
BLOCKS = st.lists(
    st.fixed_dictionaries(
        {
            "channels": st.integers(1, 4),
            "kernel": st.tuples(st.sampled_from([1, 3, 5]), st.sampled_from([1, 3])),
            "stride": st.tuples(st.integers(1, 3), st.integers(1, 2)),
            "pool": st.tuples(st.integers(1, 2), st.integers(1, 2)),
        }
    ),
    max_size=3,
)


def small(cell: str, **changes) -> NetworkSettings:
    values = {"cell": cell, "num_layers": 2, "num_hidden": 4, "convolutions": [{"channels": 3, "stride": [2, 2]}]}
    return NetworkSettings.model_validate(values | changes)


def shapes(network: Network) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in network.named_parameters()}


def moved(network: Network, seed: int = 0) -> Network:
    """With every weight, peepholes and gains too, away from its first value; in evaluation."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.4 * torch.randn_like(parameter))
    return network.eval()


def test_gradients_that_died_or_grew_beyond_numbers_are_left_out_of_the_drawing():
    drawn = gradients({"fine": np.array([1.0, 0.1]), "dead": np.full(2, np.nan), "grown": np.array([1.0, np.inf])})
    assert "nan" not in drawn and "inf" not in drawn
    assert "dead: –; grown: –" in drawn
    ET.fromstring(str(drawn))


@pytest.mark.parametrize("cell", CELLS)
@settings(max_examples=6)
@given(blocks=BLOCKS, num_layers=st.integers(1, 3), bidirectional=st.booleans(), num_features=st.integers(1, 20))
def test_arrays_by_formula_are_those_of_the_network(cell, blocks, num_layers, bidirectional, num_features):
    chosen = small(
        cell,
        convolutions=blocks,
        num_layers=num_layers,
        bidirectional=bidirectional,
        intermediate_layers=range(1, num_layers),
        self_conditioned=num_layers > 2,
    )
    found = arrays(chosen, num_features, 7)
    assert {each.name: each.shape for each in found} == shapes(Network(chosen, num_features, 7))
    assert all(len(each.letters) == len(each.shape) for each in found)


@pytest.mark.parametrize("name", MODULES)
def test_counts_of_the_default_recipes(name):
    section = compose("default")[name]
    kind = modality(name)
    num_features = kind.num_features(kind.SliceSettings(**section["slices"]))
    chosen = NetworkSettings(**section["network"])
    network = Network(chosen, num_features, 30)
    found = arrays(chosen, num_features, 30)
    assert sum(each.num_values for each in found) == sum(each.numel() for each in network.parameters())
    told = [values.replace(",", "").split(" × ") for *_, values in rows_of_table(found)]
    assert sum(np.prod([int(factor) for factor in factors]) for factors in told) == sum(
        each.num_values for each in found
    )


def test_sizes_are_products():
    assert size("4 H", {"H": 128}) == 512
    assert size("C'", {"C'": 3}) == 3
    with pytest.raises(KeyError):
        size("4 G", {"H": 1})


@settings(max_examples=15)
@given(blocks=BLOCKS, num_slices=st.integers(1, 40), num_features=st.integers(1, 12), bidirectional=st.booleans())
def test_shapes_on_the_way_are_those_of_the_network(blocks, num_slices, num_features, bidirectional):
    chosen = small("gru", convolutions=blocks, bidirectional=bidirectional)
    network = Network(chosen, num_features, 5).eval()
    seen = []
    for block in network.blocks:
        block.register_forward_hook(lambda module, inputs, output: seen.append(tuple(output[0].shape[1:])))
    for layer in network.encoder.layers:
        layer.register_forward_pre_hook(lambda module, inputs: seen.append(tuple(inputs[0].shape[1:])))
    slices = torch.randn(1, num_slices, num_features)
    log_probs, _ = network(slices, torch.tensor([num_slices]))
    told = [each.shape for each in stages(chosen, num_features, 5, num_slices)]
    assert told == [(num_slices, num_features), *seen, seen[-1], tuple(log_probs.shape[1:])]


@pytest.mark.parametrize("cell", list(NUM_GATES))
@pytest.mark.parametrize("changes", [{}, {"bidirectional": False}, {"zoneout": 0.25, "residual": True}])
def test_gates_are_those_of_the_network(cell, changes):
    """The outputs computed again, beside the gates, are the network's own to 1e-5; in float64 to 1e-12."""
    for dtype, tolerance in ((torch.float32, 1e-5), (torch.float64, 1e-12)):
        network = moved(Network(small(cell, **changes), 6, 5)).to(dtype)
        slices = np.random.default_rng(1).normal(size=(23, 6)).astype("f8" if dtype == torch.float64 else "f4")
        found = passages(network, slices)
        assert len(found) == 2
        for each in found:
            traces = each.traces()
            assert list(traces) == ["forwards", "backwards"][: len(traces)]
            assert each.y.std() > 0.01
            # Rectified outputs have no bound; all others stay below 1.
            assert each.difference(traces) < tolerance * max(1.0, each.y.max())


@pytest.mark.parametrize("cell", list(NUM_GATES))
def test_traces_obey_the_equations_of_the_state(cell):
    torch.manual_seed(0)
    layer = RecurrentLayer(cell, 5, 4)
    x = np.random.default_rng(0).normal(size=(9, 5))
    for backwards, direction in enumerate(layer.directions):
        found = trace(cell, direction, x, bool(backwards))
        order = slice(None, None, -1) if backwards else slice(None)
        assert all(((gate > 0) & (gate < 1)).all() for gate in found.gates.values())
        before = np.vstack([np.zeros((1, 4)), found.state[order][:-1]])[order]
        if found.keeps == "forget":
            expected = found.gates["forget"] * before + found.gates["input"] * found.candidate
        elif found.keeps == "update":
            expected = (1 - found.gates["update"]) * found.candidate + found.gates["update"] * before
        else:
            assert not found.gates and found.cell is None
            continue
        np.testing.assert_allclose(found.state, expected, rtol=0, atol=1e-12)


def test_a_transformer_has_no_passages():
    assert passages(Network(small("transformer"), 6, 5).eval(), np.zeros((9, 6), np.float32)) == []


@settings(max_examples=10)
@given(factor=st.floats(0.2, 1.0))
def test_gradients_shrink_as_the_recurrent_matrix_says(factor):
    """With rectifiers that are always open and R = factor · 1, the gradient k slices back is factor ** k."""
    layer = RecurrentLayer("rnn_relu", 3, 3, bidirectional=False)
    with torch.no_grad():
        layer.forwards.weight_ih_l0.copy_(torch.eye(3))
        layer.forwards.weight_hh_l0.copy_(factor * torch.eye(3))
        layer.forwards.bias_ih_l0.fill_(50)
    np.testing.assert_allclose(reach(layer, 3, 12), factor ** np.arange(13), rtol=1e-4)


def test_gates_carry_gradients_further():
    found = curves([], num_inputs=16, num_hidden=24, distance=40)
    plain, closed, usual, long = found.values()
    assert all(norms.shape == (41,) and norms[0] == 1 for norms in found.values())
    assert plain[40] < 1e-4 and closed[40] < 1e-4
    assert usual[40] > 100 * plain[40] and long[40] > 100 * usual[40]


@pytest.mark.parametrize("cell", ["lstm", "gru_reset_before"])
def test_one_direction_alone_is_that_direction(cell):
    torch.manual_seed(2)
    layer = RecurrentLayer(cell, 5, 4, options=LayerOptions(zoneout=0.1)).eval()
    x = torch.randn(1, 7, 5)
    both = layer(x, torch.tensor([7]))
    one = alone(layer, layer.backwards)(x.flip(1), torch.tensor([7]))
    torch.testing.assert_close(one.flip(1), both[:, :, 4:])


def test_fresh_layers_leave_the_random_state_alone():
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    fresh("lstm", 3, 4)
    assert torch.rand(1) == expected


@settings(max_examples=20)
@given(
    text=st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8),
    start=st.floats(0, 3),
    num_columns=st.integers(1, 30),
)
def test_figures_are_whole_svg_whatever_stands_in_them(text, start, num_columns):
    values = np.linspace(-1, 1, num_columns * 4).reshape(num_columns, 4)
    panels = [
        Symbols((text,), [(text, start, start + 0.5)]),
        Heat((text, text), values, start, start + 1),
        Lines((text,), [("first", [(start, 2.0), (start + 0.5, -1.0)])], -1, 1, notes=[(start, 0.5, text)]),
    ]
    window = Window(start, start + 1, "s")
    drawn = figure(panels, window, f"says {text}", "name", [start + 0.2])
    root = ET.fromstring(standalone(drawn))
    assert root.get("aria-label") == f"says {text}"
    texts = ["".join(each.itertext()) for each in root.iter("{http://www.w3.org/2000/svg}text")]
    assert texts.count(text) >= 4 - text.isspace()
    assert figure(panels, window, f"says {text}", "name", [start + 0.2]) == drawn
    assert all(0 <= float(each.get("x")) <= 760 for each in root.iter("{http://www.w3.org/2000/svg}text"))


def test_a_column_stands_at_its_own_time():
    """Also at the edge: it is cut there, and all others stay where they are."""
    window = Window(1.0, 2.0, "s")
    for start, end in ((1.0, 2.0), (0.8, 2.4)):
        drawn = Heat(("a",), np.ones((4, 2)), start, end).draw(window, 0, "n")
        (box,) = ET.fromstring(f"<svg>{drawn}</svg>").iter("mask")
        left, width = float(box.get("x")), float(box.get("width"))
        per_second = window.x(2.0) - window.x(1.0)
        assert left == pytest.approx(window.x(1.0) + (start - 1.0) * per_second, abs=0.01)
        assert width == pytest.approx((end - start) * per_second, abs=0.01)


@pytest.mark.parametrize("bidirectional", [True, False])
def test_the_unrolled_layer_names_its_sizes(bidirectional):
    drawn = unrolled("peephole_lstm", 384, 128, bidirectional, True)
    root = ET.fromstring(standalone(drawn))
    texts = [each.text for each in root.iter("{http://www.w3.org/2000/svg}text")]
    assert texts.count("384 values") == 3
    assert texts.count("256 values" if bidirectional else "128 values") == 3
    assert any("backwards" in text for text in texts) == bidirectional
