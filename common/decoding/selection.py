"""The best of many scored candidates, in linear time: counted into buckets by score, ordered in one bucket only."""

import numpy as np

from common.decoding.compiled import compiled


@compiled
def comes_before(score, label, source, other_score, other_label, other_source):
    """The order of a beam: higher score, then smaller last label (none before all), then what was found first."""
    if score != other_score:
        return score > other_score
    if label != other_label:
        return np.uint32(label + 1) < np.uint32(other_label + 1)  # NONE + 1 is 0
    return source < other_source


@compiled
def num_buckets(width):
    """Two to four buckets a survivor: the bucket that the border runs through holds few."""
    buckets = 64
    while buckets < 2 * width:
        buckets *= 2
    return buckets


@compiled
def select(scores, labels, sources, num_candidates, width, buckets, counts, chosen):
    """Write the places of the ``width`` best candidates to ``chosen``, roughly best first.

    Args:
        scores: float64 [N] above -inf; labels, sources: uint32 [N], where N ≥ num_candidates ≥ 1.
        buckets: uint32 [N], room to work; counts: uint32 [num_buckets + 1], room to work.
        chosen: uint32 [N]; its first min(num_candidates, width) entries are the result.

    Returns:
        How much a later one of the chosen may be better than an earlier one, in nats.
    """
    best, worst = scores[0], scores[0]
    for i in range(num_candidates):
        best = max(best, scores[i])
        worst = min(worst, scores[i])
    last = len(counts) - 1
    spread = best - worst
    per_nat = (last - 0.5) / spread if spread > 1e-200 else 0.0
    for bucket in range(last + 1):
        counts[bucket] = 0
    for i in range(num_candidates):
        buckets[i] = np.uint32((best - scores[i]) * per_nat)
    for i in range(num_candidates):
        counts[buckets[i]] += np.uint32(1)

    # Where each bucket begins, up to the one that the border runs through.
    filled = 0
    border = 0
    while border < last and filled + counts[border] <= width:
        size = counts[border]
        counts[border] = filled
        filled += size
        border += 1
    in_border = np.int64(counts[border]) if border < last else 0
    counts[border] = filled
    limit = np.uint32(border)
    for i in range(num_candidates):
        bucket = buckets[i]
        if bucket <= limit:
            chosen[counts[bucket]] = i
            counts[bucket] += np.uint32(1)
    wanted = width - filled
    if 0 < wanted < in_border:
        _best_first(scores, labels, sources, chosen[filled : filled + in_border], wanted)
    return 1.000001 / per_nat if per_nat > 0.0 else spread


@compiled
def _best_first(scores, labels, sources, chosen, wanted):
    """Bring the ``wanted`` best of ``chosen`` to its front, by a heap with the last of them on top."""
    for at in range(wanted // 2 - 1, -1, -1):
        _sink(scores, labels, sources, chosen, at, wanted)
    for i in range(wanted, len(chosen)):
        new, top = chosen[i], chosen[0]
        if comes_before(scores[new], labels[new], sources[new], scores[top], labels[top], sources[top]):
            chosen[0], chosen[i] = new, top
            _sink(scores, labels, sources, chosen, 0, wanted)


@compiled
def _sink(scores, labels, sources, chosen, at, size):
    moved = chosen[at]
    while True:
        child = 2 * at + 1
        if child >= size:
            break
        if child + 1 < size:
            a, b = chosen[child], chosen[child + 1]
            if comes_before(scores[a], labels[a], sources[a], scores[b], labels[b], sources[b]):
                child += 1
        a = chosen[child]
        if not comes_before(scores[moved], labels[moved], sources[moved], scores[a], labels[a], sources[a]):
            break
        chosen[at] = a
        at = child
    chosen[at] = moved
