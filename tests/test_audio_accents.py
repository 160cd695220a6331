"""Foreign accents: the voice knows every phoneme of them, the words are heard otherwise, and nothing else changes."""

from dataclasses import replace

import numpy as np
import pytest

from audio.accents import REPLACED, accented
from audio.conditions import ACCENT
from audio.corpora.synthetic import SYNTHETIC, SyntheticSettings
from audio.synthesis import _voice, synthesise
from common.samples import Sample

DIGITS = "zˈɪɹO wˈʌn tˈu θɹˈi fˈɔɹ fˈIv sˈɪks sˈɛvən ˈAt nˈIn"


def read(**chosen: object) -> list[Sample]:
    settings = SyntheticSettings(num_train=200, num_validation=5, num_test=5, **chosen)  # type: ignore[arg-type]
    return list(SYNTHETIC.read(settings, None, 1))  # type: ignore[arg-type]


def test_the_voice_has_all_phonemes() -> None:
    """One that it lacked would be left out without a word."""
    known = _voice(0).vocab
    assert {each for pair in REPLACED for part in pair for each in part} | {"ː"} <= set(known)


def test_accents_differ_and_one_is_the_same_in_all_sentences() -> None:
    made = {accented([DIGITS], np.random.default_rng(seed))[0] for seed in range(50)}
    assert len(made) > 45
    for seed in range(50):
        first, second = accented([DIGITS, DIGITS], np.random.default_rng(seed))
        assert first == second


def test_every_pair_is_heard_in_some_accent() -> None:
    for old, new in REPLACED:
        made = {accented([f"m{old}m"], np.random.default_rng(seed))[0] for seed in range(80)}
        assert f"m{new}m" in made, (old, new)


def test_r_behind_a_vowel_is_silent_in_some() -> None:
    made = [accented(["fˈɔɹ"], np.random.default_rng(seed))[0] for seed in range(200)]
    silent = sum(each[-1] == "ː" for each in made)
    assert 25 <= silent <= 80


def test_a_sample_with_an_accent_sounds_otherwise_and_always_the_same() -> None:
    plain = Sample(id="a", path="synthesis:1:booth:cut", text="SEVEN THREE FOUR", group="booth", split="train")
    foreign = replace(plain, path=f"synthesis:1:booth{ACCENT}:cut")
    one, two, again = (synthesise(each).waveform for each in (plain, foreign, foreign))
    np.testing.assert_array_equal(two, again)
    assert len(one) != len(two) or np.abs(one - two).max() > 0.05


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_so_many_training_samples_have_an_accent_and_no_others(share: float) -> None:
    made = read(accents=share)
    trained = [ACCENT in each.path for each in made if each.split == "train"]
    assert abs(np.mean(trained) - share) <= (0.1 if 0 < share < 1 else 0)
    assert not any(ACCENT in each.path for each in made if each.split != "train")
    streamed = [SYNTHETIC.recipe(SyntheticSettings(accents=share), 1, str(k), "GO") for k in range(100)]  # type: ignore[misc]
    assert abs(np.mean([ACCENT in each.path for each in streamed]) - share) <= (0.15 if 0 < share < 1 else 0)


def test_accents_leave_texts_and_conditions_as_they_were() -> None:
    without, everywhere = read(), read(accents=1)
    assert [(each.id, each.text, each.group) for each in without] == [(e.id, e.text, e.group) for e in everywhere]
    assert [each.path for each in without] == [each.path.replace(ACCENT, "") for each in everywhere]


def test_a_corpus_can_be_varied_in_training_alone() -> None:
    groups = {split: {each.group for each in read(varied=True) if each.split == split} for split in ("train", "test")}
    assert groups["train"] == {"varied"} and "varied" not in groups["test"]
    assert all("varied" not in each.path for each in read())
