"""A warm start keeps what the model knows, character by character."""

import copy
import json
import shutil
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from audio.slices import SliceSettings
from common.alphabet import Alphabet
from common.archive import write_zip
from common.bundle import write_bundle
from common.errors import GlyphoneError
from common.network import Network
from common.network_settings import ConvolutionSettings, NetworkSettings
from common.training.settings import TrainingSettings
from common.training.warm_settings import other_settings
from common.training.warm_start import Origin, warm_start
from pipelines import recipe
from pipelines.pretrained import pretrained_folder
from pipelines.training_start import learnt_from, start

SETTINGS = NetworkSettings(convolutions=(ConvolutionSettings(channels=3),), num_layers=1, num_hidden=8, dropout=0.0)
OLD, NEW = Alphabet("abco"), Alphabet("abcdö")
DESCRIPTION = {
    "modality": "toy",
    "alphabet": list(OLD.symbols),
    "slice_settings": {"num_mels": 6},
    "text_settings": {},
    "num_features": 6,
    "step": 0.01,
    "unit": "s",
    "summary": {"corpora": {"old": {"samples": 5, "licence": "CC0"}}},
}


def network(seed: int, alphabet: Alphabet, **more) -> Network:
    torch.manual_seed(seed)
    made = Network(SETTINGS.model_copy(update=more), 6, len(alphabet))
    for buffer in made.buffers():
        buffer.uniform_(0.5, 2)
    return made.eval()


def origin_of(folder) -> Origin:
    return Origin(folder, "toy.training.warm_start", str(folder), "toy.training")


@pytest.fixture
def folder(tmp_path):
    write_bundle(tmp_path / "old", network(1, OLD).state_dict(), SETTINGS, DESCRIPTION, "card")
    return tmp_path / "old"


def logits(made: Network) -> torch.Tensor:
    x = torch.randn(2, 12, 6, generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        front, lengths = made.front_end(x, torch.tensor([12, 12]))
        return made.head(made.encoder(front, lengths))


def test_old_characters_keep_their_emissions_and_new_ones_start_from_a_named_one_or_near_zero(folder):
    fresh = network(2, NEW)
    lines, summary = warm_start(fresh, NEW, origin_of(folder), {"ö": "o"})
    before, after = logits(network(1, OLD)), logits(fresh)
    assert torch.equal(after[..., :4], before[..., :4])  # blank, a, b, c
    assert torch.equal(after[..., 5], before[..., 4])  # ö is o
    lowest = network(1, OLD).head.bias[1:].min()
    assert torch.allclose(after[..., 4], lowest, atol=0.05)  # d
    assert fresh.head.weight[4].abs().max() > 0
    said = "\n".join(lines)
    assert "3 characters keep their weights" in said and "ö←o" in said and "near zero: 'd'" in said and "gone" in said
    assert summary["corpora"]["old"]["licence"] == "CC0"


def test_what_a_self_conditioned_network_hears_of_a_character_goes_by_name_too(tmp_path):
    more = {"num_layers": 2, "intermediate_layers": (1,), "self_conditioned": True}
    old, fresh = network(1, OLD, **more), network(2, NEW, **more)
    write_bundle(tmp_path / "old", old.state_dict(), SETTINGS.model_copy(update=more), DESCRIPTION, "card")
    near_zero = 0.01 * fresh.condition.weight[:, 4].clone()
    warm_start(fresh, NEW, origin_of(tmp_path / "old"), {"ö": "o"})
    assert torch.equal(fresh.condition.weight[:, :4], old.condition.weight[:, :4])  # blank, a, b, c
    assert torch.equal(fresh.condition.weight[:, 4], near_zero)  # d
    assert torch.equal(fresh.condition.weight[:, 5], old.condition.weight[:, 4])  # ö is o
    assert torch.equal(fresh.condition.bias, old.condition.bias)


def test_what_changed_can_be_read_whatever_the_script(folder, tmp_path):
    """Marks changed the letter before them, and an alphabet of thousands was one line of thousands."""
    many = Alphabet([chr(0x4E00 + number) for number in range(3000)])
    lines, _ = warm_start(network(2, many), many, origin_of(folder), {})
    assert lines[1].endswith("' and 2,900 more") and max(map(len, lines)) < 150
    marks = Alphabet("ae\u0301")
    lines, _ = warm_start(network(2, marks), marks, origin_of(folder), {})
    assert lines[0].endswith("1 character keeps its weights") and lines[1].endswith("near zero: 'e\u25cc\u0301'")
    write_bundle(
        tmp_path / "many",
        network(1, many).state_dict(),
        SETTINGS,
        {**DESCRIPTION, "alphabet": list(many.symbols)},
        "card",
    )
    with pytest.raises(GlyphoneError, match=r"is not in the alphabet of .* and 2,900 more$") as caught:
        warm_start(network(2, NEW), NEW, origin_of(tmp_path / "many"), {"a": "x"})
    assert len(str(caught.value)) < 300


def test_new_characters_are_those_of_texts_however_they_were_typed():
    """Letter and mark as two characters were told to be in no training text, though one sees them there."""
    for typed in ("\u00e4", "a\u0308"):
        assert TrainingSettings(new_characters={typed: typed}).new_characters == {"\u00e4": "\u00e4"}
    for wrong in ({"ab": "a"}, {"a": ""}, {"a\u0364": "a"}):
        with pytest.raises(ValidationError, match="each must be one character and start from one, not '"):
            TrainingSettings(new_characters=wrong)


def test_the_same_alphabet_gives_the_same_network(folder):
    fresh = network(2, OLD)
    warm_start(fresh, OLD, origin_of(folder), {})
    for name, tensor in network(1, OLD).state_dict().items():
        assert torch.equal(fresh.state_dict()[name], tensor), name


@pytest.mark.parametrize(
    ("more", "new_characters", "sentence"),
    [
        ({"num_hidden": 9}, {}, r"does not fit: encoder.* is \[.*\] there and \[.*\] here; .* as its bundle\.json"),
        ({"num_layers": 2}, {}, r"is missing there"),
        ({}, {"ö": "x"}, "'x' is not in the alphabet"),
        ({}, {"a": "b"}, "'a' is in the model already"),
        ({}, {"ü": "b"}, r"^toy\.training\.new_characters\.ü: 'ü' is in no training text"),
    ],
)
def test_what_does_not_fit_is_one_clear_line(folder, more, new_characters, sentence):
    made = network(2, NEW, **more)
    before = copy.deepcopy(made.state_dict())
    with pytest.raises(GlyphoneError, match=sentence) as caught:
        warm_start(made, NEW, origin_of(folder), new_characters)
    assert len(str(caught.value).splitlines()) == 1
    assert all(torch.equal(before[name], tensor) for name, tensor in made.state_dict().items())


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ({"cell": "rnn"}, {"cell": "rnn_relu"}, "its cells are rnn, here they are rnn_relu"),
        ({"cell": "cifg"}, {"cell": "gru_reset_before"}, "its cells are cifg, here they are gru_reset_before"),
        (
            {"cell": "transformer", "num_heads": 2},
            {"cell": "transformer", "num_heads": 4},
            "its cells are those of a transformer with 2 heads, .* with 4 heads",
        ),
    ],
)
def test_weights_of_one_shape_that_mean_other_things_do_not_fit(tmp_path, old, new, sentence):
    settings = SETTINGS.model_copy(update=old)
    write_bundle(tmp_path, network(1, OLD, **old).state_dict(), settings, DESCRIPTION, "card")
    with pytest.raises(GlyphoneError, match=sentence):
        warm_start(network(2, NEW, **new), NEW, origin_of(tmp_path), {})


FRONT_ENDS = st.builds(
    ConvolutionSettings,
    channels=st.just(3),
    stride=st.tuples(*[st.integers(1, 3)] * 2),
    pool=st.tuples(*[st.integers(1, 2)] * 2),
)
NETWORKS = st.builds(
    NetworkSettings,
    convolutions=st.tuples(FRONT_ENDS, FRONT_ENDS),
    residual=st.booleans(),
    dropout=st.sampled_from([0.1, 0.2]),
    forget_bias=st.sampled_from([0.5, 1.0]),
)
SLICES = st.builds(
    SliceSettings,
    hop_ms=st.sampled_from([10.0, 12.5]),
    normalise=st.sampled_from(["utterance", "mean"]),
    max_seconds=st.sampled_from([30.0, 60.0]),
)


def computes(network: NetworkSettings, slices: SliceSettings) -> dict[str, object]:
    """What of the settings decides what weights compute, by what a line names it as."""
    kept = {"slices.hop_ms": slices.hop_ms, "slices.normalise": slices.normalise, "network.residual": network.residual}
    for number, block in enumerate(network.convolutions):
        kept |= {f"network.convolutions.{number}.{key}": list(getattr(block, key)) for key in ("stride", "pool")}
    return kept


@settings(max_examples=40)
@given(old=st.tuples(NETWORKS, SLICES), new=st.tuples(NETWORKS, SLICES), older=st.booleans())
def test_settings_that_no_shape_tells_of_are_a_line_each(old, new, older):
    network, slices = old
    description = {"network": network.model_dump(mode="json"), "slice_settings": slices.model_dump(mode="json")}
    if older and slices.normalise == "utterance":  # the default of a setting that came after the model
        del description["slice_settings"]["normalise"]
    there, here = computes(*old), computes(*new)
    expected = {f"{key}: learnt with {there[key]}, goes on with {here[key]}" for key in here if there[key] != here[key]}
    lines = other_settings(description, *new)
    assert set(lines) == expected and len(lines) == len(expected)


def test_layers_whose_reading_goes_on_are_told():
    old, new = (
        NetworkSettings(num_layers=3, intermediate_layers=(number,), self_conditioned=True) for number in (1, 2)
    )
    description = {"network": old.model_dump(mode="json"), "slice_settings": {}}
    lines = other_settings(description, new, SliceSettings())
    assert lines == ["network.intermediate_layers: learnt with [1], goes on with [2]"]


def chosen(name: str, **network) -> tuple[str, Network, Alphabet, SimpleNamespace]:
    """What a training of modality ``name`` hands to its start."""
    made = SETTINGS.model_copy(update=network)
    training = TrainingSettings(warm_start="old")
    sections = SimpleNamespace(network=made, slices=SliceSettings(num_mels=6, hop_ms=20.0), training=training)
    return name, Network(made, 6, len(OLD)), OLD, sections


def test_a_training_says_what_its_weights_learnt_otherwise(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder.parent)
    convolutions = (ConvolutionSettings(channels=3, pool=(2, 1)),)
    assert start(*chosen("toy", convolutions=convolutions)).digest
    said = capsys.readouterr().err.splitlines()
    assert said[1:] == [
        "slices.hop_ms: learnt with 10.0, goes on with 20.0",
        "network.convolutions.0.pool: learnt with [1, 1], goes on with [2, 1]",
    ]


def test_a_model_of_the_other_modality_is_refused(folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    with pytest.raises(GlyphoneError, match=r"ocr.training.warm_start: old is a model of modality 'toy'"):
        start(*chosen("ocr"))
    with pytest.raises(GlyphoneError, match=r"old is a model of modality 'toy'"):
        start(*chosen("ocr", num_hidden=9))  # shapes that do not fit either are not what is to be mended


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"num_hidden": 9}, r"does not fit: network\.num_hidden: \d there, 9 here; set it as in its bundle\.json$"),
        (
            {"cell": "gru", "num_layers": 3},
            r"network\.cell: lstm there, gru here; network\.num_layers: 1 there, 3 here;",
        ),
        ({"cell": "transformer"}, r"network\.num_heads: none there, 4 here;"),
        (
            {"convolutions": (ConvolutionSettings(channels=3), ConvolutionSettings(channels=3, kernel=(3, 5)))},
            r"network\.convolutions\.1\.channels: none there, 3 here; .*\.1\.kernel: none there, \[3, 5\] here;",
        ),
        (
            {"convolutions": (ConvolutionSettings(channels=3, pool=(1, 2)),)},
            r"does not fit: network\.convolutions\.0\.pool: \[1, 1\] there, \[1, 2\] here; set it as",
        ),
    ],
)
def test_a_model_that_does_not_fit_is_told_by_the_settings(folder, monkeypatch, more, sentence):
    """By its weights a person would have to know what encoder.layers.0.backwards.bias_hh_l0 hangs on."""
    monkeypatch.chdir(folder.parent)
    with pytest.raises(GlyphoneError, match=r"^toy\.training\.warm_start: old " + f".*{sentence}"):
        start(*chosen("toy", **more))
    name, _, alphabet, sections = chosen("toy")
    with pytest.raises(GlyphoneError, match=r"does not fit: features a slice: 6 there, 7 here"):
        start(name, Network(sections.network, 7, len(alphabet)), alphabet, sections)


def test_a_pretrained_model_of_other_settings_names_its_stage(folder, monkeypatch):
    """No training.warm_start stands in the settings that could be put right."""
    monkeypatch.chdir(folder.parent)
    shutil.copytree(folder, pretrained_folder("toy"))
    name, _, _, sections = chosen("toy")
    sections.training = TrainingSettings()
    other = network(1, OLD, num_hidden=4)
    with pytest.raises(GlyphoneError, match=r"^toy\.pretraining: what stage pretrain made, .* again .*does not fit"):
        start(name, other, OLD, sections)


corpora = st.dictionaries(
    st.sampled_from(["manifest", "manifest (2)", "an4"]),
    st.fixed_dictionaries({"samples": st.integers(1, 2), "licence": st.sampled_from(["Apache-2.0", "CC BY-NC 4.0"])}),
    max_size=3,
)


@given(st.lists(corpora, min_size=1, max_size=4))
def test_no_corpus_of_a_chain_of_models_is_lost(trainings):
    summary = {"corpora": trainings[0]}
    for each in trainings[1:]:
        summary = {"corpora": each, "warm_start": {"corpora": learnt_from(summary)}}
    found = learnt_from(summary)
    assert found.items() >= trainings[-1].items()
    for each in trainings:
        for name, corpus in each.items():
            assert corpus in [found[other] for other in found if other.startswith(name)]
    assert len(found) <= sum(map(len, trainings))


def test_a_missing_model_is_one_clear_line(tmp_path):
    with pytest.raises(GlyphoneError, match=r"training.warm_start: .*not a model folder"):
        warm_start(network(2, NEW), NEW, origin_of(tmp_path), {})


def test_an_archive_is_as_good_as_its_folder(folder, tmp_path, monkeypatch, capsys):
    """What was handed out is what others start from."""
    monkeypatch.chdir(tmp_path)
    write_zip(tmp_path / "old.zip", "old", {path.name: path.read_bytes() for path in folder.iterdir()})
    starts, digests, weights = [], [], []
    for model in ("old", "old.zip"):
        name, made, alphabet, sections = chosen("toy")
        sections.training = TrainingSettings(warm_start=model)
        starts.append(start(name, made, alphabet, sections))
        assert capsys.readouterr().err.startswith(f"warm start from {model}: 4 characters keep")
        weights.append(made.state_dict())
        tree = {"modalities": ["toy"], "toy": {"training": {"warm_start": model}}}
        recipe.fill_warm_start_digests(tree)
        digests.append(tree["toy"]["training"]["warm_start_digest"])
    assert starts[0] == starts[1] and digests[0] == digests[1]
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])
    (tmp_path / "old.onnx").write_bytes(b"no model")
    with pytest.raises(
        GlyphoneError, match=r"training\.warm_start: old\.onnx: neither a model folder nor the zip archive"
    ):
        sections.training = TrainingSettings(warm_start="old.onnx")
        start(name, made, alphabet, sections)


def test_the_recipe_fills_in_the_digest_so_that_dvc_sees_another_model(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tree = {"modalities": ["audio"], "audio": {"training": {"warm_start": "old"}}}
    digests = []
    for seed in (1, 1, 3):
        write_bundle(folder, network(seed, OLD).state_dict(), SETTINGS, DESCRIPTION, "card")
        recipe.fill_warm_start_digests(tree)
        digests.append(tree["audio"]["training"]["warm_start_digest"])
    assert digests[0] == digests[1] != digests[2] and len(digests[0]) == 32
    tree["audio"]["training"]["warm_start"] = "old.zip"
    with pytest.raises(GlyphoneError, match=r"training\.warm_start: no model folder or archive 'old\.zip'; looked for"):
        recipe.fill_warm_start_digests(tree)
    (tmp_path / "models").mkdir()
    folder.rename(tmp_path / "models" / "audio")
    tree["audio"]["training"]["warm_start"] = "models/audio"
    with pytest.raises(GlyphoneError, match="copy it to another folder"):
        recipe.fill_warm_start_digests(tree)
    json.dumps(tree)
