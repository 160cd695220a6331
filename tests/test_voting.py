"""Votes of several models: what any vote must hold, and that voters of their own mind have fewer errors than one."""

import math
import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from common.alphabet import Alphabet
from common.calibration import UNCALIBRATED, Calibration, Scale
from common.decoding import DecodingSettings, decode
from common.decoding.decoder import Decoder
from common.decoding.fusion import FusedSearch, Weights
from common.decoding.hypothesis import Hypothesis, Symbol, geometric_mean, readable, words_of
from common.edits import count_characters
from common.language.kneser_ney import train
from common.voting.election import elect, joint_confidence, winner
from common.voting.mean import mean_emissions
from common.voting.multiple_alignment import GAP, align_texts
from common.voting.placing import places_of
from common.voting.poll import Poll, Voter
from common.voting.slots import Slot, slots_of, text_of
from tests.test_bidi import emissions_of as peaked

LETTERS = "ab c"
ALPHABET = Alphabet(sorted(set(LETTERS)))
texts = st.text(LETTERS, max_size=8)
confidences = st.floats(0.0, 1.0)


def hypothesis_of(text, sure):
    """A hypothesis whose characters have confidence ``sure``, a number or one each."""
    each = sure if isinstance(sure, list) else [sure] * len(text)
    symbols = tuple(Symbol(character, at, at + 1, c) for at, (character, c) in enumerate(zip(text, each, strict=True)))
    whole = geometric_mean(each) if each else (sure if isinstance(sure, float) else 0.5)
    return readable(Hypothesis(text, -1.0, whole, symbols, words_of(symbols)))


@st.composite
def hypotheses(draw):
    text = draw(texts)
    return hypothesis_of(text, draw(st.lists(confidences, min_size=len(text), max_size=len(text))))


def text_for(number):
    """Emissions float32 [12, V] drawn at random, peaked as those of a network."""
    drawn = np.random.default_rng(number).normal(size=(12, len(ALPHABET))) * 4
    return (drawn - np.logaddexp.reduce(drawn, axis=1, keepdims=True)).astype(np.float32)


def poll(num_voters, method="confidences", calibration=UNCALIBRATED, **decoding):
    def decoder(log_probs):
        return decode(log_probs, ALPHABET, DecodingSettings(**decoding))

    return Poll((Voter(ALPHABET, decoder, calibration),) * num_voters, method)


def voted(*each):
    """The text of an election, and its confidences."""
    text, sure, _ = elect(slots_of(each))
    return text, sure


# Texts side by side


@given(st.lists(st.tuples(texts, st.floats(0, 3)), min_size=1, max_size=5))
def test_rows_hold_their_texts_and_no_slot_is_empty(pairs):
    written, weights = zip(*pairs, strict=True)
    rows = align_texts(written, weights)
    assert ["".join(row) for row in rows] == list(written)
    assert len({len(row) for row in rows}) == 1
    assert all(set(column) != {GAP} for column in zip(*rows, strict=True))


@given(texts, texts)
def test_two_texts_are_laid_as_their_distance_says(left, right):
    first, second = align_texts([left, right], [1.0, 1.0])
    counts = count_characters(left, right)
    assert sum(a != b for a, b in zip(first, second, strict=True)) == counts.errors


@given(texts, texts, texts)
def test_a_third_text_is_laid_against_both_at_the_least_cost_of_a_text_that_stands_there(left, right, third):
    rows = align_texts([left, right, third], [1.0, 1.0, 1.0])
    cost = sum((c != a) + (c != b) for a, b, c in zip(*rows, strict=True))
    # No way can be cheaper than the distances, and a text that stands there already can be laid as it is.
    low = count_characters(left, third).errors + count_characters(right, third).errors
    assert cost >= low
    if third in (left, right):
        assert cost == low


def test_the_neighbours_of_a_gap_say_how_sure_it_is():
    slots = slots_of([hypothesis_of("abc", [0.9, 0.8, 0.7]), hypothesis_of("ac", [0.6, 0.4])], gap_weight=0.5)
    assert [slot.characters for slot in slots] == [("a", "a"), ("b", GAP), ("c", "c")]
    assert [slot.confidences for slot in slots] == [(0.9, 0.6), (0.8, pytest.approx(0.25)), (0.7, 0.4)]
    empty = slots_of([hypothesis_of("a", 0.9), hypothesis_of("", 0.3)])
    assert empty == [Slot(("a", GAP), (0.9, 0.3))]


# Elections


@given(hypotheses(), st.integers(2, 5))
def test_voters_of_one_mind_change_nothing(main, num_voters):
    assert voted(*[main] * num_voters) == (text_of(main), [symbol.confidence for symbol in main.symbols])


@example(  # a tie that the silent one must not break
    [hypothesis_of("", 0.5), hypothesis_of("a", [1.0]), hypothesis_of(" ", [1.0])], "a", None
)
@given(st.lists(hypotheses(), min_size=1, max_size=4), texts, st.data())
def test_a_voter_without_confidence_changes_nothing(each, text, data):
    at = 1 if data is None else data.draw(st.integers(1, len(each)))
    silent = hypothesis_of(text, 0.0)
    assert voted(*each[:at], silent, *each[at:]) == voted(*each)


@given(hypotheses(), st.lists(hypotheses(), min_size=2, max_size=4), st.randoms())
def test_the_order_of_the_other_voters_changes_nothing(main, others, order):
    shuffled = others.copy()
    order.shuffle(shuffled)
    assert voted(main, *shuffled) == voted(main, *others)


@given(texts, st.lists(texts, max_size=2), st.floats(0.01, 1), st.data())
def test_the_majority_wins_where_all_are_equally_sure(text, others, sure, data):
    everybody = data.draw(st.permutations([text] * (len(others) + 1) + others))
    assert voted(*(hypothesis_of(each, sure) for each in everybody))[0] == text


@given(texts, texts, st.floats(0.01, 1))
def test_ties_go_to_the_main_model(main, other, sure):
    assert voted(hypothesis_of(main, sure), hypothesis_of(other, sure))[0] == main


def test_the_surer_voter_wins():
    assert voted(hypothesis_of("abc", [0.9, 0.5, 0.9]), hypothesis_of("aac", [0.9, 0.6, 0.9]))[0] == "aac"


def test_a_tie_between_others_does_not_hang_on_their_order():
    slot = Slot(("a", "c", "b"), (0.1, 0.5, 0.5))
    assert winner(slot) == winner(replace(slot, characters=("a", "b", "c"))) == "b"
    assert winner(Slot(("a", "c", "b", "c"), (0.1, 0.25, 0.5, 0.25))) == "c", "more voters before a smaller code point"


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 2)), min_size=1, max_size=5))
def test_a_joint_confidence_is_one(votes):
    joint = joint_confidence(votes)
    assert 0 <= joint <= 1
    if not any(is_for for is_for, _ in votes):
        assert joint == 0
    assert joint <= max(confidence for _, confidence in votes) + 1e-12


def noisy(text, random, share):
    """A copy in which each character is lost, doubled or another one with probability ``share``; all equally sure."""
    said = ""
    for character in text:
        kind = random.random() / share
        said += character if kind >= 1 else random.choice(["", character * 2, random.choice("abcdefgh ")])
    return hypothesis_of(said, 0.8)


@settings(max_examples=8)
@given(st.integers(0, 2**32), st.sampled_from([0.05, 0.1, 0.2]))
def test_a_vote_over_noisy_copies_has_fewer_errors_than_one_copy(seed, share):
    generator = random.Random(seed)
    alone = together = 0
    for _ in range(40):
        text = "".join(generator.choice("abcdefgh ") for _ in range(30))
        copies = [noisy(text, generator, share) for _ in range(5)]
        alone += count_characters(text, text_of(copies[0])).errors
        together += count_characters(text, voted(*copies)[0]).errors
    assert together < 0.6 * alone


# Emissions


@given(st.integers(0, 999), st.integers(1, 5))
def test_the_mean_of_equal_emissions_is_just_these(number, num_voters):
    np.testing.assert_array_equal(mean_emissions([text_for(number)] * num_voters), text_for(number))


@given(st.lists(st.integers(0, 999), min_size=2, max_size=5), st.randoms())
def test_a_mean_of_emissions_is_a_distribution_and_has_no_order(numbers, order):
    shuffled = numbers.copy()
    order.shuffle(shuffled)
    mean = mean_emissions([text_for(number) for number in numbers])
    np.testing.assert_array_equal(mean, mean_emissions([text_for(number) for number in shuffled]))
    np.testing.assert_allclose(np.exp(mean.astype(np.float64)).sum(axis=1), 1, atol=1e-5)
    expected = np.mean([np.exp(text_for(number).astype(np.float64)) for number in numbers], axis=0)
    np.testing.assert_allclose(np.exp(mean), expected, rtol=1e-5)


def test_labels_that_cannot_be_and_no_slices_stay_so():
    impossible = text_for(1)
    impossible[:, 1] = -np.inf
    mean = mean_emissions([impossible, impossible, impossible])
    np.testing.assert_array_equal(mean, impossible)
    assert np.isfinite(mean_emissions([impossible, text_for(1)])).all()
    assert mean_emissions([impossible[:0]] * 2).shape == (0, len(ALPHABET))


# Polls: from emissions to a whole hypothesis


@pytest.mark.parametrize("method", ["confidences", "emissions"])
@pytest.mark.parametrize(
    "decoding",
    [{"engine": "greedy"}, {"engine": "beam", "beam_width": 8, "num_alternatives": 3}],
    ids=["greedy", "beam"],
)
@settings(max_examples=25)
@given(number=st.integers(0, 999))
def test_a_poll_of_one_model_is_the_model(method, decoding, number):
    calibration = Calibration(Scale(0.7, -0.4), Scale(1.3, 0.2))
    one = poll(3, method, calibration, **decoding)
    emission = text_for(number)
    assert one.vote([emission] * 3) == one.voters[0](emission)


@settings(max_examples=50)
@given(st.lists(st.integers(0, 999), min_size=2, max_size=4))
def test_a_voted_hypothesis_is_whole(numbers):
    asked = poll(len(numbers), engine="beam", beam_width=4, num_alternatives=1)
    emissions = [text_for(number) for number in numbers]
    each = asked.each(emissions)
    result = asked.vote(emissions, each)
    assert result == asked.vote(emissions)
    assert result.text == " ".join(text_of(result).split())
    assert [word.text for word in result.words] == result.text.split()
    assert all(0 <= part.confidence <= 1 for part in (*result.symbols, *result.words, result))
    places = [place for symbol in result.symbols for place in (symbol.start, symbol.end)]
    assert places == sorted(places) and all(0 <= place <= 12 for place in places)
    assert [text for text, _ in result.alternatives].count(result.text) == 0
    if each[0].alternatives and result.text != each[0].text:
        assert each[0].text in [text for text, _ in result.alternatives]
    if result.text == each[0].text:
        assert (result.score, result.total) == (each[0].score, each[0].total)
    assert [symbol.start for symbol in result.words] == [
        result.symbols[at].start for at in _word_starts(text_of(result))
    ]


def test_further_texts_of_a_vote_are_in_order_with_language_too():
    """The main model's own text is one of them, with the sum that it was chosen by and not with its acoustic score."""
    ngrams, _ = train([["ab"], ["ab"], ["b"], ["ac"]], 2)
    search = FusedSearch(ALPHABET.symbols, ngrams, "word", Weights(alpha=0.5, beta=4.0))
    chosen = DecodingSettings(engine="beam_lm", beam_width=32, num_alternatives=4)
    asked = Poll((Voter(ALPHABET, lambda each: decode(each, ALPHABET, chosen, search), UNCALIBRATED),) * 3)
    outvoted = 0
    for number in range(40):
        emissions = [text_for(number), text_for(number + 100), text_for(number + 100)]
        result, own = asked.vote(emissions), asked.each(emissions)[0]
        outvoted += result.text != own.text
        scores = [score for _, score in result.alternatives]
        assert scores == sorted(scores, reverse=True)
    assert outvoted > 10


def _word_starts(text):
    return [at for at, each in enumerate(text) if each != " " and (at == 0 or text[at - 1] == " ")]


def test_words_are_as_sure_as_the_models_that_write_them_whole():
    def said(text, sure, words):
        whole = hypothesis_of(text, sure)
        return replace(whole, words=tuple(replace(w, confidence=c) for w, c in zip(whole.words, words, strict=True)))

    each = [said("ab ca", 0.9, [0.5, 0.8]), said("ab cb", 0.9, [0.7, 0.3]), said("abcca", 0.9, [0.6])]
    decoders = [lambda _, one=one: one for one in each]
    asked = Poll(tuple(Voter(ALPHABET, decoder, UNCALIBRATED) for decoder in decoders))
    result = asked.vote([text_for(1)] * 3)
    assert result.text == "ab ca"
    # ab: the first two write it, the third a longer word; ca: the first alone writes it as a word of its own.
    expected = [(0.5**2 + 0.7**2) / (0.5 + 0.7 + 0.6), 0.8**2 / (0.8 + 0.3 + 0.6)]
    assert [word.confidence for word in result.words] == pytest.approx(expected)


def test_a_character_that_the_main_model_lacks_stands_between_its_neighbours():
    emission = np.full((6, 3), -20.0, np.float32)
    for at, label in enumerate([1, 0, 0, 0, 0, 2]):
        emission[at, label] = 0.0
    spans, score = places_of(emission, "axyb", Alphabet("ab"))
    assert spans == [(0, 1), (1, 3), (3, 5), (5, 6)] and score == -math.inf
    assert places_of(emission, "ab", Alphabet("ab")) == ([(0, 1), (5, 6)], 0.0)
    assert places_of(emission, "xax", Alphabet("ab"))[0] == [(0, 0), (0, 1), (1, 6)]


def test_a_text_too_long_for_the_main_model_shares_its_slices():
    spans, score = places_of(np.zeros((3, 3), np.float32), "aabb", Alphabet("ab"))
    assert spans == [(0, 0.75), (0.75, 1.5), (1.5, 2.25), (2.25, 3)] and score == -math.inf
    assert places_of(np.zeros((0, 3), np.float32), "a", Alphabet("ab"))[0] == [(0, 0)]


def test_silence_is_as_sure_as_those_who_keep_it():
    blank = np.full((4, len(ALPHABET)), -3.0, np.float32)
    blank[:, 0] = -0.1
    result = poll(2, engine="greedy").vote([blank, blank])
    assert result.text == "" and result.words == () and result.confidence == pytest.approx(math.exp(-0.1))


def test_a_voted_line_from_right_to_left_has_the_places_of_its_characters() -> None:
    alphabet = Alphabet("אבגד", "rtl")
    right, wrong = (peaked(alphabet.encode(text), len(alphabet)) for text in ("אבגד", "בבגד"))
    poll = Poll((Voter(alphabet, Decoder(alphabet, DecodingSettings()), UNCALIBRATED),) * 3)
    voted, alone = poll.vote([wrong, right, right]), poll.each([wrong, right, right])[1]
    assert voted.text == alone.text == "אבגד"
    starts = [symbol.start for symbol in voted.symbols]
    assert starts == sorted(starts, reverse=True)
    assert starts[1:] == [symbol.start for symbol in alone.symbols[1:]]
