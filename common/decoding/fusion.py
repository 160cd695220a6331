"""CTC prefix beam search with a language model, a lexicon and hotwords; compiled, one thread a call.

The score of a text is ln P(labels | emissions) + alpha · ln P(text) + beta · words (or characters) + hotwords + unknown
words. Word n-grams score a word when it ends: at the space behind it, or, once, at the end of the text, where </s> is
scored too.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from common.alphabet import BLANK
from common.decoding.fusion_search import fused_search
from common.decoding.knowledge import CHARACTERS, NOTHING, WORDS, Knowledge
from common.decoding.language_search import FusedBeam
from common.errors import GlyphoneError
from common.language.arpa import read_arpa
from common.language.lexicon import build_lexicon, label_arcs
from common.language.ngrams import BEGIN, END, UNKNOWN, Level, Ngrams
from common.language.text import SPACE_TOKEN
from common.language.trie import MISSING_UNKNOWN, build

_LN10 = math.log(10.0)
_UNITS = {"word": WORDS, "char": CHARACTERS, "none": NOTHING}


class FusionError(GlyphoneError, ValueError):
    """A language model, labels and settings that do not go together."""


@dataclass(frozen=True)
class Weights:
    """What language is worth beside the emissions; all in nats.

    Attributes:
        alpha: factor of ln P of the n-grams.
        beta: added for each word (word n-grams) or character (character n-grams).
        unknown_score: added for each word outside the lexicon.
        closed: no words outside the lexicon at all.
        margin: prefixes this much worse than the best one are dropped after each slice; infinity: none.
        hotwords: word → added wherever it is written; they belong to the lexicon.
    """

    alpha: float = 0.5
    beta: float = 1.0
    unknown_score: float = -10.0
    closed: bool = False
    margin: float = math.inf
    hotwords: Mapping[str, float] = field(default_factory=dict)


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
        _check(labels, ngrams, unit, weights)
        self.labels = tuple(labels)
        if words is None and unit == "word" and ngrams is not None:
            words = [token for token in ngrams.tokens if token not in (UNKNOWN, BEGIN, END)]
        if words is None and weights.closed:
            raise FusionError("a closed lexicon needs words: word n-grams, or a list")
        self.ngrams = ngrams or _no_ngrams()
        self.unit = _UNITS[unit]
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

        Raises:
            GlyphoneError: the file or the labels cannot be used.
        """
        ngrams = read_arpa(path)
        unit = unit_of(ngrams)
        return cls(labels, ngrams, unit, Weights(alpha, beta, closed=unit == "word"))

    def with_weights(self, weights: Weights) -> "FusedSearch":
        """The same with other weights, built quickly; hotwords must be the same ones."""
        if set(weights.hotwords) != set(self.weights.hotwords):
            raise FusionError("with_weights: other hotwords need a search of their own")
        other = object.__new__(FusedSearch)
        other.__dict__.update(self.__dict__)
        other._set(weights)
        return other

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
        log_probs = np.ascontiguousarray(log_probs, np.float32)
        if log_probs.ndim != 2 or log_probs.shape[1] != len(self.labels) + 1:
            raise FusionError(f"emissions have shape {list(log_probs.shape)}, [T, {len(self.labels) + 1}] is needed")
        nodes, acoustic, gains, languages, parents, node_labels = fused_search(
            log_probs, beam_width, self.weights.margin, self._knowledge, self._most_gain, self._space_slack
        )
        scores = acoustic + gains
        beams: list[FusedBeam] = []
        for k in np.argsort(-scores, kind="stable").tolist():
            if scores[k] == -np.inf:
                break
            # Ties at the border of num_best are all looked at.
            if len(beams) >= num_best and scores[k] < beams[-1].score:
                break
            labels, node = [], int(nodes[k])
            while node:
                labels.append(int(node_labels[node]))
                node = int(parents[node])
            beams.append(FusedBeam(labels[::-1], float(scores[k]), float(acoustic[k]), float(languages[k]) * _LN10))
        if not beams:
            return [FusedBeam([], -math.inf, -math.inf, 0.0)]
        return sorted(beams, key=lambda beam: (-beam.score, beam.labels))[:num_best]

    def __call__(self, log_probs: np.ndarray, beam_width: int, num_best: int = 1) -> list[tuple[list[int], float]]:
        """As ``common.decoding.beam.search``: labels and scores."""
        return [(beam.labels, beam.score) for beam in self.search(log_probs, beam_width, num_best)]

    def arrays(self, log_probs: np.ndarray, beam_width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """All beams: labels int32 [K, L], zero behind each length; lengths int32 [K]; scores float64 [K]."""
        beams = self.search(log_probs, beam_width, beam_width)
        lengths = np.array([len(beam.labels) for beam in beams], np.int32)
        labels = np.zeros((len(beams), int(lengths.max())), np.int32)
        for row, beam in zip(labels, beams, strict=True):
            row[: len(beam.labels)] = beam.labels
        return labels, lengths, np.array([beam.score for beam in beams])

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


def _check(labels: Sequence[str], ngrams: Ngrams | None, unit: str, weights: Weights) -> None:
    if unit not in _UNITS:
        raise FusionError(f"unit {unit!r}: there are {', '.join(_UNITS)}")
    if (unit == "none") != (ngrams is None):
        raise FusionError(f"unit {unit!r}: n-grams are {'not given' if ngrams is None else 'given'}")
    for label in labels:
        if not label or (" " in label and label != " "):
            raise FusionError(f"label {label!r}: one or more characters are needed; a space stands alone")
    if len(set(labels)) < len(labels):
        raise FusionError("labels stand twice")
    for name in ("alpha", "beta", "unknown_score"):
        if not math.isfinite(value := getattr(weights, name)):
            raise FusionError(f"{name} is {value}; a finite number is needed")
    if not weights.margin > 0:
        raise FusionError(f"margin is {weights.margin}; more than 0 is needed")
    if weights.alpha < 0:
        raise FusionError(f"alpha is {weights.alpha}; at least 0 is needed")
    for word, bonus in weights.hotwords.items():
        if not word or word.split() != [word] or not math.isfinite(bonus):
            raise FusionError(f"hotword {word!r} with {bonus}: one word without blanks and a finite number are needed")


def _no_ngrams() -> Ngrams:
    zeros = np.zeros(3, np.float32)
    return build([UNKNOWN, BEGIN, END], [Level(np.arange(3, dtype=np.int32)[:, None], zeros + MISSING_UNKNOWN, zeros)])
