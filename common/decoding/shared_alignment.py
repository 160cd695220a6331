"""Forced alignment of many label strings at once: what they begin with alike is aligned once."""

import numpy as np

from common.alphabet import BLANK
from common.decoding.compiled import compiled
from common.decoding.prefixes import LABEL, PARENT, ROOT, child, new_trie

# Where a state came from: itself, the state before it (a blank or a label), the label before that.
_STAY, _STEP, _SKIP = 0, 1, 2
_BLANK_STEP = 4


@compiled
def starts(log_probs, labels, lengths):
    """The slice where each label begins, on the most probable path that writes its string (Viterbi).

    The same places as ``common.decoding.alignment.align`` gives; they always rise. A string that no path writes gets
    zeros.

    Args:
        log_probs: float32 [T, V], blank 0.
        labels: int32 [K, L], of which the first ``lengths`` [K] count, none of them blank.

    Returns:
        int32 [K, L], zero behind each length.
    """
    num_slices = log_probs.shape[0]
    num, longest = labels.shape
    found = np.zeros((num, longest), np.int32)
    if num_slices == 0 or longest == 0:
        return found

    # All strings as one trie: a node is a prefix, with a state for its last label and one for the blank behind it.
    trie = new_trie(1 + lengths.sum())
    num_nodes = np.int64(1)
    ends = np.zeros(num, np.uint32)
    for i in range(num):
        for at in range(lengths[i]):
            ends[i] = child(trie, num_nodes, ends[i], np.uint32(labels[i, at]))
            num_nodes = max(num_nodes, np.int64(ends[i]) + 1)
    parent, label, first, number = _by_length(trie[:num_nodes], longest)
    for i in range(num):
        ends[i] = number[ends[i]]
    # From one label to the next without a blank between: not between equal ones.
    skip = np.zeros(num_nodes)
    for n in range(1, num_nodes):
        if label[parent[n]] == label[n]:
            skip[n] = -np.inf

    letter, blank = np.full(num_nodes, -np.inf), np.full(num_nodes, -np.inf)
    new_letter, new_blank = letter.copy(), blank.copy()
    blank[ROOT] = 0.0
    moves = np.zeros((num_slices, num_nodes), np.uint8)
    for t in range(num_slices):
        row = log_probs[t]
        # Only prefixes that so many slices can write, and whose rest the slices left can.
        low = first[max(1, lengths.min() - (num_slices - 1 - t))]
        high = first[min(longest, t + 1) + 1]
        _step(low, high, row, parent, label, skip, letter, blank, new_letter, new_blank, moves[t])
        new_blank[ROOT] = blank[ROOT] + row[BLANK]
        letter, new_letter = new_letter, letter
        blank, new_blank = new_blank, blank

    for i in range(num):
        node = ends[i]
        if max(letter[node], blank[node]) == -np.inf:
            continue
        in_letter = letter[node] > blank[node]
        at = lengths[i] - 1
        for t in range(num_slices - 1, -1, -1):
            if node == ROOT:
                break
            move = moves[t, node]
            if not in_letter:
                in_letter = move >= _BLANK_STEP
            elif move % _BLANK_STEP != _STAY:
                found[i, at] = t
                at -= 1
                in_letter = move % _BLANK_STEP == _SKIP
                node = parent[node]
    return found


@compiled
def _step(low, high, row, parent, label, skip, letter, blank, new_letter, new_blank, moves):
    """One slice; without branches, so that the compiler does several nodes at once."""
    of_blank = row[BLANK]
    for n in range(low, high):
        above = parent[n]
        stay, step, jump = letter[n], blank[above], letter[above] + skip[n]
        moved = max(stay, step)
        move = _STEP if step > stay else _STAY
        move = _SKIP if jump > moved else move
        new_letter[n] = max(moved, jump) + row[label[n]]
        of_label = stay > blank[n]
        new_blank[n] = (stay if of_label else blank[n]) + of_blank
        moves[n] = move + (_BLANK_STEP if of_label else 0)


@compiled
def _by_length(trie, longest):
    """Number the nodes anew, short prefixes first: parent, label [N]; first node of each length [longest + 2]; and the
    new number of each node [N]."""
    depth = np.zeros(len(trie), np.uint32)
    first = np.zeros(longest + 3, np.int64)
    first[2] = 1
    for n in range(1, len(trie)):
        depth[n] = depth[trie[n, PARENT]] + np.uint32(1)
        first[depth[n] + 2] += 1
    for length in range(2, longest + 3):
        first[length] += first[length - 1]
    number = np.zeros(len(trie), np.uint32)
    parent, label = np.zeros(len(trie), np.uint32), np.zeros(len(trie), np.uint32)
    for n in range(1, len(trie)):
        number[n] = first[depth[n] + 1]
        first[depth[n] + 1] += 1
        parent[number[n]], label[number[n]] = number[trie[n, PARENT]], trie[n, LABEL]
    first[1] = 1
    return parent, label, first[: longest + 2], number
