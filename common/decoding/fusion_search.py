"""Prefix beam search with knowledge of the language: the search of ``common.decoding.beam`` with gains, compiled.

A prefix stands in the beam by its acoustic log-probability, summed over alignments, plus its gains
(``common.decoding.knowledge``). Gains are functions of the prefix alone, kept in the trie of prefixes.
"""

import numpy as np

from common.alphabet import BLANK
from common.decoding import heap
from common.decoding.compiled import compiled, inlined
from common.decoding.knowledge import CHARACTERS, arc_of, characters, space, target, text_end
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


@inlined
def _add(first, second):
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
    node.first_child = node.next_sibling = node.rank = _NONE
    node.gain, node.language = gain, language
    node.space_gain = np.nan


@inlined
def _look_up_space(known, node):
    node.space_gain, state, node.space_language = space(known, node.word, np.int64(node.state))
    node.space_state = state


@inlined
def _find(nodes, above, label):
    """The prefix longer by a label, which may have been pruned, or _NONE."""
    child = nodes[above].first_child
    while child != _NONE and nodes[child].label != label:
        child = nodes[child].next_sibling
    return child


@inlined
def _new(nodes, num_nodes, known, above, label):
    """Make the prefix longer by a label."""
    parent = nodes[above]
    if label == known.space_label:
        if np.isnan(parent.space_gain):
            _look_up_space(known, parent)
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
def fused_search(log_probs, width, margin, known, most_gain, space_slack):
    """The beam behind the last slice.

    Args:
        log_probs: float32 [T, V].
        width: prefixes kept.
        margin: those this much worse than the best one are dropped; infinity: none.
        known: a Knowledge.
        most_gain: no label but the space gains more by character n-grams.
        space_slack: the space gains at most this and the forecast that it takes back.

    Returns:
        nodes of the beam's prefixes (int32), their acoustic scores, their gains with the text's end, their log10 P of
        the n-grams; parent and label of all nodes. In the beam's order, which is not that of the results.
    """
    num_slices, num_labels = log_probs.shape
    words, space_label, by_character = known.words, known.space_label, known.unit == CHARACTERS
    arcs, arc_labels, arc_targets, forecasts = known.arcs, known.arc_labels, known.arc_targets, known.forecasts
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
        floor = -np.inf
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
            floor = max(floor, score - margin)
            if score > -np.inf and score >= floor:
                filled = heap.offer(scores, labels, places, filled, score, here.label, np.int32(k))

        # 2. Labels that can still enter, best first (insertion sort: few are left on a trained network's emissions).
        bar = max(floor, scores[0]) if filled == width else floor
        num_order = 0
        for c in range(num_labels):
            if c in (BLANK, space_label) or row[c] == -np.inf or ranked[0] + row[c] + most_gain < bar:
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
            forecast = forecasts[here.word] if words else 0.0
            first, end = (arcs[here.word], arcs[here.word + 1]) if words and here.word >= 0 else (0, 0)
            # Within the lexicon: labels that words go on with.
            for arc in range(first, end):
                c = arc_labels[arc]
                score = (blank[k] if c == here.label else total[k]) + row[c] + here.gain
                score += forecasts[arc_targets[arc]] - forecast
                if score == -np.inf or score + most_gain < bar or merged[k, c] == t:
                    continue
                if by_character:
                    score += characters(known, np.int64(here.state), c)[0]
                if score >= bar:
                    filled = heap.offer(scores, labels, places, filled, score, c, place)
                    floor = max(floor, score - margin)
                    bar = max(floor, scores[0]) if filled == width else floor
            # All others, which lead outside; all there are without a lexicon.
            outside = forecasts[OUTSIDE] - forecast if words else 0.0
            for i in range(0 if words and known.closed else num_order):
                c = order[i]
                if ranked[k] + row[c] + outside + most_gain < bar:
                    break
                if merged[k, c] == t or (first < end and arc_of(arc_labels, first, end, c) >= 0):
                    continue
                score = (blank[k] if c == here.label else total[k]) + row[c] + here.gain + outside
                if score == -np.inf or score + most_gain < bar:
                    continue
                if by_character:
                    score += characters(known, np.int64(here.state), c)[0]
                if score >= bar:
                    filled = heap.offer(scores, labels, places, filled, score, c, place)
                    floor = max(floor, score - margin)
                    bar = max(floor, scores[0]) if filled == width else floor
            # The space.
            c = space_label
            if c < 0 or merged[k, c] == t:
                continue
            score = (blank[k] if c == here.label else total[k]) + row[c] + here.gain
            if score == -np.inf or score + space_slack - forecast < bar:
                continue
            if np.isnan(here.space_gain):
                _look_up_space(known, here)
            score += here.space_gain
            if score > -np.inf and score >= bar:
                filled = heap.offer(scores, labels, places, filled, score, np.int32(c), place)
                floor = max(floor, score - margin)
                bar = max(floor, scores[0]) if filled == width else floor

        if filled == 0:  # no text has a probability
            return _nothing(nodes)

        # 4. The new beam.
        heap.sort(scores, labels, places, filled)
        while scores[filled - 1] < floor:
            filled -= 1
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
            child = _find(nodes, node[above], labels[k])
            if child == _NONE:
                child = np.int32(num_nodes)
                _new(nodes, num_nodes, known, node[above], labels[k])
                num_nodes += 1
            new_node[k] = child
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
