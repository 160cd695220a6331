"""The folder that the command adapt writes: whole or not at all, from inputs of any name."""

import os
from pathlib import Path

import pytest

from common.errors import GlyphoneError
from pipelines import adapt, explain
from pipelines.recogniser import Recogniser
from tests.bare_models import random_bundle, write_input


def test_interrupted_while_writing_it_leaves_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, sound = random_bundle(tmp_path / "model", "audio"), write_input(tmp_path, "audio")
    call = [str(model), str(sound), "-o", str(tmp_path / "new"), "--rounds", "1"]

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr("common.bundle.write_json", interrupt)
        adapt.main(call)
    assert not (tmp_path / "new").exists()
    assert adapt.main(call) == 0
    Recogniser.load(tmp_path / "new", "cpu")


def test_an_endless_learning_rate_is_refused(tmp_path: Path) -> None:
    model, sound = random_bundle(tmp_path / "model", "audio"), write_input(tmp_path, "audio")
    with pytest.raises(GlyphoneError, match="--learning-rate inf"):
        adapt.main([str(model), str(sound), "-o", str(tmp_path / "new"), "--learning-rate", "inf"])
    assert not (tmp_path / "new").exists()


def test_a_file_name_that_is_not_utf8(tmp_path: Path) -> None:
    model, sound = random_bundle(tmp_path / "model", "audio"), write_input(tmp_path, "audio")
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.wav")
    Path(odd).write_bytes(sound.read_bytes())
    assert adapt.main([str(model), odd, "-o", str(tmp_path / "new"), "--rounds", "1"]) == 0
    assert explain.main([str(model), odd, "-o", str(tmp_path / "e.html")]) == 0


def test_a_model_in_a_folder_that_is_not_utf8(tmp_path: Path) -> None:
    sound, odd = write_input(tmp_path, "audio"), Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    random_bundle(odd, "audio")
    said = Recogniser.load(odd, "cpu").transcribe(sound)
    assert said == Recogniser.load(random_bundle(tmp_path / "model", "audio"), "cpu").transcribe(sound)


def test_a_folder_that_cannot_be_written_is_told_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, sound = random_bundle(tmp_path / "model", "audio"), write_input(tmp_path, "audio")
    (tmp_path / "file").write_text("", "utf-8")
    monkeypatch.setattr("common.adaptation.self_training.self_train", lambda *_: pytest.fail("minutes of work"))
    with pytest.raises(OSError, match="file"):
        adapt.main([str(model), str(sound), "-o", str(tmp_path / "file" / "new")])


def test_a_full_disk_is_one_line_that_names_the_new_folder(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    model, sound = random_bundle(tmp_path / "model", "audio"), write_input(tmp_path, "audio")
    most = (model / "model.safetensors").stat().st_size + 100_000
    (model / "language").mkdir()
    (model / "language" / "decoding.json").write_text('{"settings": {}}', "utf-8")
    call = [str(model), str(sound), "-o", str(tmp_path / "new"), "--rounds", "1"]
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    # First the language model, which is written before the weights, then the weights are too large.
    for size, limit in ((most + 1, most), (10, 1000)):
        (model / "language" / "model.arpa.gz").write_bytes(bytes(size))
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
        try:
            with pytest.raises(OSError, match="File too large") as caught:
                adapt.main(call)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert caught.value.filename == str(tmp_path / "new")
        assert sorted(each.name for each in tmp_path.iterdir()) == ["model", "noise.wav"]


def test_what_a_kill_left_in_the_language_folder_is_not_taken_along(tmp_path: Path) -> None:
    model, sound = random_bundle(tmp_path / "model", "audio"), write_input(tmp_path, "audio")
    (model / "language" / "folder").mkdir(parents=True)
    (model / "language" / "decoding.json").write_text('{"settings": {}}', "utf-8")
    for name in ("words.txt", ".words.txt.x.part"):
        (model / "language" / name).write_text("a\n", "utf-8")
    assert adapt.main([str(model), str(sound), "-o", str(tmp_path / "new"), "--rounds", "1"]) == 0
    assert {each.name for each in (tmp_path / "new" / "language").iterdir()} == {"decoding.json", "words.txt"}


def test_a_link_to_nothing_is_told_before_the_work(tmp_path: Path) -> None:
    model = random_bundle(tmp_path / "model", "audio")
    (tmp_path / "new").symlink_to("nowhere")
    with pytest.raises(GlyphoneError, match="new: exists already"):
        adapt.main([str(model), "no.wav", "-o", str(tmp_path / "new")])
