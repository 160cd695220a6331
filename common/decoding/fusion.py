"""CTC prefix beam search with a language model, a lexicon and hotwords; compiled, one thread a call.

The score of a text is ln P(labels | emissions) + alpha · ln P(text) + beta · words (or characters) + hotwords + unknown
words. Word n-grams score a word when it ends: at the space behind it, or, once, at the end of the text, where </s> is
scored too.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from common.alphabet import BLANK
from common.decoding.fusion_beam import new_beam, texts, worths
from common.decoding.fusion_search import extended
from common.decoding.knowledge import CHARACTERS, WORDS, Knowledge
from common.decoding.language_search import FusedBeam
from common.decoding.weights import UNITS, FusionError, Weights, check, check_weights
from common.language.arpa import read_arpa
from common.language.lexicon import build_lexicon, label_arcs
from common.language.ngrams import BEGIN, END, UNKNOWN, Level, Ngrams
from common.language.text import SPACE_TOKEN
from common.language.trie import MISSING_UNKNOWN, build

_LN10 = math.log(10.0)
# ctcdecode's own penalty of a word that its model does not know.
UNFINISHED = -1000.0


class FusedSearch:
    """A search for one set of labels and one language model; may be called from several threads.

    >>> search = FusedSearch([" ", "a", "b"], model, "word", Weights(alpha=0.6, beta=1.0))
    >>> best = search.search(log_probs, beam_width=64)[0]
    """

    def __init__(
        self,
        labels: Sequence[str],
        ngrams: Ngrams | None = None,
        unit: str = "none",
        weights: Weights | None = None,
        words: Sequence[str] | None = None,
    ) -> None:
        """Lay out all that the search looks up.

        Args:
            labels: of label 1, 2, …: ``alphabet.symbols``; of one or more characters, the space alone.
            unit: what the n-grams are of: ``word``, ``char``, or ``none`` where there are none.
            words: the lexicon; word n-grams take words outside for unknown ones. None: the words of word n-grams; with
                others there is none then, save the hotwords.

        Raises:
            FusionError: labels, units and weights that do not go together.
        """
        weights = weights or Weights()
        check(labels, ngrams, unit)
        check_weights(weights)
        self.labels = tuple(labels)
        if words is None and unit == "word" and ngrams is not None:
            words = [token for token in ngrams.tokens if token not in (UNKNOWN, BEGIN, END)]
        if words is None and weights.closed:
            raise FusionError("a closed lexicon needs words: word n-grams, or a list")
        self.ngrams = ngrams or _no_ngrams()
        self.unit = UNITS[unit]
        self.has_words = words is not None or bool(weights.hotwords)
        # Without a list, hotwords must not make all other words outsiders.
        self.has_list = words is not None
        self.lexicon = build_lexicon([*(words or ()), *weights.hotwords])
        self._label_tokens = self._spelled()
        self._arcs = label_arcs(self.lexicon, self.labels)
        numbers = self.ngrams.numbers
        self._word_tokens = np.array([numbers.get(word, numbers[UNKNOWN]) for word in self.lexicon.words], np.int64)
        self._set(weights)

    @classmethod
    def of_arpa(cls, labels: Sequence[str], path: str, alpha: float, beta: float) -> "FusedSearch":
        """As ctcdecode takes a language model: of words, and then no others are written, or of characters.

        With words, single spaces stand between them, and a text that ends within a word comes after all others.

        Raises:
            GlyphoneError: the file or the labels cannot be used.
        """
        ngrams = read_arpa(path)
        unit = unit_of(ngrams)
        closed = unit == "word"
        return cls(
            labels,
            ngrams,
            unit,
            Weights(alpha, beta, closed=closed, single_spaces=closed, unfinished_score=UNFINISHED),
        )

    def with_weights(self, weights: Weights) -> "FusedSearch":
        """The same with other weights, built quickly; hotwords must be the same ones."""
        if set(weights.hotwords) != set(self.weights.hotwords):
            raise FusionError("with_weights: other hotwords need a search of their own")
        check_weights(weights)
        other = object.__new__(FusedSearch)
        other.__dict__.update(self.__dict__)
        other._set(weights)
        return other

    def num_writable_words(self) -> int:
        """Words of the lexicon that the labels can spell."""
        reached = np.zeros(len(self.lexicon.parents), bool)
        reached[0] = True
        arcs, depths = self._arcs, self.lexicon.depths
        for low, high in pairwise(depths):  # labels lead to longer beginnings
            first = arcs.first[low : high + 1]
            from_reached = np.repeat(reached[low:high], np.diff(first))
            reached[arcs.targets[first[0] : first[-1]][from_reached]] = True
        return int((reached & (self.lexicon.table.word >= 0)).sum())

    def knows_a_label(self) -> bool:
        """Whether character n-grams know any character of the labels but the space."""
        others = [-1, self.ngrams.numbers[UNKNOWN], self._token(" ")]
        return not np.isin(self._label_tokens, others).all()

    def search(self, log_probs: np.ndarray, beam_width: int, num_best: int = 1) -> list[FusedBeam]:
        """The best texts, best first; fewer than ``num_best`` where the beam does not hold as many.

        Of equal scores the one with the smaller labels comes first. Where no text is allowed, the only result is the
        empty one with -inf.

        Args:
            log_probs: float32 [T, V] natural log-probabilities, without NaN and +inf; blank 0.
            beam_width: prefixes kept after each slice, at least 1.
        """
        if beam_width < 1 or num_best < 1:
            raise ValueError(f"beam_width and num_best must be at least 1, not {beam_width} and {num_best}")
        labels, lengths, scores, acoustic, languages = self._best(
            self.extended(self.begin(beam_width), log_probs), num_best, True
        )
        rows = zip(labels, lengths.tolist(), scores.tolist(), acoustic.tolist(), languages.tolist(), strict=True)
        beams = [FusedBeam(row[:length].tolist(), *values) for row, length, *values in rows]
        return beams or [FusedBeam([], -math.inf, -math.inf, 0.0)]

    def begin(self, beam_width: int) -> Any:
        """The beam before the first slice, for ``extended``."""
        return new_beam(beam_width, self._knowledge)

    def extended(self, beam: Any, log_probs: np.ndarray) -> Any:
        """The beam after further slices, [T, V]; the given one must not be used again. Portions change nothing."""
        log_probs = np.ascontiguousarray(log_probs, np.float32)
        if log_probs.ndim != 2 or log_probs.shape[1] != len(self.labels) + 1:
            raise FusionError(f"emissions have shape {list(log_probs.shape)}, [T, {len(self.labels) + 1}] is needed")
        return extended(beam, log_probs, self.weights.margin, self._knowledge, self._most_gain, self._space_slack)

    def results(self, beam: Any, num_best: int, ended: bool = True) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The best texts: labels int32 [K, L], zero behind each length; lengths int32 [K]; scores float64 [K].

        K ≤ num_best, and 0 where no text is allowed.

        Args:
            ended: the text ends here. Else its last word may go on: neither it nor the end is scored.
        """
        labels, lengths, scores, _, _ = self._best(beam, num_best, ended)
        return labels, lengths, scores

    def _best(self, beam: Any, num_best: int, ended: bool) -> tuple[np.ndarray, ...]:
        """As ``results``, and acoustic scores and ln P of the n-grams, float64 [K]."""
        acoustic, gains, languages = worths(beam, self._knowledge, ended)
        scores = acoustic + gains
        order = np.argsort(-scores, kind="stable")
        possible = scores[order] > -np.inf
        if num_best < len(order):
            # Ties at the border of num_best are all looked at.
            possible &= scores[order] >= scores[order[num_best - 1]]
        order = order[possible]
        labels, lengths = texts(beam, order)
        best = scores[order]
        if (best[1:] == best[:-1]).any():
            # By label strings; a shorter one comes before those that it begins.
            by_labels = np.lexsort((*labels.T[::-1], -best))
            order, labels, lengths = order[by_labels], labels[by_labels], lengths[by_labels]
        order, lengths = order[:num_best], lengths[:num_best]
        labels = labels[:num_best, : lengths.max(initial=0)]
        return labels, lengths, scores[order], acoustic[order], languages[order] * _LN10

    def __call__(self, log_probs: np.ndarray, beam_width: int, num_best: int = 1) -> list[tuple[list[int], float]]:
        """As ``common.decoding.beam.search``: labels and scores."""
        return [(beam.labels, beam.score) for beam in self.search(log_probs, beam_width, num_best)]

    def _set(self, weights: Weights) -> None:
        self.weights = weights
        alpha = weights.alpha * _LN10
        numbers = self.ngrams.numbers
        unknown = numbers[UNKNOWN]
        lexicon = self.lexicon
        unknown_score = weights.unknown_score if self.has_list else 0.0
        bonuses = np.array([weights.hotwords.get(word, 0.0) for word in lexicon.words], np.float64)
        worths, outside = bonuses.copy(), unknown_score
        if self.unit == WORDS:
            unigrams = self.ngrams.table.log_prob[1 : len(numbers) + 1].astype(np.float64)
            worths += alpha * unigrams[self._word_tokens]
            outside += alpha * float(unigrams[unknown])
        forecasts = lexicon.best_below(worths)
        if not weights.closed:
            forecasts = np.maximum(forecasts, outside)
        top = forecasts[0] if forecasts[0] > -np.inf else 0.0
        places = lexicon.table.word
        ends = places >= 0
        node_tokens = np.full(len(places), -1, np.int64)
        node_bonuses = np.zeros(len(places))
        if ends.any():
            node_tokens[ends] = self._word_tokens[places[ends]]
            node_bonuses[ends] = bonuses[places[ends]]
        per_character = weights.beta * self._label_tokens.shape[1] if self.unit == CHARACTERS else 0.0
        self._most_gain = max(0.0, per_character)
        best_word = max(0.0, unknown_score, float(bonuses.max(initial=0.0)))
        self._space_slack = best_word + (max(0.0, weights.beta) if self.unit else 0.0)
        self._knowledge = Knowledge(
            unit=self.unit,
            ngrams=self.ngrams.table,
            alpha=alpha,
            beta=float(weights.beta),
            begin=int(self.ngrams.begin),
            end=numbers[END],
            unknown=unknown,
            space=self._token(" "),
            label_tokens=self._label_tokens,
            words=self.has_words,
            closed=weights.closed,
            arcs=self._arcs.first,
            arc_labels=self._arcs.labels,
            arc_targets=self._arcs.targets,
            space_label=self.labels.index(" ") + 1 if " " in self.labels else -1,
            tokens=np.append(node_tokens, -1).astype(np.int32),
            bonuses=node_bonuses,
            forecasts=np.append(forecasts, outside) - top,
            unknown_score=float(unknown_score),
            single_spaces=bool(weights.single_spaces and self.has_words),
            unfinished_score=float(weights.unfinished_score),
        )

    def _token(self, character: str) -> int:
        return self.ngrams.number(SPACE_TOKEN if character == " " else character)

    def _spelled(self) -> np.ndarray:
        """int32 [V, L]: the characters of each label as tokens of the n-grams, padded with -1."""
        spelled = np.full((len(self.labels) + 1, max(map(len, self.labels), default=1)), -1, np.int32)
        for label, characters in enumerate(self.labels, BLANK + 1):
            spelled[label, : len(characters)] = [self._token(character) for character in characters]
        return spelled


def unit_of(ngrams: Ngrams) -> str:
    """``char`` where every token but the markers is one character (or the space), else ``word``: ctcdecode's rule."""
    own = [token for token in ngrams.tokens if token not in (UNKNOWN, BEGIN, END, SPACE_TOKEN)]
    return "char" if all(len(token) == 1 for token in own) else "word"


def _no_ngrams() -> Ngrams:
    zeros = np.zeros(3, np.float32)
    return build([UNKNOWN, BEGIN, END], [Level(np.arange(3, dtype=np.int32)[:, None], zeros + MISSING_UNKNOWN, zeros)])
