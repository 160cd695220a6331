"""Search with a language model against a slow reference: all alignments, and the score of the whole text."""

import dataclasses
import itertools
import math
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.decoding import beam
from common.decoding.fusion import FusedSearch, FusionError, Weights, unit_of
from common.decoding.weights import check_weights
from common.language.kneser_ney import train
from common.language.text import SPACE_TOKEN

EXHAUSTIVE = 4**6
LABELS = [" ", "a", "b"]
PAIRS = ["a", " ", "ab", "b"]  # labels of more than one character: a word may be spelled in several ways
SENTENCES = ["a ab", "ab b a", "b", "a a ab", "ab ab b", "bb a", "", "b a ab a"]
MODELS = {
    "word": train([sentence.split() for sentence in SENTENCES], 3)[0],
    "char": train([[SPACE_TOKEN if c == " " else c for c in sentence] for sentence in SENTENCES], 4)[0],
}
HOT = {"ba": 2.5, "ab": -1.0}


def random_emissions(num_slices, num_labels, seed, scale=1.0):
    logits = np.random.default_rng(seed).normal(size=(num_slices, num_labels)) * scale
    return (logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))).astype(np.float32)


def probabilities(model):
    """{tokens: (log10 P, back-off)}, for a look-up by the definition."""
    return {
        tuple(model.tokens[i] for i in row): (log_prob, backoff)
        for level in model.levels()
        for row, log_prob, backoff in zip(level.tokens, level.log_probs.tolist(), level.backoffs.tolist(), strict=True)
    }


TABLES = {unit: probabilities(model) for unit, model in MODELS.items()}


def by_definition(unit, history, token):
    """ln P(token | history), backing off a token at a time."""
    table, model = TABLES[unit], MODELS[unit]
    token = token if (token,) in table else "<unk>"
    history = [each if (each,) in table else "<unk>" for each in history][-(model.order - 1) :]
    total = 0.0
    while (*history, token) not in table:
        total += table.get(tuple(history), (0.0, 0.0))[1]
        history = history[1:]
    return (total + table[(*history, token)][0]) * math.log(10)


def language(unit, tokens):
    history, total = ["<s>"], 0.0
    for token in [*tokens, "</s>"]:
        total += by_definition(unit, history, token)
        history.append(token)
    return total


def knowledge_score(text, unit, weights, words):
    """(all that is added to the acoustic score, ln P of the n-grams); None where the text is not allowed."""
    written = [word for word in text.split(" ") if word]
    listed = set(words) | set(weights.hotwords) if words is not None else None
    added = prob = 0.0
    for word in written:
        added += weights.hotwords.get(word, 0.0)
        if listed is not None and word not in listed:
            if weights.closed:
                return None
            added += weights.unknown_score
    if unit == "word":
        prob = language(unit, [word if word in listed else "<unk>" for word in written])
        added += weights.alpha * prob + weights.beta * len(written)
    elif unit == "char":
        prob = language(unit, [SPACE_TOKEN if c == " " else c for c in text])
        added += weights.alpha * prob + weights.beta * len(text)
    return added, prob


def enumerated(log_probs):
    probs = np.exp(log_probs.astype(np.float64))
    sums = defaultdict(float)
    for path in itertools.product(range(log_probs.shape[1]), repeat=len(log_probs)):
        labels = tuple(label for label, _ in itertools.groupby(path) if label)
        sums[labels] += math.prod(probs[t, label] for t, label in enumerate(path))
    return {labels: math.log(value) for labels, value in sums.items()}


def reference(log_probs, labels, unit, weights, words):
    found = []
    for sequence, acoustic in enumerated(log_probs).items():
        known = knowledge_score("".join(labels[i - 1] for i in sequence), unit, weights, words)
        if known is not None:
            found.append((list(sequence), acoustic + known[0], acoustic, known[1]))
    return sorted(found, key=lambda each: (-each[1], each[0]))


WEIGHTS = st.builds(
    Weights,
    alpha=st.sampled_from([0.0, 0.4, 1.5]),
    beta=st.sampled_from([-1.0, 0.0, 2.0]),
    unknown_score=st.sampled_from([-3.0, 0.0, 1.0]),
    closed=st.booleans(),
    hotwords=st.sampled_from([{}, HOT]),
)


@settings(max_examples=300)
@given(
    st.sampled_from(["word", "char", "none"]),
    WEIGHTS,
    st.sampled_from([None, ["a", "ab", "bb"]]),
    st.sampled_from([LABELS, PAIRS]),
    st.integers(0, 4),
    st.integers(0, 999),
)
def test_exhaustive_search_equals_the_reference(unit, weights, words, labels, num_slices, seed):
    if words is None and unit != "word" and weights.closed:
        with pytest.raises(FusionError, match="closed lexicon needs words"):
            FusedSearch(labels, MODELS.get(unit), unit, weights, words)
        return
    log_probs = random_emissions(num_slices, len(labels) + 1, seed, 1.5)
    listed = [word for word in MODELS["word"].tokens if "<" not in word] if unit == "word" and words is None else words
    expected = reference(log_probs, labels, unit, weights, listed)
    found = FusedSearch(labels, MODELS.get(unit), unit, weights, words).search(log_probs, EXHAUSTIVE, EXHAUSTIVE)
    assert sorted(each.labels for each in found) == sorted(each[0] for each in expected)
    by_labels = {tuple(each[0]): each[1:] for each in expected}
    for each in found:
        assert (each.score, each.acoustic, each.language) == pytest.approx(by_labels[tuple(each.labels)], abs=1e-4)
    scores = [each.score for each in found]
    assert scores == sorted(scores, reverse=True)


def test_the_last_word_and_the_end_are_scored_once():
    # One slice a label, all certain: the text is "ab a", and its score that of the language alone.
    log_probs = np.full((5, 4), -np.inf, np.float32)
    log_probs[range(5), [2, 3, 1, 2, 0]] = 0
    (best,) = FusedSearch(LABELS, MODELS["word"], "word", Weights(alpha=2.0, beta=0.25)).search(log_probs, 10)
    assert "".join(LABELS[i - 1] for i in best.labels) == "ab a"
    assert best.acoustic == pytest.approx(0, abs=1e-6)
    assert best.language == pytest.approx(language("word", ["ab", "a"]), abs=1e-5)
    assert best.score == pytest.approx(2 * best.language + 2 * 0.25, abs=1e-5)


@settings(max_examples=30)
@given(st.integers(0, 30), st.integers(1, 9), st.integers(1, 20), st.integers(0, 999))
def test_without_knowledge_it_is_the_plain_search(num_slices, num_labels, width, seed):
    log_probs = random_emissions(num_slices, num_labels, seed, 2.0)
    labels = [chr(ord("a") + i) for i in range(num_labels - 1)]
    expected = beam.search(log_probs, width, width)
    found = FusedSearch(labels)(log_probs, width, width)
    assert [labels for labels, _ in found] == [labels for labels, _ in expected]
    assert [score for _, score in found] == pytest.approx([score for _, score in expected], abs=1e-5)


@settings(max_examples=30)
@given(st.integers(0, 30), st.sampled_from(["word", "char"]), st.integers(0, 999), st.integers(1, 30))
def test_a_narrow_beam_tells_true_scores(num_slices, unit, seed, width):
    """A narrow beam may lose alignments and texts; what it says of the language is right."""
    log_probs = random_emissions(num_slices, 4, seed, 3.0)
    weights = Weights(0.7, 0.5, -2.0, hotwords=HOT)
    search = FusedSearch(LABELS, MODELS[unit], unit, weights)
    listed = [word for word in MODELS["word"].tokens if "<" not in word] if unit == "word" else None
    for each in search.search(log_probs, width, 5):
        text = "".join(LABELS[i - 1] for i in each.labels)
        added, prob = knowledge_score(text, unit, weights, listed)
        assert each.language == pytest.approx(prob, abs=1e-4)
        assert each.score == pytest.approx(each.acoustic + added, abs=1e-4)


@settings(max_examples=30)
@given(st.integers(1, 5), st.sampled_from(["word", "char"]), st.integers(0, 999), st.sampled_from([0.5, 3.0, 8.0]))
def test_a_margin_drops_what_is_worse_and_nothing_better(num_slices, unit, seed, margin):
    log_probs = random_emissions(num_slices, 4, seed, 3.0)
    weights = Weights(0.5, 0.5, -2.0)
    whole = FusedSearch(LABELS, MODELS[unit], unit, weights)(log_probs, EXHAUSTIVE, EXHAUSTIVE)
    narrow = FusedSearch(LABELS, MODELS[unit], unit, dataclasses.replace(weights, margin=margin))(
        log_probs, EXHAUSTIVE, EXHAUSTIVE
    )
    wide = FusedSearch(LABELS, MODELS[unit], unit, dataclasses.replace(weights, margin=1e6))(
        log_probs, EXHAUSTIVE, EXHAUSTIVE
    )
    assert wide == whole
    assert 1 <= len(narrow) <= len(whole)
    # What stays may have lost alignments, and gained none.
    scores = {tuple(labels): score for labels, score in whole}
    assert all(score <= scores[tuple(labels)] + 1e-4 for labels, score in narrow)


def test_closed_lexicon_writes_its_words_alone():
    search = FusedSearch(LABELS, weights=Weights(closed=True), words=["ab", "bba"])
    for seed in range(30):
        for each in search.search(random_emissions(12, 4, seed), 20, 20):
            assert set("".join(LABELS[i - 1] for i in each.labels).split()) <= {"ab", "bba"}


def test_hotwords_win_with_their_weight():
    # "ab" is nearly as probable as "a"; the bonus decides, and a negative one decides the other way.
    log_probs = np.log([[0.01, 0.01, 0.97, 0.01], [0.55, 0.01, 0.01, 0.43]]).astype(np.float32)

    def text(bonus):
        search = FusedSearch(LABELS, weights=Weights(hotwords={"ab": bonus}))
        return "".join(LABELS[i - 1] for i in search.search(log_probs, 10)[0].labels)

    assert [text(-1.0), text(0.0), text(1.0)] == ["a", "a", "ab"]


def test_other_weights_are_another_search():
    log_probs = random_emissions(20, 4, 3)
    one = FusedSearch(LABELS, MODELS["word"], "word", Weights(0.3, 0.0))
    two = one.with_weights(Weights(1.2, 1.0))
    assert two(log_probs, 30, 5) == FusedSearch(LABELS, MODELS["word"], "word", Weights(1.2, 1.0))(log_probs, 30, 5)
    assert one(log_probs, 30, 5) != two(log_probs, 30, 5)
    with pytest.raises(FusionError, match="hotwords"):
        one.with_weights(Weights(hotwords=HOT))


def test_impossible_emissions_give_the_empty_text():
    search = FusedSearch(LABELS, MODELS["word"], "word", Weights(closed=True))
    (found,) = search.search(np.full((3, 4), -np.inf, np.float32), 10)
    assert (found.labels, found.score) == ([], -math.inf)


@pytest.mark.parametrize(
    ("labels", "unit", "weights", "message"),
    [
        (["a b", "c"], "none", Weights(), "label 'a b'"),
        (["a", "a"], "none", Weights(), "twice"),
        (["a"], "word", Weights(), "not given"),
        (["a"], "words", Weights(), "there are word, char, none"),
        (["a"], "none", Weights(alpha=-1), "alpha is -1; at least 0"),
        (["a"], "none", Weights(beta=math.nan), "beta is nan"),
        (["a"], "none", Weights(hotwords={"a b": 1.0}), "hotword 'a b'"),
        (["a"], "none", Weights(margin=0.0), "margin is 0.0; more than 0"),
    ],
)
def test_what_does_not_go_together_is_refused(labels, unit, weights, message):
    with pytest.raises(FusionError, match=message):
        FusedSearch(labels, None, unit, weights)


def test_unit_of_a_model():
    assert unit_of(MODELS["char"]) == "char"
    assert unit_of(MODELS["word"]) == "word"


@pytest.mark.parametrize("weights", [{"alpha": 1e308}, {"beta": 1e308}, {"beta": -1e308}])
def test_weights_beyond_all_scores_are_refused(weights):
    """Sums of scores overflowed, and texts were empty."""
    with pytest.raises(FusionError, match=r"(alpha|beta) is -?1e\+308; at most 1e\+06 either way"):
        check_weights(Weights(**weights))
