"""Images become columns: one height, aspect kept, ink high whatever the polarity, each image by itself."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import SampleError
from ocr.slices import SliceSettings, is_light_on_dark, num_features, slices

SIZES = st.tuples(st.integers(1, 70), st.integers(1, 200))


def bars(height=40, width=100, ink=0, ground=255):
    """A picture of strokes: two dark bars and one across, on a light ground."""
    image = np.full((height, width), ground, np.uint8)
    image[height // 5 : -height // 5, width // 5 : width // 4] = ink
    image[height // 5 : -height // 5, width // 2 : width // 2 + width // 20] = ink
    image[height // 2 : height // 2 + max(1, height // 10), width // 5 : width // 2] = ink
    return image


@settings(max_examples=60)
@given(
    size=SIZES,
    seed=st.integers(0, 99),
    height=st.sampled_from([16, 32, 48]),
    contrast=st.sampled_from(["stretch", "standardise", "none"]),
    polarity=st.sampled_from(["auto", "keep", "dark_on_light", "light_on_dark"]),
)
def test_shape_and_type(size, seed, height, contrast, polarity):
    image = np.random.default_rng(seed).integers(0, 256, size).astype(np.uint8)
    chosen = SliceSettings(height_px=height, contrast=contrast, polarity=polarity, max_width_px=16_384)
    before = image.copy()
    result = slices(image, chosen)
    assert result.dtype == np.float32 and result.flags["C_CONTIGUOUS"] and np.isfinite(result).all()
    assert result.shape == (max(chosen.min_width_px, round(size[1] * height / size[0])), num_features(chosen))
    assert (image == before).all()
    if contrast != "standardise":
        assert result.min() >= 0 and result.max() <= 1


def test_time_runs_from_left_to_right_and_features_from_top_to_bottom():
    image = np.full((32, 64), 255, np.uint8)
    image[4:8, 50:56] = 0
    result = slices(image, SliceSettings())
    assert result.shape == (64, 32)
    assert (result[50:56, 4:8] == 1).all() and result[:50].max() == 0 and result[:, 8:].max() == 0


@pytest.mark.parametrize(("ink", "ground"), [(0, 255), (255, 0), (90, 130), (200, 120)])
def test_ink_is_high_in_both_polarities(ink, ground):
    image = bars(ink=ink, ground=ground)
    assert is_light_on_dark(image) == (ink > ground)
    assert np.allclose(slices(image, SliceSettings()), slices(bars(), SliceSettings()), atol=0.02)


@pytest.mark.parametrize("levels", [1, 3, 6, 11, 12, 40])
def test_a_faint_picture_and_its_negative_give_the_same_slices(levels):
    """Ground is near 0 in both: masks and padding are 0 too."""
    image = bars(ink=200 - levels, ground=200)
    found = slices(image, SliceSettings())
    np.testing.assert_allclose(found, slices(255 - image, SliceSettings()), atol=1e-6)
    assert np.median(found) < 1e-6 and found.max() > 0.05


def test_polarity_of_settings():
    image = bars()
    light_is_high = slices(image, SliceSettings(polarity="keep"))
    assert np.allclose(light_is_high, slices(image, SliceSettings(polarity="light_on_dark")))
    assert np.allclose(1 - light_is_high, slices(image, SliceSettings(polarity="dark_on_light")))
    assert np.allclose(slices(image, SliceSettings()), slices(image, SliceSettings(polarity="dark_on_light")))


@pytest.mark.parametrize("level", [0, 7, 128, 255])
@pytest.mark.parametrize("polarity", ["auto", "keep", "dark_on_light"])
def test_blank_images_are_all_ground(level, polarity):
    result = slices(np.full((20, 50), level, np.uint8), SliceSettings(polarity=polarity))
    assert (result == 0).all()


def test_faint_noise_is_not_blown_up():
    noise = 128 + np.random.default_rng(0).integers(0, 2, (32, 90)).astype(np.uint8)
    assert np.ptp(slices(noise, SliceSettings())) < 0.2


def test_standardise():
    result = slices(bars(), SliceSettings(contrast="standardise"))
    assert abs(result.mean()) < 1e-4 and abs(result.std() - 1) < 1e-3
    assert result.max() > 1  # ink is high here too


def test_narrow_and_wide_images():
    assert slices(bars(64, 9), SliceSettings(min_width_px=24)).shape[0] == 24
    assert slices(bars(32, 90), SliceSettings(stretch=1.5)).shape[0] == 135
    with pytest.raises(SampleError, match="5000 slices, max_width_px allows 4096") as caught:
        slices(np.zeros((32, 5000), np.uint8), SliceSettings())
    assert caught.value.code == "too_long"


def test_the_narrowest_picture_is_not_too_wide():
    """Otherwise extract rejects every picture, after prepare."""
    assert SliceSettings(min_width_px=100, max_width_px=100)
    with pytest.raises(ValueError, match="every picture is at least min_width_px 100 wide; allowed: from 100 on"):
        SliceSettings(min_width_px=100, max_width_px=99)


def test_rotate_tall():
    image = bars(40, 100)
    upright = slices(image, SliceSettings())
    assert np.array_equal(slices(np.rot90(image, -1), SliceSettings(rotate_tall="left")), upright)
    assert np.array_equal(slices(np.rot90(image), SliceSettings(rotate_tall="right")), upright)
    assert np.array_equal(slices(image, SliceSettings(rotate_tall="left")), upright)


def test_empty_image():
    with pytest.raises(SampleError) as caught:
        slices(np.zeros((0, 4), np.uint8), SliceSettings())
    assert caught.value.code == "empty_signal"


def test_polarity_of_real_words(shared_data):
    from ocr.reading import read

    folder = shared_data / "ocr" / "iiit5k" / "train"
    if not folder.is_dir():
        pytest.skip(f"not there: {folder}")
    # After normalisation ink covers less than the ground in nearly all pictures, whatever they were.
    share = [slices(read(path), SliceSettings()).mean() < 0.5 for path in sorted(folder.iterdir())[:200]]
    assert np.mean(share) > 0.85
