"""Lay n-grams out as the trie of ``common.language.ngrams``: sorted arrays and joins, no loops over n-grams."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from common.language.ngrams import BEGIN, END, UNKNOWN, LanguageError, Level, Ngrams, Table

# Of an unknown word where the model has no <unk>: KenLM's value.
MISSING_UNKNOWN = -100.0


class DuplicateError(LanguageError):
    """An n-gram stands twice.

    Attributes:
        order: of the n-gram.
        row: the place of the second one among those of that order.
    """

    def __init__(self, order: int, row: int) -> None:
        super().__init__(f"a {order}-gram stands twice")
        self.order, self.row = order, row


def build(tokens: Sequence[str], levels: Sequence[Level]) -> Ngrams:
    """Lay n-grams out as a trie.

    Args:
        tokens: all tokens, each once; a missing ``<unk>`` is added.
        levels: of order 1, 2, …; that of order 1 has each token once.

    Raises:
        DuplicateError: an n-gram stands twice.
        LanguageError: ``<s>`` or ``</s>`` is missing.
    """
    tokens = list(tokens)
    levels = list(levels)
    for marker in (BEGIN, END):
        if marker not in tokens:
            raise LanguageError(f"the model has no {marker} among its 1-grams; it is needed at sentence ends")
    if UNKNOWN not in tokens:
        unigrams = levels[0]
        levels[0] = Level(
            np.concatenate([unigrams.tokens, np.array([[len(tokens)]], np.int32)]),
            np.append(unigrams.log_probs, np.float32(MISSING_UNKNOWN)),
            np.append(unigrams.backoffs, np.float32(0)),
        )
        tokens.append(UNKNOWN)
    while True:
        layers = [_Layer.first(levels[0], len(tokens))]
        missing = None
        for order in range(2, len(levels) + 1):
            layer, missing = _Layer.next(layers, levels[order - 1], len(tokens))
            if missing is not None:
                break
            layers.append(layer)
        if missing is None:
            return Ngrams(tuple(tokens), len(levels), _table(layers))
        short = levels[order - 2]
        levels[order - 2] = Level(
            np.concatenate([short.tokens, missing]),
            np.append(short.log_probs, np.full(len(missing), np.nan, np.float32)),
            np.append(short.backoffs, np.zeros(len(missing), np.float32)),
        )


@dataclass(frozen=True)
class _Layer:
    """One order in its final order. keys: int64 [n], sorted: place of the prefix in its layer · V + last token."""

    keys: np.ndarray
    last: np.ndarray
    suffixes: np.ndarray
    log_probs: np.ndarray
    backoffs: np.ndarray
    num_parents: int
    vocabulary: int

    @classmethod
    def first(cls, level: Level, vocabulary: int) -> "_Layer":
        order = np.argsort(level.tokens[:, 0], kind="stable")
        last = level.tokens[order, 0]
        if len(doubled := np.flatnonzero(last[1:] == last[:-1])):
            raise DuplicateError(1, int(order[doubled[0] + 1]))
        suffixes = np.zeros(len(last), np.int64)
        return cls(last.astype(np.int64), last, suffixes, level.log_probs[order], level.backoffs[order], 1, vocabulary)

    @classmethod
    def next(cls, layers: list["_Layer"], level: Level, vocabulary: int) -> tuple["_Layer", np.ndarray | None]:
        """The layer of a level; or the prefixes that its n-grams need and no shorter n-gram is."""
        length = level.tokens.shape[1]
        prefixes, bad = _find(layers, level.tokens[:, :-1])
        if bad.any():
            return layers[-1], np.unique(level.tokens[bad][:, : length - 1], axis=0)
        keys = prefixes * vocabulary + level.tokens[:, -1]
        order = np.argsort(keys, kind="stable")
        keys = keys[order]
        if len(doubled := np.flatnonzero(keys[1:] == keys[:-1])):
            raise DuplicateError(length, int(order[doubled[0] + 1]))
        return cls(
            keys,
            level.tokens[order, -1],
            _longest_suffixes(layers, level.tokens[order]),
            level.log_probs[order],
            level.backoffs[order],
            len(layers[-1].keys),
            vocabulary,
        ), None


def _find(layers: list[_Layer], rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Places of n-grams in the layer of their length, and which are not there."""
    places = rows[:, 0].astype(np.int64)
    bad = np.zeros(len(rows), bool)
    for length in range(2, rows.shape[1] + 1):
        layer = layers[length - 1]
        keys = places * layer.vocabulary + rows[:, length - 1]
        places = np.minimum(np.searchsorted(layer.keys, keys), max(0, len(layer.keys) - 1))
        bad |= layer.keys[places] != keys if len(layer.keys) else True
    return places, bad


def _longest_suffixes(layers: list[_Layer], rows: np.ndarray) -> np.ndarray:
    """Node of the longest proper suffix of each n-gram that the layers hold."""
    starts = np.cumsum([1, *(len(layer.keys) for layer in layers)])
    found = np.full(len(rows), -1, np.int64)
    for length in range(rows.shape[1] - 1, 0, -1):
        waiting = np.flatnonzero(found < 0)
        if not len(waiting):
            break
        places, bad = _find(layers, rows[waiting][:, -length:])
        found[waiting[~bad]] = places[~bad] + starts[length - 1]
    return found


def _table(layers: list[_Layer]) -> Table:
    starts = np.cumsum([1, *(len(layer.keys) for layer in layers)])
    if starts[-1] >= 2**31:
        raise LanguageError(f"the model has {starts[-1]} n-grams; at most {2**31 - 2} are allowed")
    firsts = [
        start + np.searchsorted(layer.keys, np.arange(layer.num_parents) * layer.vocabulary)
        for start, layer in zip(starts, layers, strict=False)
    ]
    first = np.append(np.concatenate(firsts), starts[-1]).astype(np.int32)
    # log_prob of node 0 is never read; its back-off is none.
    backoff = np.concatenate([[np.float32(0)], *(layer.backoffs for layer in layers[:-1])]).astype(np.float32)
    link = np.zeros(starts[-1], np.int32)
    states = np.arange(starts[-1], dtype=np.int32)  # context(node) of each
    for start, layer in zip(starts, layers, strict=False):
        nodes = slice(start, start + len(layer.keys))
        link[nodes] = states[layer.suffixes]
        if start < len(backoff):
            here = np.arange(start, start + len(layer.keys))
            alive = (first[here] < first[here + 1]) | (backoff[here] != 0)
            states[nodes] = np.where(alive, here, link[nodes])
    return Table(
        np.concatenate([[-1], *(layer.last for layer in layers)]).astype(np.int32),
        np.concatenate([[np.float32(0)], *(layer.log_probs for layer in layers)]).astype(np.float32),
        backoff,
        first,
        link,
    )
