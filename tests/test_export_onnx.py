"""An exported ONNX file says what the network says: cells that have an operator, any length, alone or among others."""

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from common.bundle import read_bundle
from common.emissions import emissions
from common.errors import GlyphoneError
from common.export.onnx_model import metadata_of, onnx_model
from common.export.parity import OnnxNetwork, differences
from common.export.recurrent import OPERATORS
from common.network import Network, NetworkSettings
from common.store import halve
from pipelines import export_onnx
from pipelines.modalities import modality
from pipelines.recogniser import Recogniser
from tests import bare_models
from tests.bare_models import random_bundle, write_input

REPOSITORY = Path(__file__).resolve().parent.parent
NUM_FEATURES, NUM_LABELS = 9, 6
TOLERANCE = 1e-4
BLOCKS = st.lists(
    st.fixed_dictionaries(
        {
            "channels": st.integers(1, 4),
            "kernel": st.tuples(st.sampled_from([1, 3, 5]), st.sampled_from([1, 3, 5])),
            "stride": st.tuples(st.integers(1, 3), st.integers(1, 2)),
            "pool": st.tuples(st.integers(1, 3), st.integers(1, 2)),
        }
    ),
    max_size=3,
)


def network_of(chosen: NetworkSettings, seed: int) -> Network:
    """Random weights everywhere, also where training starts from zeros and ones, and statistics of some data."""
    torch.manual_seed(seed)
    network = Network(chosen, NUM_FEATURES, NUM_LABELS).eval().requires_grad_(False)
    for name, tensor in network.state_dict().items():
        if name.endswith("running_var"):
            tensor.uniform_(0.3, 2)
        elif tensor.ndim <= 2 and "weight" not in name:
            tensor.uniform_(-1, 1)
    return network


def exported(network: Network, chosen: NetworkSettings) -> OnnxNetwork:
    return OnnxNetwork(onnx_model(network, chosen, {}).SerializeToString())


def noise(random: np.random.Generator, lengths: list[int], behind: float = 1.0) -> np.ndarray:
    """Slices [B, T, F] of that many samples, and values of the size ``behind`` behind each sample's end."""
    slices = random.normal(size=(len(lengths), max(lengths), NUM_FEATURES)).astype(np.float32)
    for row, length in enumerate(lengths):
        slices[row, length:] *= behind
    return slices


@pytest.mark.parametrize("cell", list(OPERATORS))
@settings(max_examples=8)
@given(
    blocks=BLOCKS,
    shape=st.fixed_dictionaries(
        {
            "num_layers": st.integers(1, 3),
            "num_hidden": st.integers(1, 7),
            "bidirectional": st.booleans(),
            "residual": st.booleans(),
            "self_conditioned": st.booleans(),
        }
    ),
    lengths=st.lists(st.integers(1, 40), min_size=1, max_size=5),
    seed=st.integers(0, 99),
)
def test_it_says_what_the_network_says(cell: str, blocks: list, shape: dict, lengths: list[int], seed: int) -> None:
    between = tuple(range(1, shape["num_layers"]))
    shape["self_conditioned"] &= bool(between)
    chosen = NetworkSettings(cell=cell, convolutions=blocks, intermediate_layers=between, **shape)
    network = network_of(chosen, seed)
    model = exported(network, chosen)
    random = np.random.default_rng(seed)
    slices = noise(random, lengths, behind=50.0)
    found, found_lengths = model(slices, np.array(lengths, np.int64))
    # In float64, as parity is taken: in float32 the network is as far from it as the file is.
    expected, expected_lengths = network.double()(torch.from_numpy(slices).double(), torch.tensor(lengths))
    assert found_lengths.tolist() == expected_lengths.tolist()
    assert found.shape == expected.shape
    for row, (length, emitted) in enumerate(zip(lengths, found_lengths, strict=True)):
        np.testing.assert_allclose(found[row, :emitted], expected[row, :emitted], rtol=0, atol=TOLERANCE)
        alone, _ = model(slices[row : row + 1, :length], np.array([length], np.int64))
        np.testing.assert_allclose(alone[0], found[row, :emitted], atol=TOLERANCE)
        np.testing.assert_allclose(np.exp(alone[0]).sum(-1), 1, atol=TOLERANCE)


@settings(max_examples=20, deadline=None)
@given(
    blocks=BLOCKS,
    loudness=st.lists(st.sampled_from([0.0, 2.0**-24, 1.0]), min_size=1, max_size=5),
    lengths=st.lists(st.integers(1, 40), min_size=5, max_size=5),
    behind=st.sampled_from([0.0, 50.0]),
)
def test_silence_and_blank_pictures_emit_blanks(
    blocks: list, loudness: list, lengths: list[int], behind: float
) -> None:
    """As ``common.emissions``, alone and among others, whatever stands behind their ends; the quietest is heard."""
    chosen = NetworkSettings(convolutions=blocks, num_layers=1, num_hidden=4)
    network = network_of(chosen, 1)
    lengths = lengths[: len(loudness)]
    slices = np.full((len(lengths), max(lengths), NUM_FEATURES), behind, np.float32)
    for row, (length, loud) in enumerate(zip(lengths, loudness, strict=True)):
        slices[row, :length] = 0
        slices[row, length - 1, 0] = loud
    found, found_lengths = exported(network, chosen)(slices, np.array(lengths, np.int64))
    matrices = [slices[row, :length] for row, length in enumerate(lengths)]
    for row, expected in enumerate(emissions(network, matrices, exact=True)):
        assert found_lengths[row] == len(expected)
        np.testing.assert_allclose(found[row, : len(expected)], expected, rtol=0, atol=TOLERANCE)
        assert (expected[:, 1:] < -99).all() == (loudness[row] == 0)


def test_every_cell_is_exported_or_refused_in_one_line() -> None:
    cells = NetworkSettings.model_fields["cell"].annotation.__args__
    refused = set(cells) - set(OPERATORS)
    assert refused == {"layer_norm_lstm", "transformer"}
    for cell in refused:
        chosen = NetworkSettings(cell=cell, num_layers=1, num_hidden=4)
        with pytest.raises(GlyphoneError, match=rf"^network.cell '{cell}': ONNX export knows rnn, .*$"):
            onnx_model(Network(chosen, NUM_FEATURES, NUM_LABELS), chosen, {})
    chosen = NetworkSettings(num_layers=1, num_hidden=4, zoneout=0.1)
    with pytest.raises(GlyphoneError, match=r"^network.zoneout 0.1: .* allowed: 0$"):
        onnx_model(Network(chosen, NUM_FEATURES, NUM_LABELS), chosen, {})


@pytest.mark.parametrize("name", ["audio", "ocr"])
def test_the_file_is_all_that_another_program_needs(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """Front end from the metadata, the rest as the page about it says: the text that transcribe writes."""
    model, file = random_bundle(tmp_path / "model", name), tmp_path / "speech.onnx"
    assert export_onnx.main([str(model), str(file)]) == 0
    assert str(file) in capsys.readouterr().out
    network = OnnxNetwork(file.read_bytes())
    metadata = {key: json.loads(value) for key, value in network.session.get_modelmeta().custom_metadata_map.items()}
    room = modality(metadata["modality"])
    signal = room.read(write_input(tmp_path, name))
    slices = halve(room.slices(signal, room.SliceSettings(**metadata["slice_settings"])))
    assert slices.shape[1] == metadata["num_features"]
    example = re.search(r"```python\n(.*?)```", (REPOSITORY / "docs" / "handing_out.md").read_text("utf-8"), re.S)
    assert example is not None
    names = {"slices": slices}
    monkeypatch.chdir(tmp_path)
    exec(example[1], names)
    assert names["out_lengths"][0] == -(-len(slices) // metadata["stride"])
    hypothesis = Recogniser.load(model, "cpu").transcribe(write_input(tmp_path, name))
    assert len(hypothesis.text) > 3
    assert names["text"].strip() == hypothesis.text


def test_what_is_no_onnx_file_is_not_written_over(tmp_path: Path) -> None:
    model = random_bundle(tmp_path / "model", "audio")
    weights = (tmp_path / "model" / "model.safetensors").read_bytes()
    with pytest.raises(GlyphoneError, match=r"model\.safetensors: .* must end in \.onnx"):
        export_onnx.main([str(model), str(tmp_path / "model" / "model.safetensors")])
    assert (tmp_path / "model" / "model.safetensors").read_bytes() == weights


def test_the_same_model_gives_the_same_bytes(tmp_path: Path) -> None:
    model = random_bundle(tmp_path / "model", "ocr")
    files = [tmp_path / name for name in ("a.onnx", "b.onnx")]
    for file in files:
        export_onnx.export(model, file)
    assert files[0].read_bytes() == files[1].read_bytes()


def test_a_network_that_does_more_than_the_export_knows_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = random_bundle(tmp_path / "model", "ocr")
    plain = Network.emit
    monkeypatch.setattr(Network, "emit", lambda self, x, lengths: 1.01 * plain(self, x, lengths))
    with pytest.raises(
        GlyphoneError, match=r"differ from the network's by .*, allowed is .e-04: the network has a part"
    ):
        export_onnx.export(model, tmp_path / "model.onnx")
    assert not (tmp_path / "model.onnx").exists()


def test_other_lengths_are_another_model(tmp_path: Path) -> None:
    bundle = read_bundle(random_bundle(tmp_path / "model", "ocr"))
    chosen = NetworkSettings(convolutions=[{"channels": 2, "stride": (3, 2)}], num_layers=1, num_hidden=8)
    other = Network(chosen, bundle.num_features, len(bundle.alphabet)).eval()
    data = onnx_model(other, chosen, metadata_of(bundle)).SerializeToString()
    assert differences(bundle.network, data).exported == np.inf


@pytest.mark.parametrize("kind", ["rnn_relu", "peephole_lstm"])
def test_a_steep_network_may_round_as_much_as_it_rounds_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(bare_models, "NETWORK", {**bare_models.NETWORK, "cell": kind, "num_layers": 3})
    monkeypatch.setattr(bare_models, "STEEPNESS", 3000)
    model = random_bundle(tmp_path / "model", "audio")
    _, largest = export_onnx.export(model, tmp_path / "model.onnx")
    assert largest > 1e-4  # which was refused once


@pytest.mark.parametrize("package", ["onnx", "onnxruntime"])
def test_a_missing_package_is_one_line(package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(GlyphoneError, match=rf"^package {package} is missing: pip install -r requirements/export.txt$"):
        export_onnx.export(tmp_path, tmp_path / "model.onnx")


def test_versions_are_those_of_the_page(tmp_path: Path, repository: Path) -> None:
    onnx = pytest.importorskip("onnx")
    export_onnx.export(random_bundle(tmp_path / "model", "ocr"), tmp_path / "a.onnx")
    made = onnx.load(tmp_path / "a.onnx")
    told = f"(opset {made.opset_import[0].version}, IR version {made.ir_version})"
    assert told in (repository / "docs" / "handing_out.md").read_text(encoding="utf-8")
