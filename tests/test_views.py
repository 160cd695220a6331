"""Views of a sample share what moves it in time and differ in the rest."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_training import noisy, toy

from audio import augment as sound
from common.training.views import views
from ocr import augment as picture

GEOMETRY = {
    sound: ("recorder", "edge_cut", "voice_cut", "speed_change", "time_warp"),
    picture: ("rotation_degrees", "slant", "shift", "scale", "stretch", "keystone", "bend", "elastic", "min_share"),
}
MOVED = {"recorder": 1.0, "edge_cut": 0.2, "voice_cut": 0.5, "time_warp": 0.1}
MODALITIES = pytest.mark.parametrize("module", [sound, picture], ids=["audio", "ocr"])


def drawn(module, chosen, seed: int, *surfaces: int) -> np.ndarray:
    slices = np.random.default_rng(0).normal(size=(60, 32)).astype(np.float32)
    return module.augment(slices, chosen, np.random.default_rng(seed), *map(np.random.default_rng, surfaces))


@MODALITIES
@given(seed=st.integers(0, 999))
@settings(max_examples=10)
def test_equal_generators_give_equal_lengths_and_other_surfaces_other_values(module, seed):
    chosen = module.AugmentSettings()
    first, second, again = drawn(module, chosen, seed), drawn(module, chosen, seed, 1), drawn(module, chosen, seed, 1)
    assert first.shape == second.shape and first.dtype == second.dtype == np.float32
    assert np.array_equal(second, again)
    assert not np.array_equal(first, second)


@MODALITIES
def test_the_surface_does_not_touch_the_geometry(module):
    names = module.AugmentSettings.model_fields
    rest = {name: 0 for name in names if name not in GEOMETRY[module]}
    chosen = module.AugmentSettings(**rest, **(MOVED if module is sound else {}))
    assert np.array_equal(drawn(module, chosen, 5), drawn(module, chosen, 5, 1))
    assert not np.array_equal(drawn(module, chosen, 5), drawn(module, chosen, 6))


def seen(row: int, augment, epoch: int, num_views: int = 1):
    samples = toy(4, 0)
    given = samples.matrices[row], samples.texts[row], samples.ids[row]
    return views(*given, lambda lengths: lengths, augment, 7, epoch, num_views)


def test_views_are_drawn_by_sample_and_epoch_and_the_first_is_what_one_alone_is():
    first, second = seen(2, noisy, 1, 2)
    (alone,) = seen(2, noisy, 1)
    assert np.array_equal(first, alone) and not np.array_equal(first, second)
    assert np.array_equal(second, seen(2, noisy, 1, 2)[1])
    assert not np.array_equal(second, seen(2, noisy, 2, 2)[1])


def test_a_sample_that_would_be_too_short_is_used_as_it_is_in_all_views():
    samples = toy(4, 0)
    row = int(np.argmax([len(text) for text in samples.texts]))
    for view in seen(row, lambda slices, *randoms: slices[:1], 1, 2):
        assert np.array_equal(view, samples.matrices[row].astype(np.float32))
