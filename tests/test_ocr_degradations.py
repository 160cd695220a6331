"""Degradations of text images: shape, range and chance; each by what a person would see; off is off."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.modality import generator
from ocr.augment import AugmentSettings, augment
from ocr.degradations import DEGRADATIONS, degrade

STRENGTHS = {
    "stroke_px": 2,
    "fading": 0.6,
    "blots": 1.0,
    "bleed_through": 0.5,
    "neighbours": 0.25,
    "uneven_ground": 0.5,
    "jpeg": 0.9,
}
NAMES = sorted(DEGRADATIONS)


def line(num_slices=200, height=32, ink=1.0, ground=0.0):
    """Upright strokes in the middle half of the rows."""
    slices = np.full((num_slices, height), ground, np.float32)
    for start in range(5, num_slices - 5, 12):
        slices[start : start + 3, height // 4 : 3 * height // 4] = ink
    return slices


def alone(name, slices, seed=0, ground=0.0, strength=None):
    return DEGRADATIONS[name](slices, ground, strength or STRENGTHS[name], generator(seed, "augment", name))


@settings(max_examples=60)
@given(
    num_slices=st.integers(0, 200),
    height=st.sampled_from([8, 32, 48]),
    seed=st.integers(0, 10_000),
    strong=st.booleans(),
    turned=st.booleans(),
)
def test_any_size_keeps_shape_type_and_range(num_slices, height, seed, strong, turned):
    slices = np.random.default_rng(seed).random((num_slices, height), dtype=np.float32)
    slices = (slices > 0.7).astype(np.float32) if seed % 2 else slices
    slices = 1 - slices if turned else slices
    before = slices.copy()
    greatest = {name: field.metadata[1].le for name, field in AugmentSettings.model_fields.items() if name in STRENGTHS}
    chosen = AugmentSettings(**{name: 0 for name in AugmentSettings.model_fields if name != "min_share"})
    chosen = chosen.model_copy(update={"probability": 1.0, **(greatest if strong else STRENGTHS)})

    def run(name):
        return augment(slices, chosen, generator(seed, "augment", name))

    result, again = run("a"), run("a")
    assert (slices == before).all() and np.array_equal(result, again)
    assert result.dtype == np.float32 and result.shape == slices.shape and np.isfinite(result).all()
    if num_slices:
        assert slices.min() - 1e-5 <= result.min() and result.max() <= slices.max() + 1e-5
    assert strong or result.size < 2000 or not np.array_equal(result, run("b"))


@pytest.mark.parametrize("name", NAMES)
def test_it_shows_alike_on_dark_and_on_light_ground(name):
    changes = []
    for seed in range(8):
        light, dark = alone(name, line(), seed), alone(name, 1 - line(), seed, ground=1.0)
        changes.append(np.abs(light - line()).max())
        if name == "stroke_px":  # what makes ink on one ground bolder makes it thinner on the other
            continue
        assert np.abs(light - (1 - dark)).max() < (0.1 if name == "jpeg" else 1e-5)
    assert max(changes) > 0.02


def test_a_blank_picture_stays_blank():
    for value in (0.0, 0.7):
        blank = np.full((50, 32), value, np.float32)
        result = degrade(blank, STRENGTHS, 1.0, value, generator(0, "a", "a"))
        np.testing.assert_array_equal(result, blank)


def test_strokes_become_bolder_or_thinner_by_their_kernel():
    ink = [alone("stroke_px", line(), seed).sum() / line().sum() for seed in range(40)]
    assert min(ink) < 0.8 and max(ink) > 1.2
    for seed in range(20):
        widths = (alone("stroke_px", line(), seed, strength=1)[:, 16] > 0.5).sum() / (line()[:, 16] > 0.5).sum()
        assert 2 / 3 - 1e-6 <= widths <= 4 / 3 + 1e-6


def test_fading_takes_ink_by_its_share_at_most_and_adds_none():
    for seed in range(20):
        faded = alone("fading", line(), seed)
        assert (faded <= line() + 1e-6).all() and (faded[line() == 1] >= 1 - STRENGTHS["fading"] - 1e-5).all()


def test_uneven_ground_changes_ground_by_its_share_at_most_and_ink_not():
    for seed in range(20):
        shaded = alone("uneven_ground", line(), seed)
        np.testing.assert_allclose(shaded[line() == 1], 1)
        assert shaded.min() >= 0 and shaded[line() == 0].max() <= STRENGTHS["uneven_ground"] + 1e-5


def test_the_other_side_and_neighbours_leave_own_ink_and_stay_faint_or_at_the_edge():
    for seed in range(20):
        through, beside = alone("bleed_through", line(), seed), alone("neighbours", line(), seed)
        assert (through >= line() - 1e-6).all() and through[line() == 0].max() <= STRENGTHS["bleed_through"] + 1e-5
        depth = int(np.ceil(32 * STRENGTHS["neighbours"]))
        np.testing.assert_array_equal(beside[:, depth:-depth], line()[:, depth:-depth])
        assert (beside >= line()).all()


def test_the_other_side_is_mirrored():
    one = np.zeros((100, 32), np.float32)
    one[20:40, 8:24] = np.linspace(0.3, 1, 20)[:, None]  # rises from left to right
    rises = []
    for seed in range(20):
        seen = alone("bleed_through", one, seed, strength=1.0)[:, :].max(axis=1)
        seen[15:45] = 0
        places = np.flatnonzero(seen > 0.05)
        if len(places) > 10 and np.ptp(places) < 40:
            rises.append(seen[places[len(places) // 2 :]].sum() - seen[places[: len(places) // 2]].sum())
    assert len(rises) >= 5 and max(rises) < 0


def test_blots_are_few_and_small():
    changed = [(alone("blots", line(400), seed, strength=0.5) != line(400)).mean() for seed in range(30)]
    assert 0 < np.mean(changed) < 0.1


def test_jpeg_is_coarser_the_stronger():
    def error(strength):
        return np.mean([np.abs(alone("jpeg", line(), seed, strength=strength) - line()).mean() for seed in range(10)])

    assert 0 < error(0.3) < error(0.9) < 0.1


def test_one_more_degradation_leaves_the_others_as_they_are():
    """Each draws from a child of its own: a switch that is never chosen, or does nothing, moves nothing."""
    chosen = AugmentSettings(probability=1.0, fading=0.5, blots=0.5)
    tiny = chosen.model_copy(update={"uneven_ground": 1e-7})
    for seed in range(10):
        first, second = (augment(line(), each, generator(seed, "a", "a")) for each in (chosen, tiny))
        np.testing.assert_allclose(first, second, atol=1e-5)


def test_with_probability_0_nothing_changes():
    on = AugmentSettings(probability=0.0, **STRENGTHS)
    off = AugmentSettings(probability=0.0)
    for seed in range(10):
        first, second = (augment(line(), each, generator(seed, "a", "a")) for each in (on, off))
        np.testing.assert_allclose(first, second, atol=1e-6)
