"""Voices of other programs: what they are given to read, that they say it, and what is told where they are missing."""

import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from audio import voices
from audio.corpora.synthetic import SYNTHETIC, SyntheticSettings
from audio.dictation import dictation
from audio.respelling import COMMON, SPELLINGS, respelled
from audio.sentences import sentence
from audio.synthesis import _phonemes, synthesise
from audio.voices import ENGINES, VOICES, Engine, Voice, names, readable, speak
from common.errors import GlyphoneError, SampleError
from common.samples import Sample

DIGITS = ["ZERO", "ONE", "TWO", "THREE", "FOUR", "FIVE", "SIX", "SEVEN", "EIGHT", "NINE"]
PROGRAMS = sorted(ENGINES)


@pytest.fixture(scope="module")
def installed() -> None:
    try:
        names(PROGRAMS)
    except GlyphoneError as error:
        pytest.skip(str(error))


def sample(name: str, text: str = "SEVEN", sample_id: str = "a") -> Sample:
    return Sample(id=sample_id, path=f"synthesis:1:{name}:cut", text=text, group=name, split="train")


def listed(**chosen: object) -> list[Sample]:
    settings = SyntheticSettings.model_validate({"says": "digits", "num_validation": 6, "num_test": 6, **chosen})
    return list(SYNTHETIC.read(settings, Path(), 1))


def test_every_phoneme_of_english_has_a_spelling() -> None:
    random = np.random.default_rng(0)
    texts = [each(random) for each in (dictation, sentence) for _ in range(150)]
    texts.append("THE MEASURE OF A BOY JUDGE CHOSE WATER LITTLE BUTTON HOUSE AHEAD BIRD THING YELLOW SHE")
    said = {each for text in texts for part in _phonemes(sample("booth", text)) for each in part}
    assert {each for each in said if each.isalpha() and each not in "ˈˌː"} <= set(COMMON)


@pytest.mark.parametrize("language", sorted(SPELLINGS))
@given(words=st.lists(st.text(st.sampled_from([*COMMON, "ˈ", "."]), max_size=6), max_size=4), seed=st.integers(0, 99))
def test_spellings_are_words_of_letters_and_an_accent_stays(language: str, words: list[str], seed: int) -> None:
    text = respelled(" ".join(words), language, np.random.default_rng(seed))
    assert all(map(str.isalpha, text.split(" "))) or not text
    twice = respelled(" ".join([*words, *words]), language, np.random.default_rng(seed))
    assert twice == f"{text} {text}".strip()


def test_every_spelling_can_be_written_for_the_voices_that_read_it() -> None:
    for voice in VOICES.values():
        table = SPELLINGS.get(voice.language, {})
        "".join(way for ways in table.values() for way in ways).encode(voice.encoding)


@given(st.text(max_size=30))
def test_english_is_left_readable(text: str) -> None:
    words = readable(text).split()
    assert all(each in "abcdefghijklmnopqrstuvwxyz0123456789'-" for word in words for each in word)
    assert not {"a", "b", "z"} & set(words)


def test_english_as_it_is_read() -> None:
    assert readable("DON'T open  Café B 7!") == "don't open cafe bee 7"


@pytest.mark.parametrize("name", sorted(VOICES))
def test_each_voice_says_each_digit_otherwise_and_always_alike(name: str, installed: None) -> None:
    sounds = [synthesise(sample(name, digit, digit)).waveform for digit in DIGITS[:3]]
    again = synthesise(sample(name, DIGITS[0], DIGITS[0])).waveform
    np.testing.assert_array_equal(sounds[0], again)
    assert all(1_000 < len(each) < 24_000 and np.abs(each).max() > 0.1 for each in sounds)
    assert len({each.tobytes() for each in sounds}) == 3


@pytest.mark.parametrize("name", ["espeak-it", "festival-pc", "flite-rms"])
def test_tempo_moves_the_length_and_pitch_does_not(name: str, installed: None) -> None:
    def seconds(tempo: float, pitch: float) -> float:
        waveform, rate_hz = speak(VOICES[name], "seven seven seven", tempo, pitch, np.random.default_rng(0))
        loud = np.flatnonzero(np.abs(waveform) > 0.01 * np.abs(waveform).max())
        return float(loud[-1] - loud[0]) / rate_hz

    assert 1.4 < seconds(0.8, 1) / seconds(1.6, 1) < 2.4
    assert seconds(1, 1.2) == pytest.approx(seconds(1, 0.8), rel=0.08)


def test_voices_take_turns_in_training_and_each_has_its_licence(installed: None) -> None:
    made = listed(voices=PROGRAMS, num_train=2 * len(VOICES))
    trained = [each for each in made if each.split == "train"]
    assert sorted(each.group for each in trained) == sorted(2 * list(VOICES))
    assert all(each.licence == VOICES[each.group].licence for each in trained)
    assert all(each.licence == "Apache-2.0" and each.group not in VOICES for each in made if each.split != "train")


def test_a_stream_draws_voices(installed: None) -> None:
    settings = SyntheticSettings.model_validate({"voices": ["flite"]})
    assert SYNTHETIC.recipe is not None
    made = [SYNTHETIC.recipe(settings, 1, f"{number}", None) for number in range(60)]
    assert {each.group for each in made} == set(names(["flite"]))


@pytest.mark.parametrize("other", [{"accents": 0.5}, {"varied": True}])
def test_what_only_the_own_voice_takes_is_refused_beside_others(other: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=r"voices: .* take no accents and no varied"):
        SyntheticSettings.model_validate({"voices": ["flite"], **other})


def test_missing_programs_are_told_with_their_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    def some() -> frozenset[str]:
        return frozenset({"lp_diphone"})

    monkeypatch.setitem(voices.ENGINES, "festival", replace(ENGINES["festival"], installed=some))  # type: ignore[arg-type]
    with pytest.raises(GlyphoneError, match=r"^voices: .*festival.*apt install .*festvox-itapc16k") as caught:
        names(["festival"])
    assert "festvox-italp16k" not in str(caught.value) and "flite" not in str(caught.value)


def test_a_program_that_is_not_there_has_no_voices() -> None:
    assert voices._told("glyphone-no-such-program") == ""


@pytest.mark.parametrize(
    ("command", "message"),
    [(["false"], "CalledProcessError"), (["true"], "Error opening"), (["glyphone-none"], "FileNotFoundError")],
)
def test_a_voice_that_fails_costs_its_sample(command: list[str], message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Engine(command=lambda *_: command, installed=frozenset)
    monkeypatch.setitem(voices.ENGINES, "flite", broken)  # type: ignore[arg-type]
    with pytest.raises(SampleError, match=f"^voice flite rms cannot say 'one': .*{message}") as caught:
        speak(VOICES["flite-rms"], "one", 1, 1, np.random.default_rng(0))
    assert caught.value.code == "unreadable"


def test_a_voice_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voices, "PATIENCE_S", 0.2)
    slow = Engine(command=lambda *_: ["sleep", "30"], installed=frozenset)
    monkeypatch.setitem(voices.ENGINES, "flite", slow)  # type: ignore[arg-type]
    with pytest.raises(SampleError, match="TimeoutExpired"):
        speak(VOICES["flite-rms"], "one", 1, 1, np.random.default_rng(0))


def test_quotes_do_not_end_what_festival_reads(tmp_path: Path) -> None:
    voice = Voice("festival", "x", "", "")
    command = ENGINES["festival"].command(voice, 'a") (system "b\\', 1, 1, np.random.default_rng(0), tmp_path / "v.wav")
    script = Path(command[-1]).read_text("latin-1")
    assert '(Utterance Text "a) (system b")' in script


def test_the_programs_are_those_that_settings_allow() -> None:
    for engine in ENGINES:
        SyntheticSettings.model_validate({"voices": [engine]})
    with pytest.raises(ValidationError):
        SyntheticSettings.model_validate({"voices": ["mbrola"]})
    assert {each.engine for each in VOICES.values()} == set(ENGINES)


def test_another_voice_takes_no_accent() -> None:
    with pytest.raises(SampleError, match="flite-rms"):
        synthesise(sample("flite-rms+accent"))


def test_silence_of_a_voice_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(*_: object) -> tuple[np.ndarray, int]:
        return np.zeros(1000, np.float32), 16_000

    monkeypatch.setattr("audio.synthesis.speak", silent)
    with pytest.raises(SampleError, match="made no sound"):
        synthesise(sample("flite-rms"))


def test_subprocesses_are_run_without_a_shell() -> None:
    """A text is no command."""
    command = ENGINES["flite"].command(VOICES["flite-rms"], "; rm x", 1, 1, np.random.default_rng(0), Path("v.wav"))
    assert "; rm x" in command and subprocess.list2cmdline(command)
