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
