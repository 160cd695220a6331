"""Votes of several models on files, from the command line and from Python."""

import json
import shutil
from hashlib import sha256

import pytest
import soundfile
import torch
from PIL import Image
from safetensors.torch import load, save

from common.archive import write_zip
from common.bundle import read_bundle, write_bundle
from common.decoding import DecodingSettings
from common.errors import GlyphoneError
from common.files import write_text
from common.network import Network, NetworkSettings
from pipelines import transcribe
from pipelines.recogniser import Recogniser
from tests.test_explain import write_model
from tests.test_transcribe import model, sounds  # noqa: F401  (fixtures)


@pytest.fixture(scope="module")
def others(model, tmp_path_factory):  # noqa: F811
    """Two more models with random weights; the second reads other slices and knows other letters."""
    folders = []
    description = json.loads((model / "bundle.json").read_text(encoding="utf-8"))
    settings = read_bundle(model).network
    for seed, symbols, hop_ms in ((4, " abcdefg", 10.0), (5, " abcxyz", 20.0)):
        torch.manual_seed(seed)
        made = Network(NetworkSettings(**description["network"]), settings.num_features, len(symbols) + 1)
        made.head.weight.data *= 30
        folder = tmp_path_factory.mktemp("voters") / f"m{seed}"
        changed = {
            **description,
            "alphabet": list(symbols),
            "slice_settings": {**description["slice_settings"], "hop_ms": hop_ms},
            "step": hop_ms / 1000,
        }
        write_bundle(folder, made.state_dict(), NetworkSettings(**description["network"]), changed, "# Random\n")
        folders.append(folder)
    return folders


def test_files_are_voted_on_alone_and_among_others_alike(model, sounds, others):  # noqa: F811
    recogniser = Recogniser.load(model, "cpu", voters=others)
    paths = sorted(sounds.glob("0*.wav"))
    together = list(recogniser.transcribe_all(paths))
    own = Recogniser.load(model, "cpu")
    assert [each.hypothesis for each in together] == [recogniser.transcribe(path) for path in paths]
    assert [each.hypothesis.text for each in together] != [own.transcribe(path).text for path in paths]
    for path, each in zip(paths, together, strict=True):
        seconds = soundfile.info(path).duration
        places = [place for symbol in each.hypothesis.symbols for place in (symbol.start, symbol.end)]
        assert places == sorted(places) and all(0 <= place <= seconds for place in places)


def test_a_recording_is_cut_for_a_voter_that_takes_less(model, sounds, others, tmp_path):  # noqa: F811
    """It was refused, though a longer one, which the model itself cuts, was read."""
    folder = with_slice_settings(others[0], tmp_path / "short", max_seconds=0.5)
    path = max(sounds.glob("0*.wav"), key=lambda each: soundfile.info(each).duration)
    assert (seconds := soundfile.info(path).duration) > 0.5
    hypothesis = Recogniser.load(model, "cpu", voters=[folder]).transcribe(path)
    places = [place for symbol in hypothesis.symbols for place in (symbol.start, symbol.end)]
    assert places == sorted(places) and places[0] >= 0 and 0.5 < places[-1] <= seconds


def test_the_reason_names_the_voter_that_cannot_take_a_file(tmp_path):
    main, other = (write_model(tmp_path / f"m{seed}", "ocr", "lstm", seed) for seed in (1, 2))
    voter = with_slice_settings(other, tmp_path / "narrow", max_width_px=40)
    Image.new("L", (100, 32)).save(tmp_path / "line.png")
    (result,) = Recogniser.load(main, "cpu", voters=[voter]).transcribe_all([tmp_path / "line.png"])
    assert result.hypothesis is None
    assert result.reason == f"voter {voter}: 100 x 32 pixels become 100 slices, max_width_px allows 40"
    assert Recogniser.load(main, "cpu").transcribe(tmp_path / "line.png") is not None


def with_slice_settings(model, folder, **changes):  # noqa: F811
    """A copy of a model folder that reads other slices."""
    shutil.copytree(model, folder)
    description = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
    description["slice_settings"] |= changes
    write_text(folder / "bundle.json", json.dumps(description))
    return folder


def other_file_of_the_same_weights(folder, name):
    data = save(load((folder / "model.safetensors").read_bytes()), {"name": name})
    (folder / "model.safetensors").write_bytes(data)
    description = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
    write_text(folder / "bundle.json", json.dumps({**description, "weights_sha256": sha256(data).hexdigest()}))


@pytest.mark.parametrize("voting", ["confidences", "emissions"])
def test_models_that_say_the_same_vote_as_one_speaks(model, sounds, tmp_path, voting):  # noqa: F811
    for name in ("b", "c"):
        shutil.copytree(model, tmp_path / name)
        other_file_of_the_same_weights(tmp_path / name, name)
    decoding = DecodingSettings(engine="beam", beam_width=4, whitelist="abc ")
    recogniser = Recogniser.load(model, "cpu", decoding, [tmp_path / "b", tmp_path / "c"], voting)
    own = Recogniser.load(model, "cpu", decoding)
    if voting == "emissions":
        assert recogniser.transcribe(sounds / "03.wav") == own.transcribe(sounds / "03.wav")
    # They decode greedily, as no stage tune has chosen for them, with the same whitelist.
    assert set(recogniser.transcribe(sounds / "05.wav").text) <= set("abc ")


def test_the_command_votes_goes_on_and_refuses_other_voters(model, sounds, others, tmp_path, capsysbinary):  # noqa: F811
    base = [str(model), str(sounds / "02.wav"), str(sounds / "03.wav"), "--device", "cpu", "--quiet"]
    out = ["-o", str(tmp_path / "out.jsonl")]
    votes = [argument for each in others for argument in ("--with", str(each))]
    assert transcribe.main([*base, *votes, *out]) == 0
    texts = [json.loads(line)["text"] for line in (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()]
    recogniser = Recogniser.load(model, "cpu", voters=others)
    assert texts == [recogniser.transcribe(sounds / name).text for name in ("02.wav", "03.wav")]
    assert transcribe.main([*base, *votes, *out, "--verify"]) == 0
    for changed in ([], votes[:2], [*votes[:2], "--voting", "emissions"]):
        with pytest.raises(GlyphoneError, match="begun with model"):
            transcribe.main([*base, *changed, *out])
    with pytest.raises(GlyphoneError, match="nowhere: no such folder; --with is a folder that train wrote"):
        transcribe.main([*base, "--with", "nowhere"])
    shutil.copytree(others[0], tmp_path / "ocr")
    path = tmp_path / "ocr" / "bundle.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"audio"', '"ocr"'), encoding="utf-8")
    with pytest.raises(GlyphoneError, match=r"ocr: a model of modality 'ocr', the first argument is of 'audio'"):
        transcribe.main([*base, "--with", str(tmp_path / "ocr")])


def test_a_copy_of_a_model_does_not_vote(model, sounds, others, tmp_path):  # noqa: F811
    """Whatever its folder is called, from Python and from the command line."""
    for name, folder in (("b", model), ("c", others[0]), ("d", others[0])):
        shutil.copytree(folder, tmp_path / "copies" / name)
    b, c, d = (tmp_path / "copies" / name for name in "bcd")
    main, twice = f"{b}: has the weights of the model that it would vote with", f"{d}: has the weights of {c}"
    for voters, sentence in (
        ([b], main),
        ([c, others[1], d], twice),
        ([others[0]] * 2, f"has the weights of {others[0]}"),
    ):
        with pytest.raises(GlyphoneError, match=sentence):
            Recogniser.load(model, "cpu", voters=voters)
    with pytest.raises(GlyphoneError, match=main):
        transcribe.main([str(model), str(sounds), "--device", "cpu", "--with", str(b)])


def test_from_python_as_from_the_command_line(model, others):  # noqa: F811
    for arguments, sentence in (
        ({"voting": "loudest", "voters": others}, "voting 'loudest': allowed: confidences, emissions"),
        ({"voting": "emissions"}, "voting 'emissions': one model does not vote"),
        ({"voters": str(others[0])}, "a list of model folders is needed"),
    ):
        with pytest.raises(GlyphoneError, match=sentence):
            Recogniser.load(model, "cpu", **arguments)


def test_a_model_votes_once(model, sounds, others, tmp_path):  # noqa: F811
    (tmp_path / "link").symlink_to(others[0])
    for votes, sentence in (
        ([model], f"--with: {model} is the first argument, which votes anyway"),
        ([others[0], others[1], tmp_path / "link"], f"--with: {tmp_path / 'link'} stands twice"),
    ):
        with pytest.raises(GlyphoneError) as caught:
            transcribe.main([str(model), str(sounds), *(part for each in votes for part in ("--with", str(each)))])
        assert str(caught.value) == f"{sentence}; name other models"


def test_archives_of_models_vote_as_their_folders_do(model, sounds, others, tmp_path, capsysbinary):  # noqa: F811
    archives = [tmp_path / f"{folder.name}.zip" for folder in (model, *others)]
    for archive, folder in zip(archives, (model, *others), strict=True):
        write_zip(archive, folder.name, {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()})
    call = [str(sounds / "02.wav"), "--device", "cpu", "--quiet", "-o", str(tmp_path / "out.jsonl")]
    assert transcribe.main([str(model), *call, "--with", str(others[0]), "--with", str(others[1])]) == 0
    written = (tmp_path / "out.jsonl").read_bytes()
    packed = [str(archives[0]), *call, "--with", str(archives[1]), "--with", str(archives[2])]
    assert transcribe.main(packed) == 0  # the same models, so nothing is left to do
    assert transcribe.main([*packed, "--restart"]) == 0
    assert (tmp_path / "out.jsonl").read_bytes() == written
    description = json.loads((others[0] / "bundle.json").read_text(encoding="utf-8")) | {"modality": "ocr"}
    write_zip(archives[1], "m", {"bundle.json": json.dumps(description).encode()})
    with pytest.raises(GlyphoneError, match=rf"--with {archives[1]}: a model of modality 'ocr', the first argument"):
        transcribe.main(packed)
    write_zip(archives[1], "m", {"README.md": b""})
    with pytest.raises(GlyphoneError, match=r"m4\.zip: holds 0 models, folders with bundle\.json; one is needed"):
        transcribe.main(packed)
    archives[1].write_bytes(b"PK")
    with pytest.raises(GlyphoneError, match=r"m4\.zip: not a model folder, it has no bundle\.json; --with is a folder"):
        transcribe.main(packed)
