"""What a training says of itself: the bundle's description, the model card, the curve, the costs."""

import csv
import io
import math
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from common.alphabet import Alphabet
from common.files import write_text
from common.markdown import plain, table
from common.network import Network, NetworkSettings
from common.store import StoreMetadata
from common.training.footprint import GIB
from common.training.loop import Trained
from common.training.samples import Samples
from common.wording import plural
from pipelines.card_wording import OTHER_DATA, TASKS, UNITS, characters_of, network_of

HISTORY_COLUMNS = ("epoch", "train_loss", "validation_loss", "validation_wer", "validation_cer", "learning_rate")


def describe(
    name: str,
    chosen: SimpleNamespace,
    metadata: StoreMetadata,
    alphabet: Alphabet,
    network: Network,
    splits: dict[str, Samples],
    trained: Trained,
) -> dict[str, Any]:
    """The description that ``common.bundle`` writes; equal trainings give equal descriptions, so no times are in it."""
    best = trained.progress.history[trained.progress.best_epoch]
    train = splits["train"]
    seen = len(train.ids)
    if train.stream is not None:  # what an early stop left unmade does not count
        seen = train.stream.first + train.stream.num_samples * trained.progress.epoch
    corpora = Counter(train.corpora[:seen])
    return {
        "modality": name,
        "alphabet": list(alphabet.symbols),
        "slice_settings": metadata.settings,
        "augment_settings": chosen.augment.model_dump(mode="json"),
        "text_settings": chosen.text.model_dump(mode="json"),
        "num_features": metadata.num_features,
        "step": metadata.step,
        "unit": metadata.unit,
        "summary": {
            "corpora": {
                corpus: {"samples": count, "licence": metadata.licences.get(corpus, "")}
                for corpus, count in sorted(corpora.items())
            },
            "samples_digest": metadata.samples_digest,
            "training_samples": seen,
            "training_units": round(float(train.lengths[:seen].sum()) * metadata.step, 3),
            "validation_samples": len(splits["validation"].ids),
            "num_parameters": sum(parameter.numel() for parameter in network.parameters()),
            "epochs": trained.progress.epoch,
            "best_epoch": trained.progress.best_epoch + 1,
            "validation_wer": best["validation_wer"],
            "validation_cer": best["validation_cer"],
            "seed": chosen.seed,
            "precision": trained.precision,
        },
    }


def costs(network: Network, trained: Trained) -> dict[str, Any]:
    """Time and shares of a training; these differ from run to run."""
    progress = trained.progress
    return {
        "seconds": round(progress.seconds, 1),
        "epochs": progress.epoch,
        "best_epoch": progress.best_epoch + 1,
        "steps": progress.step,
        "num_parameters": sum(parameter.numel() for parameter in network.parameters()),
        "device": trained.device,
        "precision": trained.precision,
        "num_threads": trained.num_threads,
        "waiting_for_batches_share": round(progress.waiting_seconds / max(progress.seconds, 1e-9), 4),
        "padding_share": round(progress.padding, 4),
        "nonfinite_batches": progress.nonfinite,
        "num_processes": trained.num_processes,
        "memory_predicted_gib": round(trained.memory.largest[2] / GIB, 3),
        "memory_allowed_gib": round(trained.memory.allowed / GIB, 3),
        "memory_peak_gib": round(trained.peak_bytes / GIB, 3),
        "batches_in_parts": trained.memory.num_parted,
    }


def write_history(path: Path, history: list[dict[str, float]]) -> None:
    """The learning curve as CSV, a row an epoch; numbers with six significant digits, nothing where there is none."""
    text = io.StringIO()
    writer = csv.DictWriter(text, HISTORY_COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in history:
        writer.writerow({key: "" if math.isnan(row[key]) else f"{row[key]:.6g}" for key in HISTORY_COLUMNS})
    write_text(path, text.getvalue())


def card(description: dict[str, Any], network: NetworkSettings) -> str:
    """Model card in Markdown with the front matter that model hubs read."""
    summary = description["summary"]
    earlier = summary.get("warm_start", {}).get("corpora", {})
    corpora = (*summary["corpora"].values(), *earlier.values())
    learnt_from = "; ".join(sorted({plain(each["licence"]) or "not stated" for each in corpora}))
    rows = [
        (plain(name), f"{corpus['samples']:,}", plain(corpus["licence"]) or "not stated")
        for name, corpus in summary["corpora"].items()
    ]
    extent = f"{summary['training_units']:,.0f} {UNITS.get(description['unit'], description['unit'])}"
    return f"""---
library_name: glyphone
pipeline_tag: {TASKS.get(description["modality"], "other")}
metrics: [wer, cer]
---

# Glyphone recogniser: {description["modality"]}

{network_of(network.model_dump())}, with CTC, which turns slices into text,
{plural(summary["num_parameters"], "parameter")}, {plural(len(description["alphabet"]), "character")}:
{characters_of(description["alphabet"])}

Trained on {plural(summary["training_samples"], "sample")} ({extent}), {plural(summary["epochs"], "epoch")}.
The weights are those of epoch {summary["best_epoch"]}, with the lowest character error rate on
{plural(summary["validation_samples"], "validation sample")}: word error rate {summary["validation_wer"]:.4f},
character error rate {summary["validation_cer"]:.4f} (greedy decoding).

{table([("corpus", "samples", "licence of the data"), *rows])}

{_origin(summary)}Licences of the data the weights were learnt from: {learnt_from}. {OTHER_DATA}

Use: `python -m pipelines.transcribe FOLDER FILES…`
"""


def _origin(summary: dict[str, Any]) -> str:
    origin = summary.get("warm_start")
    if not origin:
        return ""
    corpora = ", ".join(
        f"{plain(name)} ({plural(each['samples'], 'sample')})" for name, each in sorted(origin["corpora"].items())
    )
    return f"It started from the weights of an earlier model, trained on {corpora}.\n"
