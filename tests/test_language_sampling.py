"""Texts drawn from n-grams: each token by the model's own probability, the same for the same generator."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.language.kneser_ney import train
from common.language.ngrams import BEGIN, END, UNKNOWN, LanguageError, step
from common.language.sampling import draw_token, sampler, sums_of
from common.language.text import tokens_of

TEXTS = ["ab abc", "abba", "cab", "aab c", "b", "abc abc", "bca"]


@given(order=st.integers(1, 4), history=st.sampled_from(["", "a", "ab", "c", "bb", "cab"]))
@settings(max_examples=12)
def test_tokens_are_drawn_by_their_probabilities(order, history):
    model, _ = train([tokens_of(text, "char") for text in TEXTS], order)
    state = model.begin
    for token in tokens_of(history, "char"):
        _, state = step(model.table, state, model.number(token))
    expected = np.array([10 ** step(model.table, state, number)[0] for number in range(len(model.tokens))])
    expected[[model.numbers[UNKNOWN], model.numbers[BEGIN]]] = 0
    expected /= expected.sum()
    sums, random, count = sums_of(model), np.random.default_rng(0), 5_000
    drawn = np.bincount(
        [draw_token(model.table, sums, state, model.numbers[UNKNOWN], random) for _ in range(count)],
        minlength=len(model.tokens),
    )
    assert not drawn[expected == 0].any()
    assert (np.abs(drawn / count - expected) < 5 * np.sqrt(expected / count) + 1e-4).all()
    assert expected[model.numbers[END]] > 0


@pytest.mark.parametrize(("unit", "order"), [("char", 3), ("word", 2)])
def test_texts_are_of_what_was_learnt_within_their_lengths(unit, order):
    draw = sampler(TEXTS, unit, order, least=2, most=6)
    random = np.random.default_rng(1)
    texts = [draw(random) for _ in range(300)]
    known = set("".join(TEXTS)) if unit == "char" else {word for text in TEXTS for word in text.split()}
    for text in texts:
        assert 2 <= len(text) <= 6 and set(text if unit == "char" else text.split()) <= known
    assert len(set(texts)) > 10
    again = np.random.default_rng(1)
    assert [draw(again) for _ in range(20)] == texts[:20]


def test_without_texts_there_is_nothing_to_draw_from():
    with pytest.raises(LanguageError, match="there is no text"):
        sampler([], "char", 3)
    with pytest.raises(LanguageError, match="there is no text"):
        sampler(["", ""], "word", 3)
    with pytest.raises(LanguageError, match="none had 9 characters"):
        sampler(["ab"], "char", 2, least=9, most=5)(np.random.default_rng(0))
