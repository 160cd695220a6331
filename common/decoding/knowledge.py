"""What a search knows of the language, in arrays: a prefix's gain for each label and at each word's end.

The gain is what a label adds to the score beside its acoustic probability. It depends on the prefix alone, so
prefixes can be compared by acoustic score plus gains, and sums over alignments stay exact.

Within a word the gain is a forecast: the best 1-gram (and bonus) of the words that it can still become. At the word's
end the forecast is taken back and its real worth put in: forecasts steer the beam and leave no trace in the results.
"""

from typing import NamedTuple

import numpy as np

from common.decoding.compiled import inlined
from common.language.lexicon import OUTSIDE
from common.language.ngrams import Table, step

NOTHING, WORDS, CHARACTERS = 0, 1, 2


class Knowledge(NamedTuple):
    """A language model, a lexicon, or both.

    Attributes:
        unit: what the n-grams are of: NOTHING (there are none), WORDS or CHARACTERS.
        ngrams: their table.
        alpha: weight of log10 probabilities: the user's alpha · ln 10.
        beta: for each word or character.
        begin: state before a text.
        end, unknown, space: numbers of </s>, <unk> and the blank between words.
        label_tokens: int32 [V, L], characters of each label as tokens, padded with -1. Of CHARACTERS alone.
        words: whether there is a lexicon.
        closed: whether it allows no other words.
        arcs: int32 [N + 1], the first arc of each node of the lexicon's trie; the last is A.
        arc_labels, arc_targets: int32 [A], labels that lead on, ascending for each node, and the nodes they lead to.
        space_label: the label that ends words, or -1.
        tokens: int32 [N + 1], of each node: number of the word that ends there in the model, or -1.
        bonuses: float64 [N], what is added for the word that ends at each node.
        forecasts: float64 [N + 1], at most 0, falling from the root on. The last one is of what no word begins with: of
            node OUTSIDE, by Python's meaning of an index of -1. So for tokens.
        unknown_score: added for each word outside.
        single_spaces: no space where a text or a word begins; needs a lexicon.
        unfinished_score: added where a closed lexicon's text ends within a word.
    """

    unit: int
    ngrams: Table
    alpha: float
    beta: float
    begin: int
    end: int
    unknown: int
    space: int
    label_tokens: np.ndarray
    words: bool
    closed: bool
    arcs: np.ndarray
    arc_labels: np.ndarray
    arc_targets: np.ndarray
    space_label: int
    tokens: np.ndarray
    bonuses: np.ndarray
    forecasts: np.ndarray
    unknown_score: float
    single_spaces: bool
    unfinished_score: float


@inlined
def arc_of(arc_labels, low, end, label):
    """The arc of a label among those from ``low`` to ``end``, or -1."""
    high = end
    while low < high:
        middle = (low + high) // 2
        if arc_labels[middle] < label:
            low = middle + 1
        else:
            high = middle
    return low if low < end and arc_labels[low] == label else -1


@inlined
def target(known, node, label):
    """Node of the lexicon that a label leads to, or OUTSIDE; 0 without a lexicon."""
    if not known.words:
        return np.int32(0)
    if node < 0:
        return np.int32(OUTSIDE)
    arc = arc_of(known.arc_labels, known.arcs[node], known.arcs[node + 1], label)
    return known.arc_targets[arc] if arc >= 0 else np.int32(OUTSIDE)


@inlined
def characters(known, state, label):
    """Score a label's characters by character n-grams. Returns (gain, state, log10 P)."""
    log_prob = 0.0
    num = 0
    for token in known.label_tokens[label]:
        if token < 0:
            break
        value, state = step(known.ngrams, state, token)
        log_prob += value
        num += 1
    return known.alpha * log_prob + known.beta * num, state, log_prob


@inlined
def word_end(known, node, state):
    """End the word that stands at a node of the lexicon; nothing where there is none.

    Returns:
        (gain, state, log10 P of what the n-grams scored); a gain of -inf: not allowed.
    """
    if not known.words or node == 0:
        return 0.0, state, 0.0
    inside = known.tokens[node] >= 0
    if known.closed and not inside:
        return -np.inf, state, 0.0
    gain = (known.bonuses[node] if inside else known.unknown_score) - known.forecasts[node]
    log_prob = 0.0
    if known.unit == WORDS:
        log_prob, state = step(known.ngrams, state, known.tokens[node] if inside else known.unknown)
        gain += known.alpha * log_prob + known.beta
    return gain, state, log_prob


@inlined
def space(known, node, state):
    """Write the space: the word's end, and the character itself. Returns as ``word_end``."""
    if known.single_spaces and node == 0:
        return -np.inf, state, 0.0
    gain, state, log_prob = word_end(known, node, state)
    if known.unit == CHARACTERS:
        value, state = step(known.ngrams, state, known.space)
        log_prob += value
        gain += known.alpha * value + known.beta
    return gain, state, log_prob


@inlined
def text_end(known, node, state):
    """End the text: its last word, and </s>. Returns (gain, log10 P of what the n-grams scored)."""
    if known.closed and node != 0 and known.tokens[node] < 0:
        # Only the beginning of a word: it counts as unknown.
        gain, log_prob = known.unfinished_score - known.forecasts[node], 0.0
        if known.unit == WORDS:
            log_prob, state = step(known.ngrams, state, known.unknown)
            gain += known.alpha * log_prob + known.beta
    else:
        gain, state, log_prob = word_end(known, node, state)
    if known.unit != NOTHING:
        value, state = step(known.ngrams, state, known.end)
        log_prob += value
        gain += known.alpha * value
    return gain, log_prob
