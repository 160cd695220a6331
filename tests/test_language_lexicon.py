"""The trie of a word list, against sets of strings."""

import tracemalloc

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from common.language.lexicon import build_lexicon, label_arcs


def follow(arcs, node, label):
    """Where the label's arc leads, or -1."""
    for arc in range(arcs.first[node], arcs.first[node + 1]):
        if arcs.labels[arc] == label:
            return int(arcs.targets[arc])
    return -1


@settings(max_examples=200)
@given(st.lists(st.text("abc\U0001f600", max_size=5), max_size=12))
def test_beginnings_words_and_the_best_below(words):
    lexicon = build_lexicon(words)
    labels = ["c", "ab", "a", "\U0001f600", "b", "bca", "x"]
    arcs = label_arcs(lexicon, labels)
    own = sorted(set(words) - {""})
    beginnings = {word[:length] for word in own for length in range(len(word) + 1)} | {""}
    assert list(lexicon.words) == own
    assert len(lexicon.table.word) == len(beginnings)
    best = lexicon.best_below(np.arange(len(own), dtype=float))
    nodes = {"": 0}
    for beginning in sorted(beginnings, key=len):
        if beginning:
            nodes[beginning] = follow(arcs, nodes[beginning[:-1]], labels.index(beginning[-1]) + 1)
        node = nodes[beginning]
        assert node >= 0
        assert lexicon.table.word[node] == (own.index(beginning) if beginning in own else -1)
        assert best[node] == max((i for i, word in enumerate(own) if word.startswith(beginning)), default=-np.inf)
    assert len(set(nodes.values())) == len(beginnings)
    for beginning in beginnings:
        for number, label in enumerate(labels, 1):
            assert follow(arcs, nodes[beginning], number) == nodes.get(beginning + label, -1)


def test_one_long_word_does_not_cost_its_length_for_each_word():
    """Texts from the net hold addresses and worse."""
    words = [*map(str, range(5000)), "x" * 5000]
    tracemalloc.start()
    lexicon = build_lexicon(words)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(lexicon.words) == 5001 and lexicon.words[-1] == "x" * 5000
    assert peak < 10e6
