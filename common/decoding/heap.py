"""A heap of what is to survive in a beam, in three arrays: the entry that comes last in the beam's order is on top."""

from common.decoding.compiled import compiled, inlined


@inlined
def before(score, label, place, other_score, other_label, other_place):
    """Order of the beam: higher score, then smaller last label, then place (stays first, then rank of the parent)."""
    if score != other_score:
        return score > other_score
    if label != other_label:
        return label < other_label
    return place < other_place


@compiled
def sink(scores, labels, places, at, size):
    """Restore the heap below ``at``."""
    score, label, place = scores[at], labels[at], places[at]
    while True:
        child = 2 * at + 1
        if child >= size:
            break
        other = child + 1
        if other < size and before(
            scores[child], labels[child], places[child], scores[other], labels[other], places[other]
        ):
            child = other
        if not before(score, label, place, scores[child], labels[child], places[child]):
            break
        scores[at], labels[at], places[at] = scores[child], labels[child], places[child]
        at = child
    scores[at], labels[at], places[at] = score, label, place


@compiled
def heapify(scores, labels, places, size):
    for at in range(size // 2 - 1, -1, -1):
        sink(scores, labels, places, at, size)


@inlined
def offer(scores, labels, places, size, score, label, place):
    """Add an entry, or put it in the place of the last one where the heap is full; return the size."""
    if size < len(scores):
        scores[size], labels[size], places[size] = score, label, place
        size += 1
        if size == len(scores):
            heapify(scores, labels, places, size)
    elif before(score, label, place, scores[0], labels[0], places[0]):
        scores[0], labels[0], places[0] = score, label, place
        sink(scores, labels, places, 0, size)
    return size


@inlined
def sort(scores, labels, places, size):
    """Put the entries in the beam's order, best first. They are a heap already where the arrays are full."""
    if size < len(scores):
        heapify(scores, labels, places, size)
    for end in range(size - 1, 0, -1):
        score, label, place = scores[0], labels[0], places[0]
        scores[0], labels[0], places[0] = scores[end], labels[end], places[end]
        scores[end], labels[end], places[end] = score, label, place
        sink(scores, labels, places, 0, end)
