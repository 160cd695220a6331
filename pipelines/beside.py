"""What evaluate writes of hypotheses that stand beside the model's own, as those of a vote and of adapted models do.

They have an entry of their own in each row of hypotheses.jsonl and a tree of their own in metrics.json, under the same
key, and figures of scores.json that begin with it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from common.decoding.hypothesis import Hypothesis

Rows = Sequence[dict[str, Any]]
MetricsOf = Callable[[Rows], dict[str, Any]]
# Of the flat figures of scores.json those that stand beside, too.
SCORES = (
    "word_error_rate",
    "word_error_rate_low",
    "word_error_rate_high",
    "character_error_rate",
    "character_error_rate_low",
    "character_error_rate_high",
    "exact_share",
    "validation_word_error_rate",
    "validation_character_error_rate",
    "validation_exact_share",
)


def entry(hypothesis: "Hypothesis", reference: str) -> dict[str, Any]:
    """A hypothesis, places in units, with its counts, as a row has them of the model's own."""
    from common.output import details
    from common.scoring import count_characters, count_words

    return {
        "hypothesis": hypothesis.text,
        **details(hypothesis),
        "word_counts": asdict(count_words(reference, hypothesis.text)),
        "character_counts": asdict(count_characters(reference, hypothesis.text)),
    }


def metrics_beside(rows: Mapping[str, Rows], key: str, metrics_of: MetricsOf) -> dict[str, Any]:
    """The tree of metrics of the hypotheses under ``key`` of rows of ``test`` and ``validation``."""
    trees = trees_of(rows, lambda row: row[key]["hypothesis"], metrics_of)
    return {**trees["test"], "validation": trees["validation"], "calibration": _calibration(rows["test"], key)}


def scores_beside(scores: Mapping[str, float | None], key: str) -> dict[str, float | None]:
    """The flat figures, by names of their own, out of the same as ``scores_of`` makes for a model."""
    return {f"{key}_{each}": scores[each] for each in SCORES}


def trees_of(
    rows: Mapping[str, Rows], said: Callable[[Mapping[str, Any]], str], metrics_of: MetricsOf
) -> dict[str, dict[str, Any]]:
    """The tree of metrics of what was said of each row, by split."""
    return {split: metrics_of([{**row, "hypothesis": said(row)} for row in each]) for split, each in rows.items()}


def _calibration(rows: Rows, key: str) -> dict[str, Any]:
    """How far the confidences are from how often they are right, on the test split."""
    from common.calibration import KINDS, no_observations, observe, summary
    from common.decoding.hypothesis import Hypothesis, Symbol, Word

    observed = no_observations()
    for row in rows:
        beside = row[key]
        symbols = tuple(Symbol(**each) for each in beside["characters"])
        words = tuple(Word(**each) for each in beside["words"])
        said = Hypothesis(beside["hypothesis"], 0.0, beside["confidence"], symbols, words)
        observe(said, row["reference"], row["group"], observed)
    return {
        kind: {
            "observations": len(observed[kind].rights),
            "right": sum(observed[kind].rights),
            **summary(observed[kind].confidences, observed[kind].rights),
        }
        for kind in KINDS
    }
