"""What evaluate writes of a vote: an entry a sample, the tree ``vote`` of metrics.json, its figures in scores.json."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from common.decoding.hypothesis import Hypothesis
    from pipelines.voters import Voters

Rows = Sequence[dict[str, Any]]
Said = Callable[[Mapping[str, Any]], str]
# Of the flat figures of scores.json those that a vote has too.
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
# Of the metrics' tree what is said of each model on its own.
PARTS = ("samples", "words", "characters", "exact")


def vote_entry(
    voters: "Voters", log_probs: Sequence["np.ndarray"], own: "Hypothesis", units: float, reference: str
) -> dict[str, Any]:
    """``vote`` of a row: the voted hypothesis with its counts, and what each of the other models says alone.

    Args:
        log_probs: of the sample by the main model, then by the others.
        own: the main model's hypothesis, places in its emission slices; ``units`` is the length of one.
    """
    from common.decoding import in_units
    from common.output import details, rounded
    from common.scoring import count_characters, count_words

    others = voters.poll.others(log_probs)
    voted = in_units(voters.poll.vote(log_probs, [own, *others]), units)
    return {
        "vote": {
            "hypothesis": voted.text,
            **details(voted),
            "word_counts": asdict(count_words(reference, voted.text)),
            "character_counts": asdict(count_characters(reference, voted.text)),
            "voters": [{"hypothesis": each.text, "confidence": rounded(each.confidence)} for each in others],
        }
    }


def vote_metrics(
    voters: "Voters", rows: Mapping[str, Rows], metrics_of: Callable[[Rows], dict[str, Any]]
) -> dict[str, Any]:
    """The tree ``vote``.

    Args:
        rows: of ``test`` and ``validation``, each with its ``vote``.
        metrics_of: the tree of metrics of rows.
    """

    def trees(said: Said) -> dict[str, dict[str, Any]]:
        return {split: metrics_of([{**row, "hypothesis": said(row)} for row in each]) for split, each in rows.items()}

    def alone(number: int) -> dict[str, Any]:
        by_split = trees(lambda row: row["vote"]["voters"][number]["hypothesis"])
        return {**_parts(by_split["test"]), "validation": _parts(by_split["validation"])}

    together = trees(lambda row: row["vote"]["hypothesis"])
    return {
        **together["test"],
        "validation": together["validation"],
        "method": voters.poll.method,
        "gap_weight": voters.poll.gap_weight,
        "calibration": _calibration(rows["test"]),
        "voters": [{"model": name, **alone(number)} for number, name in enumerate(voters.names)],
    }


def vote_scores(scores: Mapping[str, float | None]) -> dict[str, float | None]:
    """The flat figures of a vote, by names of their own, out of the same as ``scores_of`` makes for a model."""
    return {f"vote_{key}": scores[key] for key in SCORES}


def _parts(tree: Mapping[str, Any]) -> dict[str, Any]:
    return {part: tree[part] for part in PARTS}


def _calibration(rows: Rows) -> dict[str, Any]:
    """How far the vote's confidences are from how often it is right, on the test split."""
    from common.calibration import KINDS, no_observations, observe, summary
    from common.decoding.hypothesis import Hypothesis, Symbol, Word

    observed = no_observations()
    for row in rows:
        vote = row["vote"]
        symbols = tuple(Symbol(**each) for each in vote["characters"])
        words = tuple(Word(**each) for each in vote["words"])
        said = Hypothesis(vote["hypothesis"], 0.0, vote["confidence"], symbols, words)
        observe(said, row["reference"], row["group"], observed)
    return {
        kind: {
            "observations": len(observed[kind].rights),
            "right": sum(observed[kind].rights),
            **summary(observed[kind].confidences, observed[kind].rights),
        }
        for kind in KINDS
    }
