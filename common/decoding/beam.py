"""Exact CTC prefix beam search: a prefix's probability is the sum over its alignments (Hannun et al. 2014, 1408.2873).

Arrays only, compiled by numba and cached on disk. Three things make it quick:
the sums need one logarithm a prefix and slice, since an extension's score is one addition;
labels are tried best first, and only those that can beat the worst prefix of the beam;
a trie in arrays says which prefixes are the same, so merging needs no hashing.
"""

import numpy as np

from common.alphabet import BLANK
from common.decoding.compiled import compiled

_ROOT = 0
_NONE = -1


def search(log_probs: np.ndarray, beam_width: int, num_best: int = 1) -> list[tuple[list[int], float]]:
    """The most probable label strings and their log-probabilities, best first.

    After each slice the ``beam_width`` most probable prefixes are kept, whatever their length; with a beam that holds
    all prefixes the result is exact. Of equal scores the prefix with the smaller last label comes first, the empty one
    before all. Prefixes with probability zero are never kept, so fewer than ``num_best`` may come back; where the
    emissions allow no text at all, the only result is the empty one with -inf.

    Args:
        log_probs: float32 [T, V] natural log-probabilities, without NaN and +inf; blank 0.
        beam_width: prefixes kept, at least 1.
        num_best: results wanted, at least 1.
    """
    if beam_width < 1 or num_best < 1:
        raise ValueError(f"beam_width and num_best must be at least 1, not {beam_width} and {num_best}")
    nodes, scores, parents, node_labels = _search(np.ascontiguousarray(log_probs, np.float32), beam_width)
    results = []
    for node, score in zip(nodes[:num_best].tolist(), scores[:num_best].tolist(), strict=True):
        labels = []
        while node != _ROOT:
            labels.append(int(node_labels[node]))
            node = int(parents[node])
        results.append((labels[::-1], score))
    return results


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
def _before(score, label, place, other_score, other_label, other_place):
    """Order of the beam: higher score, then smaller last label, then place (stays first, then rank of the parent)."""
    if score != other_score:
        return score > other_score
    if label != other_label:
        return label < other_label
    return place < other_place


@compiled
def _sink(score, label, place, at, size):
    """Restore the heap below ``at``: the entry that comes last in the order is at the top."""
    s, c, p = score[at], label[at], place[at]
    while True:
        child = 2 * at + 1
        if child >= size:
            break
        right = child + 1
        if right < size and _before(score[child], label[child], place[child], score[right], label[right], place[right]):
            child = right
        if not _before(s, c, p, score[child], label[child], place[child]):
            break
        score[at], label[at], place[at] = score[child], label[child], place[child]
        at = child
    score[at], label[at], place[at] = s, c, p


@compiled
def _grown(array, fill):
    larger = np.full(2 * len(array), fill, array.dtype)
    larger[: len(array)] = array
    return larger


@compiled
def _search(log_probs, beam_width):
    num_slices, num_labels = log_probs.shape
    # The trie: node 0 is the empty prefix. rank[n]: place of node n in the beam, or _NONE.
    capacity = 1024
    parent = np.full(capacity, _NONE, np.int32)
    label = np.full(capacity, _NONE, np.int32)
    first_child = np.full(capacity, _NONE, np.int32)
    next_sibling = np.full(capacity, _NONE, np.int32)
    rank = np.full(capacity, _NONE, np.int32)
    num_nodes = 1

    # The beam, in order: node, log P(prefix, last slice blank), log P(prefix, last slice its label), their sum.
    width = beam_width
    node = np.zeros(width, np.int32)
    blank = np.full(width, -np.inf)
    letter = np.full(width, -np.inf)
    total = np.full(width, -np.inf)
    blank[0] = total[0] = 0.0
    rank[_ROOT] = 0
    size = 1

    new_node = np.zeros(width, np.int32)
    new_blank = np.full(width, -np.inf)
    new_letter = np.full(width, -np.inf)
    stay_blank = np.full(width, -np.inf)
    stay_letter = np.full(width, -np.inf)
    # The heap of what is to survive. place < width: the prefix at that rank stays; else the one at place - width grows.
    heap_score = np.full(width, -np.inf)
    heap_label = np.zeros(width, np.int32)
    heap_place = np.zeros(width, np.int32)
    order = np.zeros(num_labels, np.int32)
    # merged[rank, label] == t: the prefix longer by label is in the beam itself and has got this extension already.
    merged = np.full((width, num_labels), _NONE, np.int32)

    for t in range(num_slices):
        row = log_probs[t]
        # 1. Prefixes that stay, with what flows into them from their parents.
        filled = 0
        for k in range(size):
            n = node[k]
            last = label[n]
            stay_blank[k] = total[k] + row[BLANK]
            stay_letter[k] = -np.inf
            if n != _ROOT:
                gain = letter[k] + row[last]
                above = rank[parent[n]]
                if above != _NONE:
                    merged[above, last] = t
                    source = blank[above] if label[parent[n]] == last else total[above]
                    gain = _add(gain, source + row[last])
                stay_letter[k] = gain
            score = _add(stay_blank[k], stay_letter[k])
            if score > -np.inf:
                heap_score[filled], heap_label[filled], heap_place[filled] = score, last, k
                filled += 1
        full = filled == width
        if full:
            for at in range(width // 2 - 1, -1, -1):
                _sink(heap_score, heap_label, heap_place, at, width)

        # 2. Labels that can still enter, best first (insertion sort: few are left on a trained network's emissions).
        bar = heap_score[0] if full else -np.inf
        num_order = 0
        for c in range(num_labels):
            if c == BLANK or row[c] == -np.inf or total[0] + row[c] < bar:
                continue
            at = num_order
            while at > 0 and row[order[at - 1]] < row[c]:
                order[at] = order[at - 1]
                at -= 1
            order[at] = c
            num_order += 1

        # 3. Prefixes longer by one label.
        for k in range(size):
            last = label[node[k]]
            for i in range(num_order):
                c = order[i]
                if full and total[k] + row[c] < heap_score[0]:
                    break
                if merged[k, c] == t:
                    continue
                score = (blank[k] if c == last else total[k]) + row[c]
                if score == -np.inf:
                    continue
                place = np.int32(width + k)
                if not full:
                    heap_score[filled], heap_label[filled], heap_place[filled] = score, c, place
                    filled += 1
                    full = filled == width
                    if full:
                        for at in range(width // 2 - 1, -1, -1):
                            _sink(heap_score, heap_label, heap_place, at, width)
                elif _before(score, c, place, heap_score[0], heap_label[0], heap_place[0]):
                    heap_score[0], heap_label[0], heap_place[0] = score, c, place
                    _sink(heap_score, heap_label, heap_place, 0, width)

        if filled == 0:  # no text has a probability
            return np.zeros(1, np.int32), np.full(1, -np.inf), parent, label

        # 4. Sort the survivors: take the last one from the heap again and again.
        if not full:
            for at in range(filled // 2 - 1, -1, -1):
                _sink(heap_score, heap_label, heap_place, at, filled)
        for end in range(filled - 1, 0, -1):
            s, c, p = heap_score[0], heap_label[0], heap_place[0]
            heap_score[0], heap_label[0], heap_place[0] = heap_score[end], heap_label[end], heap_place[end]
            heap_score[end], heap_label[end], heap_place[end] = s, c, p
            _sink(heap_score, heap_label, heap_place, 0, end)

        # 5. The new beam. A pruned node may come back: its descendants must stay the same prefixes.
        while num_nodes + filled > len(parent):
            parent = _grown(parent, _NONE)
            label = _grown(label, _NONE)
            first_child = _grown(first_child, _NONE)
            next_sibling = _grown(next_sibling, _NONE)
            rank = _grown(rank, _NONE)
        for k in range(filled):
            place = heap_place[k]
            if place < width:
                new_node[k] = node[place]
                new_blank[k], new_letter[k] = stay_blank[place], stay_letter[place]
                continue
            above = node[place - width]
            child = first_child[above]
            while child != _NONE and label[child] != heap_label[k]:
                child = next_sibling[child]
            if child == _NONE:
                child = np.int32(num_nodes)
                num_nodes += 1
                parent[child], label[child] = above, heap_label[k]
                next_sibling[child] = first_child[above]
                first_child[above] = child
            new_node[k] = child
            new_blank[k], new_letter[k] = -np.inf, heap_score[k]
        for k in range(size):
            rank[node[k]] = _NONE
        size = filled
        node, new_node = new_node, node
        blank, new_blank = new_blank, blank
        letter, new_letter = new_letter, letter
        for k in range(size):
            rank[node[k]] = k
            total[k] = heap_score[k]
    return node[:size].copy(), total[:size].copy(), parent, label
