"""A recording longer than those of the training is transcribed in parts, cut where it is quiet; nothing is lost."""

import math
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from praatio import textgrid

from audio.modality import MODALITY
from audio.parts import cut, parts
from audio.reading import Sound
from audio.slices import SliceSettings, step
from common.bundle import write_bundle
from common.decoding import DecodingSettings
from common.decoding.hypothesis import Hypothesis, Symbol, words_of
from common.errors import SampleError
from common.network import Network, NetworkSettings
from common.writers import WRITERS, Transcript
from pipelines.joined import joined
from pipelines.recogniser import Recogniser

RATE_HZ = 8_000
SHORT = SliceSettings(rate_hz=RATE_HZ, max_seconds=2)


def spoken(seconds: float, pauses: list[float], rate_hz: int = RATE_HZ, offset: float = 0.0) -> Sound:
    """Noise with pauses of 0.3 s around the given seconds."""
    waveform = np.random.default_rng(0).normal(0, 0.1, round(seconds * rate_hz)).astype(np.float32)
    for pause in pauses:
        waveform[round((pause - 0.15) * rate_hz) : round((pause + 0.15) * rate_hz)] *= 0.01
    return Sound(waveform + np.float32(offset), rate_hz)


@given(
    seconds=st.floats(0.01, 30),
    longest_s=st.floats(0.1, 10),
    rate_hz=st.sampled_from([8_000, 11_025, 44_100]),
)
@settings(max_examples=60)
def test_parts_are_the_sound_end_to_end(seconds, longest_s, rate_hz):
    sound = spoken(seconds, [], rate_hz)
    found = cut(sound, longest_s)
    np.testing.assert_array_equal(np.concatenate([each.waveform for each in found]), sound.waveform)
    assert all(each.rate_hz == rate_hz and 0 < each.seconds <= longest_s for each in found)
    assert len(found) == 1 or min(each.seconds for each in found[:-1]) >= longest_s / 2 - 0.01
    assert len(found) == 1 or found[-1].seconds > min(0.9, longest_s / 2 - 0.02)


@pytest.mark.parametrize("offset", [0.0, 0.3])
def test_cuts_are_in_pauses(offset):
    found = cut(spoken(8.5, [1.7, 3.1, 4.9, 6.6, 7.4], offset=offset), 2)
    np.testing.assert_allclose(np.cumsum([each.seconds for each in found])[:-1], [1.7, 3.1, 4.9, 6.6], atol=0.05)


def test_what_the_settings_allow_is_one_part():
    sound = spoken(2, [1])
    assert parts(sound, SHORT, 0.5) == [sound]
    assert len(parts(spoken(2.1, [1]), SHORT, 0.5)) > 3
    assert len(parts(spoken(2.1, [1]), SHORT, math.inf)) == 2


@pytest.fixture(scope="module")
def recogniser(tmp_path_factory: pytest.TempPathFactory) -> Recogniser:
    """Random weights, two seconds at once."""
    chosen = NetworkSettings.model_validate(
        {"convolutions": [{"channels": 4, "stride": [4, 2]}], "num_layers": 1, "num_hidden": 8}
    )
    num_features = MODALITY.num_features(SHORT)
    description = {
        "modality": "audio",
        "alphabet": list(" abcd"),
        "slice_settings": SHORT.model_dump(mode="json"),
        "text_settings": {},
        "num_features": num_features,
        "step": step(SHORT),
        "unit": "s",
        "summary": {"training_units": 80.0, "training_samples": 100},
    }
    folder = tmp_path_factory.mktemp("model")
    write_bundle(folder, Network(chosen, num_features, 6).state_dict(), chosen, description, "# Random\n")
    return Recogniser.load(folder, device="cpu")


def test_the_whole_is_what_its_parts_are(recogniser: Recogniser, tmp_path: Path) -> None:
    sound = spoken(7, [0.8, 1.7, 2.9, 4.3])
    soundfile.write(tmp_path / "long.wav", sound.waveform, RATE_HZ, subtype="FLOAT")
    pieces = cut(soundfile_sound(tmp_path / "long.wav"), 1.6)  # twice the mean of what the summary says
    for number, piece in enumerate(pieces):
        soundfile.write(tmp_path / f"{number}.wav", piece.waveform, RATE_HZ, subtype="FLOAT")
    paths = [tmp_path / "long.wav", *(tmp_path / f"{number}.wav" for number in range(len(pieces)))]
    whole, *found = [each.hypothesis for each in recogniser.transcribe_all(paths)]
    assert whole is not None and len(pieces) > 4 and whole.text
    assert recogniser.transcribe(paths[0]) == whole
    assert whole.text == " ".join(each.text for each in found if each is not None and each.text)
    starts = np.cumsum([0.0, *(piece.seconds for piece in pieces)])
    expected = [
        (word.text, start + word.start, start + word.end, word.confidence)
        for start, each in zip(starts, found, strict=False)
        if each is not None
        for word in each.words
    ]
    assert [word.text for word in whole.words] == [word[0] for word in expected]
    for word, other in zip(whole.words, expected, strict=True):
        np.testing.assert_allclose((word.start, word.end, word.confidence), other[1:], atol=2e-6)
    confidences = [symbol.confidence for each in found if each is not None for symbol in each.symbols]
    assert whole.confidence == pytest.approx(np.exp(np.mean(np.log(confidences))))
    assert [each.text for each in words_of(whole.symbols)] == [each.text for each in whole.words]
    places = [place for each in whole.symbols for place in (each.start, each.end)]
    assert places == sorted(places) and places[-1] <= 7


def test_a_whitelist_without_a_space_holds_between_parts_too(recogniser: Recogniser, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "long.wav", spoken(7, [0.8, 1.7, 2.9, 4.3]).waveform, RATE_HZ, subtype="FLOAT")
    texts = []
    for whitelist in ("abcd", " abcd"):
        only = Recogniser(recogniser.bundle, decoding=DecodingSettings(whitelist=whitelist))
        hypothesis = only.transcribe(tmp_path / "long.wav")
        assert set(hypothesis.text) <= set(whitelist)
        assert [word.text for word in hypothesis.words] == hypothesis.text.split()
        texts.append(hypothesis.text)
    assert " " in texts[1] and texts[0]


@given(
    texts=st.lists(st.text("ab ", max_size=6).map(lambda text: " ".join(text.split())), min_size=1, max_size=5),
    separator=st.sampled_from(["", " "]),
)
def test_all_formats_can_write_what_parts_make(texts: list[str], separator: str) -> None:
    """Without a space in the alphabet, words of parts that touch were words without letters of their own."""
    texts = texts if separator else [text.replace(" ", "") for text in texts]
    spoken = []
    for text in texts:
        symbols = tuple(Symbol(each, 0.1 * place, 0.1 * place + 0.1, 0.9) for place, each in enumerate(text))
        spoken.append(Hypothesis(text, -1.0, 0.9, symbols, words_of(symbols)))
    whole = joined(spoken, [1.0] * len(spoken), separator)
    assert whole.text == separator.join(text for text in texts if text)
    assert [each.text for each in whole.words] == whole.text.split()
    assert [(each.text, each.start, each.end) for each in whole.words] == [
        (each.text, each.start, each.end) for each in words_of(whole.symbols)
    ]
    for writer in WRITERS["s"].values():
        assert writer.write(Transcript("a.wav", "a", whole, float(len(texts)))) or not whole.text
    lines = WRITERS["s"]["ctm"].write(Transcript("a.wav", "a", whole, float(len(texts)))).splitlines()
    np.testing.assert_allclose([float(line.split()[2]) for line in lines], [each.start for each in whole.words])
    grid = textgrid.textgrid_io.parseTextgridStr(
        WRITERS["s"]["textgrid"].write(Transcript("a.wav", "a", whole, float(len(texts)))), includeEmptyIntervals=True
    )
    assert all(float(tier["xmax"]) == len(texts) for tier in grid["tiers"])


@settings(max_examples=40)
@given(data=st.data(), rate_hz=st.sampled_from([8_000, 11_025]), longest_s=st.floats(1, 4))
def test_no_quieter_moment_was_allowed(data: st.DataObject, rate_hz: int, longest_s: float) -> None:
    """Against sums over the samples themselves, of all frames in the second half of what a part may have."""
    levels = data.draw(st.lists(st.sampled_from([0.001, 0.01, 0.1, 1.0]), min_size=30, max_size=90))
    loudness = np.repeat(levels, round(0.1 * rate_hz))
    waveform = (np.random.default_rng(0).normal(0, 0.2, len(loudness)) * loudness).astype(np.float32)
    size, start = round(0.01 * rate_hz), 0
    before = np.concatenate([[0], np.cumsum(np.square(waveform - waveform.mean(dtype=np.float64)))])

    def level(place: int) -> float:
        return before[min(len(waveform), place + 15 * size)] - before[max(0, place - 15 * size)]

    for part in cut(Sound(waveform, rate_hz), longest_s)[:-1]:
        stop = start + len(part.waveform)
        first, last = start + longest_s * rate_hz / 2, start + longest_s * rate_hz
        last = min(last, len(waveform) - min(rate_hz, longest_s * rate_hz / 2))
        allowed = range(math.ceil(first / size) * size, math.floor(last) + 1, size)
        assert level(stop) <= 1.001 * min(map(level, allowed), default=math.inf) + 1e-9
        start = stop


def soundfile_sound(path: Path) -> Sound:
    return Sound(soundfile.read(path, dtype="float32")[0], RATE_HZ)


def test_what_learns_from_files_takes_none_that_is_longer(recogniser: Recogniser, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "long.wav", spoken(3, []).waveform, RATE_HZ)
    with pytest.raises(SampleError, match=r"3\.00 s of sound; max_seconds allows 2"):
        recogniser.slices(tmp_path / "long.wav")
