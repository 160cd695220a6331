"""Interpolated modified Kneser-Ney estimation of n-grams (Chen & Goodman 1998, section 3 and equation 26).

As KenLM's ``lmplz --discount_fallback``: the longest n-grams have their raw counts, shorter ones the number of
different tokens seen before them, save those that begin with <s>, which keep raw counts; the 1-grams are interpolated
with the uniform distribution over all tokens but <s>, which is where <unk> has its probability from; an order whose
counts give no discounts takes 0.5, 1 and 1.5. Nothing is pruned.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from common.language.arpa import MAX_LINE_BYTES, NEVER
from common.language.ngrams import BEGIN, END, UNKNOWN, LanguageError, Level, Ngrams
from common.language.trie import build

FALLBACK = (0.5, 1.0, 1.5)
MAX_ORDER = 20
MAX_SHOWN = 40  # characters in a message
# As many of the longest tokens as the greatest order has stand in a line of an ARPA file.
MAX_TOKEN_BYTES = MAX_LINE_BYTES // (MAX_ORDER + 1)


class TokenError(LanguageError):
    """A token cannot be learned.

    Attributes:
        token: which one; the text that holds it is for the caller to find.
    """

    def __init__(self, token: str) -> None:
        self.token = token
        shown = repr(token if len(token) <= MAX_SHOWN else f"{token[:MAX_SHOWN]}…")
        super().__init__(
            f"the token {shown} cannot be learned: it is empty, blank, a marker of n-grams (<s>, </s>, <unk>), or has "
            f"more than {MAX_TOKEN_BYTES} bytes"
        )


@dataclass(frozen=True)
class Discounts:
    """What is taken off counts of one, two, and three or more; from the fallback where the counts gave none."""

    amounts: tuple[float, float, float]
    fallback: bool


def train(sentences: Iterable[Sequence[str]], order: int) -> tuple[Ngrams, tuple[Discounts, ...]]:
    """Estimate a model, and the discounts of each order.

    Args:
        sentences: of tokens, without markers.
        order: length of the longest n-grams, 1 … 20.

    Raises:
        TokenError: a token is empty, holds white space, is a marker, or is too long.
        LanguageError: there is no sentence.
    """
    if not 1 <= order <= MAX_ORDER:
        raise LanguageError(f"order {order}: 1 to {MAX_ORDER} are allowed")
    tokens, stream, places = _numbered(sentences)
    vocabulary = len(tokens)
    grams = _distinct(stream, places, order, vocabulary)

    # Interpolated probabilities, shortest first. Layer 0 is the uniform distribution.
    shorter = np.array([1.0 / (vocabulary - 1)])
    levels: list[Level] = []
    discounts: list[Discounts] = []
    for index, gram in enumerate(grams):
        counts = gram.raw if index == order - 1 else _adjusted(gram, grams[index + 1])
        discount = _discounts(counts)
        amounts = np.array([0.0, *discount.amounts])[np.minimum(counts, 3)]
        num_contexts = 1 if index == 0 else len(grams[index - 1].raw)
        totals = np.bincount(gram.prefixes, counts, num_contexts)
        withheld = np.bincount(gram.prefixes, amounts, num_contexts)
        seen = totals > 0
        gammas = np.divide(withheld, totals, out=np.ones(num_contexts), where=seen)
        if index:
            levels[-1] = Level(levels[-1].tokens, levels[-1].log_probs, np.log10(gammas).astype(np.float32))
        probabilities = (counts - amounts) / np.where(seen, totals, 1)[gram.prefixes]
        probabilities += gammas[gram.prefixes] * shorter[gram.suffixes]
        shorter = probabilities
        rows = gram.last[:, None]
        if index:
            rows = np.concatenate([levels[-1].tokens[gram.prefixes], rows], axis=1)
        with np.errstate(divide="ignore"):
            log_probs = np.log10(probabilities)
        if index == 0:
            log_probs[tokens.index(BEGIN)] = NEVER
        levels.append(Level(rows.astype(np.int32), log_probs.astype(np.float32), np.zeros(len(rows), np.float32)))
        discounts.append(discount)
    return build(tokens, levels), tuple(discounts)


def _numbered(sentences: Iterable[Sequence[str]]) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Tokens, sorted behind the markers; their numbers, sentence after sentence; each one's place in its sentence."""
    numbers = {UNKNOWN: 0, BEGIN: 1, END: 2}
    stream: list[int] = []
    lengths: list[int] = []
    for sentence in sentences:
        stream.append(1)
        for token in sentence:
            number = numbers.setdefault(token, len(numbers))
            if number < 3 or (number == len(numbers) - 1 and not _can_be_written(token)):
                raise TokenError(token)
            stream.append(number)
        stream.append(2)
        lengths.append(len(sentence) + 2)
    if not lengths:
        raise LanguageError("there is no text to learn a language model from")
    tokens = [*numbers]
    ordered = [*tokens[:3], *sorted(tokens[3:])]
    renumbered = np.empty(len(tokens), np.int64)
    renumbered[[numbers[token] for token in ordered]] = np.arange(len(tokens))
    starts = np.repeat(np.cumsum([0, *lengths[:-1]]), lengths)
    return ordered, renumbered[np.array(stream, np.int64)], np.arange(len(stream)) - starts


def _can_be_written(token: str) -> bool:
    """Whether an ARPA file gives it back: <UNK> is read as <unk>, and NUL is a blank at a line's end."""
    data = token.encode()
    return token != UNKNOWN.upper() and b"\0" not in data and data.split() == [data] and len(data) <= MAX_TOKEN_BYTES


@dataclass(frozen=True)
class _Grams:
    """The distinct n-grams of one order, sorted.

    Attributes:
        prefixes, suffixes: places among the n-grams shorter by one.
        last: the last token.
        raw: how often each was seen.
        at_begin: which begin with <s>.
    """

    prefixes: np.ndarray
    suffixes: np.ndarray
    last: np.ndarray
    raw: np.ndarray
    at_begin: np.ndarray


def _distinct(stream: np.ndarray, places: np.ndarray, order: int, vocabulary: int) -> list[_Grams]:
    zeros = np.zeros(vocabulary, np.int64)
    # <s> is context, never predicted.
    raw = np.bincount(stream[places > 0], minlength=vocabulary)
    grams = [_Grams(zeros, zeros, np.arange(vocabulary), raw, np.arange(vocabulary) == 1)]
    ending = stream  # n-gram that ends at each place of the stream; meaningless where the sentence is too short
    for length in range(2, order + 1):
        ends = np.flatnonzero(places >= length - 1)
        keys, first, inverse, counts = np.unique(
            ending[ends - 1] * vocabulary + stream[ends], return_index=True, return_inverse=True, return_counts=True
        )
        prefixes = keys // vocabulary
        at_begin = grams[-1].at_begin[prefixes]
        grams.append(_Grams(prefixes, ending[ends[first]], keys % vocabulary, counts, at_begin))
        ending = np.zeros(len(stream), np.int64)
        ending[ends] = inverse
    return grams


def _adjusted(gram: _Grams, longer: _Grams) -> np.ndarray:
    """How many different tokens stand before each n-gram; raw counts behind <s>."""
    counts = np.bincount(longer.suffixes, minlength=len(gram.raw))
    return np.where(gram.at_begin, gram.raw, counts)


def _discounts(counts: np.ndarray) -> Discounts:
    """Equation 26 of Chen and Goodman; KenLM's fallback where it has no value above 0 and up to the count.

    With an amount of 0 a history could withhold nothing, and what never followed it would have probability 0.
    """
    n = np.bincount(np.minimum(counts, 5), minlength=6)[:5].astype(float)
    if (n[1:4] == 0).any():
        return Discounts(FALLBACK, True)
    y = n[1] / (n[1] + 2 * n[2])
    first, second, third = (count - (count + 1) * y * n[count + 1] / n[count] for count in (1, 2, 3))
    if not (0 < first <= 1 and 0 < second <= 2 and 0 < third <= 3):
        return Discounts(FALLBACK, True)
    return Discounts((float(first), float(second), float(third)), False)
