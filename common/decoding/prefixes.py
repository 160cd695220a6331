"""Prefixes as nodes of a trie: which two prefixes are the same, without hashing.

A trie is one array, uint32 [capacity, 5], a row a node, so that what is read of a node lies together. Node 0 is the
empty prefix; a parent's number is smaller than its children's.
"""

import numpy as np

from common.decoding.compiled import compiled

# Columns: the prefix is the parent's and one label more; children are a list; place in the beam.
PARENT, LABEL, FIRST_CHILD, NEXT_SIBLING, RANK = range(5)
ROOT = np.uint32(0)
NONE = np.uint32(0xFFFFFFFF)
_MANY = 1 << 18  # nodes, 5 MiB


@compiled
def new_trie(capacity):
    """A trie of the empty prefix alone."""
    return np.full((capacity, 5), NONE, np.uint32)


@compiled
def child(trie, num_nodes, node, label):
    """The node one label longer, made with the number ``num_nodes`` if there is none.

    A pruned prefix that comes back gets its old node, so that its descendants stay the same prefixes.
    """
    found = trie[node, FIRST_CHILD]
    while found != NONE and trie[found, LABEL] != label:
        found = trie[found, NEXT_SIBLING]
    if found == NONE:
        found = np.uint32(num_nodes)
        trie[found, PARENT], trie[found, LABEL] = node, label
        trie[found, NEXT_SIBLING] = trie[node, FIRST_CHILD]
        trie[node, FIRST_CHILD] = found
    return found


@compiled
def roomier(trie, num_nodes, beam, size, room):
    """A trie with room for more nodes, and its number of nodes: doubled while it is small, else cleared of prefixes
    that nothing in the beam goes back to; then ``beam`` [size] gets the new numbers, and no ranks yet."""
    if 2 * num_nodes + room <= _MANY:
        new = new_trie(2 * num_nodes + room)
        new[:num_nodes] = trie[:num_nodes]
        return new, num_nodes
    number = np.full(num_nodes, NONE, np.uint32)
    number[ROOT] = 0
    for k in range(size):
        number[beam[k]] = 0
    for n in range(num_nodes - 1, 0, -1):
        if number[n] != NONE:
            number[trie[n, PARENT]] = 0
    alive = 0
    for n in range(num_nodes):
        if number[n] != NONE:
            number[n] = alive
            alive += 1
    # At least half of it is free, so that clearing costs a constant a node made.
    new = new_trie(max(_MANY, 2 * alive + room))
    for n in range(1, num_nodes):
        if number[n] != NONE:
            child(new, number[n], number[trie[n, PARENT]], trie[n, LABEL])
    for k in range(size):
        beam[k] = number[beam[k]]
    return new, alive
