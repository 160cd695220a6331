"""The command that adapts a model to files without transcripts."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from audio.modality import MODALITY
from common.archive import write_zip
from common.bundle import Bundle, read_bundle, write_bundle
from common.errors import GlyphoneError
from common.network import NetworkSettings
from pipelines import adapt
from pipelines.augmentation import augmentation_of
from pipelines.recogniser import Recogniser
from tests.test_adaptation import blanks_alone, ruined_in
from tests.test_transcribe import model, sounds  # noqa: F401  (fixtures)

OFF = {"speed_change": 0.0, "num_time_masks": 0, "num_frequency_masks": 0}


def test_the_command_writes_a_model_that_transcribes(
    model: Path,  # noqa: F811
    sounds: Path,  # noqa: F811
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for output in (tmp_path / "one", tmp_path / "two"):
        arguments = [str(model), str(sounds), "-o", str(output), "--rounds", "2", "--learning-rate", "1e-3"]
        assert adapt.main(arguments) == 0
        said = capsys.readouterr().err
        assert "round 1/2: " in said and "of 12 transcripts learnt" in said and "round 2/2: " in said
    for name in ("bundle.json", "model.safetensors", "README.md"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    old, new = read_bundle(model), read_bundle(tmp_path / "one")
    assert (new.alphabet, new.slice_settings, new.step) == (old.alphabet, old.slice_settings, old.step)
    (step,) = new.summary["adaptations"]
    assert (step["files"], step["seed"], len(step["rounds"])) == (12, 1, 2)
    assert "adapted to 12 files without transcripts" in (tmp_path / "one" / "README.md").read_text("utf-8")
    first, second = (Recogniser.load(each).transcribe(sounds / "07.wav") for each in (model, tmp_path / "one"))
    assert first != second


@pytest.mark.parametrize("bad", [0, 1])
def test_the_command_writes_the_round_before_the_one_that_is_undone(
    model: Path,  # noqa: F811
    sounds: Path,  # noqa: F811
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    bad: int,
) -> None:
    starts = ruined_in(monkeypatch, bad, blanks_alone)
    arguments = [str(model), str(sounds / "05.wav"), "-o", str(tmp_path / "new"), "--rounds", "2", "--epochs", "1"]
    undone = f"round {bad + 1} is undone: 0 characters are heard where it was "
    if not bad:
        with pytest.raises(GlyphoneError, match=f"{undone}.*; there is no other model to write"):
            adapt.main(arguments)
        assert not (tmp_path / "new").exists()
        return
    assert adapt.main(arguments) == 0
    assert capsys.readouterr().err.splitlines()[-1].startswith(undone)
    written = read_bundle(tmp_path / "new")
    assert all(torch.equal(tensor, starts[1][name]) for name, tensor in written.network.state_dict().items())
    assert len(written.summary["adaptations"][0]["rounds"]) == 1


def with_augment(model: Path, folder: Path, **settings: object) -> Bundle:  # noqa: F811
    description = json.loads((model / "bundle.json").read_bytes())
    description["augment_settings"] = settings
    network = NetworkSettings(**description.pop("network"))
    write_bundle(folder, read_bundle(model).network.state_dict(), network, description, "")
    return read_bundle(folder)


def test_samples_are_changed_as_in_the_model_s_training(model: Path, tmp_path: Path) -> None:  # noqa: F811
    slices = np.random.default_rng(0).normal(size=(60, 80)).astype(np.float32)
    changed = [
        augmentation_of(each)(slices, np.random.default_rng(1))
        for each in (read_bundle(model), with_augment(model, tmp_path / "none", **OFF), with_augment(model, tmp_path))
    ]
    usual = MODALITY.augment(slices, MODALITY.AugmentSettings(), np.random.default_rng(1))
    off = MODALITY.augment(slices, MODALITY.AugmentSettings(**OFF), np.random.default_rng(1))
    assert np.array_equal(changed[0], usual)  # an older model names none
    assert np.array_equal(changed[1], off) and not np.array_equal(usual, off)
    assert np.array_equal(changed[2], usual)
    with pytest.raises(GlyphoneError, match="augment settings are not of this version of Glyphone: echo"):
        augmentation_of(with_augment(model, tmp_path / "later", echo=1.0))


def test_the_command_takes_the_decoder_along_and_adapts_twice(model: Path, sounds: Path, tmp_path: Path) -> None:  # noqa: F811
    source = tmp_path / "source"
    (source / "language").mkdir(parents=True)
    for path in model.iterdir():
        (source / path.name).write_bytes(path.read_bytes())
    (source / "language" / "decoding.json").write_text('{"settings": {}}', "utf-8")
    (source / "language" / "note.txt").write_text("kept", "utf-8")
    assert adapt.main([str(source), str(sounds / "05.wav"), "-o", str(tmp_path / "one"), "--rounds", "1"]) == 0
    assert (
        adapt.main([str(tmp_path / "one"), str(sounds / "06.wav"), "-o", str(tmp_path / "two"), "--rounds", "1"]) == 0
    )
    assert (tmp_path / "two" / "language" / "note.txt").read_text("utf-8") == "kept"
    assert len(read_bundle(tmp_path / "two").summary["adaptations"]) == 2


def test_a_model_card_of_another_encoding_is_taken_along(model: Path, sounds: Path, tmp_path: Path) -> None:  # noqa: F811
    old = tmp_path / "old"
    shutil.copytree(model, old)
    (old / "README.md").write_bytes("Für Anna".encode("latin-1"))
    assert adapt.main([str(old), str(sounds), "-o", str(tmp_path / "new"), "--rounds", "1"]) == 0
    assert (tmp_path / "new" / "README.md").read_text("utf-8").startswith("F\ufffdr Anna\n")


def test_an_archive_is_called_as_the_user_does(model: Path, tmp_path: Path) -> None:  # noqa: F811
    """Not as the temporary folder that it was unpacked to."""
    archive = tmp_path / "model.zip"
    write_zip(archive, "model", {path.name: path.read_bytes() for path in model.iterdir() if path.is_file()})
    soundfile.write(tmp_path / "silence.wav", np.zeros(8000), 8000)
    call = [archive, tmp_path / "silence.wav", "-o", tmp_path / "new", "--rounds", "1", "--device", "cpu"]
    with pytest.raises(GlyphoneError, match=f"^{archive}: none of 1 file gives a text, so there is nothing to learn"):
        adapt.main([str(each) for each in call])
    assert not (tmp_path / "new").exists()


def test_mistakes_end_in_one_line(model: Path, sounds: Path, tmp_path: Path) -> None:  # noqa: F811
    (tmp_path / "broken.wav").write_text("no sound", "utf-8")
    new = tmp_path / "new"

    def command(*arguments: object) -> tuple[int, list[str]]:
        done = subprocess.run(
            [sys.executable, "-m", "pipelines.adapt", *map(str, arguments)],
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | {"GLYPHONE_QUIET": "1"},
        )
        return done.returncode, done.stderr.splitlines()

    for arguments, sentence in (
        ((model, sounds, "-o", tmp_path), f"error: -o {tmp_path}: exists already; name a folder that is not there yet"),
        ((model, sounds, "-o", new, "--rounds", 0), "error: --rounds 0: a whole number of at least 1 is needed"),
        ((model, sounds, "-o", new, "--share", 2), "error: --share 2.0: Input should be less than or equal to 1"),
        ((model, tmp_path / "broken.wav", "-o", new), "error: no file could be read, so there is nothing to learn"),
    ):
        code, lines = command(*arguments)
        assert (code, lines[-1]) == (2, sentence)
        assert not new.exists()
    code, lines = command(model, sounds / "05.wav", tmp_path / "broken.wav", "-o", new, "--rounds", 1)
    assert code == 1 and lines[-1] == "1 of 2 inputs was not used"
    assert [line for line in lines if line.startswith(f"not used: {tmp_path / 'broken.wav'}: ")]
    assert (new / "model.safetensors").is_file()
