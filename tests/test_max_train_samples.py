"""prepare.max_train_samples: nested, by whole groups, and only of what is read for training."""

from hypothesis import given, settings
from hypothesis import strategies as st

from common.samples import SPLITS, Sample
from common.splitting import limit_training

corpora = st.lists(
    st.tuples(
        st.sampled_from(["", "g1", "g2", "g3", "g4"]), st.sampled_from([*SPLITS, "train", "train"]), st.booleans()
    ),
    max_size=60,
).map(
    lambda rows: [
        Sample(f"s{place}", "synthesis:1:x" if made else f"{place}.png", "a", group, split)
        for place, (group, split, made) in enumerate(rows)
    ]
)


def real(samples: list[Sample]) -> list[Sample]:
    return [each for each in samples if each.split == "train" and not each.is_synthetic]


@given(samples=corpora, most=st.integers(0, 70), less=st.integers(0, 70), seed=st.integers(0, 3), data=st.data())
@settings(max_examples=80)
def test_numbers_are_kept_nested_and_whatever_the_order(samples, most, less, seed, data):
    kept, out = limit_training(samples, most, seed)
    assert sorted([*kept, *out], key=lambda each: int(each.id[1:])) == samples
    assert out == [each for each in samples if each in out] and kept == [each for each in samples if each in kept]
    assert len(real(kept)) == (min(most, len(real(samples))) if most else len(real(samples)))
    assert all(each in kept for each in samples if each not in real(samples))
    # Of one group at most a part is left out; the others are there or not.
    parted = {each.group for each in real(kept) if each.group} & {each.group for each in out if each.group}
    assert len(parted) <= 1
    if 0 < less <= most:
        assert {each.id for each in limit_training(samples, less, seed)[0]} <= {each.id for each in kept}
    shuffled = data.draw(st.permutations(samples))
    assert {each.id for each in limit_training(shuffled, most, seed)[0]} == {each.id for each in kept}
