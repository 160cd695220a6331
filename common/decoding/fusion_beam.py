"""The beam of a search with knowledge of the language: prefixes in a trie with their gains; compiled.

Between two slices a beam is all that the search remembers, so that slices may come in any portions.
"""

import numpy as np

from common.decoding.compiled import compiled, inlined
from common.decoding.knowledge import CHARACTERS, characters, space, target, text_end

ROOT = 0
NONE = -1
_FIRST_CAPACITY = 1024

# A node of the trie of prefixes. rank: its place in the beam, or NONE. word, state: in the lexicon and in the n-grams.
# gain: all gains so far. language: log10 P of what the n-grams scored. space_*: of the prefix and a space; NaN: not
# asked for yet.
NODE = np.dtype(
    [
        ("parent", np.int32),
        ("label", np.int32),
        ("first_child", np.int32),
        ("next_sibling", np.int32),
        ("rank", np.int32),
        ("word", np.int32),
        ("state", np.int32),
        ("space_state", np.int32),
        ("gain", np.float64),
        ("language", np.float64),
        ("space_gain", np.float64),
        ("space_language", np.float64),
    ],
    align=True,
)


@inlined
def add(first, second):
    """log(exp(first) + exp(second))."""
    if first < second:
        first, second = second, first
    # Beyond 40 nats the smaller one is below the last bit of a double.
    if second < first - 40.0 or second == -np.inf:
        return first
    return first + np.log1p(np.exp(second - first))


@inlined
def _fill(node, parent, label, word, state, gain, language):
    node.parent, node.label, node.word, node.state = parent, label, word, state
    node.first_child = node.next_sibling = node.rank = NONE
    node.gain, node.language = gain, language
    node.space_gain = np.nan


@inlined
def look_up_space(known, node):
    node.space_gain, state, node.space_language = space(known, node.word, np.int64(node.state))
    node.space_state = state


@inlined
def find(nodes, above, label):
    """The prefix longer by a label, which may have been pruned, or NONE."""
    child = nodes[above].first_child
    while child != NONE and nodes[child].label != label:
        child = nodes[child].next_sibling
    return child


@inlined
def new(nodes, num_nodes, known, above, label):
    """Make the prefix longer by a label."""
    parent = nodes[above]
    if label == known.space_label:
        if np.isnan(parent.space_gain):
            look_up_space(known, parent)
        gain = parent.space_gain
        word, state, language = np.int32(0), np.int64(parent.space_state), parent.space_language
    else:
        word = target(known, parent.word, label)
        gain, state, language = 0.0, np.int64(parent.state), 0.0
        if known.unit == CHARACTERS:
            gain, state, language = characters(known, state, label)
        if known.words:
            gain += known.forecasts[word] - known.forecasts[parent.word]
    _fill(nodes[num_nodes], above, label, word, state, parent.gain + gain, parent.language + language)
    nodes[num_nodes].next_sibling = parent.first_child
    parent.first_child = num_nodes


@compiled
def new_beam(width, known):
    """Before the first slice: the empty prefix alone.

    Returns:
        nodes: the trie.
        node: int32 [W], of each prefix kept, in order.
        blank, last_label, total, ranked: float64 [W], log P(prefix) with the last slice blank, with it the last label,
            both, and both with the prefix's gains.
        counts: int64 [2], number of nodes and of prefixes kept.
    """
    nodes = np.empty(_FIRST_CAPACITY, NODE)
    _fill(nodes[ROOT], NONE, NONE, 0, known.begin, 0.0, 0.0)
    nodes[ROOT].rank = 0
    blank, total, ranked = np.full(width, -np.inf), np.full(width, -np.inf), np.full(width, -np.inf)
    blank[0] = total[0] = ranked[0] = 0.0
    return nodes, np.zeros(width, np.int32), blank, np.full(width, -np.inf), total, ranked, np.ones(2, np.int64)


@compiled
def worths(beam, known, ended):
    """What each prefix of the beam is worth, in the beam's order, which is not that of the results.

    Args:
        ended: the text ends here. Else its last word may go on, and neither it nor the end is scored.

    Returns:
        float64 [K] each: acoustic score, all gains, log10 P of what the n-grams scored.
    """
    nodes, node, _, _, total, _, counts = beam
    size = counts[1]
    gains, languages = np.zeros(size), np.zeros(size)
    for k in range(size):
        here = nodes[node[k]]
        gain, language = 0.0, 0.0
        if ended:
            gain, language = text_end(known, here.word, np.int64(here.state))
        elif known.words:
            gain = -known.forecasts[here.word]
        gains[k], languages[k] = here.gain + gain, here.language + language
    return total[:size].copy(), gains, languages


@compiled
def texts(beam, chosen):
    """The prefixes at some places of a beam: labels int32 [K, L], zero behind each length; lengths int32 [K]."""
    nodes, node, _, _, _, _, _ = beam
    num = len(chosen)
    lengths = np.zeros(num, np.int32)
    longest = 0
    for i in range(num):
        n = node[chosen[i]]
        while n != ROOT:
            n = nodes[n].parent
            lengths[i] += 1
        longest = max(longest, lengths[i])
    labels = np.zeros((num, longest), np.int32)
    for i in range(num):
        n = node[chosen[i]]
        for at in range(lengths[i] - 1, -1, -1):
            labels[i, at] = nodes[n].label
            n = nodes[n].parent
    return labels, lengths
