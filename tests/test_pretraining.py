"""Stage pretrain and stage train with the toy: off it changes nothing, on the training starts from its weights."""

import errno
import json
import shutil
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import torch

from common.bundle import read_bundle
from common.errors import GlyphoneError, SettingsError
from common.text import TextSettings
from common.training.stream_settings import StreamSettings
from pipelines import settings
from pipelines.extract import extract
from pipelines.modalities import modality
from pipelines.prepare import prepare
from pipelines.pretrain import pretrain_modality
from pipelines.pretrained import pretrained_folder
from pipelines.streaming import recipe_of
from pipelines.train import train_modality
from pipelines.training_start import start
from tests.toy.workspace import enter_workspace, manifest, rows, write_corpus, write_params

NETWORK = {"convolutions": [{"channels": 4, "stride": [1, 2]}], "num_layers": 1, "num_hidden": 8, "dropout": 0.0}
TRAINING = {"epochs": 1, "precision": "float32", "num_threads": 1, "learning_rate": 1e-2}


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = enter_workspace(tmp_path, monkeypatch)
    numbers = " ".join(map(str, range(9)))
    write_corpus(
        folder / "corpus", [{**row, "numbers": f"{row['numbers']} {numbers}", "text": "cad"} for row in rows(12, 2)]
    )
    return folder


def write(folder: Path, **sections: Any) -> None:
    write_params(folder, [manifest()], **{"network": NETWORK, "training": TRAINING, **sections})


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return read_bundle(folder).network.state_dict()


def test_pretraining_off_is_no_pretraining_and_on_it_is_where_training_starts(workspace, capsys):
    write(workspace)
    prepare("toy", Path("data/toy"), num_workers=1)
    extract("toy", Path("data/toy"), num_workers=1)
    train_modality("toy")
    without = Path("models/toy/model.safetensors").read_bytes()
    described = Path("models/toy/bundle.json").read_bytes()
    shutil.rmtree(".state")
    pretrain_modality("toy")
    assert [each.name for each in pretrained_folder("toy").iterdir()] == ["pretraining.json"]
    train_modality("toy")
    assert Path("models/toy/model.safetensors").read_bytes() == without
    assert Path("models/toy/bundle.json").read_bytes() == described
    assert not any(key.startswith("pretraining") for key in json.loads(Path("results/toy/training.json").read_text()))

    stream = {"samples": 40, "ngrams": 0.5, "ngram_order": 2}
    # A real training with hardly a step: what it ends with is what it starts with, characters by name.
    still = {**TRAINING, "learning_rate": 1e-12, "final_learning_rate": 0.0, "averaging": 0.0}
    write(workspace, pretraining={**TRAINING, "epochs": 2, "stream": stream}, training=still)
    pretrain_modality("toy")
    made = read_bundle(pretrained_folder("toy"))
    assert set(made.alphabet.symbols) >= {*"abcd"}  # a to c are the generator's, d is of the n-grams alone
    assert made.summary["corpora"] == {"stream": {"samples": 80, "licence": "CC0"}}
    train_modality("toy")
    trained, first = weights(Path("models/toy")), weights(pretrained_folder("toy"))
    assert all(torch.allclose(trained[name], first[name], atol=1e-6) for name in first if name.startswith("encoder"))
    costs = json.loads(Path("results/toy/training.json").read_text())
    assert (costs["pretraining_samples"], costs["pretraining_epochs"]) == (80, 2) and costs["pretraining_seconds"] > 0
    assert "warm start from data/toy/pretrained" in capsys.readouterr().err

    # Killed or not, the same command gives the same folder; its resume state is not that of the training.
    before = {each.name: each.read_bytes() for each in pretrained_folder("toy").iterdir()}
    shutil.rmtree(pretrained_folder("toy"))
    pretrain_modality("toy")
    assert {each.name for each in pretrained_folder("toy").iterdir()} == before.keys()
    for name in ("model.safetensors", "bundle.json", "history.csv", "README.md"):
        assert (pretrained_folder("toy") / name).read_bytes() == before[name], name
    assert len(list(Path(".state/pretraining/toy").iterdir())) == 1

    with pytest.raises(GlyphoneError, match=r"toy\.training\.warm_start: \'models/x\': pretraining gives a model"):
        write(workspace, pretraining={**TRAINING, "stream": stream}, training={**TRAINING, "warm_start": "models/x"})
        start("toy", made.network, made.alphabet, settings.read("toy", "slices", "network", "training"))

    # Switched off again, by hand without DVC: nothing is left to start from.
    # Made samples beside the real ones: the alphabet has theirs, the licences too.
    write(workspace, training={**TRAINING, "stream": {"samples": 20}})
    pretrain_modality("toy")
    assert [each.name for each in pretrained_folder("toy").iterdir()] == ["pretraining.json"]
    train_modality("toy")
    both = read_bundle("models/toy")
    assert set(both.alphabet.symbols) == {*"abcd"}
    assert both.summary["corpora"]["stream"] == {"samples": 20, "licence": "CC0"} and len(both.summary["corpora"]) == 2


def test_an_earlier_pretraining_that_cannot_be_removed_is_named(workspace, monkeypatch):
    write(workspace)
    pretrained_folder("toy").mkdir(parents=True)
    refused = Mock(side_effect=OSError(errno.EROFS, "Read-only file system", "pretraining.json"))
    monkeypatch.setattr("pipelines.pretrain.shutil.rmtree", refused)
    with pytest.raises(OSError) as caught:
        pretrain_modality("toy")
    assert caught.value.filename == str(pretrained_folder("toy"))


@pytest.mark.parametrize(
    ("stream", "sentence"),
    [
        ({"samples": 5, "generator": {"num_trains": 1}}, "toy.pretraining.stream.generator.num_trains: 1: unknown key"),
        ({"samples": -1}, r"toy.pretraining.stream.samples: -1"),
        ({"samples": 5, "num_workers": 0}, r"toy.pretraining.stream.num_workers: 0"),
        ({"samples": 5}, r"toy.pretraining.stream.samples: 5: .*text.direction: rtl"),
    ],
)
def test_mistakes_in_a_stream_are_named(workspace, stream, sentence):
    """The toy draws no lines: Hebrew would be shown the other way than it is learnt."""
    write(workspace, pretraining={"stream": stream}, text={"direction": "rtl" if "rtl" in sentence else "ltr"})
    with pytest.raises(SettingsError, match=sentence):
        settings.read("toy", "pretraining")


def test_letters_that_the_generator_lacks_are_said_and_a_whole_script_is_refused(capsys):
    """Georgian: no face of the generator has it, and texts without their letters taught nothing."""
    stream = StreamSettings(samples=5, ngrams=1.0, ngram_order=2, generator={"font_styles": ["mono"]})

    def recipe(texts):
        return recipe_of(modality("ocr"), stream, TextSettings(), "pretraining", 1, texts)

    with pytest.raises(GlyphoneError, match=r"ocr\.pretraining\.stream\.ngrams: .* 3 of 5 char.*: ა ბ გ: .*nothing"):
        recipe(["აბგ, ბა.", "გაბ"])
    assert recipe(["a word, ა."])("stream/0/0").text
    assert "1 of 8 characters of the training texts: ა: they are left out" in capsys.readouterr().err
    recipe(["a word"])
    assert not capsys.readouterr().err


def test_words_that_the_voice_cannot_say_are_left_out_and_a_whole_script_is_refused(capsys):
    """The voice leaves letters out that it does not know: the text said them, the sound did not."""
    stream = StreamSettings(samples=5, ngrams=1.0, ngram_unit="word", ngram_order=1)

    def recipe(texts):
        return recipe_of(modality("audio"), stream, TextSettings(), "pretraining", 1, texts)

    with pytest.raises(GlyphoneError, match=r"audio\.pretraining\.stream\.ngrams: .* say 6 of 6 char.*: .*nothing"):
        recipe(["привет"])
    made = recipe(["zöld fű", "fű zöld zöld"])
    assert "1 of 6 characters of the training texts: ű: they are left out" in capsys.readouterr().err
    texts = {made(f"stream/0/{number}").text for number in range(30)}
    assert {word for text in texts for word in text.split()} == {"zöld"}


def test_marks_that_nobody_hears_stand_in_texts_and_are_none(capsys):
    """A text of a quotation mark alone ended the training, once n-grams had drawn one."""
    stream = StreamSettings(samples=5, ngrams=1.0, ngram_order=1)
    made = recipe_of(modality("audio"), stream, TextSettings(), "pretraining", 1, ['"a"', '"b", c', "- d"] * 3)
    assert not capsys.readouterr().err
    texts = [made(f"stream/0/{number}").text for number in range(300)]
    assert '"' in "".join(texts) and all(any(map(str.isalpha, text)) for text in texts)


def test_a_training_text_that_n_grams_cannot_hold_is_named():
    """The message had neither the setting nor the text."""
    stream = StreamSettings(samples=5, ngrams=1.0, ngram_unit="word")
    with pytest.raises(
        GlyphoneError, match=r"ocr\.training\.stream\.ngrams: training text 'a <s> b': the token '<s>' "
    ):
        recipe_of(modality("ocr"), stream, TextSettings(), "training", 1, ["a word", "a <s> b"])
