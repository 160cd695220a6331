"""Changes while training: off is off, seeded is seeded, bounds hold."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audio.augment import AugmentSettings, augment

OFF = AugmentSettings(
    speed_change=0, vocal_tract_change=0, gain=0, tilt=0, noise=0, num_time_masks=0, num_frequency_masks=0
)


def matrix(num_slices: int = 200, num_features: int = 80) -> np.ndarray:
    random = np.random.default_rng(num_slices)
    return random.standard_normal((num_slices, num_features)).astype(np.float32) + 5


def only(**changes: float) -> AugmentSettings:
    return OFF.model_copy(update=changes)


def run(slices: np.ndarray, chosen: AugmentSettings, seed: int = 0) -> np.ndarray:
    return augment(slices, chosen, np.random.default_rng(seed))


def test_all_off_is_the_identity() -> None:
    np.testing.assert_array_equal(run(matrix(), OFF), matrix())


@settings(max_examples=60)
@given(num_slices=st.integers(1, 300), num_features=st.integers(1, 90), seed=st.integers(0, 999))
def test_shape_type_and_seed(num_slices: int, num_features: int, seed: int) -> None:
    slices = matrix(num_slices, num_features)
    before = slices.copy()
    chosen = AugmentSettings(speed_change=0.25)
    first, again, other = run(slices, chosen, seed), run(slices, chosen, seed), run(slices, chosen, seed + 1)
    np.testing.assert_array_equal(first, again)
    assert first.shape != other.shape or (first != other).any()
    np.testing.assert_array_equal(slices, before)
    assert first.dtype == np.float32 and first.flags.c_contiguous and np.isfinite(first).all()
    assert first.shape[1] == num_features
    assert max(1, num_slices / 1.25 - 1) <= len(first) <= num_slices / 0.75 + 1


@settings(max_examples=40)
@given(num_slices=st.integers(1, 400), share=st.floats(0, 0.3), seed=st.integers(0, 999))
def test_edges_are_cut_and_the_middle_stays(num_slices: int, share: float, seed: int) -> None:
    slices = np.arange(num_slices, dtype=np.float32)[:, None]
    kept = run(slices, only(edge_cut=share), seed)[:, 0]
    np.testing.assert_array_equal(kept, np.arange(kept[0], kept[0] + len(kept)))
    assert kept[0] <= share * num_slices and num_slices - 1 - kept[-1] <= share * num_slices


@settings(max_examples=40)
@given(num_slices=st.integers(1, 400), share=st.floats(0, 0.9), seed=st.integers(0, 999))
def test_time_masks_keep_to_their_share_and_width(num_slices: int, share: float, seed: int) -> None:
    chosen = only(num_time_masks=3, time_mask_slices=20, time_mask_share=share)
    masked = (run(matrix(num_slices), chosen, seed) == 0).all(axis=1)
    assert masked.sum() <= min(share * num_slices, 60)


@settings(max_examples=40)
@given(num_slices=st.integers(0, 900), share=st.floats(0, 0.9), rate=st.floats(0.005, 0.5), seed=st.integers(0, 999))
def test_adaptive_time_masks_grow_in_number_and_keep_to_their_share(num_slices, share, rate, seed) -> None:
    chosen = only(adaptive_time_masks=rate, time_mask_slices=30, time_mask_share=share)
    masked = (run(matrix(num_slices), chosen, seed) == 0).all(axis=1)
    number = min(20, int(rate * num_slices))
    assert masked.sum() <= min(share * num_slices, 30 * number)
    # Runs of masked slices are masks, or masks that touch.
    assert (np.diff(np.concatenate([[0], masked])) == 1).sum() <= number


def test_a_long_sample_gets_more_masks_than_a_short_one() -> None:
    chosen = only(adaptive_time_masks=0.04, time_mask_share=0.3)

    def most_runs(num_slices: int) -> int:
        masks = [(run(matrix(num_slices), chosen, seed) == 0).all(axis=1) for seed in range(20)]
        return max((np.diff(np.concatenate([[0], each])) == 1).sum() for each in masks)

    assert most_runs(100) <= 4 < most_runs(400)


@settings(max_examples=40)
@given(num_slices=st.integers(0, 300), warp=st.floats(0.001, 0.2), seed=st.integers(0, 999))
def test_a_time_warp_keeps_ends_length_and_order(num_slices: int, warp: float, seed: int) -> None:
    slices = np.arange(num_slices, dtype=np.float32)[:, None]
    warped = run(slices, only(time_warp=warp), seed)[:, 0]
    assert len(warped) == num_slices and warped.dtype == np.float32 and np.isfinite(warped).all()
    if num_slices:
        assert (warped[0], warped[-1]) == pytest.approx((0, num_slices - 1))
    assert (np.diff(warped) > 0).all()
    assert (np.abs(warped - slices[:, 0]) <= warp * (num_slices - 1) + 1e-3).all()


def test_a_time_warp_leaves_all_other_changes_as_they_are() -> None:
    """Masks, noise and tones are drawn as without it; a sample that is alike everywhere shows nothing of the warp."""
    slices, chosen = np.ones((150, 20), np.float32), AugmentSettings()
    np.testing.assert_array_equal(run(slices, chosen.model_copy(update={"time_warp": 0.1}), 5), run(slices, chosen, 5))


@settings(max_examples=40)
@given(num_features=st.integers(1, 100), share=st.floats(0, 0.9), seed=st.integers(0, 999))
def test_frequency_masks_keep_to_their_share(num_features: int, share: float, seed: int) -> None:
    chosen = only(num_frequency_masks=2, frequency_mask_share=share)
    masked = (run(matrix(50, num_features), chosen, seed) == 0).all(axis=0)
    assert masked.sum() <= 2 * share * num_features


@pytest.mark.parametrize(
    "chosen",
    [
        only(num_time_masks=2, time_mask_share=0.3),
        only(num_frequency_masks=2),
        only(speed_change=0.1),
        only(vocal_tract_change=0.1),
        only(gain=0.5),
        only(tilt=0.5),
        only(noise=0.5),
        only(equaliser=0.3),
        only(adaptive_time_masks=0.04),
        only(time_warp=0.05),
    ],
    ids=lambda chosen: ",".join(
        sorted(set(chosen.model_dump().items()) - set(OFF.model_dump().items()), key=str)[0][:1]
    ),
)
def test_each_change_alone_changes_something(chosen: AugmentSettings) -> None:
    results = [run(matrix(), chosen, seed) for seed in range(5)]
    assert any(result.shape != matrix().shape or (result != matrix()).any() for result in results)


def test_speed_keeps_events_at_their_share_of_the_time() -> None:
    slices = np.zeros((200, 4), np.float32)
    slices[150] = 1
    for seed in range(10):
        changed = run(slices, only(speed_change=0.3), seed)
        assert changed[:, 0].argmax() / len(changed) == pytest.approx(150 / 200, abs=0.02)


def test_vocal_tract_moves_a_peak_by_at_most_its_change() -> None:
    slices = np.zeros((10, 80), np.float32)
    slices[:, 40] = 1
    peaks = [run(slices, only(vocal_tract_change=0.1), seed)[0].argmax() for seed in range(30)]
    assert 36 <= min(peaks) < 40 < max(peaks) <= 45


@settings(max_examples=30)
@given(num_slices=st.integers(2, 100), seed=st.integers(0, 9999), deviation=st.floats(0.1, 1))
def test_an_equaliser_is_one_smooth_curve_for_all_slices(num_slices: int, seed: int, deviation: float) -> None:
    slices = matrix(num_slices, 40)
    changed = run(slices, only(equaliser=deviation), seed)
    assert changed.mean() == pytest.approx(slices.mean(), abs=1e-3)
    assert changed.std() == pytest.approx(slices.std(), abs=1e-3)
    # Differences between slices keep their pattern, up to the one factor that keeps the variance.
    before, after = np.diff(slices.astype(np.float64), axis=0), np.diff(changed.astype(np.float64), axis=0)
    factor = (before * after).sum() / (before**2).sum()
    np.testing.assert_allclose(after, factor * before, atol=1e-4)
    curve = (changed / factor - slices).mean(axis=0)
    assert np.ptp(curve) > 0.01
    assert np.abs(np.diff(curve, 2)).max() < 0.15 * np.ptp(curve)


def test_gain_is_one_constant_and_tilt_a_straight_line() -> None:
    shift = run(matrix(), only(gain=1.0)) - matrix()
    np.testing.assert_allclose(shift, shift[0, 0], atol=1e-5)
    slope = np.diff(run(matrix(), only(tilt=1.0)) - matrix(), axis=1)
    np.testing.assert_allclose(slope, slope[0, 0], atol=1e-5)


def test_edges_are_cut_by_up_to_the_whole_share() -> None:
    kept = [run(np.arange(400, dtype=np.float32)[:, None], only(edge_cut=0.3), seed)[:, 0] for seed in range(40)]
    for lost in ([each[0] for each in kept], [399 - each[-1] for each in kept]):
        assert min(lost) < 30 and max(lost) > 90


def test_a_cut_to_the_voice_leaves_what_is_voiced() -> None:
    slices = np.full((60, 8), -3, np.float32)
    slices[20:40, :2] = 3  # voice: the lowest quarter of the features
    slices[10:50, 2:] = 3  # fricatives before and behind it
    assert np.array_equal(run(slices, only(voice_cut=1)), slices[20:40])
    assert {len(run(slices, only(voice_cut=0.5), seed)) for seed in range(40)} == {60, 40, 20}
