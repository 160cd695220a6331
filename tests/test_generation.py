"""New texts of the character model: temperature, seed, prompt, and the command."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from common.archive import write_zip
from common.errors import run
from common.language.character_folder import write_characters
from common.language.character_model import BOUNDARY
from common.language.generation import ROWS, choose, generate
from common.language.ngrams import LanguageError
from common.language.settings import CharacterSettings
from common.text import TextSettings
from pipelines import generate as command
from tests.test_character_model import model_of


def best_text(model, prompt, longest):
    """The most probable character again and again, by whole scores of beginnings: no streaming."""
    text = prompt
    while len(text) < longest:
        symbols = torch.tensor([[BOUNDARY, *model.encode(text)]])
        log_probs = model.network.stream(symbols, torch.tensor([symbols.shape[1]]))[0][0, -1]
        symbol = int(log_probs[: model.unknown].argmax())
        if symbol == BOUNDARY:
            return text
        text += model.characters[symbol - 1]
    return text


@pytest.mark.parametrize("seed", range(4))
def test_without_temperature_the_most_probable_is_written(seed):
    model = model_of(characters="abc ", seed=seed)
    for prompt in ("", "ca"):
        wanted = best_text(model, prompt, 30)
        for temperature in (0, 1e-300, 1e-6):
            found = list(generate(model, 2, temperature=temperature, seed=seed, prompt=prompt, max_characters=30))
            assert [text for text, _ in found] == [wanted] * 2


@settings(max_examples=15)
@given(st.integers(0, 99), st.floats(0.3, 3.0), st.integers(1, 2 * ROWS + 3), st.sampled_from(["", "ab", " "]))
def test_a_text_hangs_on_its_number_and_the_seed_alone(seed, temperature, count, prompt):
    model = model_of(characters="ab ", seed=3)
    arguments = {"temperature": temperature, "prompt": prompt, "max_characters": 12}
    texts = list(generate(model, count, seed=seed, **arguments))
    assert texts == list(generate(model, 2 * ROWS + 3, seed=seed, **arguments))[:count]
    assert len(texts) == count
    for text, ended in texts:
        assert text.startswith(prompt)
        assert len(text) <= 12 and (ended or len(text) == 12)
    many = list(generate(model, 20, seed=seed, **arguments))
    assert many != list(generate(model, 20, seed=seed + 1, **arguments))


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_characters_are_as_frequent_as_the_temperature_says(temperature):
    probabilities = np.array([0.05, 0.6, 0.25, 0.1])
    wanted = probabilities ** (1 / temperature)
    wanted /= wanted.sum()
    draw, number = np.random.default_rng(5), 4000
    counts = np.bincount([choose(np.log(probabilities), temperature, draw) for _ in range(number)], minlength=4)
    assert (np.abs(counts - number * wanted) < 4.5 * np.sqrt(number * wanted * (1 - wanted))).all()


def test_texts_are_as_probable_as_the_model_says():
    model, number = model_of(seed=2), 800

    def probability(text):
        """Of the text, where the unknown character is left out of each step."""
        states, last, product = None, BOUNDARY, 1.0
        for symbol in [*model.encode(text), BOUNDARY]:
            log_probs, states = model.stream(torch.tensor([[last]]), states)
            product *= math.exp(log_probs[0, symbol]) / -math.expm1(log_probs[0, model.unknown])
            last = symbol
        return product

    texts = [text for text, ended in generate(model, number, max_characters=2) if ended]
    for text in ("", "a", "b", "ab", "ba"):
        wanted = probability(text)
        assert abs(texts.count(text) - number * wanted) < 4.5 * math.sqrt(number * wanted * (1 - wanted))


def test_characters_that_training_never_saw_are_not_written():
    model = model_of()
    with torch.no_grad():
        model.network.head.bias[model.unknown] = 50.0
    assert all(set(text) <= set("ab") for text, _ in generate(model, 20, max_characters=10))


def test_a_prompt_that_cannot_be_is_told():
    with pytest.raises(LanguageError, match=r"prompt 'axb': the model does not know \['x'\]; it knows 'ab'"):
        list(generate(model_of(), prompt="axb"))
    with pytest.raises(LanguageError, match="prompt: 3 characters, at most 2 are to be written"):
        list(generate(model_of(), prompt="aba", max_characters=2))


@pytest.fixture
def folder(tmp_path):
    model = model_of(characters="ab ")
    chosen = CharacterSettings(num_hidden=5, num_embedded=4)
    write_characters(tmp_path / "m" / "language", model, chosen, TextSettings(case="lower"), {})
    return tmp_path / "m"


def test_the_command_writes_a_text_a_line(folder, capsysbinary):
    options = ["--temperature", "0.8", "--seed", "3", "--prompt", "  AB  ", "--count", "4", "--max-characters", "9"]
    outputs = []
    (folder / "bundle.json").write_bytes(b"{}")  # by which an archive is known to hold a model
    files = {path.relative_to(folder).as_posix(): path for path in folder.glob("**/*") if path.is_file()}
    write_zip(folder / "m.zip", "m", {name: path.read_bytes() for name, path in files.items()})
    for where in (folder, folder / "language", folder, folder / "m.zip"):
        command.main([str(where), *options])
        outputs.append(capsysbinary.readouterr())
    assert outputs[0] == outputs[1] == outputs[2] == outputs[3]
    lines = outputs[0].out.decode().splitlines()
    assert len(lines) == 4 and all(line.startswith("ab ") for line in lines)  # normalised; the last blank stays
    num_cut = sum(not ended for _, ended in generate(
        model_of(characters="ab "), 4, temperature=0.8, seed=3, prompt="ab ", max_characters=9
    ))  # fmt: skip
    told = f"{num_cut} of 4 texts were cut at 9 characters\n" if num_cut else ""
    assert outputs[0].err.decode() == told


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere"], "nowhere: no such folder or archive; the first argument is one"),
        (["."], "no character model there, characters.json is missing"),
        (["FOLDER", "--prompt", "Ü"], "the model does not know ['ü']"),
        (["FOLDER", "--temperature", "nan"], "'nan': a number of at least 0 is needed"),
        (["FOLDER", "--temperature", "-1"], "'-1': a number of at least 0 is needed"),
        (["FOLDER", "--count", "0"], "'0': a whole number of at least 1 is needed"),
        (["FOLDER", "--seed", "x"], "'x': a whole number of at least 0 is needed"),
    ],
)
def test_mistakes_end_in_one_line(folder, tmp_path, monkeypatch, capsys, arguments, words):
    monkeypatch.chdir(tmp_path)
    given = [str(folder) if each == "FOLDER" else each for each in arguments]
    with pytest.raises(SystemExit) as end:
        run(lambda: command.main(given))
    assert end.value.code == 2
    told = capsys.readouterr().err.strip().splitlines()[-1]
    assert words in told and "error: " in told
