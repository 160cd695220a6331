"""Samples joined with and mixed with others: texts, lengths, chance, and nothing of it where it is off."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_training import FAST, toy
from test_training_parts import make_network, outcome

from common.alphabet import Alphabet, needed_slices
from common.modality import generator
from common.network import Network
from common.network_settings import ConvolutionSettings, NetworkSettings
from common.training import feed as feeding
from common.training.batches import Batch, collate, plan_epoch, with_seconds
from common.training.feed import Feed
from common.training.loop import train
from common.training.mixing import ALONE, Partners, draw_joins, draw_mixtures, join, mix
from common.training.processes import ALONE as ONE_PROCESS
from common.training.samples import Samples
from common.training.settings import TrainingSettings
from common.training.terms import ctc
from common.training.texts import texts_of

HALVING = NetworkSettings(convolutions=(ConvolutionSettings(channels=4, stride=(2, 2)),), num_layers=1, num_hidden=8)


def as_it_is(slices, random):
    return slices


def network_of(alphabet: Alphabet, chosen: NetworkSettings = HALVING) -> Network:
    torch.manual_seed(3)
    return Network(chosen, 6, len(alphabet))


def feed_of(samples: Samples, more: dict, characters: str = "abc", augment=as_it_is, seed: int = 7) -> Feed:
    chosen = TrainingSettings(**{**FAST.model_dump(), "epochs": 2, **more})
    alphabet = Alphabet(characters)
    return Feed(samples, alphabet, network_of(alphabet), chosen, augment, seed, ONE_PROCESS)


texts = st.text("abc ", min_size=0, max_size=6)


@st.composite
def samples_of_any_length(draw) -> Samples:
    count = draw(st.integers(1, 25))
    lengths = np.array(draw(st.lists(st.integers(1, 40), min_size=count, max_size=count)))
    corpora = draw(st.lists(st.sampled_from(["x", "y"]), min_size=count, max_size=count))
    groups = draw(st.sampled_from([(), [str(row % 4) for row in range(count)]]))
    words = draw(st.lists(texts, min_size=count, max_size=count))
    matrices = [np.full((length, 6), row, np.float16) for row, length in enumerate(lengths)]
    return Samples([f"s{row}" for row in range(count)], corpora, words, lengths, matrices, groups)


@settings(max_examples=60)
@given(samples=samples_of_any_length(), seed=st.integers(0, 99), bound=st.integers(0, 60), gap=st.integers(0, 9))
def test_joined_samples_keep_to_corpus_bound_and_what_their_text_needs(samples, seed, bound, gap):
    chosen = TrainingSettings(joined=1.0, joined_slices=bound, joined_gap=gap)
    rows, partners = np.arange(len(samples.ids)), Partners(samples)

    def drawn():
        return draw_joins(rows, samples, partners, chosen, " ", lambda lengths: lengths // 2, seed, 1)

    joins, again = drawn(), drawn()
    assert (joins.followers == again.followers).all() and (joins.gaps == again.gaps).all()
    for row, follower in enumerate(joins.followers):
        if follower == ALONE:
            assert joins.gaps[row] == 0 and joins.lengths[row] == samples.lengths[row]
            continue
        assert follower != row and samples.corpora[follower] == samples.corpora[row]
        group = [other for other in rows if other != row and samples.corpora[other] == samples.corpora[row]]
        if samples.groups:
            same = [other for other in group if samples.groups[other] == samples.groups[row]]
            assert follower in (same or group)
        assert 0 <= joins.gaps[row] <= 2 * gap
        assert joins.lengths[row] == samples.lengths[row] + joins.gaps[row] + samples.lengths[follower]
        assert joins.lengths[row] <= (bound or samples.lengths.max())
        text = samples.texts[row] + " " + samples.texts[follower]
        assert needed_slices(text) <= joins.lengths[row] // 2
        assert samples.texts[row] and samples.texts[follower]


def test_most_samples_that_can_be_joined_are():
    samples = toy(300, 0)
    joins = draw_joins(
        np.arange(300),
        samples,
        Partners(samples),
        TrainingSettings(joined=0.4, joined_slices=100),
        "",
        lambda lengths: lengths,
        1,
        0,
    )
    followers = joins.followers[joins.followers != ALONE]
    assert 0.3 < len(followers) / 300 < 0.5
    assert len(set(followers.tolist())) > 0.6 * len(followers)


@settings(max_examples=60)
@given(first=st.integers(0, 9), second=st.integers(0, 9), gap=st.integers(0, 12), dtype=st.sampled_from(["f2", "f4"]))
def test_a_join_is_both_samples_with_their_own_ground_between(first, second, gap, dtype):
    random = np.random.default_rng(gap)
    one, two = (random.random((length, 5)).astype(dtype) for length in (first, second))
    joined = join(one, two, gap)
    assert joined.shape == (first + gap + second, 5) and joined.dtype == one.dtype
    np.testing.assert_array_equal(joined[:first], one)
    np.testing.assert_array_equal(joined[first + gap :], two)
    between = joined[first : first + gap]
    for place, row in enumerate(between):
        own = one if place < gap // 2 else two
        assert (row == own).all(axis=1).any() if len(own) else not row.any()


def test_the_gap_is_ground_where_one_end_is_cut_through_ink():
    line = np.zeros((30, 8), np.float32)
    line[-6:, 2:5] = 1  # a letter reaches the end
    assert not join(line, line, 10)[30:40].any()


@pytest.mark.parametrize(("characters", "separator"), [("abc", ""), (" abc", " ")])
def test_targets_and_slices_of_a_batch_are_those_of_the_joined_texts(characters, separator):
    samples = toy(60, 0)
    feed = feed_of(samples, {"joined": 0.7, "joined_slices": 80, "joined_gap": 3}, characters)
    alphabet, num_joined = Alphabet(characters), 0
    for epoch, plan in enumerate(feed.plans):
        assert sorted(np.concatenate(plan)) == list(range(60))
        for rows in plan:
            batch = feed.make(epoch, rows)
            ends = np.cumsum(batch.target_lengths)
            assert feed.num_labels(epoch, rows) == ends[-1]
            assert batch.lengths.max() == feed.longest(epoch, rows)
            for place, row in enumerate(rows):
                follower = feed.joins[epoch].followers[row]
                text = samples.texts[row]
                if follower != ALONE:
                    num_joined += 1
                    text += separator + samples.texts[follower]
                target = batch.targets[ends[place] - batch.target_lengths[place] : ends[place]]
                assert alphabet.decode(target.tolist()) == text
                slices = batch.slices[place, : batch.lengths[place]].numpy()
                np.testing.assert_array_equal(slices[: samples.lengths[row]], samples.matrices[row])
                if follower != ALONE:
                    np.testing.assert_array_equal(slices[-samples.lengths[follower] :], samples.matrices[follower])
                assert not batch.slices[place, batch.lengths[place] :].any()
    assert num_joined > 20
    assert (feed.joins[0].followers != feed.joins[1].followers).any()


def test_a_joined_sample_that_augmentation_makes_too_short_is_used_as_it_is():
    samples = toy(40, 0)
    feed = feed_of(samples, {"joined": 1.0, "joined_slices": 80}, augment=lambda slices, random: slices[:2])
    for rows in feed.plans[1]:
        batch = feed.make(1, rows)
        emitted = feed.network.out_lengths(batch.lengths)
        ends = np.cumsum(batch.target_lengths).tolist()
        for place, end in enumerate(ends):
            target = batch.targets[end - int(batch.target_lengths[place]) : end].tolist()
            assert emitted[place] >= needed_slices(Alphabet("abc").decode(target))


@settings(max_examples=60)
@given(count=st.integers(1, 30), share=st.floats(0, 1), alpha=st.floats(0.05, 5), seed=st.integers(0, 99))
def test_mixtures_hang_on_names_and_never_weigh_the_other_more(count, share, alpha, seed):
    chosen = TrainingSettings(mixup=share, mixup_alpha=alpha)
    ids = [f"s{number}" for number in range(count)]
    places, weights = draw_mixtures(ids, chosen, seed, 3)
    alone = places == ALONE
    assert (weights[alone] == 1).all() and (weights >= 0.5).all() and (weights <= 1).all()
    assert (places[~alone] != np.flatnonzero(~alone)).all() and (places < count).all()
    if count == 1 or share == 0:
        assert alone.all()
    # The weights of a sample are the same in whatever batch of as many it stands.
    turned = draw_mixtures(ids[::-1], chosen, seed, 3)[1]
    np.testing.assert_array_equal(turned, weights[::-1])


@given(first=st.integers(0, 9), second=st.integers(0, 9), weight=st.floats(0.5, 1))
def test_a_mixture_is_the_weighted_sum_of_the_padded(first, second, weight):
    random = np.random.default_rng(first)
    one, two = (random.random((length, 3), dtype=np.float32) for length in (first, second))
    longest = max(first, second)
    padded = [np.pad(each, ((0, longest - len(each)), (0, 0))) for each in (one, two)]
    mixed = mix(one, two, weight)
    np.testing.assert_allclose(mixed, weight * padded[0] + (1 - weight) * padded[1], atol=1e-6)
    assert mixed.dtype == np.float32


def test_a_mixed_batch_holds_both_texts_of_each_sample():
    samples = toy(60, 0)
    feed, plain = feed_of(samples, {"mixup": 0.5}), feed_of(samples, {})
    alphabet, num_mixed = Alphabet("abc"), 0
    for rows in feed.plans[0]:
        batch, without = feed.make(0, rows), plain.make(0, rows)
        assert without.seconds is None and batch.seconds is not None
        assert torch.equal(batch.targets, without.targets)
        ends = np.cumsum(batch.seconds.target_lengths).tolist()
        for place, end in enumerate(ends):
            length, weight = int(batch.seconds.target_lengths[place]), batch.seconds.weights[place]
            if not length:
                assert weight == 1 and torch.equal(batch.slices[place], without.slices[place])
                continue
            num_mixed += 1
            text = alphabet.decode(batch.seconds.targets[end - length : end].tolist())
            rest = batch.slices[place] - weight * without.slices[place]
            others = [
                other
                for other, row in enumerate(rows)
                if samples.texts[row] == text
                and torch.allclose(rest, (1 - weight) * without.slices[other], atol=1e-5)
                and batch.lengths[place] == max(without.lengths[place], without.lengths[other])
            ]
            assert others and place not in others
    assert num_mixed > 15


def test_with_both_off_batches_are_those_of_the_samples_alone():
    samples = toy(50, 0)

    def noisy(slices, random):
        return slices[: len(slices) - random.integers(2)] + random.normal(size=6).astype(np.float32)

    feed = feed_of(samples, {"joined_slices": 80, "joined_gap": 3, "mixup_alpha": 2.0}, augment=noisy)
    alphabet = Alphabet("abc")
    for epoch in range(2):
        expected = plan_epoch(np.arange(50), samples.lengths, feed.settings, 7, epoch)
        assert len(feed.plans[epoch]) == len(expected) and feed.sentence() == ""
        for rows, own in zip(feed.plans[epoch], expected, strict=True):
            batch = feed.make(epoch, rows)
            matrices = [
                noisy(samples.matrices[row].astype(np.float32), generator(7, f"augment {epoch}", samples.ids[row]))
                for row in own
            ]
            alone = collate(own, matrices, [alphabet.encode(samples.texts[row]) for row in own], 6)
            assert batch.seconds is None and batch.rows == alone.rows
            for name in ("slices", "lengths", "targets", "target_lengths"):
                assert torch.equal(getattr(batch, name), getattr(alone, name))


def test_shares_of_two_processes_are_the_batch_of_one():
    """Also where a sample is mixed with one of the other process."""
    samples = toy(40, 0)
    more = {"joined": 0.5, "joined_slices": 80, "mixup": 0.7}

    def noisy(slices, random):
        return slices + random.normal(size=slices.shape).astype(np.float32)

    whole = feed_of(samples, more, augment=noisy)
    halves = [feed_of(samples, more, augment=noisy) for _ in range(2)]
    for rank, half in enumerate(halves):
        half.group = SimpleNamespace(size=2, rank=rank)
    for rows in whole.plans[1]:
        batch, parts = whole.make(1, rows), [half.make(1, rows) for half in halves]
        assert [row for part in parts for row in part.rows] == batch.rows
        for name in ("targets", "target_lengths", "weights"):
            joined = torch.cat([getattr(part.seconds, name) for part in parts])
            assert torch.equal(joined, getattr(batch.seconds, name))
        for part in parts:
            for place in range(len(part.rows)):
                length = int(part.lengths[place])
                assert torch.equal(part.slices[place, :length], batch.slices[part.first + place, :length])


def losses_of(batch: Batch, log_probs: torch.Tensor, lengths: torch.Tensor, part: slice) -> torch.Tensor:
    return texts_of(batch, part).loss(ctc, log_probs, lengths)


def test_the_loss_of_a_mixture_is_that_of_both_texts_weighed():
    random = torch.Generator().manual_seed(0)
    log_probs = torch.randn(4, 12, 5, generator=random).log_softmax(-1)
    lengths, targets = torch.tensor([12, 9, 12, 8]), [[1, 2], [3], [4, 4, 1], [2]]
    others, weights = [[3, 1], [], [1], []], np.array([0.7, 1, 0.5, 1], np.float32)
    matrices = [np.zeros((12, 2))] * 4
    plain, second = collate(range(4), matrices, targets, 2), collate(range(4), matrices, others, 2)
    own, theirs = (losses_of(each, log_probs, lengths, slice(0, 4)).numpy() for each in (plain, second))
    expected = weights * own + (1 - weights) * theirs
    mixed = with_seconds(plain, others, weights)
    for part in (slice(0, 4), slice(0, 2), slice(1, 4), slice(3, 4)):
        got = losses_of(mixed, log_probs[part], lengths[part], part).numpy()
        np.testing.assert_allclose(got, expected[part], rtol=1e-6)
    np.testing.assert_array_equal(losses_of(mixed, log_probs, lengths, slice(0, 4))[[1, 3]], own[[1, 3]])


def test_parts_of_a_mixed_batch_give_its_step():
    random = np.random.default_rng(0)
    matrices = [random.normal(size=(length, 6)) for length in (24, 22, 20, 23, 21)]
    targets, others = [[1, 2], [3], [4, 1], [2], [1]], [[2], [], [1, 3], [4], []]
    batch = collate(range(5), matrices, targets, 6)
    batch = with_seconds(batch, others, np.array([0.6, 1, 0.8, 0.5, 1], np.float32))
    whole, parts = outcome(make_network(convolutions=()), batch, 0), outcome(make_network(convolutions=()), batch, 50)
    plain = outcome(make_network(convolutions=()), replace(batch, seconds=None), 0)
    for name, value in whole.items():
        torch.testing.assert_close(parts[name], value, rtol=1e-9, atol=1e-9)
    assert not torch.equal(whole["losses"], plain["losses"])


def run(state, more: dict, augment=as_it_is, validation: Samples | None = None):
    chosen, alphabet = TrainingSettings(**{**FAST.model_dump(), **more}), Alphabet("abc")
    samples = validation or toy(40, 1)
    return train(network_of(alphabet), toy(160, 0), samples, alphabet, chosen, augment, 7, state)


def test_training_with_both_learns_and_validates_on_samples_as_they_are(tmp_path, monkeypatch):
    """A validation sample is neither joined nor mixed nor augmented."""
    seen: list[np.ndarray] = []
    own = feeding.join

    def watched(first, second, gap):
        seen.extend((first, second))
        return own(first, second, gap)

    monkeypatch.setattr(feeding, "join", watched)

    def augment(slices, random):
        seen.append(slices)
        return slices

    validation = toy(40, 1)
    before = [matrix.copy() for matrix in validation.matrices]
    both = {"joined": 0.5, "joined_slices": 100, "mixup": 0.3, "epochs": 9}
    trained = run(tmp_path, both, augment, validation)
    assert trained.progress.best_error < 0.1 and trained.progress.nonfinite == 0
    for matrix, old in zip(validation.matrices, before, strict=True):
        np.testing.assert_array_equal(matrix, old)
        assert not any(len(each) == len(old) and (each == old).all() for each in seen)


def test_a_mixed_training_goes_on_to_the_same_weights(tmp_path, monkeypatch):
    both = {"joined": 0.5, "joined_slices": 100, "mixup": 0.5, "epochs": 3, "checkpoint_minutes": 0.0}
    whole = run(tmp_path / "whole", both)
    own, calls = Feed.make, []

    def killed(self, epoch, rows):
        calls.append(epoch)
        if len(calls) > 12:
            raise KeyboardInterrupt
        return own(self, epoch, rows)

    monkeypatch.setattr(Feed, "make", killed)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", both)
    monkeypatch.setattr(Feed, "make", own)
    resumed = run(tmp_path / "cut", both)
    assert resumed.progress.history == whole.progress.history
    for name, weight in whole.weights.items():
        assert torch.equal(weight, resumed.weights[name]), name
