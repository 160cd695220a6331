"""The embedded corpus: the same recipe gives the same sound, and conditions are what they say."""

import json
import re
import unicodedata
from dataclasses import replace
from pathlib import Path

import hibari
import numpy as np
import pytest
import scipy.ndimage
import scipy.signal
from hibari import Hibari
from hypothesis import given, settings
from hypothesis import strategies as st

from audio import dictation
from audio.acoustics import clipped, noise, reverberated, through_microphone, with_noise
from audio.conditions import CONDITIONS, SPLITS, TEST, TRAIN, VALIDATION, Condition, condition, varied
from audio.corpora.synthetic import SYNTHETIC, SyntheticSettings
from audio.sentences import DIGITS, sentence, vocabulary
from audio.slices import SliceSettings, slices
from audio.spoken import LETTERS as SPOKEN
from audio.spoken import MAX_DIGITS, SIGNS, spoken, unspoken
from audio.synthesis import BESIDE, LETTERS, VOICED_HZ, _pronounced, _with_melody, synthesise
from common.alphabet import needed_slices
from common.errors import SampleError
from common.modality import generator
from common.samples import Sample
from ocr.corpora.synthetic import SyntheticSettings as PictureSettings

KINDS = ("white", "pink", "brown", "hum", "babble", "rumble", "crackle", "traffic", "buzz")


def sample(name: str = "booth", sample_id: str = "a", text: str = "OPEN THE DOOR", seed: int = 1) -> Sample:
    return Sample(id=sample_id, path=f"synthesis:{seed}:{name}", text=text, group=name, split="train")


def corpus(num_train: int = 120, num_validation: int = 30, num_test: int = 50, seed: int = 1) -> list[Sample]:
    made = SyntheticSettings(num_train=num_train, num_validation=num_validation, num_test=num_test)
    return list(SYNTHETIC.read(made, None, seed))  # type: ignore[arg-type]


def test_the_same_recipe_gives_the_same_sound_whatever_came_before() -> None:
    first = synthesise(sample("crowd"))
    synthesise(sample("hall", "b", "SPELL A N N A"))
    second = synthesise(sample("crowd"))
    assert first.rate_hz == second.rate_hz == 16_000
    np.testing.assert_array_equal(first.waveform, second.waveform)


@pytest.mark.parametrize(
    "other", [sample(seed=2), sample(sample_id="b"), sample("slow"), sample(text="OPEN THE WINDOW")]
)
def test_another_recipe_gives_another_sound(other: Sample) -> None:
    one, two = synthesise(sample()).waveform, synthesise(other).waveform
    assert len(one) != len(two) or (one != two).any()


def test_a_cut_recording_has_the_words_alone() -> None:
    whole, cut = synthesise(sample()), synthesise(replace(sample(), path="synthesis:1:booth:cut"))
    assert 0.1 <= whole.seconds - cut.seconds <= 0.3
    assert np.abs(cut.waveform[:160]).max() > 10 * np.abs(whole.waveform[:160]).max()


@pytest.mark.parametrize("cut", [False, True])
def test_the_reader_says_which_recordings_are_cut(cut: bool) -> None:
    made = list(SYNTHETIC.read(SyntheticSettings(cut=cut, num_train=12), None, 1))  # type: ignore[arg-type]
    assert len(made) > 12 and {each.path.endswith(":cut") for each in made} == {cut}


@pytest.mark.parametrize("name", CONDITIONS)
def test_every_condition_gives_a_sound_that_can_be_learnt(name: str) -> None:
    text = "SPELL Q U I N N"
    sound = synthesise(sample(name, text=text))
    assert sound.waveform.dtype == np.float32 and np.isfinite(sound.waveform).all()
    peak_db = 20 * np.log10(np.abs(sound.waveform).max())
    low_db, high_db = CONDITIONS[name].level_db
    assert low_db - 0.01 <= peak_db <= high_db + 0.01
    assert 0.8 < sound.seconds < 4
    # Four input slices an emission, as the default network has.
    assert len(slices(sound, SliceSettings())) >= 4 * needed_slices(text)


def test_a_corpus_of_digits_says_one_digit_a_sample() -> None:
    made = list(SYNTHETIC.read(SyntheticSettings(says="digits", num_train=300), None, 1))  # type: ignore[arg-type]
    assert {sample.text for sample in made} == set(DIGITS)


def test_no_condition_stands_in_two_splits_and_validation_and_test_are_new() -> None:
    assert len(CONDITIONS) == len(TRAIN) + len(VALIDATION) + len(TEST)
    trained = {each.noise for each in TRAIN.values()}
    assert any(each.noise not in trained for each in TEST.values())
    assert any(each.noise not in trained for each in VALIDATION.values())
    longest_s = max(each.reverberation_s[1] for each in TRAIN.values())
    assert any(each.reverberation_s[0] > longest_s for each in TEST.values())
    lowest, highest = (pick(each.pitch[side] for each in TRAIN.values()) for pick, side in ((min, 0), (max, 1)))
    assert any(each.pitch[1] < lowest for each in TEST.values())
    assert any(each.pitch[0] > highest for each in TEST.values())


def test_corpus_is_as_large_as_asked_and_grouped_by_condition() -> None:
    samples = corpus()
    assert len({each.id for each in samples}) == len(samples) == 200
    for split, conditions in SPLITS.items():
        assert {each.group for each in samples if each.split == split} == set(conditions)
    assert samples == corpus()
    assert [each.text for each in samples] != [each.text for each in corpus(seed=2)]


def test_numbers_of_samples_end_where_those_of_made_pictures_do() -> None:
    """A number typed with too many zeros listed samples until the memory was full."""
    sounds, pictures = (each.model_json_schema()["properties"] for each in (SyntheticSettings, PictureSettings))
    for key in ("num_train", "num_validation", "num_test"):
        assert sounds[key]["maximum"] == pictures[key]["maximum"]


def test_more_samples_keep_those_that_were_there() -> None:
    few, many = ({each.id: each for each in corpus(num_train=count) if each.split == "train"} for count in (20, 40))
    assert few.items() <= many.items()


def test_dictation_uses_its_vocabulary_and_all_of_it() -> None:
    texts = [dictation.dictation(np.random.default_rng(seed)) for seed in range(4000)]
    assert {word for text in texts for word in text.split()} == set(dictation.vocabulary())
    spelled = {text for text in texts if set(map(len, text.split())) == {1} and len(text) > 4}
    assert len(spelled) > 1000  # other names each time


def test_sentences_use_the_vocabulary_and_all_of_it() -> None:
    texts = [sentence(generator(3, "sentence", str(number))) for number in range(3_000)]
    words = {word for text in texts for word in text.split()}
    assert words == set(vocabulary())
    assert 130 <= len(words) <= 170
    assert max(len(text.split()) for text in texts) <= 7
    assert set(LETTERS) <= words


def pitch_ratio(first: np.ndarray, second: np.ndarray, rate_hz: int = 16_000) -> float:
    """Median ratio of the pitch of two equally long sounds over blocks of 50 ms that are voiced in both."""
    curves = np.array([pitch_hz(first, rate_hz), pitch_hz(second, rate_hz)])
    return float(np.nanmedian(curves[1] / curves[0]))


def pitch_hz(waveform: np.ndarray, rate_hz: int) -> list[float]:
    """A block's strongest lag of the autocorrelation, 60 to 400 Hz, or NaN."""
    curve = []
    lags = np.arange(rate_hz // 400, rate_hz // 60)
    for first in range(0, len(waveform) - 800, 400):
        block = waveform[first : first + 800] - waveform[first : first + 800].mean()
        correlation = scipy.signal.correlate(block, block)[799:]
        best = lags[correlation[lags].argmax()]
        curve.append(rate_hz / best if correlation[best] > 0.6 * correlation[0] else np.nan)
    return curve


def formant_ratio(first: np.ndarray, second: np.ndarray) -> float:
    """The factor on the frequency axis that best maps one smoothed long-term spectrum onto the other."""
    hz = np.arange(300, 4_500, 20.0)
    spectra = []
    for waveform in (first, second):
        bins_hz, power = scipy.signal.welch(waveform, 16_000, nperseg=1024)
        spectra.append((bins_hz, scipy.ndimage.uniform_filter1d(np.log(power + 1e-9), 25)))
    still = np.interp(hz, *spectra[0])
    factors = np.arange(0.75, 1.3, 0.01)
    fits = [np.corrcoef(still, np.interp(hz * factor, *spectra[1]))[0, 1] for factor in factors]
    return float(factors[np.argmax(fits)])


def rendered(monkeypatch: pytest.MonkeyPatch, made: Condition) -> np.ndarray:
    monkeypatch.setitem(CONDITIONS, "booth", made)
    monkeypatch.setattr("audio.synthesis.TRIM_SHARE", -1.0)  # keep all, so that two renderings stay aligned
    return synthesise(sample(text="MAY NINETEEN NINETY NINE")).waveform


@pytest.mark.parametrize("factor", [0.6, 0.8, 1.2])
def test_pitch_moves_the_pitch_and_not_the_tempo(monkeypatch: pytest.MonkeyPatch, factor: float) -> None:
    still = Condition(tempo=(1, 1), pitch=(1, 1), vocal_tract=(1, 1))
    moved = Condition(tempo=(1, 1), pitch=(factor, factor), vocal_tract=(1, 1))
    before, after = rendered(monkeypatch, still), rendered(monkeypatch, moved)
    assert len(before) == len(after)
    assert pitch_ratio(before, after) == pytest.approx(factor, rel=0.05)


@pytest.mark.parametrize("factor", [0.87, 1.15])
def test_the_vocal_tract_moves_formants_and_not_the_pitch(monkeypatch: pytest.MonkeyPatch, factor: float) -> None:
    still = Condition(tempo=(1, 1), pitch=(1, 1), vocal_tract=(1, 1))
    moved = Condition(tempo=(1, 1), pitch=(1, 1), vocal_tract=(factor, factor))
    before, after = rendered(monkeypatch, still), rendered(monkeypatch, moved)
    assert formant_ratio(before, after) == pytest.approx(factor, abs=0.05)
    assert pitch_ratio(before, after) == pytest.approx(1, rel=0.03)


def test_tempo_moves_the_length(monkeypatch: pytest.MonkeyPatch) -> None:
    slow, quick = (rendered(monkeypatch, Condition(tempo=(tempo, tempo))) for tempo in (0.8, 1.25))
    assert len(slow) > 1.3 * len(quick)


@pytest.mark.parametrize("kind", KINDS)
def test_noise_has_unit_power(kind: str) -> None:
    made = noise(kind, 32_000, 16_000, np.random.default_rng(0))
    assert made.dtype == np.float32 and made.shape == (32_000,)
    assert np.square(made).mean() == pytest.approx(1, rel=1e-3)


def test_coloured_noise_falls_as_its_name_says() -> None:
    for kind, decibels_an_octave in (("white", 0), ("pink", -3), ("brown", -6)):
        hz, power = scipy.signal.welch(noise(kind, 2**18, 16_000, np.random.default_rng(0)), 16_000, nperseg=2048)
        inside = (hz > 100) & (hz < 6_000)
        slope = np.polyfit(np.log2(hz[inside]), 10 * np.log10(power[inside]), 1)[0]
        assert slope == pytest.approx(decibels_an_octave, abs=0.4)


@pytest.mark.parametrize("snr_db", [0, 10, 25])
def test_the_ratio_of_speech_to_noise(snr_db: float) -> None:
    speech = np.sin(np.arange(16_000) / 5).astype(np.float32)
    added = with_noise(speech, noise("white", 16_000, 16_000, np.random.default_rng(0)), snr_db) - speech
    assert 10 * np.log10(np.square(speech).mean() / np.square(added).mean()) == pytest.approx(snr_db, abs=0.2)


@pytest.mark.parametrize("seconds", [0.2, 0.5])
def test_the_echo_falls_by_sixty_decibels_in_its_time(seconds: float) -> None:
    click = np.zeros(32_000, np.float32)
    click[0] = 1
    tail = np.square(reverberated(click, 16_000, seconds, np.random.default_rng(0))[100 : round(16_000 * seconds)])
    decay_db = 10 * np.log10(np.cumsum(tail[::-1])[::-1] / tail.sum())  # Schroeder's backward integration
    half = np.searchsorted(-decay_db, 20) / 16_000
    assert half == pytest.approx(seconds / 3, rel=0.15)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("synthesis:1:moon", "condition 'moon' is none of booth"),
        ("synthesis:one:booth", "SEED:CONDITION"),
        ("synthesis:1", "SEED:CONDITION"),
        ("synthesis:1:booth:short", "SEED:CONDITION"),
        ("synthesis:1:booth+drawl", "SEED:CONDITION"),
        ("booth", "SEED:CONDITION"),
    ],
)
def test_bad_recipes(path: str, message: str) -> None:
    with pytest.raises(SampleError, match=message):
        synthesise(Sample(id="a", path=path, text="YES", group="", split="test"))


def test_an_empty_text_cannot_be_spoken() -> None:
    with pytest.raises(SampleError) as caught:
        synthesise(sample(text=" "))
    assert caught.value.code == "empty_text"


def test_a_text_that_cannot_be_said_is_refused_and_not_said_in_part() -> None:
    with pytest.raises(SampleError, match="cannot say ж ű of 'OPEN ж fű'"):
        synthesise(sample(text="OPEN ж fű"))


def test_what_can_be_said_are_the_latin_letters_that_the_voice_has_learnt() -> None:
    learnt = json.loads((Path(hibari.tts.ASSETS) / "oov.json").read_text(encoding="utf-8"))["in"]
    lower = {each for each in learnt if each.islower() and each.isalpha() and each == each.upper().lower()}
    assert {each for each in lower if "LATIN SMALL" in unicodedata.name(each)} == SPOKEN - {"ß"}


@pytest.fixture(scope="module")
def voice() -> Hibari:
    return Hibari(threads=1)


@pytest.mark.parametrize("characters", [sorted(SPOKEN), sorted(SIGNS - set("|`´^~"))], ids=["letters", "signs"])
def test_each_of_them_is_heard(voice: Hibari, characters: list[str]) -> None:
    silent = voice.phonemize("b nta 5")
    for each in characters:
        assert voice.phonemize(f"b{each}nta 5") != silent or voice.phonemize(f"b nta {each}5") != silent, each


@given(text=st.text(st.sampled_from("abZ9Äß ,.-'’ŐűжЯ中éΩ²½́🙂\u200b\n"), max_size=30))
def test_words_are_said_whole_or_not_at_all(text: str) -> None:
    said, whole = spoken(text), [each for each in text.split() if not unspoken(each)]
    assert not unspoken(said)
    if any(map(str.isalnum, "".join(whole))):
        assert said == text if not unspoken(text) else said.split() == whole
    else:
        assert said == ""


@settings(deadline=None, max_examples=50)
@given(text=st.text(st.sampled_from([*sorted(SPOKEN | SIGNS), *"0123456789   .,-'\"/%&()"]), max_size=15))
def test_the_voice_takes_whatever_is_said_to_be_spoken(voice: Hibari, text: str) -> None:
    assert not spoken(text) or voice.phonemize(spoken(text).lower())


@pytest.mark.parametrize("mark", BESIDE + "[]")
def test_a_letter_beside_a_mark_is_said_as_alone(voice: Hibari, mark: str) -> None:
    """A comma made an article of A, and quotation marks made "with" of W."""
    for letter, said in LETTERS.items():
        for word in (f"{letter}{mark}", f"{mark}{letter}{mark}"):
            assert said in " ".join(voice.phonemize(_pronounced(f"ONE {word} TWO"))), word


@pytest.mark.parametrize(
    "text", ["[CAT](HEN)", "[CAT](/HEN/)", "[CAT HEN B", "HEN [CAT B]", "[CAT][HEN] (C)", "[CAT [HEN](B)]"]
)
def test_words_in_square_brackets_are_said(voice: Hibari, text: str) -> None:
    """To the voice [word](/phonemes/) is how a word is said, and of what stood in the brackets nothing was."""
    said = " ".join(voice.phonemize(_pronounced(text)))
    assert "kˈæt" in said and "hˈɛn" in said


def test_what_the_voice_has_no_words_for_is_refused_and_left_out_of_texts() -> None:
    number = "1" * (MAX_DIGITS + 1)
    for text in (f"YES {number}", f"YES ${number}.50", f"YES {number}ST", "YES ¹A"):
        assert spoken(text) == "YES" and spoken(text.removeprefix("YES ")) == ""
        with pytest.raises(SampleError, match=rf"the voice cannot say .*{re.escape(text)}"):
            synthesise(sample(text=text))
    assert spoken(number[1:]) == number[1:] and synthesise(sample(text=number[1:])).seconds > 5


@pytest.mark.parametrize("text", ['"', "£", "- -", "...", "", " "])
def test_a_text_that_nobody_would_hear_is_none(text: str) -> None:
    assert spoken(text) == "" == SYNTHETIC.recipe(SyntheticSettings(), 1, "a", text).text  # type: ignore[misc]


def test_texts_of_the_corpus_are_all_said() -> None:
    draw = {"sentences", "digits", "dictation", "phrases", "mix"}
    texts = {
        SYNTHETIC.recipe(SyntheticSettings(says=says), 1, str(number), None).text  # type: ignore[misc,arg-type]
        for says in draw
        for number in range(100)
    }
    assert not unspoken("".join(texts))


def test_the_silence_around_the_words_is_short() -> None:
    waveform = synthesise(sample("booth")).waveform
    loud = np.flatnonzero(np.abs(waveform) > 0.01 * np.abs(waveform).max())
    assert loud[0] < 0.2 * 16_000
    assert len(waveform) - loud[-1] < 0.25 * 16_000


def test_unknown_conditions_are_named() -> None:
    assert condition("hall") is TEST["hall"]
    with pytest.raises(SampleError, match="'attic'"):
        condition("attic")


def test_varied_recordings_differ_in_every_way_and_are_sound() -> None:
    drawn = [varied(generator(1, "varied", str(number))) for number in range(300)]
    for name in ("tempo", "pitch", "vocal_tract", "snr_db"):
        values = np.array([getattr(each, name)[0] for each in drawn])
        assert values.std() > 0.05 * values.mean(), name
    assert {each.noise for each in drawn} == {"", "white", "pink", "brown", "hum", "babble"}
    assert {bool(each.band_hz) for each in drawn} == {True, False}
    made = [SYNTHETIC.recipe(SyntheticSettings(says="mix"), 1, f"stream/0/{number}", None) for number in range(4)]  # type: ignore[misc]
    assert {each.group for each in made} == {"varied"}
    for each in made:
        sound = synthesise(each)
        np.testing.assert_array_equal(sound.waveform, synthesise(each).waveform)
        assert np.isfinite(sound.waveform).all() and 0.005 < np.abs(sound.waveform).max() <= 1
    narrower = SYNTHETIC.recipe(SyntheticSettings(varied=False), 1, "a", "GO")  # type: ignore[misc]
    assert narrower.text == "GO" and narrower.group in TRAIN


@pytest.mark.parametrize("factor", [0.0, 0.5, 2.0])
def test_melody_moves_about_its_middle_and_leaves_silence(factor: float) -> None:
    pitch_hz = np.array([0.0, 100.0, 200.0, 400.0, 0.0], np.float32)
    changed = _with_melody(pitch_hz, factor)
    assert (changed[[0, 4]] == 0).all() and changed[2] == pytest.approx(200)
    assert np.log2(changed[3] / changed[1]) == pytest.approx(2 * factor, abs=1e-5)
    assert (_with_melody(np.full(3, VOICED_HZ / 2, np.float32), factor) == VOICED_HZ / 2).all()


def test_a_microphone_of_no_deviation_changes_nothing_and_clipping_cuts_peaks_alone() -> None:
    waveform = generator(1, "microphone", "").standard_normal(5000).astype(np.float32)
    same = through_microphone(waveform, 16_000, 0.0, generator(1, "a", ""))
    np.testing.assert_allclose(same, waveform, atol=1e-4)
    coloured = through_microphone(waveform, 16_000, 6.0, generator(1, "a", ""))
    assert coloured.shape == waveform.shape and np.abs(coloured - waveform).max() > 0.1
    cut = clipped(waveform, 0.5)
    limit = 0.5 * np.abs(waveform).max()
    np.testing.assert_array_equal(cut[np.abs(waveform) < limit], waveform[np.abs(waveform) < limit])
    assert np.abs(cut).max() <= limit
