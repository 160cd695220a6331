"""Prefix beam search with knowledge of the language: the search of ``common.decoding.beam`` with gains, compiled.

A prefix stands in the beam by its acoustic log-probability, summed over alignments, plus its gains
(``common.decoding.knowledge``). Gains are functions of the prefix alone, kept in the trie of prefixes.
"""

import numpy as np

from common.alphabet import BLANK
from common.decoding import heap
from common.decoding.compiled import compiled
from common.decoding.knowledge import CHARACTERS, characters, forecast, space, target, text_end
from common.language.lexicon import OUTSIDE

_ROOT = 0
_NONE = -1
_FIRST_CAPACITY = 1024

# A node of the trie of prefixes. rank: its place in the beam, or _NONE. word, state: in the lexicon and in the n-grams.
# gain: all gains so far. language: log10 P of what the n-grams scored. space_*: of the prefix and a space; NaN: not
# asked for yet.
_NODE = np.dtype(
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


@compiled
def _add(first, second):
    """log(exp(first) + exp(second))."""
    if first < second:
        first, second = second, first
    # Beyond 40 nats the smaller one is below the last bit of a double.
    if second < first - 40.0 or second == -np.inf:
        return first
    return first + np.log1p(np.exp(second - first))


@compiled
def _fill(node, parent, label, word, state, gain, language):
    node.parent, node.label, node.word, node.state = parent, label, word, state
    node.first_child = node.next_sibling = node.rank = _NONE
    node.gain, node.language = gain, language
    node.space_gain = np.nan


@compiled
def _space_gain(known, node):
    """Gain of a space behind the prefix; looked up once."""
    if np.isnan(node.space_gain):
        node.space_gain, state, node.space_language = space(known, node.word, node.state)
        node.space_state = state
    return node.space_gain


@compiled
def _child(nodes, num_nodes, known, above, label):
    """(node of the prefix longer by a label, number of nodes): a pruned one comes back, else a new one is filled."""
    child = nodes[above].first_child
    while child != _NONE:
        if nodes[child].label == label:
            return child, num_nodes
        child = nodes[child].next_sibling
    parent = nodes[above]
    if label == known.space_label:
        gain = _space_gain(known, parent)
        word, state, language = np.int32(0), np.int64(parent.space_state), parent.space_language
    else:
        word = target(known, parent.word, label)
        gain, state, language = 0.0, np.int64(parent.state), 0.0
        if known.unit == CHARACTERS:
            gain, state, language = characters(known, state, label)
        if known.words:
            gain += forecast(known, word) - forecast(known, parent.word)
    _fill(nodes[num_nodes], above, label, word, state, parent.gain + gain, parent.language + language)
    nodes[num_nodes].next_sibling = parent.first_child
    nodes[above].first_child = num_nodes
    return np.int32(num_nodes), num_nodes + 1


@compiled
def fused_search(log_probs, width, known, most_gain, space_slack):
    """The beam behind the last slice.

    Args:
        log_probs: float32 [T, V].
        width: prefixes kept.
        known: a Knowledge.
        most_gain: no label but the space gains more by character n-grams.
        space_slack: the space gains at most this and the forecast that it takes back.

    Returns:
        nodes of the beam's prefixes (int32), their acoustic scores, their gains with the text's end, their log10 P of
        the n-grams; parent and label of all nodes. In the beam's order, which is not that of the results.
    """
    num_slices, num_labels = log_probs.shape
    nodes = np.empty(_FIRST_CAPACITY, _NODE)
    _fill(nodes[_ROOT], _NONE, _NONE, 0, known.begin, 0.0, 0.0)
    num_nodes = 1

    # The beam, in order: node, log P(prefix, last slice blank), log P(prefix, last slice its label), their sum, sum
    # and gains.
    node = np.zeros(width, np.int32)
    blank = np.full(width, -np.inf)
    last_label = np.full(width, -np.inf)
    total = np.full(width, -np.inf)
    ranked = np.full(width, -np.inf)
    blank[0] = total[0] = ranked[0] = 0.0
    nodes[_ROOT].rank = 0
    size = 1

    new_node = np.zeros(width, np.int32)
    new_blank = np.full(width, -np.inf)
    new_last = np.full(width, -np.inf)
    stay_blank = np.full(width, -np.inf)
    stay_last = np.full(width, -np.inf)
    # What is to survive. place < width: the prefix at that rank stays; else the one at place - width grows by label.
    scores = np.full(width, -np.inf)
    labels = np.zeros(width, np.int32)
    places = np.zeros(width, np.int32)
    order = np.zeros(num_labels, np.int32)
    # merged[rank, label] == t: the prefix longer by label is in the beam itself and has got this extension already.
    merged = np.full((width, num_labels), _NONE, np.int32)

    for t in range(num_slices):
        row = log_probs[t]
        # 1. Prefixes that stay, with what flows into them from their parents.
        filled = 0
        for k in range(size):
            here = nodes[node[k]]
            stay_blank[k] = total[k] + row[BLANK]
            stay_last[k] = -np.inf
            if node[k] != _ROOT:
                score = last_label[k] + row[here.label]
                above = nodes[here.parent].rank
                if above != _NONE:
                    merged[above, here.label] = t
                    source = blank[above] if nodes[here.parent].label == here.label else total[above]
                    score = _add(score, source + row[here.label])
                stay_last[k] = score
            score = _add(stay_blank[k], stay_last[k]) + here.gain
            if score > -np.inf:
                filled = heap.offer(scores, labels, places, filled, score, here.label, np.int32(k))

        # 2. Labels that can still enter, best first (insertion sort: few are left on a trained network's emissions).
        bar = scores[0] if filled == width else -np.inf
        num_order = 0
        for c in range(num_labels):
            if c in (BLANK, known.space_label) or row[c] == -np.inf or ranked[0] + row[c] + most_gain < bar:
                continue
            at = num_order
            while at > 0 and row[order[at - 1]] < row[c]:
                order[at] = order[at - 1]
                at -= 1
            order[at] = c
            num_order += 1

        # 3. Prefixes longer by one label.
        for k in range(size):
            here = nodes[node[k]]
            place = np.int32(width + k)
            outside = forecast(known, here.word) if known.words else 0.0
            inside = known.words and here.word >= 0
            # Within the lexicon: labels that words go on with.
            for arc in range(known.arcs[here.word], known.arcs[here.word + 1]) if inside else range(0):
                c = known.arc_labels[arc]
                score = (blank[k] if c == here.label else total[k]) + row[c] + here.gain
                score += known.forecasts[known.arc_targets[arc]] - outside
                if score == -np.inf or (filled == width and score + most_gain < scores[0]) or merged[k, c] == t:
                    continue
                if known.unit == CHARACTERS:
                    score += characters(known, np.int64(here.state), c)[0]
                filled = heap.offer(scores, labels, places, filled, score, c, place)
            # All others, which lead outside; all there are without a lexicon.
            if known.words:
                outside = known.unknown_forecast - outside
            for i in range(0 if known.words and known.closed else num_order):
                c = order[i]
                if filled == width and ranked[k] + row[c] + outside + most_gain < scores[0]:
                    break
                if merged[k, c] == t or (inside and target(known, here.word, c) != OUTSIDE):
                    continue
                score = (blank[k] if c == here.label else total[k]) + row[c] + here.gain + outside
                if score == -np.inf or (filled == width and score + most_gain < scores[0]):
                    continue
                if known.unit == CHARACTERS:
                    score += characters(known, np.int64(here.state), c)[0]
                filled = heap.offer(scores, labels, places, filled, score, c, place)
            # The space.
            c = known.space_label
            if c < 0 or merged[k, c] == t:
                continue
            score = (blank[k] if c == here.label else total[k]) + row[c] + here.gain
            slack = space_slack - (forecast(known, here.word) if known.words else 0.0)
            if score == -np.inf or (filled == width and score + slack < scores[0]):
                continue
            score += _space_gain(known, here)
            if score > -np.inf:
                filled = heap.offer(scores, labels, places, filled, score, np.int32(c), place)

        if filled == 0:  # no text has a probability
            return _nothing(nodes)

        # 4. The new beam.
        heap.sort(scores, labels, places, filled)
        while num_nodes + filled > len(nodes):
            larger = np.empty(2 * len(nodes), _NODE)
            larger[: len(nodes)] = nodes
            nodes = larger
        for k in range(filled):
            place = places[k]
            if place < width:
                new_node[k] = node[place]
                new_blank[k], new_last[k] = stay_blank[place], stay_last[place]
                continue
            above = place - width
            source = blank[above] if labels[k] == nodes[node[above]].label else total[above]
            new_node[k], num_nodes = _child(nodes, num_nodes, known, node[above], labels[k])
            new_blank[k], new_last[k] = -np.inf, source + row[labels[k]]
        for k in range(size):
            nodes[node[k]].rank = _NONE
        size = filled
        node, new_node = new_node, node
        blank, new_blank = new_blank, blank
        last_label, new_last = new_last, last_label
        for k in range(size):
            nodes[node[k]].rank = k
            ranked[k] = scores[k]
            total[k] = scores[k] - nodes[node[k]].gain

    gains = np.zeros(size)
    languages = np.zeros(size)
    for k in range(size):
        here = nodes[node[k]]
        gain, language = text_end(known, here.word, np.int64(here.state))
        gains[k], languages[k] = here.gain + gain, here.language + language
    return (
        node[:size].copy(),
        total[:size].copy(),
        gains,
        languages,
        nodes["parent"][:num_nodes],
        nodes["label"][:num_nodes],
    )


@compiled
def _nothing(nodes):
    impossible = np.full(1, -np.inf)
    return np.zeros(1, np.int32), impossible, np.zeros(1), np.zeros(1), nodes["parent"][:1], nodes["label"][:1]
