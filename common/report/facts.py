"""Sources → the facts in the head of the page."""

from collections.abc import Iterable, Mapping
from typing import Any

from common.report.decoder import in_words
from common.report.sources import Sources
from common.report.wording import duration, short
from common.wording import count, plural

MAX_NAMED = 3  # corpora; more are counted

Corpora = Mapping[str, Mapping[str, Any]]


def facts(sources: Sources, decoding: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(term, value), in the order of the page."""
    bundle, summary, training = sources.bundle, sources.bundle["summary"], sources.training
    corpora: Corpora = summary["corpora"]
    earlier: Corpora = summary.get("warm_start", {}).get("corpora", {})
    test_units = sum(row["length"] for row in sources.hypotheses)
    step = f"{short(bundle['step'] * 1000)} ms" if bundle["unit"] == "s" else f"{short(bundle['step'])} px"
    rows = [
        ("Corpus", _named(corpora)),
        # The weights come from the earlier data as well.
        ("Licence of the data", _licences([*corpora.values(), *earlier.values()])),
    ]
    if earlier:
        rows.append(("Started from", f"a model of {_named(earlier)} ({_licences(earlier.values())})"))
    if "pretraining_seconds" in training:
        rows.append(("Pre-training time", duration(training["pretraining_seconds"])))
    return [
        *rows,
        ("Training", f"{plural(summary['training_samples'], 'sample')}, {_extent(summary['training_units'], bundle)}"),
        ("Validation", plural(summary["validation_samples"], "sample")),
        ("Test", f"{plural(sources.metrics['samples'], 'sample')}, {_extent(test_units, bundle)}"),
        ("Parameters", count(summary["num_parameters"])),
        ("Network", f"{bundle['network'].get('cell', 'recurrent')}, {bundle['num_features']} features every {step}"),
        ("Alphabet", plural(len(bundle["alphabet"]), "character")),
        ("Decoder", in_words(sources.metrics.get("decoder") or decoding)),
        ("Training time", f"{duration(training['seconds'])}, {plural(training['epochs'], 'epoch')}"),
        ("Trained on", f"{training['device']}, {training['precision']}"),
    ]


def _named(corpora: Corpora) -> str:
    return ", ".join(corpora) if len(corpora) <= MAX_NAMED else plural(len(corpora), "corpus", "corpora")


def _licences(corpora: Iterable[Mapping[str, Any]]) -> str:
    return "; ".join(sorted({corpus["licence"] or "not stated" for corpus in corpora}))


def _extent(units: float, bundle: Mapping[str, Any]) -> str:
    """Seconds as hours and minutes, pixels as they are."""
    if bundle["unit"] == "s":
        return duration(units)
    return f"{count(units)} {bundle['unit']}"
