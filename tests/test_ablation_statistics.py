"""Differences of ablations from their base: pooled rates, intervals over groups and seeds, verdicts."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.ablation_statistics import Errors, difference, paired
from common.errors import GlyphoneError


def made(rows: Any, groups: list[str] | None = None, units: Any = None) -> Errors:
    errors = np.atleast_2d(np.asarray(rows))
    count = errors.shape[1]
    groups = groups or [f"g{place % 4}" for place in range(count)]
    return Errors([f"s{n}" for n in range(count)], groups, errors, np.full(count, 10) if units is None else units)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Errors, Errors]:
    count = draw(st.integers(1, 12))
    groups = draw(st.lists(st.sampled_from("abc"), min_size=count, max_size=count))
    units = np.array(draw(st.lists(st.integers(1, 9), min_size=count, max_size=count)))

    def errors() -> Errors:
        seeds = draw(st.integers(2, 4))
        row = st.lists(st.integers(0, 9), min_size=count, max_size=count)
        return made(draw(st.lists(row, min_size=seeds, max_size=seeds)), groups, units)

    return errors(), errors()


@given(pairs(), st.randoms(use_true_random=False))
@settings(max_examples=25)
def test_difference_is_that_of_pooled_rates_and_knows_no_order(both: tuple[Errors, Errors], random: Any) -> None:
    variant, base = both
    found = difference(variant, base, num_draws=200)
    rates = [sum(int(n) for n in each.errors.flat) / len(each.errors) / int(base.units.sum()) for each in both]
    assert found.value == pytest.approx(rates[0] - rates[1])
    assert difference(base, variant, num_draws=200).value == pytest.approx(-found.value)
    if len(base.ids) == 1:
        assert found.interval is None  # one unit alone cannot be drawn
    else:
        assert found.interval is not None and found.interval[0] <= found.interval[1]
    order = list(range(len(base.ids)))
    random.shuffle(order)
    shuffled = Errors(
        [variant.ids[row] for row in order],
        [variant.groups[row] for row in order],
        variant.errors[:, order],
        variant.units[order],
    )
    assert difference(shuffled, base, num_draws=200) == found


def test_interval_against_a_plain_loop() -> None:
    """The same quantity by resampling rows one by one, with chance of its own: ends agree within its noise."""
    random = np.random.default_rng(0)
    variant, base = (made(random.poisson(mean, (3, 40)), [f"g{n // 4}" for n in range(40)]) for mean in (2.5, 3.0))
    names = sorted(set(base.groups))
    rows = {name: [place for place, group in enumerate(base.groups) if group == name] for name in names}
    drawn = []
    for _ in range(4000):
        places = [place for name in random.choice(names, len(names)) for place in rows[name]]
        means = []
        for each in (variant, base):
            rates = [each.errors[seed, places].sum() / each.units[places].sum() for seed in range(3)]
            middle = sum(rates) / 3
            picked = sum(rates[seed] for seed in random.integers(3, size=3)) / 3
            means.append(middle + (3 / 2) ** 0.5 * (picked - middle))
        drawn.append(means[0] - means[1])
    found = difference(variant, base)
    # Ten groups, six trainings: t with four degrees of freedom, and √(10 / 9) for the groups.
    wider = 2.776 / 1.960 * (10 / 9) ** 0.5
    low, high = (found.value + wider * (end - found.value) for end in np.quantile(drawn, [0.025, 0.975]))
    assert found.interval == pytest.approx((low, high), abs=0.1 * (high - low))


def test_verdicts() -> None:
    random = np.random.default_rng(1)
    base = made(random.poisson(3.0, (3, 80)))
    better = made(base.errors // 3)
    assert difference(better, base).verdict() == "helps"
    assert difference(base, better).verdict() == "hurts"
    assert difference(base, base).verdict() == "no difference"
    one = made(better.errors[:1])
    assert difference(one, base).verdict() == "too few seeds"


def test_seeds_that_differ_by_chance_are_no_difference() -> None:
    """Under equal recipes whose seeds scatter more than their samples, few verdicts may say otherwise."""
    random = np.random.default_rng(2)

    def recipe() -> Errors:
        return made(random.poisson(3.0 * random.uniform(0.7, 1.3, (3, 1)), (3, 60)))

    wrong = sum(difference(recipe(), recipe(), num_draws=500).verdict() != "no difference" for _ in range(100))
    assert wrong <= 12


@pytest.mark.parametrize(("of_seeds", "of_groups"), [(0.3, 0.0), (0.0, 0.5), (0.3, 0.5)])
def test_one_in_twenty_equal_recipes_differs_by_chance(of_seeds: float, of_groups: float) -> None:
    """Three seeds against six, eight groups, as the ablations have them: 0.09 to 0.11 without the widening."""
    random = np.random.default_rng(3)
    groups = [f"g{n // 10}" for n in range(80)]

    def recipe(num_seeds: int) -> Errors:
        ground = np.repeat(random.normal(0, of_groups, 8), 10)
        seeds = random.normal(0, of_seeds, (num_seeds, 1))
        return made(random.poisson(3.0 * np.exp(seeds + ground)), groups)

    wrong = sum(difference(recipe(3), recipe(6), num_draws=300).verdict() != "no difference" for _ in range(300))
    assert wrong / 300 <= 0.08


def test_only_common_samples_count_and_references_must_agree() -> None:
    base = made([[1, 2, 3, 4], [4, 3, 2, 1]])
    fewer = Errors(["s3", "s1", "other"], ["g3", "g1", "g0"], np.array([[5, 6, 7]]), np.array([10, 10, 10]))
    first, second = paired(fewer, base)
    assert first.ids == second.ids == ["s1", "s3"]
    assert first.errors.tolist() == [[6, 5]] and second.errors.tolist() == [[2, 4], [3, 1]]
    with pytest.raises(GlyphoneError, match="'s1': its reference is not the base's"):
        paired(Errors(["s1"], ["g1"], np.array([[1]]), np.array([9])), base)
    with pytest.raises(GlyphoneError, match="no validation sample in common"):
        paired(Errors(["x"], ["g"], np.array([[1]]), np.array([10])), base)
