"""The character model: probabilities sum up to 1, and are the same whole, streamed, among others; training; folder."""

import itertools
import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from common.files import read_json, write_json
from common.language import character_training
from common.language.character_folder import read_characters, write_characters
from common.language.character_model import BOUNDARY, CharacterModel
from common.language.character_network import CharacterNetwork
from common.language.character_training import batches, learn_characters, perplexity, windows
from common.language.ngrams import LanguageError
from common.language.settings import CharacterSettings
from common.text import TextSettings

CELLS = ["lstm", "gru", "layer_norm_lstm", "cifg"]
SMALL = CharacterSettings(num_hidden=16, num_embedded=6, dropout=0.1, epochs=5, batch_texts=4, learning_rate=2e-2)
# A language of syllables: a consonant, then a vowel; most words end behind two of them.
TEXTS = ["bada badi", "dabi", "bidi daba", "baba", "dida bibi", "badi", "dadi bada", "bibi", "daba didi", "bida"] * 3
HELD_OUT = ["bada dibi", "dada", "bibi badi"]


def model_of(cell="lstm", characters="ab", seed=0, **others):
    """A network with random weights, far from uniform."""
    torch.manual_seed(seed)
    sizes = {"num_hidden": 5, "num_embedded": 4, "dropout": 0.0, **others}
    network = CharacterNetwork(CharacterSettings(cell=cell, **sizes), len(characters) + 2)
    with torch.no_grad():
        network.head.weight.mul_(3.0)
        network.head.bias[BOUNDARY] -= 1.0  # texts of some length
    return CharacterModel(list(characters), network)


def by_steps(model, symbols):
    """ln P of each symbol, one step at a time; the first stands behind the beginning."""
    states, found, last = None, [], BOUNDARY
    for symbol in symbols:
        log_probs, states = model.stream(torch.tensor([[last]]), states)
        found.append(log_probs[0, symbol])
        last = symbol
    return found


@pytest.mark.parametrize("cell", CELLS)
def test_probabilities_of_all_texts_and_the_remainder_sum_up_to_one(cell):
    model, longest = model_of(cell), 3
    alphabet = "ab?"  # the last one is what the model does not know
    texts = ["".join(each) for n in range(longest + 1) for each in itertools.product(alphabet, repeat=n)]
    beginnings = [model.encode("".join(each)) for each in itertools.product(alphabet, repeat=longest + 1)]
    whole = float(np.exp(model.scores(texts)).sum())
    remainder = sum(math.exp(sum(by_steps(model, each))) for each in beginnings)
    assert 0.05 < whole < 0.995
    assert whole + remainder == pytest.approx(1.0, abs=1e-5)


@settings(max_examples=30)
@given(st.sampled_from(CELLS), st.lists(st.text("abc ", max_size=40), min_size=1, max_size=20), st.integers(0, 9))
def test_a_score_is_the_sum_of_its_steps_and_does_not_depend_on_neighbours(cell, texts, seed):
    model = model_of(cell, "ab ", seed, num_layers=2)
    scores = model.scores(texts)
    for text, score in zip(texts[:4], scores, strict=False):
        assert score == pytest.approx(sum(by_steps(model, [*model.encode(text), BOUNDARY])), abs=1e-4)
        assert model.scores([text])[0] == score
    assert (model.scores(texts[::-1])[::-1] == scores).all()


@settings(max_examples=30)
@given(st.lists(st.text("ab", max_size=20), min_size=1, max_size=9), st.integers(1, 30), st.integers(1, 5))
def test_windows_and_padding_change_no_probability(texts, window, batch_texts):
    model = model_of()
    rows = [model.encode(text) for text in texts]
    found = perplexity(model.network, rows, CharacterSettings(window=window, batch_texts=batch_texts))
    mean = -model.scores(texts).sum() / sum(len(text) + 1 for text in texts)
    assert math.log(found) == pytest.approx(mean, abs=1e-5)
    parts = list(windows(rows, window))
    assert all(inputs.shape[1] <= window for inputs, _, _ in parts)
    assert sum(int((targets != character_training.NOTHING).sum()) for _, targets, _ in parts) == sum(
        int(lengths.sum()) for _, _, lengths in parts
    )


def test_an_epoch_has_every_text_once_in_an_order_of_its_own():
    rows = [[1] * (place % 7) for place in range(50)]
    first, second = (batches(rows, 4, 1, epoch) for epoch in (0, 1))
    for plan in (first, second):
        assert sorted(np.concatenate(plan).tolist()) == list(range(50))
        # Of one pool: texts of a batch are of like length.
        assert sum(len({len(rows[place]) for place in each}) == 1 for each in plan) >= len(plan) // 2
    assert [each.tolist() for each in first] == [each.tolist() for each in batches(rows, 4, 1, 0)]
    assert [each.tolist() for each in first] != [each.tolist() for each in second]
    assert [each.tolist() for each in first] != [each.tolist() for each in batches(rows, 4, 2, 0)]


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    return learn_characters(TEXTS, HELD_OUT, SMALL, 1, tmp_path_factory.mktemp("state"))


def test_it_prefers_the_language_that_it_learned(learned):
    model = learned.model
    own = ["bada", "didi", "dabi bada", "bibi"]
    turned = [text[::-1] for text in own]  # a vowel first
    assert (model.scores(own) > model.scores(turned) + 2).all()
    # Better than the frequencies of characters can be: their entropy.
    symbols = [symbol for text in HELD_OUT for symbol in [*text, "end"]]
    counts = np.array([symbols.count(symbol) for symbol in set(symbols)])
    entropy = -(counts / counts.sum() * np.log(counts / counts.sum())).sum()
    assert math.log(learned.best_perplexity) < 0.8 * entropy
    assert learned.best_perplexity == min(row["validation"] for row in learned.history)
    mean = -model.scores(HELD_OUT).sum() / sum(len(text) + 1 for text in HELD_OUT)
    assert math.log(learned.best_perplexity) == pytest.approx(mean, abs=1e-5)
    assert model.scores(["baß"])[0] < model.scores(["bad"])[0]


def weights_of(learned):
    return {name: tensor.numpy().tobytes() for name, tensor in learned.model.network.state_dict().items()}


def test_a_killed_run_ends_in_the_same_bytes(learned, tmp_path, monkeypatch):
    saved, real = [], character_training.checkpoint.save

    def save(folder, state):
        real(folder, state)
        saved.append(folder)
        if len(saved) in (3, 9):
            raise KeyboardInterrupt

    monkeypatch.setattr(character_training.checkpoint, "save", save)
    often = SMALL.model_copy(update={"checkpoint_minutes": 0.0})
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            learn_characters(TEXTS, HELD_OUT, often, 1, tmp_path)
    again = learn_characters(TEXTS, HELD_OUT, often, 1, tmp_path)
    assert weights_of(again) == weights_of(learned)
    assert again.history == learned.history
    other = learn_characters(TEXTS, HELD_OUT, SMALL.model_copy(update={"epochs": 1}), 2, tmp_path / "other")
    assert weights_of(other) != weights_of(learned)


def test_training_stops_where_validation_gets_no_better(tmp_path):
    # What is held out is the opposite of what is learned.
    chosen = SMALL.model_copy(update={"epochs": 50, "patience": 2})
    found = learn_characters(["ab"] * 40, ["ba"], chosen, 1, tmp_path)
    assert len(found.history) == found.best_epoch + 2 < 50
    # Started once more behind its end, it stays there.
    assert weights_of(learn_characters(["ab"] * 40, ["ba"], chosen, 1, tmp_path)) == weights_of(found)


def test_texts_that_are_missing_and_losses_that_are_no_number_are_told(tmp_path, monkeypatch):
    with pytest.raises(LanguageError, match=r"language.characters: there are no training texts"):
        learn_characters(["", ""], ["a"], SMALL, 1, tmp_path)
    with pytest.raises(LanguageError, match=r"language.characters: there are no validation texts"):
        learn_characters(["a"], [""], SMALL, 1, tmp_path)
    monkeypatch.setattr(torch.nn.functional, "nll_loss", lambda log_probs, *_, **__: log_probs.sum() * math.nan)
    with pytest.raises(LanguageError, match=r"the loss became nan; a smaller learning_rate than 0.02 may help"):
        learn_characters(["a"], ["a"], SMALL, 1, tmp_path)


def test_a_folder_gives_the_same_model_and_the_same_bytes(learned, tmp_path):
    text_settings = TextSettings(case="lower")
    for name in ("one", "two"):
        write_characters(tmp_path / name, learned.model, SMALL, text_settings, {"seed": 1})
    for name in ("characters.json", "characters.safetensors"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    model, found = read_characters(tmp_path / "one")
    assert found == text_settings
    assert model.characters == learned.model.characters
    texts = ["", "bada", "x"]
    assert (model.scores(texts) == learned.model.scores(texts)).all()


def test_damage_and_foreign_formats_are_told(tmp_path):
    write_characters(tmp_path, model_of(), CharacterSettings(num_hidden=5, num_embedded=4), TextSettings(), {})
    description = read_json(tmp_path / "characters.json")
    for change, words in (
        ({"format_version": 2}, r"format_version is 2, this version of Glyphone reads 1; update Glyphone or run"),
        ({"weights_sha256": "0"}, r"characters.safetensors: the file is damaged, its SHA-256"),
        ({"settings": {**description["settings"], "module": "os"}}, r"not a whole character model: ValidationError"),
        ({"settings": {**description["settings"], "num_hidden": 6}}, r"not a whole character model: RuntimeError"),
        ({"characters": ["a", "a"]}, r"not a whole character model: AlphabetError"),
        ({"characters": None}, r"not a whole character model: TypeError"),
    ):
        write_json(tmp_path / "characters.json", {**description, **change})
        with pytest.raises(LanguageError, match=words) as told:
            read_characters(tmp_path)
        assert "\n" not in str(told.value)
    (tmp_path / "characters.json").write_text(json.dumps(description), encoding="utf-8")
    (tmp_path / "characters.safetensors").unlink()
    with pytest.raises(LanguageError, match=r"characters.safetensors: no such file"):
        read_characters(tmp_path)
    with pytest.raises(LanguageError, match=r"no character model there, characters.json is missing"):
        read_characters(tmp_path / "nowhere")
