"""Evaluate stage: test slices and model folder -> hypotheses, metrics, scores, and tables for plots.

Every test sample has a row and counts: one that could not be read has no slices, so its hypothesis is empty and all of
its reference is deleted. References are the texts of the stores, which prepare normalised once. The validation split is
scored in the same way, below ``validation``, so that choices need no test data.

``metrics.json`` is the whole tree; ``scores.json`` the dozen figures of it that ``dvc metrics`` shows side by side.
Where other models vote with this one (``evaluate.voters``), or it is adapted to each group without its texts
(``adaptation.rounds``), all of this stays the model's alone, and the vote and the adapted models have entries of their
own beside it, called ``vote`` and ``adapted``.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.errors import GlyphoneError, run

if TYPE_CHECKING:
    import numpy as np

    from common.bundle import Bundle
    from common.calibration import Observations
    from common.decoding import DecodingSettings
    from common.decoding.decoder import Decoder
    from common.decoding.hypothesis import Hypothesis
    from common.scoring import ScoredRow
    from common.store import Store
    from pipelines.stage_settings import EvaluateSettings
    from pipelines.voters import Voters

SPLITS = ("train", "validation", "test")
# Settings of decoding that stage tune chooses; all others it takes as they are.
TUNED = {"alpha", "beta", "beam_width", "rescoring"}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m pipelines.evaluate", description=__doc__)
    parser.add_argument("modality", help="audio or ocr, a section of params.yaml")
    parser.add_argument("--device", default="auto", help="cpu, cuda, cuda:1; auto takes CUDA where there is one")
    arguments = parser.parse_args()
    evaluate(arguments.modality, arguments.device)


def evaluate(name: str, device: str = "auto") -> None:
    """Score ``models/<name>`` on ``data/<name>/slices`` and write ``results/<name>``."""
    # Heavy imports stand here and below, so that --help answers at once, and mistakes in the settings show soon.
    from pipelines import settings

    chosen = settings.read(name, "seed", "decoding", "adaptation", "evaluate")

    from common.bundle import read_bundle
    from common.calibration import measure, no_observations
    from common.decoding.description import description as decoder_description
    from common.device import choose_device
    from common.files import write_json, write_jsonl, write_text
    from common.store import Store
    from common.tuned_calibration import calibrated_for
    from pipelines.adapted_groups import adapted_groups, description
    from pipelines.beside import metrics_beside, scores_beside
    from pipelines.evaluate_tables import errors_table, lengths_table
    from pipelines.vote_metrics import vote_metrics
    from pipelines.voters import voters_of

    folder = Path("data") / name / "slices"
    stores = {split: Store(folder / f"{split}.arrow") for split in SPLITS}
    model = Path("models") / name
    bundle = read_bundle(model)
    for store in stores.values():
        check_fit(bundle, model, store)
    bundle.network.to(choose_device(device, "--device"))

    seen = set(stores["train"].texts)
    decoder = decoder_for(bundle, model, chosen.decoding)
    bundle = calibrated_for(bundle, model, decoder.settings)
    voters = voters_of(name, chosen.evaluate, bundle, decoder)
    adapted = {
        split: adapted_groups(bundle, stores[split], decoder, chosen.adaptation, chosen.seed, f"{name}: {split}")
        for split in ("validation", "test")
        if chosen.adaptation.rounds
    }
    # Of the test set alone: on validation data the model has been calibrated.
    observed = {"test": (no_observations(), no_observations())}
    rows = {
        split: list(
            transcribed(
                bundle,
                stores[split],
                seen,
                decoder,
                f"{name}: {split}",
                observed.get(split),
                voters,
                adapted[split].hypotheses if adapted else None,
            )
        )
        for split in ("validation", "test")
    }
    results = Path("results") / name
    write_jsonl(results / "hypotheses.jsonl", rows["test"])
    write_text(results / "lengths.csv", lengths_table(stores))
    write_text(results / "errors.csv", errors_table(rows["test"]))

    def tree(each: Sequence[dict[str, Any]]) -> dict[str, Any]:
        return metrics_of(each, chosen.evaluate, chosen.seed)

    metrics = tree(rows["test"])
    metrics["validation"] = tree(rows["validation"])
    metrics["calibration"] = {"test": measure(*observed["test"]), "validation": bundle.calibration_errors}
    metrics["decoder"] = decoder_description(decoder)
    metrics["weights_sha256"] = bundle.weights_sha256
    scores = scores_of(metrics)
    beside = {}
    if voters is not None:
        metrics["vote"] = vote_metrics(voters, rows, tree)
        beside["vote"] = f"vote of {1 + len(voters.names)} models"
    if adapted:
        metrics["adapted"] = metrics_beside(rows, "adapted", tree) | description(chosen.adaptation, adapted)
        num_adapted = sum(map(bool, adapted["test"].rounds.values()))  # none where the first round was undone
        beside["adapted"] = f"models adapted to {num_adapted} of the test set's groups"
    for key in beside:
        scores |= scores_beside(scores_of(metrics[key]), key)
    write_json(results / "metrics.json", metrics)
    write_json(results / "scores.json", scores)
    print(f"{name}: {metrics['line']}", file=sys.stderr)
    for key, what in beside.items():
        print(f"{name}: {metrics[key]['line']} {what}", file=sys.stderr)


def check_fit(bundle: "Bundle", model: Path, store: "Store") -> None:
    """Refuse a model that was trained on other slices."""
    ours = (bundle.modality, bundle.num_features, bundle.slice_settings)
    theirs = (store.metadata.modality, store.metadata.num_features, store.metadata.settings)
    if ours != theirs:
        raise GlyphoneError(f"{model}: trained on other slices than those in {store.path}; train again")


def decoder_for(bundle: "Bundle", model: Path, decoding: "DecodingSettings") -> "Decoder":
    """The decoder; what stage tune chose (with engine beam_lm, and of rescoring) is taken from the model folder.

    Raises:
        GlyphoneError: it was tuned for other settings; or the model folder lacks what they ask for.
    """
    from common.decoding.decoder import chosen_settings, decoder_of, was_rescored

    tuned = chosen_settings(model, decoding)
    if tuned.engine == decoding.engine and was_rescored(model, tuned) != (decoding.rescoring is not None):
        how = "without" if decoding.rescoring else "with"
        raise GlyphoneError(f"decoding.rescoring: switched since: {model} was tuned {how} it; run stage tune again")
    if decoding.engine == "beam_lm" or decoding.rescoring is not None:
        for key in sorted(type(decoding).model_fields.keys() - TUNED):
            was, now = getattr(tuned, key), getattr(decoding, key)
            if was != now:
                raise GlyphoneError(f"decoding.{key}: {now!r}: {model} was tuned with {was!r}; run stage tune again")
        if tuned.rescoring and decoding.rescoring and tuned.rescoring.num_texts != decoding.rescoring.num_texts:
            raise GlyphoneError(
                f"decoding.rescoring.num_texts: {decoding.rescoring.num_texts}: {model} was tuned with "
                f"{tuned.rescoring.num_texts}; run stage tune again"
            )
        decoding = tuned
    return decoder_of(model, bundle.alphabet, decoding)


def transcribed(
    bundle: "Bundle",
    store: "Store",
    seen: set[str],
    decoder: "Decoder",
    progress: str,
    observed: "tuple[Mapping[str, Observations], Mapping[str, Observations]] | None" = None,
    voters: "Voters | None" = None,
    adapted: "Sequence[Hypothesis | None] | None" = None,
) -> Iterator[dict[str, Any]]:
    """Yield a row a sample of the store, in its order: what ``hypotheses.jsonl`` holds.

    Args:
        observed: takes what was right and with what confidence, before and after calibration.
        voters: each row has their vote as well.
        adapted: what models adapted to the samples' groups say, places in units; None of those that have none, for
            which the model's own hypothesis stands.
    """
    from common.calibration import calibrated, observe
    from common.decoding import in_units, readable
    from common.emissions import emissions
    from common.grouping import distinct_groups
    from common.output import details
    from common.progress import with_progress
    from common.scoring import count_characters, count_words
    from pipelines.beside import entry
    from pipelines.vote_metrics import vote_entry

    def matrices() -> Iterator["np.ndarray"]:
        return (store.slices(i) for i in range(len(store)))

    units = store.metadata.step * bundle.stride
    groups = distinct_groups(store.corpora, store.groups)
    others = voters.emissions([matrices() for _ in voters.bundles]) if voters else iter(())
    for i, log_probs in enumerate(
        with_progress(emissions(bundle.network, matrices(), exact=True), len(store), progress)
    ):
        raw = readable(decoder(log_probs))
        own = calibrated(raw, bundle.calibration)
        hypothesis = in_units(own, units)
        reference = store.texts[i]
        if observed is not None:
            for each, into in zip((raw, hypothesis), observed, strict=True):
                observe(each, reference, groups[i], into)
        yield {
            "id": store.ids[i],
            "group": groups[i],
            "reference": reference,
            "hypothesis": hypothesis.text,
            "seen_in_training": reference in seen,
            "length": round(float(store.lengths[i]) * store.metadata.step, 6),
            "unit": store.metadata.unit,
            **details(hypothesis),
            "word_counts": asdict(count_words(reference, hypothesis.text)),
            "character_counts": asdict(count_characters(reference, hypothesis.text)),
            **(vote_entry(voters, [log_probs, *next(others)], own, units, reference) if voters else {}),
            **({"adapted": entry(adapted[i] or hypothesis, reference)} if adapted is not None else {}),
        }


def metrics_of(rows: Sequence[dict[str, Any]], settings: "EvaluateSettings", seed: int) -> dict[str, Any]:
    """The tree of ``common.scoring.score``, and ``by_condition`` where groups are called ``condition/…``."""
    scored = [_scored_row(row) for row in rows]
    conditions: dict[str, list[ScoredRow]] = {}
    for each in scored:
        if "/" in each.group:
            conditions.setdefault(each.group.partition("/")[0], []).append(each)
    metrics = _score(scored, settings, seed)
    if conditions:
        parts = ("samples", "words", "characters", "exact", "exact_ignoring_case")
        metrics["by_condition"] = {
            condition: {part: tree[part] for part in parts}
            for condition, members in sorted(conditions.items())
            for tree in [_score(members, settings, seed, over_groups=metrics["groups"] > 1)]
        }
    return metrics


def scores_of(metrics: dict[str, Any]) -> dict[str, float | None]:
    """The figures of a metrics tree by which runs are compared, flat; rates and shares are fractions."""
    words, characters, validation = metrics["words"], metrics["characters"], metrics["validation"]
    return {
        "samples": metrics["samples"],
        "word_error_rate": words["rate"],
        "word_error_rate_low": words["low"],
        "word_error_rate_high": words["high"],
        "character_error_rate": characters["rate"],
        "character_error_rate_low": characters["low"],
        "character_error_rate_high": characters["high"],
        "exact_share": metrics["exact"]["share"],
        "exact_share_ignoring_case": metrics["exact_ignoring_case"]["share"],
        "one_minus_ned": metrics["one_minus_ned"],
        "validation_word_error_rate": validation["words"]["rate"],
        "validation_character_error_rate": validation["characters"]["rate"],
        "validation_exact_share": validation["exact"]["share"],
    }


def _scored_row(row: dict[str, Any]) -> "ScoredRow":
    from common.scoring import ScoredRow

    keys = ("id", "group", "reference", "hypothesis", "seen_in_training", "length")
    return ScoredRow(**{key: row[key] for key in keys})


def _score(
    rows: Sequence["ScoredRow"], settings: "EvaluateSettings", seed: int, over_groups: bool = False
) -> dict[str, Any]:
    from common.scoring import score

    return score(
        rows,
        num_samples=settings.bootstrap_samples,
        confidence=settings.confidence,
        seed=seed,
        over_groups=over_groups,
    )


if __name__ == "__main__":
    run(main)
