"""The network sees a sample's own slices only, and its own gradients are right."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from common.device import choose_device
from common.emissions import emissions
from common.network import Network
from common.network_settings import ConvolutionSettings, NetworkSettings
from common.normalisation import NormaliseRectify
from common.recurrent.lengths import mask_of, reversal, reverse

FRONT_ENDS = {
    "strided": (ConvolutionSettings(channels=4, stride=(2, 2)), ConvolutionSettings(channels=5, stride=(2, 2))),
    "pooled": (
        ConvolutionSettings(channels=3, kernel=(5, 3), pool=(2, 2)),
        ConvolutionSettings(channels=4, pool=(2, 1)),
        ConvolutionSettings(channels=4, stride=(1, 2), pool=(1, 2)),
    ),
    "none": (),
}


def small_network(cell: str = "lstm", front_end: str = "strided", num_features: int = 9) -> Network:
    torch.manual_seed(0)
    chosen = NetworkSettings(convolutions=FRONT_ENDS[front_end], cell=cell, num_layers=2, num_hidden=6, dropout=0.3)
    network = Network(chosen, num_features, 7).double()
    with torch.no_grad():  # statistics as after training, not the neutral ones of the start
        for name, buffer in network.named_buffers():
            buffer.uniform_(0.5, 2) if name.endswith("var") else buffer.normal_()
    return network.eval()


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("front_end", list(FRONT_ENDS))
@settings(max_examples=8)
@given(lengths=st.lists(st.integers(1, 30), min_size=1, max_size=6), garbage=st.floats(-1e3, 1e3))
def test_a_sample_alone_is_the_sample_in_any_batch(cell, front_end, lengths, garbage):
    network = small_network(cell, front_end)
    x = torch.randn(len(lengths), max(lengths), 9, dtype=torch.float64)
    x[~mask_of(torch.tensor(lengths), max(lengths))] = garbage
    with torch.inference_mode():
        together, out_lengths = network(x, torch.tensor(lengths))
        assert out_lengths.tolist() == network.out_lengths(torch.tensor(lengths)).tolist()
        for row, length in enumerate(lengths):
            alone, alone_length = network(x[row : row + 1, :length], torch.tensor([length]))
            assert alone_length.item() == out_lengths[row].item() == alone.shape[1]
            torch.testing.assert_close(together[row, : out_lengths[row]], alone[0], rtol=0, atol=1e-12)


def test_training_statistics_leave_padding_out():
    lengths = torch.tensor([5, 2, 3])
    x = torch.randn(3, 4, 5, 6, dtype=torch.float64)
    mask = mask_of(lengths, 5)
    norm = NormaliseRectify(4).double()
    torch.nn.init.normal_(norm.bias)
    ours = norm(x, mask)
    theirs = torch.nn.BatchNorm1d(4).double()
    theirs.load_state_dict(
        {**norm.state_dict(), **{k: v for k, v in theirs.state_dict().items() if "running" in k}}, strict=False
    )
    expected = torch.relu(theirs(x.permute(0, 2, 1, 3)[mask]))  # [positions, C, F]
    torch.testing.assert_close(ours.permute(0, 2, 1, 3)[mask], expected)
    assert (ours.permute(0, 2, 1, 3)[~mask] == 0).all()
    torch.testing.assert_close(norm.running_mean, theirs.running_mean)
    torch.testing.assert_close(norm.running_var, theirs.running_var)


def test_gradients_of_masked_normalisation():
    torch.manual_seed(0)
    mask = mask_of(torch.tensor([4, 2]), 4)
    norm = NormaliseRectify(3).double()
    x = torch.randn(2, 3, 4, 5, dtype=torch.float64, requires_grad=True)
    weight = torch.rand(3, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(3, dtype=torch.float64, requires_grad=True)

    def run(x, weight, bias):
        return torch.func.functional_call(norm, {"weight": weight, "bias": bias}, (x, mask))

    assert torch.autograd.gradcheck(run, (x, weight, bias))


@given(lengths=st.lists(st.integers(1, 9), min_size=1, max_size=5))
@settings(max_examples=30)
def test_reversal_turns_each_sample_within_its_length(lengths):
    x = torch.randn(len(lengths), max(lengths), 2, dtype=torch.float64, requires_grad=True)
    index = reversal(torch.tensor(lengths), max(lengths))
    turned = reverse(x, index)
    for row, length in enumerate(lengths):
        torch.testing.assert_close(turned[row, :length], x[row, :length].flip(0))
    torch.testing.assert_close(reverse(turned, index), x)
    assert torch.autograd.gradcheck(lambda x: reverse(x, index), x)


def test_bidirectional_layer_equals_packed_lstm():
    network = small_network(front_end="none")
    layer = network.encoder.layers[0]
    packed = torch.nn.LSTM(9, 6, batch_first=True, bidirectional=True).double()
    for name, ours in layer.forwards.named_parameters():
        getattr(packed, name).data.copy_(ours.data)
    for name, ours in layer.backwards.named_parameters():
        getattr(packed, f"{name}_reverse").data.copy_(ours.data)
    lengths = torch.tensor([7, 3, 5])
    x = torch.randn(3, 7, 9, dtype=torch.float64)
    expected, _ = packed(torch.nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False))
    expected, _ = torch.nn.utils.rnn.pad_packed_sequence(expected, batch_first=True)
    mask = mask_of(lengths, 7)
    torch.testing.assert_close(layer(x, lengths)[mask], expected[mask], rtol=0, atol=1e-12)


def test_emissions_keep_order_and_ignore_neighbours():
    network = small_network().float()
    random = np.random.default_rng(0)
    matrices = [random.normal(size=(length, 9)).astype(np.float16) for length in [5, 0, 40, 1, 17, 9, 40, 2]]
    together = list(emissions(network, iter(matrices), batch_slices=60, batch_samples=3))
    for matrix, emission in zip(matrices, together, strict=True):
        (alone,) = emissions(network, [matrix])
        assert emission.shape == alone.shape and emission.dtype == np.float32
        np.testing.assert_allclose(emission, alone, atol=1e-5)
        np.testing.assert_allclose(np.exp(emission).sum(-1), 1, atol=1e-5)


@pytest.mark.parametrize("exact", [False, True])
def test_silence_is_blank(exact):
    """Whatever the network would make of it, and among others too."""
    network = small_network().float()
    sound, silence = np.random.default_rng(0).normal(size=(23, 9)), np.zeros((23, 9), np.float16)
    heard, quiet = emissions(network, [sound, silence], exact=exact)
    assert quiet.shape == heard.shape and quiet.dtype == np.float32
    assert (quiet[:, 0] == 0).all() and quiet[:, 1:].max() < -50
    assert heard[:, 0].max() < 0


@pytest.mark.parametrize(
    ("settings_", "where"),
    [
        ({"cell": "transformer", "zoneout": 0.1}, "zoneout"),
        ({"cell": "transformer", "recurrent_dropout": 0.1}, "recurrent_dropout"),
        ({"cell": "transformer", "num_hidden": 6, "num_heads": 5}, "num_heads"),
        ({"cell": "transformer", "num_hidden": 6, "num_heads": 4, "bidirectional": False}, "num_heads"),
        ({"cell": "transformer", "num_hidden": 5}, "num_heads"),
        ({"cell": "no such cell"}, "cell"),
    ],
)
def test_settings_that_fit_no_cell_are_refused_by_name(settings_, where):
    with pytest.raises(ValidationError) as refused:
        NetworkSettings(**settings_)
    assert [error["loc"] for error in refused.value.errors()] == [(where,)]


@pytest.mark.parametrize("option", [{"recurrent_dropout": 0.5}, {"zoneout": 0.5}, {"dropout": 0.5}])
@pytest.mark.parametrize("cell", ["lstm", "gru", "peephole_lstm"])
def test_what_is_dropped_in_training_is_not_in_evaluation(cell, option):
    torch.manual_seed(0)
    network = Network(NetworkSettings(convolutions=(), cell=cell, num_layers=2, num_hidden=6, **option), 9, 7)
    x, lengths = torch.randn(2, 5, 9), torch.tensor([5, 3])
    first, second = (network.train()(x, lengths)[0] for _ in range(2))
    assert (first - second).abs().max() > 1e-3
    first.sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in network.parameters())
    first, second = (network.eval()(x, lengths)[0] for _ in range(2))
    assert torch.equal(first, second)


@pytest.mark.parametrize("name", ["auto", "cpu"])
def test_float32_is_what_it_says_on_a_gpu(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else cuDNN rounds factors to ten bits, and emissions are a thousandth off."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    choose_device(name, "device")
    assert not torch.backends.cudnn.allow_tf32
