"""Back-off n-grams as a trie in flat arrays, and their look-up, compiled by numba: no Python object in a search.

A node of the trie is an n-gram; a *state* is a node too: the longest context that still matters. From a state and a
token, ``step`` gives the token's log-probability and the next state, as KenLM's ``BaseScore`` does. Contexts that no
longer n-gram begins with, and that no back-off weight hangs on, are skipped by links that are laid once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from common.decoding.compiled import compiled
from common.errors import GlyphoneError

UNKNOWN, BEGIN, END = "<unk>", "<s>", "</s>"
# Of an unknown word where the model has no <unk>: KenLM's value.
MISSING_UNKNOWN = -100.0
ROOT = 0


class LanguageError(GlyphoneError):
    """A language model, or the text that it is to learn from, cannot be used."""


class Table(NamedTuple):
    """The trie. Node 0 is the empty n-gram, node 1 + i the token i; children are contiguous and sorted by token.

    Attributes:
        token: int32 [N], the last token of each n-gram.
        log_prob: float32 [N], log10 P(last token | the others); NaN where the n-gram is only part of longer ones.
        backoff: float32 [M], log10 of the back-off weight; M nodes are shorter than the order.
        first: int32 [M + 1], the first child of each; the last is N.
        link: int32 [N], the longest proper suffix that is a context.
    """

    token: np.ndarray
    log_prob: np.ndarray
    backoff: np.ndarray
    first: np.ndarray
    link: np.ndarray


@dataclass(frozen=True)
class Level:
    """The n-grams of one order: tokens int32 [n, order], log10 probabilities and back-off weights float32 [n]."""

    tokens: np.ndarray
    log_probs: np.ndarray
    backoffs: np.ndarray


@dataclass(frozen=True)
class Ngrams:
    """A back-off model.

    Attributes:
        tokens: token of each number; ``<unk>``, ``<s>`` and ``</s>`` are among them.
        order: length of the longest n-grams.
        table: for ``step``.
    """

    tokens: tuple[str, ...]
    order: int
    table: Table

    @cached_property
    def numbers(self) -> dict[str, int]:
        return {token: number for number, token in enumerate(self.tokens)}

    @property
    def begin(self) -> int:
        """The state before a sentence."""
        return _begin(self.table, self.numbers[BEGIN])

    def number(self, token: str) -> int:
        """Number of a token; that of ``<unk>`` where the model does not know it."""
        return self.numbers.get(token, self.numbers[UNKNOWN])

    def score(self, tokens: Sequence[str], begin: bool = True, end: bool = True) -> list[float]:
        """log10 P of each token in its context, and of ``</s>`` behind them.

        Args:
            begin: the tokens begin a sentence; else nothing is known before them.
            end: score the end of the sentence too.
        """
        state = self.begin if begin else ROOT
        scores = []
        for token in [*tokens, *([END] if end else [])]:
            log_prob, state = step(self.table, state, self.number(token))
            scores.append(float(log_prob))
        return scores

    def levels(self) -> list[Level]:
        """The n-grams of each order, shortest first, sorted by their tokens' numbers; none that is NaN."""
        table, found = self.table, []
        rows = np.zeros((1, 0), np.int32)
        low, high = 0, 1
        for _ in range(self.order):
            counts = np.diff(table.first[low : high + 1])
            low, high = high, high + int(counts.sum())
            rows = np.concatenate([np.repeat(rows, counts, axis=0), table.token[low:high, None]], axis=1)
            backoffs = table.backoff[low:high]
            if len(backoffs) < high - low:
                backoffs = np.zeros(high - low, np.float32)
            kept = ~np.isnan(table.log_prob[low:high])
            found.append(Level(rows[kept], table.log_prob[low:high][kept], backoffs[kept]))
        return found


@compiled
def child(table, node, token):
    """The node longer by the token, or -1. ``node`` is shorter than the order."""
    if node == ROOT:
        return np.int64(token + 1)
    low, high = np.int64(table.first[node]), np.int64(table.first[node + 1])
    while low < high:
        middle = (low + high) // 2
        if table.token[middle] < token:
            low = middle + 1
        else:
            high = middle
    if low < table.first[node + 1] and table.token[low] == token:
        return low
    return np.int64(-1)


@compiled
def context(table, node):
    """The node itself where it can be continued or has a back-off weight, else its longest suffix that can."""
    if node < len(table.backoff) and (table.first[node] < table.first[node + 1] or table.backoff[node] != 0.0):
        return np.int64(node)
    return np.int64(table.link[node])


@compiled
def step(table, state, token):
    """(log10 P(token | state), next state)."""
    log_prob = 0.0
    following = np.int64(-1)
    while True:
        found = child(table, state, token)
        if found >= 0:
            if following < 0:
                following = context(table, found)
            if not np.isnan(table.log_prob[found]):
                return log_prob + table.log_prob[found], following
        log_prob += table.backoff[state]
        state = table.link[state]


@compiled
def _begin(table, token):
    return context(table, np.int64(token + 1))


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


class DuplicateError(LanguageError):
    """An n-gram stands twice.

    Attributes:
        order: of the n-gram.
        row: the place of the second one among those of that order.
    """

    def __init__(self, order: int, row: int) -> None:
        super().__init__(f"a {order}-gram stands twice")
        self.order, self.row = order, row


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
