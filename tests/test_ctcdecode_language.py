"""ctcdecode's interface with a language model: against all alignments, its own golden answers, and in chunks."""

import itertools
import json
import math
import os
from collections import defaultdict
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.decoding import CTCBeamDecoder, DecoderState, OnlineCTCBeamDecoder
from common.decoding.cutoffs import cut
from common.language.arpa import read_arpa, write_arpa
from common.language.kneser_ney import train
from common.language.text import SPACE_TOKEN

LN10 = math.log(10)
LABELS = ["_", " ", "a", "b"]
PAIRS = ["a", "ab", "_", " ", "b"]  # the blank in the middle, a label of two characters
SENTENCES = ["a ab", "ab b a", "b", "a a ab", "ab ab b", "bb a", "", "b a ab a"]
EXHAUSTIVE = 5000
GOLDEN = Path(os.environ.get("GLYPHONE_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")
GOLDEN = GOLDEN / "decoding" / "ctcdecode_golden.json"


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Paths of a word and a character model."""
    folder = tmp_path_factory.mktemp("models")
    texts = {"word": [text.split() for text in SENTENCES], "char": [list(text) for text in SENTENCES]}
    texts["char"] = [[SPACE_TOKEN if c == " " else c for c in text] for text in texts["char"]]
    for unit, sentences in texts.items():
        write_arpa(folder / f"{unit}.arpa", train(sentences, 3)[0])
    return {unit: str(folder / f"{unit}.arpa") for unit in texts}


read = cache(read_arpa)


def emissions(num_samples, num_slices, num_labels=4, seed=0, scale=1.5):
    logits = np.random.default_rng(seed).normal(size=(num_samples, num_slices, num_labels)) * scale
    return (logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))).astype(np.float32)


def acoustic_scores(log_probs, blank):
    """{labels: ln P}, summed over all alignments."""
    sums = defaultdict(float)
    for path in itertools.product(range(log_probs.shape[1]), repeat=len(log_probs)):
        labels = tuple(label for label, _ in itertools.groupby(path) if label != blank)
        sums[labels] += math.exp(sum(float(log_probs[t, label]) for t, label in enumerate(path)))
    return {labels: math.log(value) for labels, value in sums.items() if value > 0}


def language_score(text, model, unit, alpha, beta, ended=True):
    """What is added to the acoustic score; None: not written."""
    if unit == "char":
        tokens = [SPACE_TOKEN if c == " " else c for c in text]
        return alpha * LN10 * sum(model.score(tokens, end=ended)) + beta * len(tokens)
    if text.startswith(" ") or "  " in text:
        return None
    words, known = text.split(), [token for token in model.tokens if "<" not in token]
    last = [words.pop()] if words and not text.endswith(" ") else []
    if not set(words) <= set(known) or (last and not any(word.startswith(last[0]) for word in known)):
        return None
    added = -1000.0 if ended and last and last[0] not in known else 0.0
    words += last if ended else []
    return added + alpha * LN10 * sum(model.score(words, end=ended)) + beta * len(words)


def expected_beams(log_probs, labels, blank, model, unit, alpha, beta, ended=True):
    found = []
    for sequence, acoustic in acoustic_scores(log_probs, blank).items():
        added = language_score("".join(labels[i] for i in sequence), model, unit, alpha, beta, ended)
        if added is not None:
            found.append((-(acoustic + added), list(sequence)))
    return sorted(found)


def beams(answer, b=0):
    labels, scores, _, lengths = answer
    return [
        (float(score), row[:length].tolist())
        for row, score, length in zip(labels[b], scores[b], lengths[b], strict=True)
        if score < math.inf
    ]


def same_beams(found, expected):
    assert sorted(labels for _, labels in found) == sorted(labels for _, labels in expected)
    scores = {tuple(labels): score for score, labels in expected}
    assert [score for score, _ in found] == pytest.approx([scores[tuple(labels)] for _, labels in found], rel=1e-5)
    assert [score for score, _ in found] == sorted(score for score, _ in found)


@settings(max_examples=80)
@given(
    st.sampled_from(["word", "char"]),
    st.sampled_from([(LABELS, 0), (PAIRS, 2)]),
    st.integers(0, 4),
    st.sampled_from([(0.0, 0.0), (0.5, 1.0), (2.0, -0.5)]),
    st.integers(0, 999),
    st.sampled_from([2, 40]),
    st.booleans(),
)
def test_equals_all_alignments_and_the_whole_text(models, unit, alphabet, num_slices, weights, seed, top_n, ended):
    labels, blank = alphabet
    log_probs = emissions(1, num_slices, len(labels), seed)
    arguments = {"blank_id": blank, "log_probs_input": True, "cutoff_top_n": top_n, "beam_width": EXHAUSTIVE}
    expected = expected_beams(
        cut(log_probs[0], top_n, 1.0), labels, blank, read(models[unit]), unit, *weights, ended=ended
    )
    decoder = OnlineCTCBeamDecoder(labels, models[unit], *weights, **arguments)
    same_beams(beams(decoder.decode(log_probs, [DecoderState(decoder)], [ended])), expected)
    if ended:
        same_beams(beams(CTCBeamDecoder(labels, models[unit], *weights, **arguments).decode(log_probs)), expected)


@settings(max_examples=40)
@given(
    st.sampled_from(["word", "char"]),
    st.integers(0, 30),
    st.lists(st.integers(0, 30), max_size=5),
    st.integers(0, 999),
    st.sampled_from([3, 4]),
)
def test_chunking_changes_nothing(models, unit, num_slices, cuts, seed, top_n):
    log_probs = emissions(1, num_slices, seed=seed)
    arguments = {"alpha": 0.7, "beta": 0.4, "beam_width": 9, "log_probs_input": True, "cutoff_top_n": top_n}
    expected = CTCBeamDecoder(LABELS, models[unit], **arguments).decode(log_probs)
    decoder = OnlineCTCBeamDecoder(LABELS, models[unit], **arguments)
    whole, chunked = DecoderState(decoder), DecoderState(decoder)
    borders = [0, *sorted(min(cut, num_slices) for cut in cuts), num_slices]
    for number, (start, end) in enumerate(pairwise(borders), 1):
        found = decoder.decode(log_probs[:, start:end], [chunked], [number == len(borders) - 1])
    room = found[0].shape[2]
    assert (expected[3] <= room).all()
    for ours, theirs in zip(found, expected, strict=True):
        assert (ours == (theirs[..., :room] if theirs.ndim == 3 else theirs)).all()
    running = decoder.decode(log_probs, [whole], [False])
    again = DecoderState(decoder)
    for start, end in pairwise(borders):
        parts = decoder.decode(log_probs[:, start:end], [again], [False])
    for ours, theirs in zip(parts, running, strict=True):
        assert (ours == theirs).all()


@settings(max_examples=15)
@given(st.integers(1, 5), st.integers(0, 999), st.sampled_from(["word", "char"]))
def test_threads_batch_and_order_change_nothing(models, num_samples, seed, unit):
    log_probs = emissions(num_samples, 15, seed=seed)
    generator = np.random.default_rng(seed)
    seq_lens, order = generator.integers(0, 16, num_samples), generator.permutation(num_samples)
    arguments = {"alpha": 0.7, "beta": 0.4, "beam_width": 7, "log_probs_input": True}
    expected = CTCBeamDecoder(LABELS, models[unit], num_processes=1, **arguments).decode(log_probs, seq_lens)
    threaded = CTCBeamDecoder(LABELS, models[unit], num_processes=3, **arguments)
    for ours, theirs in zip(threaded.decode(log_probs[order], seq_lens[order]), expected, strict=True):
        assert (ours == theirs[order]).all()
    assert all((np.diff(row[:n]) > 0).all() for row, n in zip(expected[2][0], expected[3][0], strict=True))


def test_questions_and_new_weights(models):
    arguments = {"log_probs_input": True, "beam_width": 12}
    word = CTCBeamDecoder(LABELS, models["word"], 0.3, 0.1, **arguments)
    # a, ab, b, bb; without "b" among the labels only a.
    assert (word.character_based(), word.max_order(), word.dict_size()) == (False, 3, 4)
    assert CTCBeamDecoder(["_", " ", "a"], models["word"]).dict_size() == 1
    assert CTCBeamDecoder(["_", " ", "a", "ab"], models["word"]).dict_size() == 2
    char = CTCBeamDecoder(LABELS, models["char"])
    assert (char.character_based(), char.max_order(), char.dict_size()) == (True, 3, 0)
    log_probs = emissions(2, 12, seed=4)
    before = word.decode(log_probs)
    word.reset_params(1.5, 2.0)
    found = word.decode(log_probs)
    for ours, theirs in zip(
        found, CTCBeamDecoder(LABELS, models["word"], 1.5, 2.0, **arguments).decode(log_probs), strict=True
    ):
        assert (ours == theirs).all()
    assert (found[1] != before[1]).any()
    with pytest.raises(ValueError, match="alpha is -1"):
        word.reset_params(-1.0, 0.0)
    assert (word.decode(log_probs)[1] == found[1]).all()


def test_a_stream_keeps_the_weights_that_it_began_with(models):
    log_probs = emissions(1, 10, seed=5)
    decoder = OnlineCTCBeamDecoder(LABELS, models["word"], 0.3, 0.1, log_probs_input=True)
    state = DecoderState(decoder)
    decoder.decode(log_probs[:, :4], [state], [False])
    decoder.reset_params(3.0, 3.0)
    found = decoder.decode(log_probs[:, 4:], [state], [True])
    assert beams(found) == beams(
        CTCBeamDecoder(LABELS, models["word"], 0.3, 0.1, log_probs_input=True).decode(log_probs)
    )


def test_what_a_model_or_labels_lack_is_told(models, tmp_path):
    (tmp_path / "broken.arpa").write_text("\\data\\\nngram 1=x\n", encoding="utf-8")
    (tmp_path / "model.bin").write_bytes(b"mmap lm http://kheafield.com/code format version 5\n\x00rest")
    for path, message in [
        (tmp_path / "missing.arpa", r"missing\.arpa'\)?: No such file"),
        (tmp_path, "Is a directory"),
        (tmp_path / "broken.arpa", r"broken\.arpa, line 2"),
        (tmp_path / "model.bin", "a binary of KenLM; the ARPA file"),
        (7, "model_path is 7"),
    ]:
        with pytest.raises(ValueError, match=message):
            CTCBeamDecoder(LABELS, path)
    for labels, message in [
        (["_", " ", "x"], "the labels spell none of its words"),
        (["_", "a", "a"], "labels stand twice"),
        (["_", "a", ""], "label ''"),
        (["_", "a b"], "label 'a b'"),
    ]:
        with pytest.raises(ValueError, match=message):
            CTCBeamDecoder(labels, models["word"])
    # Of another case, no character is known: without a word, the cheapest texts would be empty or blanks.
    with pytest.raises(ValueError, match="the labels spell none of its characters; they must be of the same case"):
        CTCBeamDecoder(["_", " ", "A", "B"], models["char"])
    assert CTCBeamDecoder(["_", "A", "xb"], models["char"]).character_based()
    with pytest.raises(ValueError, match=r"alpha is -0\.5; at least 0"):
        CTCBeamDecoder(LABELS, models["word"], -0.5)


# The original's golden answers. Its score of a beam holds no sentence end, counts the last word in the score but not in
# the order, and takes beta for every character off again: what is left is the acoustic score, beta for words and
# alpha · ln P(</s>).


@pytest.fixture(scope="module")
def golden(tmp_path_factory):
    """(source, params, unit, model, path, b, item) of each sample decoded with a language model."""
    if not GOLDEN.exists():
        pytest.skip("no decoding/ctcdecode_golden.json in GLYPHONE_DATA")
    content = json.loads(GOLDEN.read_text(encoding="utf-8"))
    paths = {unit: tmp_path_factory.mktemp("golden") / f"{unit}.arpa" for unit in content["lms"]}
    for unit, path in paths.items():
        path.write_text(content["lms"][unit], encoding="utf-8")
    return [
        (
            content["inputs"][run["input"]],
            run["params"],
            run["lm"],
            read_arpa(paths[run["lm"]]),
            paths[run["lm"]],
            b,
            item,
        )
        for run in content["runs"]
        if run["lm"] is not None
        for b, item in enumerate(run["items"])
    ]


def ours_of(source, params, path):
    arguments = {**params}
    seq_lens = arguments.pop("seq_lens", None)
    probs = np.array(source["probs"])
    probs = (np.log(probs) if params.get("log_probs_input") else probs).astype(np.float32)
    return CTCBeamDecoder(source["labels"], path, **arguments).decode(probs, seq_lens)


def cut_emissions(source, params, b):
    log_probs = np.log(np.array(source["probs"][b])).astype(np.float32)[: params.get("seq_lens", {b: None})[b]]
    return cut(log_probs, params["cutoff_top_n"], 1.0)


def theirs_of(source, params, unit, model, item):
    """{labels: (acoustic score, whole score)} that the original's answers say, of texts that end in a whole word."""
    found = {}
    for labels, score in zip(item["labels"], item["scores"], strict=False):
        text = "".join(source["labels"][label] for label in labels)
        tokens = text.split() if unit == "word" else list(text)
        if not set(tokens) <= set(model.tokens):
            continue
        end = params["alpha"] * LN10 * model.score(tokens)[-1]
        acoustic = -score - (params["beta"] * (len(tokens) - len(text)) if unit == "word" else 0.0) + end
        added = language_score(text, model, unit, params["alpha"], params["beta"])
        found[tuple(labels)] = acoustic, -(acoustic + added)
    return found


def exact(log_probs, labels):
    """ln P(labels), summed over all alignments: the forward algorithm."""
    states = np.zeros(2 * len(labels) + 1, int)
    states[1::2] = labels
    alpha = np.full(len(states) + 2, -np.inf)
    alpha[2] = 0.0
    jump = np.where((states > 0) & (states != np.append([0, 0], states[:-2])), 0.0, -np.inf)
    for t, row in enumerate(log_probs.astype(np.float64)):
        here, before, two_before = alpha[2:], alpha[1:-1], alpha[:-2] + jump
        if t == 0:  # a path begins with the blank or the first label
            before, two_before = np.where(np.arange(len(states)) == 1, 0.0, -np.inf), np.full(len(states), -np.inf)
        alpha[2:] = np.logaddexp(np.logaddexp(here, before), two_before) + row[states]
    return np.logaddexp(alpha[-1], alpha[-2] if len(states) > 1 else -np.inf)


def test_golden_texts_scores_and_order_where_the_original_lost_no_alignment(golden):
    compared = best = 0
    for source, params, unit, model, path, b, item in golden:
        answer = ours_of(source, params, path)
        log_probs = cut_emissions(source, params, b)
        ours = {tuple(labels): score for score, labels in beams(answer, b)}
        theirs = theirs_of(source, params, unit, model, item)
        right = {
            labels: score
            for labels, (acoustic, score) in theirs.items()
            if acoustic == pytest.approx(exact(log_probs, labels), rel=1e-5)
        }
        assert set(right) <= set(ours)
        for labels, score in right.items():
            assert ours[labels] == pytest.approx(score, rel=1e-4)
        order = sorted(right, key=right.__getitem__)
        assert [labels for labels in ours if labels in right] == order
        compared += len(right)
        # The best text is the best of what the original found, whatever it lost of it.
        assert next(iter(ours)) == min(theirs, key=lambda labels: theirs[labels][1])
        best += 1
    assert compared >= 40 and best == 18


def test_meant_difference_the_last_word_and_the_end_count_in_the_order(golden):
    disordered = 0
    for source, params, unit, model, path, b, item in golden:
        said = [score for _, score in theirs_of(source, params, unit, model, item).values()]
        disordered += said != sorted(said)
        scores = ours_of(source, params, path)[1][b]
        assert (np.diff(scores[np.isfinite(scores)]) >= 0).all()
    assert disordered > 10


def test_meant_difference_scores_count_the_end_once_and_beta_by_words(golden):
    for source, params, unit, model, path, b, _ in golden:
        log_probs = cut_emissions(source, params, b)
        for score, labels in beams(ours_of(source, params, path), b):
            text = "".join(source["labels"][label] for label in labels)
            added = language_score(text, model, unit, params["alpha"], params["beta"])
            # A narrow beam may have lost alignments, and gains none.
            assert -score - added <= exact(log_probs, labels) + 2e-4


def test_meant_difference_texts_that_end_within_a_word_come_last(golden):
    scored_as_best = 0
    for source, params, unit, model, path, b, item in golden:
        whole = [
            unit == "char" or not labels or text_of(source, labels).split()[-1] in model.tokens
            for _, labels in beams(ours_of(source, params, path), b)
        ]
        assert whole == sorted(whole, reverse=True) and whole[0]
        scored_as_best += sum(score < 0 for score in item["scores"])
    # Its score takes -1000 for an unknown word off more often than it adds it.
    assert scored_as_best > 50


def text_of(source, labels):
    return "".join(source["labels"][label] for label in labels)


def test_a_text_cut_off_within_a_word_is_still_found(tmp_path):
    write_arpa(tmp_path / "model.arpa", train([["bb", "ab"], ["ab"]], 2)[0])
    certain = np.full((1, 3, 4), -np.inf, np.float32)
    certain[0, range(3), [2, 3, 1]] = 0.0
    decoder = CTCBeamDecoder(LABELS, tmp_path / "model.arpa", 1.0, 0.5, log_probs_input=True)
    assert [labels for _, labels in beams(decoder.decode(certain))] == [[2, 3, 1]]
    ((score, labels),) = beams(decoder.decode(certain, [1]))
    assert labels == [2]
    model = read_arpa(tmp_path / "model.arpa")
    assert score == pytest.approx(-language_score("a", model, "word", 1.0, 0.5), rel=1e-6)
