import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.bootstrap import PairedDifference, bootstrap_difference, bootstrap_interval
from common.errors import GlyphoneError
from common.modality import generator

QUICK = settings(max_examples=80)

sizes = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), st.sampled_from("abcd")), min_size=1, max_size=30)


@QUICK
@given(parts=sizes, confidence=st.floats(0.5, 0.99), seed=st.integers(0, 5))
def test_intervals_lie_within_the_units(parts: list, confidence: float, seed: int) -> None:
    """No draw leaves the range of the groups' own ratios, and order and labels of groups do not matter."""
    errors, totals, groups = zip(*[(min(e, n), n, g) for e, n, g in parts], strict=True)
    found = bootstrap_interval(errors, totals, groups, num_samples=200, confidence=confidence, seed=seed)
    by_unit: dict = {}
    for i, (e, n, g) in enumerate(zip(errors, totals, groups, strict=True)):
        unit = g if len(set(groups)) > 1 else i
        by_unit[unit] = np.add(by_unit.get(unit, (0, 0)), (e, n))
    if sum(n > 0 for _, n in by_unit.values()) < 2:
        assert found is None
        return
    assert found is not None
    low, high = found
    ratios = [e / n for e, n in by_unit.values() if n]
    assert min(ratios) - 1e-9 <= low <= high <= max(ratios) + 1e-9
    renamed = [f"x{g}" for g in groups]
    assert bootstrap_interval(errors, totals, renamed, num_samples=200, confidence=confidence, seed=seed) == found


def test_interval_against_drawing_one_by_one() -> None:
    """The vectorised draws have the distribution of groups that are drawn by hand."""
    random = np.random.default_rng(3)
    totals = random.integers(5, 50, 200)
    errors = random.binomial(totals, 0.2)
    groups = [f"g{number}" for number in random.integers(0, 25, 200)]
    members = [np.flatnonzero(np.array(groups) == name) for name in sorted(set(groups))]
    drawn = []
    for _ in range(4000):
        picked = np.concatenate([members[each] for each in random.integers(0, len(members), len(members))])
        drawn.append(errors[picked].sum() / totals[picked].sum())
    found = bootstrap_interval(errors, totals, groups, num_samples=4000, seed=1)
    assert found == pytest.approx(tuple(np.quantile(drawn, [0.025, 0.975])), abs=0.002)


def test_interval_covers_the_truth() -> None:
    """Of 95 % intervals, about 95 % hold the rate that the samples were drawn from."""
    random = np.random.default_rng(4)
    hits = 0
    for trial in range(200):
        errors = random.binomial(10, 0.3, 80)
        low, high = bootstrap_interval(errors, [10] * 80, [str(i) for i in range(80)], num_samples=300, seed=trial)
        hits += low <= 0.3 <= high
    assert 180 <= hits <= 199


def test_interval_of_a_single_group_is_drawn_over_samples() -> None:
    errors, totals = [0, 10, 0, 10, 5], [10] * 5
    one = bootstrap_interval(errors, totals, ["a"] * 5, seed=2)
    assert one == bootstrap_interval(errors, totals, list("abcde"), seed=2)
    assert one is not None and one[0] < 0.5 < one[1]


def test_interval_depends_on_the_seed_alone() -> None:
    arguments = ([1, 2, 3, 0], [9, 9, 9, 9], list("abcd"))
    assert bootstrap_interval(*arguments, seed=1) == bootstrap_interval(*arguments, seed=1)
    assert bootstrap_interval(*arguments, num_samples=50, seed=1) != bootstrap_interval(
        *arguments, num_samples=50, seed=2
    )


@pytest.mark.parametrize(
    "changes", [{"num_samples": 0}, {"num_samples": 1_000_001}, *({"confidence": each} for each in (1.0, 0.0))]
)
def test_interval_settings_out_of_range(changes: dict) -> None:
    with pytest.raises(GlyphoneError, match=r"bootstrap_samples is (0|1000001), must be 1 to 1000000|confidence is"):
        bootstrap_interval([1], [2], ["a"], **changes)


paired = st.lists(
    st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9), st.sampled_from("abcde")),
    min_size=1,
    max_size=30,
)


@settings(max_examples=30)
@given(parts=paired, confidence=st.floats(0.5, 0.99), seed=st.integers(0, 5))
def test_difference_against_a_plain_loop(parts: list, confidence: float, seed: int) -> None:
    """Same seed, same draws: no numpy but for the random numbers and the quantiles."""
    first, second, totals, groups = map(list, zip(*parts, strict=True))
    found = bootstrap_difference(first, second, totals, groups, num_samples=60, confidence=confidence, seed=seed)
    units = [[row for row in parts if row[3] == name] for name in sorted(set(groups))]
    if len(units) == 1:
        units = [[row] for row in parts]
    random = generator(seed, "bootstrap", "")
    drawn = []
    for _ in range(60):
        times = random.multinomial(len(units), [1 / len(units)] * len(units))
        rows = [row for unit, number in zip(units, times, strict=True) for row in unit * int(number)]
        if sum(row[2] for row in rows):
            drawn.append((sum(row[1] for row in rows) - sum(row[0] for row in rows)) / sum(row[2] for row in rows))
    if sum(sum(row[2] for row in unit) > 0 for unit in units) < 2 or not drawn:
        assert found is None
        return
    assert found is not None
    tail = (1 - confidence) / 2
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(drawn, [tail, 1 - tail])), abs=1e-12)
    assert found.value == pytest.approx((sum(second) - sum(first)) / sum(totals))
    below, above = sum(each <= 0 for each in drawn), sum(each >= 0 for each in drawn)
    assert found.p_value == min(1, 2 * (min(below, above) + 1) / (len(drawn) + 1))
    assert found.improvement == sum(each < 0 for each in drawn) / len(drawn)


@QUICK
@given(parts=paired, seed=st.integers(0, 5))
def test_exchanging_both_changes_signs_and_nothing_else(parts: list, seed: int) -> None:
    first, second, totals, groups = zip(*parts, strict=True)
    found = bootstrap_difference(first, second, totals, groups, num_samples=50, seed=seed)
    turned = bootstrap_difference(second, first, totals, groups, num_samples=50, seed=seed)
    assert (found is None) == (turned is None)
    if found is not None and turned is not None:
        assert (turned.value, turned.low, turned.high) == (-found.value, -found.high, -found.low)
        assert turned.p_value == found.p_value
        assert turned.improvement + found.improvement <= 1


def test_no_difference_has_no_interval_and_p_1() -> None:
    found = bootstrap_difference([3, 0, 5], [3, 0, 5], [9, 9, 9], list("abc"))
    assert found == PairedDifference(0.0, 0.0, 0.0, 1.0, 0.0)
    assert str(found.high) == "0.0"  # and not minus 0
    assert bootstrap_difference([1], [0], [0], ["a"]) is None


def test_one_sample_or_group_proves_nothing() -> None:
    """Every draw of it is the same: the interval would have no width, and the p-value would be the smallest."""
    assert bootstrap_interval([1], [3], ["a"]) is None
    assert bootstrap_difference([1], [0], [3], ["a"]) is None
    assert bootstrap_difference([1, 0], [0, 0], [3, 0], list("ab")) is None  # the second has no reference


def test_pairs_see_what_two_intervals_cannot() -> None:
    """Groups differ far more than the systems do: only in pairs is the difference clear."""
    random = np.random.default_rng(6)
    hardness = random.uniform(0, 60, 40)
    first = random.poisson(hardness)
    second = np.maximum(first - random.integers(0, 3, 40), 0)
    totals, groups = [100] * 40, [str(number) for number in range(40)]
    found = bootstrap_difference(first, second, totals, groups, seed=1)
    low, _ = bootstrap_interval(first, totals, groups, seed=1)
    _, high = bootstrap_interval(second, totals, groups, seed=1)
    assert low < high
    assert found.high < 0 and found.p_value < 0.01 and found.improvement > 0.99


def test_p_values_of_equal_systems_are_not_small_too_often() -> None:
    random = np.random.default_rng(7)
    small = 0
    for trial in range(200):
        first, second = random.binomial(10, 0.3, (2, 60))
        found = bootstrap_difference(first, second, [10] * 60, [str(i) for i in range(60)], num_samples=300, seed=trial)
        small += found.p_value <= 0.05
        assert (found.p_value <= 0.03) <= (not found.low <= 0 <= found.high)
    assert 1 <= small <= 22


@pytest.mark.parametrize("changes", [{"num_samples": 0}, {"num_samples": 1_000_001}, {"confidence": 1.0}])
def test_difference_settings_out_of_range(changes: dict) -> None:
    with pytest.raises(GlyphoneError, match=r"bootstrap_samples is (0|1000001), must be 1 to 1000000|confidence is"):
        bootstrap_difference([1], [1], [2], ["a"], **changes)
