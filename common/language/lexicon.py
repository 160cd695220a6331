"""Words as a trie over characters, in flat arrays: which words a beginning can still become, and their worth."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

# States beside the nodes of the trie: no word begins so.
OUTSIDE = -1


@dataclass(frozen=True)
class LexiconTable:
    """The trie. Node 0 is the empty beginning; the children of a node are contiguous and sorted by character.

    Attributes:
        character: int32 [N], the last character of each beginning, as its place in ``Lexicon.characters``.
        first: int32 [N + 1], the first child of each node; the last is N.
        word: int32 [N], number of the word that ends there, or -1.
    """

    character: np.ndarray
    first: np.ndarray
    word: np.ndarray


@dataclass(frozen=True)
class Lexicon:
    """Words and their trie.

    Attributes:
        words: sorted; each once.
        characters: of all words, character → place.
        parents: int32 [N], of each node; that of node 0 is 0.
        depths: where the nodes of each length begin, and N: nodes are sorted by length.
    """

    words: tuple[str, ...]
    characters: Mapping[str, int]
    table: LexiconTable
    parents: np.ndarray
    depths: tuple[int, ...]

    def best_below(self, worths: np.ndarray) -> np.ndarray:
        """The greatest worth of the words that begin with each node's characters: float64 [N], -inf without any.

        Args:
            worths: float64, of each word.
        """
        best = np.full(len(self.table.word), -np.inf)
        ends = np.flatnonzero(self.table.word >= 0)
        best[ends] = worths[self.table.word[ends]]
        for low, high in reversed(list(zip(self.depths[1:-1], self.depths[2:], strict=True))):
            np.maximum.at(best, self.parents[low:high], best[low:high])
        return best


def build_lexicon(words: Sequence[str]) -> Lexicon:
    """The trie of words; empty words are left out, and each counts once."""
    ordered = sorted({word for word in words if word})
    characters = {character: place for place, character in enumerate(sorted(set("".join(ordered))))}
    lengths = np.array([len(word) for word in ordered], np.int64)
    starts = np.cumsum(lengths) - lengths
    codes = np.frombuffer("".join(ordered).encode("utf-32-le", "surrogatepass"), np.uint32)
    alphabet = np.array([ord(character) for character in characters], np.uint32)
    # A column at a time, of the words that are so long: node of each one's beginning, and whether that differs from the
    # beginning of the word before. Where the word before has ended, it does.
    alive = np.arange(len(ordered))
    nodes = np.zeros(len(ordered), np.int64)
    changed = np.zeros(len(ordered), bool)
    table_characters, parents, ends, depths = [np.array([-1])], [np.array([0])], [np.array([-1])], [0, 1]
    for depth in range(int(lengths.max(initial=0))):
        longer = lengths[alive] > depth
        alive, nodes, changed = alive[longer], nodes[longer], changed[longer]
        column = codes[starts[alive] + depth]
        changed[:1] = True
        changed[1:] |= (column[1:] != column[:-1]) | (np.diff(alive) > 1)
        table_characters.append(np.searchsorted(alphabet, column[changed]))
        parents.append(nodes[changed])
        places = np.cumsum(changed) - 1
        here = lengths[alive] == depth + 1
        ended = np.full(len(parents[-1]), -1)
        ended[places[here]] = alive[here]
        ends.append(ended)
        nodes = depths[-1] + places
        depths.append(depths[-1] + len(ended))
    parent = np.concatenate(parents).astype(np.int32)
    # Parents are sorted too, but for the root, which is its own.
    first = np.searchsorted(parent[1:], np.arange(len(parent) + 1)) + 1
    table = LexiconTable(
        np.concatenate(table_characters).astype(np.int32),
        first.astype(np.int32),
        np.concatenate(ends).astype(np.int32),
    )
    return Lexicon(tuple(ordered), characters, table, parent, tuple(depths))


class Arcs(NamedTuple):
    """The trie as labels walk it, which may be several characters long: see ``common.decoding.knowledge``."""

    first: np.ndarray
    labels: np.ndarray
    targets: np.ndarray


def label_arcs(lexicon: Lexicon, labels: Sequence[str]) -> Arcs:
    """Arcs of label 1, 2, … from each node to the node that is longer by its characters, where there is one."""
    num_nodes, width = len(lexicon.parents), len(lexicon.characters)
    # Nodes but the root are sorted by (parent, character).
    keys = lexicon.parents[1:].astype(np.int64) * width + lexicon.table.character[1:]
    sources, arc_labels, targets = [], [], []
    for label, characters in enumerate(labels, 1):
        places = [lexicon.characters.get(character, -1) for character in characters]
        if -1 in places:
            continue
        found = np.flatnonzero(lexicon.table.character == places[0])
        starts = lexicon.parents[found]
        for place in places[1:]:
            wanted = found.astype(np.int64) * width + place
            at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
            there = keys[at] == wanted
            found, starts = at[there] + 1, starts[there]
        sources.append(starts)
        arc_labels.append(np.full(len(starts), label))
        targets.append(found)
    source = np.concatenate([np.zeros(0, np.int64), *sources])
    label_of = np.concatenate([np.zeros(0, np.int64), *arc_labels])
    target = np.concatenate([np.zeros(0, np.int64), *targets])
    order = np.lexsort((label_of, source))
    first = np.searchsorted(source[order], np.arange(num_nodes + 1))
    return Arcs(first.astype(np.int32), label_of[order].astype(np.int32), target[order].astype(np.int32))
