"""What evaluate writes of a vote: an entry a sample, and the tree ``vote`` of metrics.json."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pipelines.beside import MetricsOf, Rows, entry, metrics_beside, trees_of

if TYPE_CHECKING:
    import numpy as np

    from common.decoding.hypothesis import Hypothesis
    from pipelines.voters import Voters

KEY = "vote"
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
    from common.output import rounded

    others = voters.poll.others(log_probs)
    voted = in_units(voters.poll.vote(log_probs, [own, *others]), units)
    alone = [{"hypothesis": each.text, "confidence": rounded(each.confidence)} for each in others]
    return {KEY: {**entry(voted, reference), "voters": alone}}


def vote_metrics(voters: "Voters", rows: Mapping[str, Rows], metrics_of: MetricsOf) -> dict[str, Any]:
    """The tree ``vote``.

    Args:
        rows: of ``test`` and ``validation``, each with its ``vote``.
        metrics_of: the tree of metrics of rows.
    """

    from common.decoding.description import description

    def alone(number: int) -> dict[str, Any]:
        by_split = trees_of(rows, lambda row: row[KEY]["voters"][number]["hypothesis"], metrics_of)
        return {**_parts(by_split["test"]), "validation": _parts(by_split["validation"])}

    return {
        **metrics_beside(rows, KEY, metrics_of),
        "method": voters.poll.method,
        "gap_weight": voters.poll.gap_weight,
        "voters": [
            {"model": name, "decoder": description(voters.decoders[number]), **alone(number)}
            for number, name in enumerate(voters.names)
        ],
    }


def _parts(tree: Mapping[str, Any]) -> dict[str, Any]:
    return {part: tree[part] for part in PARTS}
