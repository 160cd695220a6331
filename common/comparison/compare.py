"""Two runs → the difference of their error rates with a paired interval, and the samples that changed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from scipy.special import bdtr

from common.bootstrap import PairedDifference, bootstrap_difference
from common.comparison.runs import Pair, Run, pairs_of
from common.edits import count_characters, count_words

Change = Literal["better", "worse", "other"]
CHANGES: tuple[Change, ...] = ("better", "worse", "other")


@dataclass(frozen=True, slots=True)
class Measure:
    """One error rate of both runs.

    Attributes:
        unit: ``words``, ``characters`` or ``samples``; a sample is an error where its text is not exactly right.
        errors: of the first run and of the second.
        reference: units of the references.
        difference: of the pooled rates, second - first, with its interval; None where fewer than two groups or samples
            have reference units.
        better, worse, same: samples in which the second run has fewer errors, more, as many.
        pairs_p_value: of the matched pairs alone: two-sided sign test on ``better`` and ``worse``, samples taken as
            independent. Of whole samples that is McNemar's test.
    """

    unit: str
    errors: tuple[int, int]
    reference: int
    difference: PairedDifference | None
    better: int
    worse: int
    same: int

    @property
    def rates(self) -> tuple[float | None, float | None]:
        """Errors a reference unit, fractions, of the first run and of the second."""
        first, second = (each / self.reference if self.reference else None for each in self.errors)
        return first, second

    @property
    def change(self) -> float | None:
        """Of the pooled rates, second - first."""
        return (self.errors[1] - self.errors[0]) / self.reference if self.reference else None

    @property
    def pairs_p_value(self) -> float:
        return sign_test(self.better, self.worse)

    @property
    def verdict(self) -> Literal["better", "worse", "unclear"]:
        """What the second run is, where the interval leaves 0 out."""
        if self.difference is None or self.difference.low <= 0 <= self.difference.high:
            return "unclear"
        return "better" if self.difference.value < 0 else "worse"


@dataclass(frozen=True, slots=True)
class Changed:
    """A sample that the two runs read differently.

    Attributes:
        change: of the second run: ``better`` with fewer character errors, or as many and fewer word errors; ``other``
            where both are as many.
        word_errors, character_errors: of the first run and of the second.
    """

    pair: Pair
    change: Change
    word_errors: tuple[int, int]
    character_errors: tuple[int, int]

    @property
    def size(self) -> tuple[int, int]:
        """How large the change is, in characters, then in words."""
        return (
            abs(self.character_errors[1] - self.character_errors[0]),
            abs(self.word_errors[1] - self.word_errors[0]),
        )


@dataclass(frozen=True, slots=True)
class Comparison:
    """The second run against the first.

    Attributes:
        names: of the first run and of the second.
        drawn_over: what the bootstrap draws: ``groups``, or ``samples`` where there is a single group.
        num_samples, num_groups: of the test set.
        bootstrap_samples, confidence: of the intervals.
        measures: of words, characters and whole samples.
        changed: the largest change first, then by id.
    """

    names: tuple[str, str]
    num_samples: int
    num_groups: int
    drawn_over: str
    bootstrap_samples: int
    confidence: float
    measures: Sequence[Measure]
    changed: Sequence[Changed]

    def with_change(self, change: Change) -> list[Changed]:
        return [each for each in self.changed if each.change == change]


def compare(first: Run, second: Run, *, num_samples: int = 1000, confidence: float = 0.95, seed: int = 0) -> Comparison:
    """Compare two runs on the same samples.

    Args:
        num_samples, confidence, seed: of the bootstrap intervals.

    Raises:
        GlyphoneError: the runs do not have the same samples.
    """
    pairs = pairs_of(first, second)
    # A sample without a group is one of its own, unless no sample has one: then samples are drawn.
    groups = [f"group {pair.group}" if pair.group else f"sample {pair.id}" for pair in pairs]
    if not any(pair.group for pair in pairs):
        groups = [""] * len(pairs)
    words = [_errors(pair, count_words) for pair in pairs]
    characters = [_errors(pair, count_characters) for pair in pairs]
    whole = [(int(pair.first != pair.reference), int(pair.second != pair.reference), 1) for pair in pairs]

    def measure(unit: str, rows: Sequence[tuple[int, int, int]]) -> Measure:
        before, after, reference = zip(*rows, strict=True)
        difference = bootstrap_difference(
            before, after, reference, groups, num_samples=num_samples, confidence=confidence, seed=seed
        )
        better = sum(row[1] < row[0] for row in rows)
        worse = sum(row[1] > row[0] for row in rows)
        errors = (sum(before), sum(after))
        return Measure(unit, errors, sum(reference), difference, better, worse, len(rows) - better - worse)

    changed = [
        Changed(pair, _change(of_words, of_characters), of_words[:2], of_characters[:2])
        for pair, of_words, of_characters in zip(pairs, words, characters, strict=True)
        if pair.first != pair.second
    ]
    num_groups = len(set(groups))
    return Comparison(
        names=(first.name, second.name),
        num_samples=len(pairs),
        num_groups=num_groups,
        drawn_over="groups" if num_groups > 1 else "samples",
        bootstrap_samples=num_samples,
        confidence=confidence,
        measures=[measure("words", words), measure("characters", characters), measure("samples", whole)],
        changed=sorted(changed, key=lambda each: (tuple(-part for part in each.size), each.pair.id)),
    )


def sign_test(better: int, worse: int) -> float:
    """Two-sided p-value of so many pairs that changed either way, were both ways as likely; exact.

    On samples that are right in one run and wrong in the other it is McNemar's test: Gillick & Cox, "Some statistical
    issues in the comparison of speech recognition algorithms", ICASSP 1989.
    """
    changed = better + worse
    return min(1.0, 2 * float(bdtr(min(better, worse), changed, 0.5))) if changed else 1.0


def tree(comparison: Comparison) -> dict[str, Any]:
    """The comparison for JSON: all samples that changed, rates and differences as fractions."""
    return {
        "first": comparison.names[0],
        "second": comparison.names[1],
        "samples": comparison.num_samples,
        "groups": comparison.num_groups,
        "interval": {
            "confidence": comparison.confidence,
            "bootstrap_samples": comparison.bootstrap_samples,
            "drawn_over": comparison.drawn_over,
        },
        **{f"{each.unit}_errors": _measure_tree(each) for each in comparison.measures},
        "changed": [
            {
                "id": each.pair.id,
                "group": each.pair.group,
                "change": each.change,
                "reference": each.pair.reference,
                "first": each.pair.first,
                "second": each.pair.second,
                "word_errors": list(each.word_errors),
                "character_errors": list(each.character_errors),
            }
            for each in comparison.changed
        ],
    }


def _measure_tree(measure: Measure) -> dict[str, Any]:
    found = measure.difference
    return {
        "errors": list(measure.errors),
        "reference": measure.reference,
        "rates": list(measure.rates),
        "difference": measure.change,
        "low": found and found.low,
        "high": found and found.high,
        "p_value": found and found.p_value,
        "probability_of_improvement": found and found.improvement,
        "verdict": measure.verdict,
        "better": measure.better,
        "worse": measure.worse,
        "same": measure.same,
        "pairs_p_value": measure.pairs_p_value,
    }


def _errors(pair: Pair, count: Callable[[str, str], Any]) -> tuple[int, int, int]:
    before, after = count(pair.reference, pair.first), count(pair.reference, pair.second)
    return before.errors, after.errors, before.reference


def _change(of_words: tuple[int, int, int], of_characters: tuple[int, int, int]) -> Change:
    for before, after, _ in (of_characters, of_words):
        if before != after:
            return "better" if after < before else "worse"
    return "other"
