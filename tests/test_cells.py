"""Every cell computes its equations: against NumPy, against torch's own layers, and by the rule of gradients."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from common.network_settings import NetworkSettings
from common.recurrent import equations, scan
from common.recurrent.between import Between
from common.recurrent.cells import NUM_GATES, cell, input_part, input_weights, recurrent_matrix, recurrent_part
from common.recurrent.encoder import encoder
from common.recurrent.layers import DEFAULT_OPTIONS, LayerOptions, RecurrentLayer
from common.recurrent.lengths import mask_of
from common.recurrent.recurrence import State, zero_state
from common.recurrent.stack import RecurrentStack
from tests.cell_equations import run

KINDS = list(NUM_GATES)
STATEFUL = ("lstm", "peephole_lstm", "cifg", "layer_norm_lstm")


def layer(kind, num_inputs=3, num_hidden=4, bidirectional=True, options=DEFAULT_OPTIONS, seed=0):
    """A layer in float64 with every weight, peepholes, gains and biases too, away from its first value."""
    torch.manual_seed(seed)
    made = RecurrentLayer(kind, num_inputs, num_hidden, bidirectional, options).double()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.5 * torch.randn_like(parameter))
    return made


def weights_of(direction):
    return {name.removesuffix("_l0"): value.detach().numpy() for name, value in direction.named_parameters()}


def scanned(made, x, lengths, state=None, module=scan, keep=None):
    """A layer's result by ``scan`` or ``equations``, whichever path it would choose itself."""
    pre = input_part(x, input_weights(made.kind, made.directions), 2)
    weights = recurrent_part(made.kind, made.directions, [recurrent_matrix(each) for each in made.directions])
    state = zero_state(made.kind, weights, len(lengths), x.dtype) if state is None else state
    out, state = module.recur(made.kind, pre, weights, lengths, state, keep)
    return out.flatten(2), state


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=5)
@given(lengths=st.lists(st.integers(1, 7), min_size=1, max_size=4), bidirectional=st.booleans(), zoneout=st.booleans())
def test_a_layer_computes_the_equations(kind, lengths, bidirectional, zoneout):
    made = layer(kind, bidirectional=bidirectional, options=LayerOptions(zoneout=0.25 if zoneout else 0.0)).eval()
    x = torch.randn(len(lengths), max(lengths), 3, dtype=torch.float64)
    keep = np.full((2, len(lengths), max(lengths), 2, 4), 0.25) if zoneout else None
    directions = [weights_of(each) for each in made.directions]
    expected, h, c = run(kind, x.numpy(), lengths, directions, keep)
    mask = mask_of(torch.tensor(lengths), max(lengths)).numpy()
    with torch.inference_mode():
        ours = made(x, torch.tensor(lengths)).numpy()
        np.testing.assert_allclose(ours[mask], expected[mask], rtol=0, atol=1e-12)
        if not bidirectional:
            out, state = made.stream(x, torch.tensor(lengths))
            np.testing.assert_allclose(out.numpy(), expected, rtol=0, atol=1e-12)
            np.testing.assert_allclose(state.hidden.numpy(), h, rtol=0, atol=1e-12)
            if kind in STATEFUL:
                np.testing.assert_allclose(state.cell.numpy(), c, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("zoneout", [False, True])
def test_the_scan_and_the_equations_agree_in_every_gradient(kind, zoneout):
    made, lengths = layer(kind), torch.tensor([6, 1, 4])
    x = torch.randn(3, 6, 3, dtype=torch.float64, requires_grad=True)
    keep = None
    if zoneout:
        made.options = LayerOptions(zoneout=0.5)
        keep = made._keep(x, 4, torch.float64)
        assert 0 < keep.hidden.mean() < 1
    results = []
    for module in (scan, equations):
        out, state = scanned(made, x, lengths, module=module, keep=keep)
        torch.manual_seed(1)
        loss = sum((each * torch.randn_like(each)).sum() for each in (out, *state) if each is not None)
        results.append([out, *torch.autograd.grad(loss, [x, *made.parameters()])])
    for ours, theirs in zip(*results, strict=True):
        assert ours.abs().max() > 0
        # Of the largest: gradients through a layer norm of 4 units reach 41, whose last digits hang on the processor.
        largest = max(1.0, theirs.detach().abs().max().item())
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12 * largest)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("module", [scan, equations])
def test_gradients_are_numbers_where_dropout_takes_all_of_the_input(kind, module):
    """The state stays zero then, and norms of zeros multiply a gradient by the most that they can, step by step."""
    torch.manual_seed(1)
    made = RecurrentLayer(kind, 3, 3)
    x = torch.zeros(2, 40, 3, requires_grad=True)
    out, _ = scanned(made, x, torch.tensor([40, 30]), module=module)
    (out * torch.randn_like(out)).sum().backward()
    for each in (x, *made.parameters()):
        assert each.grad is not None and each.grad.abs().max() < 1e6


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("zoneout", [0.0, 0.2])
def test_no_gradient_shares_memory_with_another(kind, zoneout):
    """Clipping and accumulation change gradients in place: what is shared would be changed twice."""
    made = layer(kind, options=LayerOptions(zoneout=zoneout))
    x = torch.randn(2, 5, 3, dtype=torch.float64)
    made(x, torch.tensor([5, 3])).sum().backward()
    names = [name for name, _ in made.named_parameters()]
    whole = {name: parameter.grad.clone() for name, parameter in made.named_parameters()}
    for changed in names:
        made.get_parameter(changed).grad.add_(1)
        for name in names:
            assert torch.equal(made.get_parameter(name).grad, whole[name] + (name == changed)), (changed, name)
        made.get_parameter(changed).grad.copy_(whole[changed])


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_differences(kind):
    """gradcheck, peepholes and first states included; relu away from its corner."""
    made, lengths = layer(kind, num_inputs=2, num_hidden=2, bidirectional=False), torch.tensor([3, 2])
    if kind == "peephole_lstm":
        assert (made.forwards.peephole != 0).all()
    names, values = zip(*made.named_parameters(), strict=True)
    x = torch.randn(2, 3, 2, dtype=torch.float64, requires_grad=True)
    first = torch.randn(2 if kind in STATEFUL else 1, 1, 2, 2, dtype=torch.float64, requires_grad=True)

    def function(x, first, *values):
        def inner(x, lengths, *state):
            out, state = made.stream(x, lengths, State(*state))
            return tuple(each for each in (out, *state) if each is not None)

        class Streamed(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.made = made

            def forward(self, x, first):
                return inner(x, lengths, *first)

        return torch.func.functional_call(
            Streamed(), {f"made.{name}": value for name, value in zip(names, values, strict=True)}, (x, first)
        )

    assert torch.autograd.gradcheck(function, (x, first, *[each.detach().requires_grad_() for each in values]))


@pytest.mark.parametrize("kind", ["rnn", "rnn_relu", "lstm", "gru"])
@pytest.mark.parametrize("path", ["fused", "scan"])
def test_stacks_equal_torch_in_outputs_states_and_gradients(kind, path):
    """Two bidirectional layers of ours against torch's on packed sequences, with copied weights."""
    torch.manual_seed(0)
    stack = RecurrentStack(kind, 3, 4, 2).double()
    stack.norms = torch.nn.ModuleList(torch.nn.Identity() for _ in stack.norms)
    theirs_type = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU}.get(kind, torch.nn.RNN)
    extra = {"nonlinearity": "relu"} if kind == "rnn_relu" else {}
    theirs = theirs_type(3, 4, num_layers=2, batch_first=True, bidirectional=True, **extra).double()
    pairs = []
    for number, made in enumerate(stack.layers):
        made.fused_on_cpu = path == "fused"
        for direction, end in ((made.forwards, ""), (made.backwards, "_reverse")):
            for name, ours in direction.named_parameters():
                ours.data.normal_()
                twin = getattr(theirs, name.replace("_l0", f"_l{number}") + end)
                twin.data.copy_(ours.data)
                pairs.append((ours, twin))
    lengths = torch.tensor([5, 2, 7])
    x = torch.randn(3, 7, 3, dtype=torch.float64, requires_grad=True)
    mask = mask_of(lengths, 7)[:, :, None]
    ours = stack(x, lengths) * mask
    packed = torch.nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    expected, _ = torch.nn.utils.rnn.pad_packed_sequence(theirs(packed)[0], batch_first=True)
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-12)
    gradient = torch.randn_like(ours)
    our_gradients = torch.autograd.grad(ours, [x, *[each for each, _ in pairs]], gradient)
    their_gradients = torch.autograd.grad(expected, [x, *[each for _, each in pairs]], gradient)
    for one, other in zip(our_gradients, their_gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru"])
def test_states_equal_those_of_packed_torch(kind):
    made = layer(kind, bidirectional=False)
    lengths, x = torch.tensor([5, 2, 7]), torch.randn(3, 7, 3, dtype=torch.float64)
    first = [torch.randn(1, 3, 4, dtype=torch.float64) for _ in range(2 if kind == "lstm" else 1)]
    _, ours = made.stream(x, lengths, State(*first))
    packed = torch.nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    _, theirs = made.forwards(packed, tuple(first) if kind == "lstm" else first[0])
    for one, other in zip(ours, theirs if kind == "lstm" else [theirs], strict=False):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_streamed_parts_are_the_whole(kind):
    torch.manual_seed(0)
    stack = RecurrentStack(kind, 3, 4, 2, bidirectional=False, residual=True).double().eval()
    x = torch.randn(2, 9, 3, dtype=torch.float64)
    between = Between((1,), torch.tanh)  # of a self-conditioned network
    with torch.inference_mode():
        whole = stack(x, torch.tensor([9, 9]), between)
        states, parts = None, []
        for part in x.split([4, 1, 3, 1], dim=1):
            out, states = stack.stream(part, torch.full((2,), part.shape[1]), states, between)
            parts.append(out)
    torch.testing.assert_close(torch.cat(parts, 1), whole, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_parameter_counts_by_formula(kind):
    num_inputs, num_hidden = 7, 5
    made = RecurrentLayer(kind, num_inputs, num_hidden)
    gates = {"rnn": 1, "rnn_relu": 1, "cifg": 3, "gru": 3, "gru_reset_before": 3}.get(kind, 4)
    biases = 2 if kind in ("rnn", "rnn_relu", "lstm", "gru") else 1  # torch keeps two where one would do
    expected = gates * num_hidden * (num_inputs + num_hidden + biases)
    expected += {"peephole_lstm": 3, "layer_norm_lstm": 2 * 4 + 2}.get(kind, 0) * num_hidden
    assert sum(each.numel() for each in made.parameters()) == 2 * expected


@pytest.mark.parametrize("kind", ["lstm", "peephole_lstm", "cifg", "layer_norm_lstm"])
def test_forget_bias_starts_at_one(kind):
    place = 0 if kind == "cifg" else 1
    for bias, expected in ((LayerOptions(), 1.0), (LayerOptions(forget_bias=2.5), 2.5)):
        direction = RecurrentLayer(kind, 3, 4, False, bias).forwards
        sums = direction.bias_ih_l0 + direction.bias_hh_l0 if kind == "lstm" else direction.bias
        gates = sums.detach().view(-1, 4)
        assert (gates[place] == expected).all()
        assert (gates[[row for row in range(len(gates)) if row != place]] == 0).all()


def test_first_weights_do_not_depend_on_the_number_of_threads():
    before = torch.get_num_threads()
    found = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            torch.manual_seed(1)
            found.append(recurrent_matrix(cell("lstm", 8, 128)))  # 32 hidden units are too few to be shared by threads
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert torch.equal(*found)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_number_stays_none(kind):
    """A loop that hid NaN would hide it from the training loop's guard."""
    made = layer(kind).float()
    made.fused_on_cpu = False
    x = torch.randn(1, 4, 3)
    x[0, 1, 0] = torch.nan
    assert made(x, torch.tensor([4]))[0, 2].isnan().any()


@pytest.mark.parametrize("kind", KINDS)
def test_low_precision_follows_the_equations(kind):
    """float32 to 1e-5; under autocast, states stay float32 and only operands of products are rounded to bfloat16."""
    made, lengths = layer(kind, 16, 32), torch.tensor([20, 7, 13])
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.mul_(0.2)
    x = torch.randn(3, 20, 16)
    exact, _ = scanned(made, x.double(), lengths)
    made.float().fused_on_cpu = False
    torch.testing.assert_close(made(x, lengths).double(), exact, rtol=0, atol=1e-5)
    with torch.autocast("cpu", torch.bfloat16):
        out = made(x, lengths)
    assert out.dtype == torch.float32
    torch.testing.assert_close(out.double(), exact, rtol=0, atol=3e-2)
    out.square().sum().backward()
    assert all(each.grad.isfinite().all() and each.grad.dtype == torch.float32 for each in made.parameters())


@pytest.mark.parametrize("cell", ["lstm", "gru", "peephole_lstm", "rnn"])
@pytest.mark.parametrize("zoneout", [0.0, 0.1])
def test_what_computes_the_layers_is_said(cell: str, zoneout: float) -> None:
    made = encoder(NetworkSettings(cell=cell, num_layers=1, num_hidden=4, zoneout=zoneout), 3)
    torch_has_it = cell in ("lstm", "gru", "rnn") and not zoneout
    expected = {
        "cpu": "oneDNN" if cell == "lstm" and not zoneout else "our compiled loops",
        "cuda": "cuDNN" if torch_has_it else "torch's operations, step by step",
    }
    assert {device: made.path(device) for device in expected} == expected


@pytest.mark.parametrize("kind", KINDS)
def test_the_scan_runs_compiled_loops_on_a_cpu(kind):
    made = layer(kind)
    out, _ = scanned(made, torch.randn(3, 6, 3, dtype=torch.float64), torch.tensor([6, 1, 4]))
    waiting, names = [out.grad_fn], set()
    while waiting:
        node = waiting.pop()
        names.add(type(node).__name__)
        waiting += [each for each, _ in node.next_functions if each is not None]
    assert any(name.endswith("ScanBackward") for name in names), names
