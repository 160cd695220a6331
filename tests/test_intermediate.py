"""The head behind intermediate layers, and what it gives back to the next one."""

import json

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from common.bundle import read_bundle, write_bundle
from common.network import Network
from common.network_settings import ConvolutionSettings, NetworkSettings
from common.recurrent.stack import RecurrentStack

NUM_FEATURES, NUM_LABELS = 5, 4
SHAPE = {
    "convolutions": (ConvolutionSettings(channels=2, stride=(2, 2)),),
    "num_layers": 3,
    "num_hidden": 4,
    "dropout": 0.0,
    "num_heads": 2,
}
CONDITIONED = {"intermediate_layers": (1, 2), "self_conditioned": True}


def made(**more) -> Network:
    torch.manual_seed(0)
    network = Network(NetworkSettings(**{**SHAPE, **more}), NUM_FEATURES, NUM_LABELS).double().eval()
    with torch.no_grad():
        for parameter in network.encoder.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return network


CELLS = pytest.mark.parametrize("cell", ["lstm", "transformer"])


@CELLS
def test_an_intermediate_emission_is_that_of_a_network_that_ends_there(cell):
    whole = made(cell=cell, intermediate_layers=(1, 2))
    x, lengths = whole.front_end(torch.randn(2, 12, NUM_FEATURES, dtype=torch.float64), torch.tensor([12, 7]))
    emitted = whole.emit_each(x, lengths)
    assert len(emitted) == 3 and torch.equal(emitted[-1], whole.emit(x, lengths))
    for number, found in enumerate(emitted[:-1], 1):
        short = made(cell=cell, num_layers=number)
        weights = {name: whole.state_dict().get(name) for name in short.state_dict()}
        if cell != "transformer":  # the last normalisation is named by its place
            for name in ("weight", "bias"):
                weights[f"encoder.norms.{number}.{name}"] = whole.encoder.norms[3].state_dict()[name]
        short.load_state_dict(weights)
        torch.testing.assert_close(found, short.emit(x, lengths))


def test_layers_that_the_head_may_read_behind_change_no_emission_and_no_weight():
    plain, marked = made(), made(intermediate_layers=(1, 2))
    assert plain.state_dict().keys() == marked.state_dict().keys()
    x = torch.randn(2, 9, NUM_FEATURES, dtype=torch.float64)
    assert torch.equal(plain(x, torch.tensor([9, 4]))[0], marked(x, torch.tensor([9, 4]))[0])


def test_self_conditioning_adds_a_map_of_the_posterior_to_the_next_input():
    network = made(**CONDITIONED)
    assert network.condition is not None and isinstance(network.encoder, RecurrentStack)
    x, lengths = network.front_end(torch.randn(1, 12, NUM_FEATURES, dtype=torch.float64), torch.tensor([12]))
    *norms, last = network.encoder.norms
    inner = x
    for number, (norm, layer) in enumerate(zip(norms, network.encoder.layers, strict=True), 1):
        inner = layer(norm(inner), lengths)
        if number < 3:
            posterior = network.head(last(inner)).softmax(-1)
            inner = inner + posterior @ network.condition.weight.T + network.condition.bias
    torch.testing.assert_close(network.emit(x, lengths), network.head(last(inner)).log_softmax(-1))
    assert not torch.allclose(network.emit(x, lengths), made().emit(x, lengths))


@CELLS
@given(lengths=st.lists(st.integers(1, 20), min_size=1, max_size=4))
@settings(max_examples=5)
def test_a_self_conditioned_network_sees_a_samples_own_slices_only(cell, lengths):
    network = made(cell=cell, **CONDITIONED)
    x = torch.randn(len(lengths), max(lengths), NUM_FEATURES, dtype=torch.float64)
    samples = [row[:length] for row, length in zip(x, lengths, strict=True)]
    with torch.inference_mode():
        together, out_lengths = network(x, torch.tensor(lengths))
        exact = network.alone(samples)
        for row, sample in enumerate(samples):
            assert torch.equal(network.alone([sample])[0], exact[row])
            torch.testing.assert_close(together[row, : out_lengths[row]], exact[row], rtol=0, atol=1e-12)


def test_a_bundle_keeps_it_and_an_older_one_is_read_without(tmp_path):
    description = {
        "modality": "toy",
        "alphabet": list("abc"),
        "slice_settings": {},
        "text_settings": {},
        "num_features": NUM_FEATURES,
        "step": 0.01,
        "unit": "s",
        "summary": {},
    }
    x, lengths = torch.randn(1, 12, NUM_FEATURES), torch.tensor([12])
    for name, more in (("new", CONDITIONED), ("old", {})):
        network = made(**more).float()
        write_bundle(tmp_path / name, network.state_dict(), NetworkSettings(**{**SHAPE, **more}), description, "card")
        path = tmp_path / name / "bundle.json"
        if name == "old":
            written = json.loads(path.read_text())
            for key in CONDITIONED:
                del written["network"][key]
            path.write_text(json.dumps(written))
        read = read_bundle(tmp_path / name).network
        assert torch.equal(read(x, lengths)[0], network(x, lengths)[0])


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"intermediate_layers": (3,)}, r"of 3 layers, \[3\]; allowed: numbers from 1 to 2"),
        ({"intermediate_layers": (0,)}, "allowed: numbers from 1 to 2"),
        ({"intermediate_layers": (2, 1)}, "each once and in order"),
        ({"intermediate_layers": (1, 1)}, "each once and in order"),
        ({"intermediate_layers": (1,), "num_layers": 1}, "allowed: none"),
        ({"self_conditioned": True}, "needs intermediate_layers"),
    ],
)
def test_layers_that_are_not_there_are_refused(more, sentence):
    with pytest.raises(ValidationError, match=sentence):
        NetworkSettings(**{**SHAPE, **more})
