"""Exact CTC prefix beam search: a prefix's probability is the sum over its alignments (Hannun et al. 2014, 1408.2873).

Arrays only, compiled by numba and cached on disk. What makes it quick:
an extension's score is one addition, only a prefix that stays needs sums;
labels are tried best first, each along the prefixes from the best on, and only where they can still enter the beam;
the beam is cut by counting scores into buckets, so that it is only roughly in order and never sorted before the end;
a trie says which prefixes are the same.
"""

import numpy as np

from common.alphabet import BLANK
from common.decoding.compiled import compiled
from common.decoding.log_add import log_add
from common.decoding.prefixes import LABEL, NONE, PARENT, RANK, ROOT, child, new_trie, roomier
from common.decoding.selection import comes_before, num_buckets, select


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
    beam = extended(new_beam(beam_width), np.ascontiguousarray(log_probs, np.float32))
    labels, lengths, scores = results(beam, num_best)
    found = zip(labels.tolist(), lengths.tolist(), scores.tolist(), strict=True)
    return [(row[:length], score) for row, length, score in found] or [([], -np.inf)]


@compiled
def new_beam(width):
    """All that a search remembers between two slices; before the first: the empty prefix alone.

    Returns:
        trie: the prefixes.
        node: uint32 [W], of each prefix kept; last: uint32 [W], its last label, NONE for the empty prefix.
        blank, letter, total: float64 [W], log P(prefix) with the last slice blank, with it the last label, both.
        counts: int64 [2], number of nodes and of prefixes kept.
        slack: float64 [1], how much better a prefix may be than one before it, in nats.
    """
    trie = new_trie(1024)
    trie[ROOT, RANK] = 0
    blank, total = np.full(width, -np.inf), np.full(width, -np.inf)
    blank[0] = total[0] = 0.0
    node, last = np.zeros(width, np.uint32), np.full(width, NONE, np.uint32)
    return trie, node, last, blank, np.full(width, -np.inf), total, np.ones(2, np.int64), np.zeros(1)


@compiled
def extended(beam, log_probs):
    """The beam after further slices, [T, V]; the given one must not be used again.

    Slices may come in any portions: the result is the same to the last bit. With no text left it has no prefixes.
    """
    num_slices, num_labels = log_probs.shape
    trie, node, last, blank, letter, total, counts, slack = beam
    width = len(node)
    num_nodes, size = counts[0], counts[1]
    lead = slack[0]
    new_node, new_blank, new_letter = np.zeros_like(node), np.zeros_like(blank), np.zeros_like(letter)
    stay_blank, stay_letter = np.zeros(width), np.zeros(width)
    above = np.full(width, NONE, np.uint32)
    # Candidates. source < width: the prefix at that place stays; else the one at source - width grows by the label.
    room = 3 * width
    scores, labels, sources = np.zeros(room), np.zeros(room, np.uint32), np.zeros(room, np.uint32)
    kept_scores, kept_labels, kept_sources = np.zeros(room), np.zeros(room, np.uint32), np.zeros(room, np.uint32)
    buckets, chosen = np.zeros(room, np.uint32), np.zeros(room, np.uint32)
    bucket_counts = np.zeros(num_buckets(width) + 1, np.uint32)
    order, order_scores = np.zeros(num_labels, np.uint32), np.zeros(num_labels)
    # merged[label, k] == 1: the prefix longer by label is in the beam itself and has got this extension already.
    merged = np.zeros((num_labels, width), np.uint8)

    for t in range(num_slices):
        row = log_probs[t]
        # 1. Prefixes that stay, with what flows into them from their parents.
        num = 0
        bar = np.inf
        best = -np.inf
        for k in range(size):
            label = last[k]
            stay_blank[k] = total[k] + row[BLANK]
            gain = -np.inf
            above[k] = NONE
            if label != NONE:
                gain = letter[k] + row[label]
                a = trie[trie[node[k], PARENT], RANK]
                if a != NONE:
                    above[k] = a
                    merged[label, a] = 1
                    gain = log_add(gain, (blank[a] if last[a] == label else total[a]) + row[label])
            stay_letter[k] = gain
            score = log_add(stay_blank[k], gain)
            scores[num], labels[num], sources[num] = score, label, np.uint32(k)
            best = max(best, total[k])
            bar = min(bar, score)
            if score > -np.inf:
                num += 1
        # Nothing below the worst of `width` candidates can survive.
        if num < width:
            bar = -np.inf

        # 2. Labels that can still enter, best first (insertion sort: few are left on a trained network's emissions).
        num_order = 0
        for c in range(num_labels):
            if c == BLANK or row[c] == -np.inf or best + row[c] < bar:
                continue
            at = num_order
            while at > 0 and order_scores[at - 1] < row[c]:
                order_scores[at], order[at] = order_scores[at - 1], order[at - 1]
                at -= 1
            order_scores[at], order[at] = row[c], c
            num_order += 1

        # 3. Prefixes longer by one label.
        for i in range(num_order):
            label, gain = order[i], order_scores[i]
            has = merged[label]
            for k in range(size):
                score = total[k] + gain
                if score < bar:
                    if score + lead < bar:
                        break
                    continue
                if last[k] == label:
                    score = blank[k] + gain
                    if score < bar:
                        continue
                if has[k] == 0 and score > -np.inf:
                    scores[num], labels[num], sources[num] = score, label, np.uint32(width + k)
                    num += 1
            if num >= 2 * width:
                # The next label may bring as many again: keep the best, and raise the bar.
                select(scores, labels, sources, num, width, buckets, bucket_counts, chosen)
                num = width
                bar = np.inf
                for j in range(width):
                    i_chosen = chosen[j]
                    kept_scores[j] = scores[i_chosen]
                    kept_labels[j], kept_sources[j] = labels[i_chosen], sources[i_chosen]
                    bar = min(bar, kept_scores[j])
                scores, kept_scores = kept_scores, scores
                labels, kept_labels = kept_labels, labels
                sources, kept_sources = kept_sources, sources

        # 4. The new beam.
        for k in range(size):
            trie[node[k], RANK] = NONE
            if above[k] != NONE:
                merged[last[k], above[k]] = 0
        if num == 0:  # no text has a probability
            size = 0
            break
        lead = select(scores, labels, sources, num, width, buckets, bucket_counts, chosen)
        if num_nodes + width > len(trie):
            trie, num_nodes = roomier(trie, num_nodes, node, size, width)
        size = min(num, width)
        for j in range(size):
            i_chosen = chosen[j]
            source = sources[i_chosen]
            if source < width:
                new_node[j] = node[source]
                new_blank[j], new_letter[j] = stay_blank[source], stay_letter[source]
            else:
                grown = node[source - np.uint32(width)]
                found = child(trie, num_nodes, grown, labels[i_chosen])
                num_nodes = max(num_nodes, np.int64(found) + 1)
                new_node[j] = found
                new_blank[j], new_letter[j] = -np.inf, scores[i_chosen]
        for j in range(size):
            i_chosen = chosen[j]
            total[j], last[j] = scores[i_chosen], labels[i_chosen]
            trie[new_node[j], RANK] = np.uint32(j)
        node, new_node = new_node, node
        blank, new_blank = new_blank, blank
        letter, new_letter = new_letter, letter
    counts[0], counts[1] = num_nodes, size
    slack[0] = lead
    return trie, node, last, blank, letter, total, counts, slack


@compiled
def results(beam, num_best):
    """The best prefixes of a beam, in order: labels int32 [K, L], zero behind each length; lengths int32 [K];
    log-probabilities float64 [K]; K ≤ num_best."""
    trie, node, last, _, _, total, counts, _ = beam
    size = counts[1]
    order = np.zeros(size, np.uint32)
    for k in range(size):  # insertion sort: the beam is nearly in order
        at = k
        while at > 0:
            o = order[at - 1]
            if not comes_before(total[k], last[k], k, total[o], last[o], o):
                break
            order[at] = o
            at -= 1
        order[at] = k
    num = min(size, num_best)
    lengths = np.zeros(num, np.int32)
    for i in range(num):
        n = node[order[i]]
        while n != ROOT:
            n = trie[n, PARENT]
            lengths[i] += 1
    longest = 0
    for i in range(num):
        longest = max(longest, lengths[i])
    labels = np.zeros((num, longest), np.int32)
    scores = np.zeros(num)
    for i in range(num):
        n = node[order[i]]
        scores[i] = total[order[i]]
        for at in range(lengths[i] - 1, -1, -1):
            labels[i, at] = trie[n, LABEL]
            n = trie[n, PARENT]
    return labels, lengths, scores
