"""Another recorder: its noise lies below speech as drawn, what it cuts is quiet, and slices stay normalised."""

from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audio.augment import AugmentSettings, augment
from audio.recorder import DECIBEL, DEVIATION, FLUTTER, MAX_MARGIN, SNR_DB, THRESHOLD_DB, recorded
from audio.slices import SliceSettings, slices

OFF = AugmentSettings(
    speed_change=0, vocal_tract_change=0, gain=0, tilt=0, noise=0, num_time_masks=0, num_frequency_masks=0
)


def word(before: int = 20, voice: int = 30, behind: int = 20, num_features: int = 40) -> np.ndarray:
    """A loud vowel between quiet slices, 80 dB below it, normalised."""
    powers = np.full((before + voice + behind, num_features), -80 * DECIBEL)
    powers[before : before + voice] = 0
    return ((powers - powers.mean()) / DEVIATION).astype(np.float32)


@settings(max_examples=60)
@given(num_slices=st.integers(1, 200), num_features=st.integers(1, 90), seed=st.integers(0, 999))
def test_shape_type_seed_and_normalisation(num_slices: int, num_features: int, seed: int) -> None:
    drawn = np.random.default_rng(seed).standard_normal((num_slices, num_features)).astype(np.float32)
    before = drawn.copy()
    made, again = (recorded(drawn, np.random.default_rng(seed)) for _ in range(2))
    np.testing.assert_array_equal(made, again)
    np.testing.assert_array_equal(drawn, before)
    assert made.dtype == np.float32 and 1 <= len(made) <= num_slices and made.shape[1] == num_features
    assert np.isfinite(made).all()
    assert made.mean() == pytest.approx(0, abs=1e-4) and made.std() <= 1 + 1e-4


@settings(max_examples=60)
@given(before=st.integers(0, 40), voice=st.integers(1, 60), behind=st.integers(0, 40), seed=st.integers(0, 999))
def test_the_loud_part_stays_whole(before: int, voice: int, behind: int, seed: int) -> None:
    """What is as loud as the loudest slice is in the result, with a few slices around it or all of them.

    Noise that flutters may by chance stand out of itself, as a recorder would hear it too: then more is kept.
    """
    for flutter in (FLUTTER, 0.0):
        with patch("audio.recorder.FLUTTER", flutter):
            made = recorded(word(before, voice, behind), np.random.default_rng(seed))
        loud = made.mean(axis=1) > made.mean(axis=1).max() - 5 * DECIBEL / DEVIATION
        assert loud.sum() == voice
    assert len(made) <= voice + min(before, MAX_MARGIN) + min(behind, MAX_MARGIN)


def test_noise_is_as_far_below_speech_as_drawn() -> None:
    """Read off the margin; two loud levels, 3 dB apart, tell how many decibels one deviation of the result is."""
    powers = np.full((70, 40), -80 * DECIBEL)
    powers[20:50] = 0
    powers[35:50] = -3 * DECIBEL
    ratios_db = []
    for seed in range(300):
        made = recorded((powers / DEVIATION).astype(np.float32), np.random.default_rng(seed)).astype(np.float64)
        if len(made) == 30:  # no margin was drawn
            continue
        first = (len(made) - 30) // 2
        unit = 3 * DECIBEL / (made[first + 2 : first + 13].mean() - made[first + 17 : first + 28].mean())
        loudness = np.log(np.exp(made * unit).mean(axis=1)) / DECIBEL
        ratios_db.append(loudness.max() - loudness[[0, -1]].mean())
    assert len(ratios_db) > 150
    assert min(ratios_db) > SNR_DB[0] - 3 and max(ratios_db) < SNR_DB[1] + 3
    assert max(ratios_db) - min(ratios_db) > 25


def test_the_more_quiet_the_ends_the_more_often_they_are_cut() -> None:
    """Sound before and behind a vowel stays where it is louder than the threshold can be, and goes where it is not."""
    lost = {}
    for level_db in (-THRESHOLD_DB[0] + 2, -24, -THRESHOLD_DB[1] - 8):
        powers = np.full((60, 40), float(level_db))
        powers[20:40] = 0
        given = (powers * DECIBEL / DEVIATION).astype(np.float32)
        lost[level_db] = sum(len(recorded(given, np.random.default_rng(seed))) < 60 for seed in range(200))
    few, some, all_of_them = lost.values()
    assert few == 0 and 40 < some < 160 and all_of_them == 200


def test_it_is_taken_as_often_as_the_setting_says() -> None:
    def taken(probability: float) -> int:
        chosen = OFF.model_copy(update={"recorder": probability})
        made = (augment(word(), chosen, np.random.default_rng(seed)) for seed in range(200))
        return sum(not np.array_equal(each, word()) for each in made)

    assert taken(0) == 0 and taken(1) == 200 and 70 < taken(0.5) < 130


def test_the_other_changes_draw_the_same_with_it_and_without() -> None:
    """A recorder whose probability is so small that it never comes leaves cut and tone as they were."""
    chosen = AugmentSettings(edge_cut=0.2, equaliser=0.3)
    rare = chosen.model_copy(update={"recorder": 1e-12})
    for seed in range(5):
        made = (augment(word(), each, np.random.default_rng(seed)) for each in (chosen, rare))
        np.testing.assert_array_equal(*made)


def test_silence_and_a_real_front_end() -> None:
    """What ``audio.slices`` gives for silence and for a tone goes through."""
    from audio.reading import Sound

    front = SliceSettings(rate_hz=8_000, num_mels=40, normalise="spectrum")
    tone = np.sin(np.arange(4_000) * 0.3).astype(np.float32)
    for waveform in (np.zeros(800, np.float32), tone):
        made = recorded(slices(Sound(waveform, 8_000), front), np.random.default_rng(0))
        assert np.isfinite(made).all() and len(made)
