"""Prefix beam search with knowledge of the language: the search of ``common.decoding.beam`` with gains, compiled.

A prefix stands in the beam by its acoustic log-probability, summed over alignments, plus its gains
(``common.decoding.knowledge``). Gains are functions of the prefix alone, kept in the trie of prefixes.
"""

import numpy as np

from common.alphabet import BLANK
from common.decoding import heap
from common.decoding.compiled import compiled
from common.decoding.fusion_beam import NODE, NONE, ROOT, add, find, look_up_space, new
from common.decoding.knowledge import CHARACTERS, arc_of, characters
from common.language.lexicon import OUTSIDE


@compiled
def extended(beam, log_probs, margin, known, most_gain, space_slack):
    """The beam after further slices; the given one must not be used again.

    Slices may come in any portions: the result is the same to the last bit. With no text left it has no prefixes.

    Args:
        beam: as ``common.decoding.fusion_beam.new_beam`` makes it.
        log_probs: float32 [T, V].
        margin: prefixes this much worse than the best one are dropped; infinity: none.
        known: a Knowledge.
        most_gain: no label but the space gains more by character n-grams.
        space_slack: the space gains at most this and the forecast that it takes back.
    """
    num_slices, num_labels = log_probs.shape
    words, space_label, by_character = known.words, known.space_label, known.unit == CHARACTERS
    num_outside = 0 if words and known.closed else num_labels
    arcs, arc_labels, arc_targets, forecasts = known.arcs, known.arc_labels, known.arc_targets, known.forecasts
    nodes, node, blank, last_label, total, ranked, counts = beam
    width = len(node)
    num_nodes, size = counts[0], counts[1]

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
    merged = np.full((width, num_labels), NONE, np.int32)

    for t in range(num_slices):
        row = log_probs[t]
        # 1. Prefixes that stay, with what flows into them from their parents.
        filled = 0
        floor = -np.inf
        for k in range(size):
            here = nodes[node[k]]
            stay_blank[k] = total[k] + row[BLANK]
            stay_last[k] = -np.inf
            if node[k] != ROOT:
                score = last_label[k] + row[here.label]
                above = nodes[here.parent].rank
                if above != NONE:
                    merged[above, here.label] = t
                    source = blank[above] if nodes[here.parent].label == here.label else total[above]
                    score = add(score, source + row[here.label])
                stay_last[k] = score
            score = add(stay_blank[k], stay_last[k]) + here.gain
            floor = max(floor, score - margin)
            if score > -np.inf and score >= floor:
                filled = heap.offer(scores, labels, places, filled, score, here.label, np.int32(k))

        # 2. Labels outside the lexicon that can still enter, best first (insertion sort: few are left on a trained
        # network's emissions); behind a closed lexicon there are none.
        bar = max(floor, scores[0]) if filled == width else floor
        num_order = 0
        for c in range(num_outside):
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
            for i in range(num_order):
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
                look_up_space(known, here)
            score += here.space_gain
            if score > -np.inf and score >= bar:
                filled = heap.offer(scores, labels, places, filled, score, np.int32(c), place)
                floor = max(floor, score - margin)
                bar = max(floor, scores[0]) if filled == width else floor

        if filled == 0:  # no text has a probability
            size = 0
            break

        # 4. The new beam.
        heap.sort(scores, labels, places, filled)
        while scores[filled - 1] < floor:
            filled -= 1
        while num_nodes + filled > len(nodes):
            larger = np.empty(2 * len(nodes), NODE)
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
            child = find(nodes, node[above], labels[k])
            if child == NONE:
                child = np.int32(num_nodes)
                new(nodes, num_nodes, known, node[above], labels[k])
                num_nodes += 1
            new_node[k] = child
            new_blank[k], new_last[k] = -np.inf, source + row[labels[k]]
        for k in range(size):
            nodes[node[k]].rank = NONE
        size = filled
        node, new_node = new_node, node
        blank, new_blank = new_blank, blank
        last_label, new_last = new_last, last_label
        for k in range(size):
            nodes[node[k]].rank = k
            ranked[k] = scores[k]
            total[k] = scores[k] - nodes[node[k]].gain
    counts[0], counts[1] = num_nodes, size
    return nodes, node, blank, last_label, total, ranked, counts
