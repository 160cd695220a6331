"""Confidences that mean what they say: of what is said with 0.9, nine in ten are right.

A network's posteriors are a score with the right order and the wrong size. Platt's scaling (Platt 1999) puts them
right: logit(calibrated) = slope · logit(confidence) + offset, with slope > 0, one pair of numbers for characters and
one for words. They are fitted on validation data; the order of confidences stays as it is.
"""

import math
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from common.decoding.hypothesis import Hypothesis, Part, Symbol, geometric_mean
from common.edits import align, characters, words

# Confidences of 0 and 1 count as this far from them: their logit would be infinite.
MARGIN = 1e-6
# Below this slope, and above none, confidences would say nothing, or the contrary.
MIN_SLOPE = 0.05
# Strength of the prior, a normal distribution around slope 1 and offset 0 with variance 1 / PRIOR: with few or no
# observations, or without a single error, confidences stay near what they are.
PRIOR = 1.0
NUM_FOLDS = 5
# Of equal width, as in Guo et al. 2017, "On Calibration of Modern Neural Networks".
NUM_BINS = 15
MAX_STEPS = 50


@dataclass(frozen=True, slots=True)
class Scale:
    """logit(calibrated) = slope · logit(confidence) + offset."""

    slope: float = 1.0
    offset: float = 0.0

    def __call__(self, confidence: float) -> float:
        return float(self.of(np.array([confidence]))[0])

    def of(self, confidences: np.ndarray) -> np.ndarray:
        """Calibrated confidences, float64 [N] in [0, 1]."""
        if (self.slope, self.offset) == (1.0, 0.0):
            return np.asarray(confidences, np.float64)
        return _chances(self.slope * _logit(confidences) + self.offset)


@dataclass(frozen=True, slots=True)
class Calibration:
    """What a model's confidences are put right with."""

    characters: Scale = Scale()
    words: Scale = Scale()

    @classmethod
    def of_description(cls, description: Mapping[str, Any] | None) -> "Calibration":
        """From ``calibration`` of a bundle; None, as in older bundles, leaves confidences as they are.

        Raises:
            KeyError, TypeError, ValueError: not what ``describe`` writes.
        """
        if description is None:
            return cls()
        if not isinstance(description, Mapping):
            raise TypeError(f"calibration is {description!r}")
        scales = [Scale(float(each["slope"]), float(each["offset"])) for each in map(description.__getitem__, KINDS)]
        if not all(scale.slope > 0 and math.isfinite(scale.slope + scale.offset) for scale in scales):
            raise ValueError("calibration: slope and offset must be finite, slope above 0")
        return cls(*scales)


UNCALIBRATED = Calibration()
KINDS = ("characters", "words")


@dataclass
class Observations:
    """Confidences, whether what they are of was right, and what they hang together by: speaker, volume, sample."""

    confidences: list[float] = field(default_factory=list)
    rights: list[bool] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)

    def add(self, confidences: Iterable[float], rights: Iterable[bool], group: str) -> None:
        before = len(self.confidences)
        self.confidences += confidences
        self.rights += rights
        self.groups += [group] * (len(self.confidences) - before)


def no_observations() -> dict[str, Observations]:
    """Of characters and of words."""
    return {kind: Observations() for kind in KINDS}


def calibrated(hypothesis: Hypothesis, calibration: Calibration) -> Hypothesis:
    """The hypothesis with calibrated confidences; its own is the geometric mean of its characters', as before."""
    symbols = _scaled(hypothesis.symbols, calibration.characters)
    return replace(
        hypothesis,
        symbols=symbols,
        words=_scaled(hypothesis.words, calibration.words),
        confidence=geometric_mean([each.confidence for each in symbols]) if symbols else hypothesis.confidence,
    )


def _scaled(parts: Sequence[Part], scale: Scale) -> tuple[Part, ...]:
    confidences = scale.of(np.array([part.confidence for part in parts])).tolist()
    return tuple(replace(part, confidence=each) for part, each in zip(parts, confidences, strict=True))


def observe(hypothesis: Hypothesis, reference: str, group: str, into: Mapping[str, Observations]) -> None:
    """Hold a hypothesis against its reference: characters and words that a shortest alignment leaves equal are right.

    Blanks that are folded away where a text begins, ends or has several count as nothing.

    Args:
        into: ``characters`` and ``words``.
    """
    kept: list[Symbol] = []
    for symbol in hypothesis.symbols:
        if kept and len(one := unicodedata.normalize("NFC", kept[-1].text + symbol.text)) == 1:
            # A letter and its mark, which are one character of the reference.
            sure = geometric_mean([kept[-1].confidence, symbol.confidence])
            kept[-1] = replace(kept[-1], text=one, end=symbol.end, confidence=sure)
        elif not symbol.text.isspace() or (kept and not kept[-1].text.isspace()):
            kept.append(symbol)
    if kept and kept[-1].text.isspace():
        kept.pop()
    for kind, units, parts in (
        ("characters", characters(reference), kept),
        ("words", words(reference), hypothesis.words),
    ):
        # The text is in NFC, its parts are as they were written: marks on a letter may stand in another order.
        written = [" " if part.text.isspace() else unicodedata.normalize("NFC", part.text) for part in parts]
        steps = align(units, written)
        rights = [operation == "equal" for operation, *_ in steps if operation != "deletion"]
        into[kind].add((part.confidence for part in parts), rights, group)


def fit(observations: Observations) -> Scale:
    """The most probable scale given what was observed (Newton's method; the posterior has a single maximum)."""
    rights = np.array(observations.rights, np.float64)
    logits = _logit(np.array(observations.confidences))
    slope, offset = _maximum(logits, rights, np.array([1.0, 0.0]), np.array([True, True]))
    if slope < MIN_SLOPE:
        slope, offset = _maximum(logits, rights, np.array([MIN_SLOPE, 0.0]), np.array([False, True]))
    return Scale(round(float(slope), 6), round(float(offset), 6))


def _maximum(logits: np.ndarray, rights: np.ndarray, start: np.ndarray, free: np.ndarray) -> np.ndarray:
    """(slope, offset) of the highest posterior, with those that are not ``free`` as they start."""
    inputs = np.stack([logits, np.ones_like(logits)], axis=1)  # [N, 2]
    centre = np.array([1.0, 0.0])

    def loss(at: np.ndarray) -> float:
        scores = inputs @ at
        misfit = np.logaddexp(0, scores).sum() - (scores * rights).sum()
        return float(misfit + PRIOR / 2 * np.square(at - centre).sum())

    at = start
    for _ in range(MAX_STEPS):
        chances = _chances(inputs @ at)
        gradient = inputs.T @ (chances - rights) + PRIOR * (at - centre)
        curvature = (inputs * (chances * (1 - chances))[:, None]).T @ inputs + PRIOR * np.eye(2)
        step = np.zeros(2)
        step[free] = np.linalg.solve(curvature[np.ix_(free, free)], gradient[free])
        while loss(at - step) > loss(at) and np.abs(step).max() > 1e-9:
            step = step / 2
        at = at - step
        if np.abs(step).max() <= 1e-9:
            break
    return at


def describe(observations: Mapping[str, Observations]) -> dict[str, Any]:
    """``calibration`` of a bundle: a kind's scale, and its errors on the validation data before and after.

    The error after is cross-validated over groups, so that no observation is judged by a scale that it helped to fit.
    """
    return {
        kind: {
            **asdict(fit(observations[kind])),
            "observations": len(observations[kind].rights),
            "before": summary(observations[kind].confidences, observations[kind].rights),
            "after": summary(cross_validated(observations[kind]), observations[kind].rights),
        }
        for kind in KINDS
    }


def cross_validated(observations: Observations) -> np.ndarray:
    """Calibrated confidences, each by a scale fitted on the other folds; groups stay together."""
    confidences, rights = np.array(observations.confidences), np.array(observations.rights, bool)
    order = {group: place for place, group in enumerate(sorted(set(observations.groups)))}
    folds = np.array([order[group] % NUM_FOLDS for group in observations.groups], int)
    result = np.zeros(len(confidences))
    for fold in range(NUM_FOLDS):
        inside = folds == fold
        others = Observations(confidences[~inside].tolist(), rights[~inside].tolist())
        result[inside] = fit(others).of(confidences[inside])
    return result


def summary(confidences: Sequence[float] | np.ndarray, rights: Sequence[bool]) -> dict[str, float | None]:
    """``expected_calibration_error``: the mean distance of bins' confidence and accuracy; ``brier_score``: the mean
    square distance of confidence and rightness. None without observations."""
    values, hits = np.asarray(confidences, np.float64), np.asarray(rights, np.float64)
    if not len(values):
        return {"expected_calibration_error": None, "brier_score": None}
    gaps = [each["count"] * abs(each["confidence"] - each["accuracy"]) for each in bins(values, rights)]
    return {
        "expected_calibration_error": round(math.fsum(gaps) / len(values), 6),
        "brier_score": round(float(np.square(values - hits).mean()), 6),
    }


def bins(confidences: Sequence[float] | np.ndarray, rights: Sequence[bool]) -> list[dict[str, Any]]:
    """Bins of equal width with observations in them: ``from``, ``to``, ``count``, mean ``confidence``, ``accuracy``."""
    values, hits = np.asarray(confidences, np.float64), np.asarray(rights, np.float64)
    places = np.minimum((values * NUM_BINS).astype(int), NUM_BINS - 1)
    return [
        {
            "from": round(place / NUM_BINS, 4),
            "to": round((place + 1) / NUM_BINS, 4),
            "count": int((places == place).sum()),
            "confidence": round(float(values[places == place].mean()), 6),
            "accuracy": round(float(hits[places == place].mean()), 6),
        }
        for place in range(NUM_BINS)
        if (places == place).any()
    ]


def measure(before: Mapping[str, Observations], after: Mapping[str, Observations]) -> dict[str, Any]:
    """``calibration.test`` of metrics.json: a kind's observations, and both summaries with their bins."""

    def judged(each: Observations) -> dict[str, Any]:
        return {**summary(each.confidences, each.rights), "bins": bins(each.confidences, each.rights)}

    return {
        kind: {
            "observations": len(before[kind].rights),
            "right": sum(before[kind].rights),
            "before": judged(before[kind]),
            "after": judged(after[kind]),
        }
        for kind in KINDS
    }


def _chances(scores: np.ndarray) -> np.ndarray:
    """The inverse of a logit; beyond 700 a chance is 0 to the last bit that matters, and exp would overflow."""
    return 1 / (1 + np.exp(np.minimum(-scores, 700.0)))


def _logit(confidences: np.ndarray) -> np.ndarray:
    held = MARGIN + (1 - 2 * MARGIN) * np.asarray(confidences, np.float64)
    return np.log(held) - np.log1p(-held)
