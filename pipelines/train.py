"""Train stage: packed slices of the training and validation splits -> model folder and learning curve."""

import argparse
import os
import sys
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from common.errors import run

# Share of training samples that may be too short for their texts before the stage fails.
MAX_INFEASIBLE = 0.05


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m pipelines.train", description=__doc__)
    parser.add_argument("modality", help="audio or ocr, a section of params.yaml")
    name = parser.parse_args().modality
    from pipelines import settings

    num_processes = settings.read(name, "training").training.processes
    if num_processes > 1 and "WORLD_SIZE" not in os.environ:
        from common.training.launch import launch

        # The same command, as it was given.
        raise SystemExit(launch(num_processes, [sys.executable, *sys.orig_argv[1:]]))
    train_modality(name)


def train_modality(name: str) -> None:
    """Read slices and settings of one modality, train, and write ``models/<name>`` and ``results/<name>``.

    Of several processes that train together the first one writes.
    """
    # Imported here, so that --help answers at once.
    import torch

    from common.alphabet import Alphabet
    from common.bundle import write_bundle
    from common.decoding.places import CHOSEN, LANGUAGE_FOLDER
    from common.files import write_json
    from common.network import Network
    from common.samples import check_rejected_share, write_rejections
    from common.store import Store
    from common.training.loop import train
    from common.training.processes import is_first
    from pipelines import settings, training_summary
    from pipelines.modalities import modality
    from pipelines.pretrained import pretraining_costs
    from pipelines.resume_state import finish
    from pipelines.streaming import CORPUS, joined, open_stream
    from pipelines.training_calibration import calibration_of
    from pipelines.training_data import infeasible, read_split, state_folder
    from pipelines.training_start import start

    chosen = settings.read(name, "seed", "text", "slices", "augment", "network", "training")
    kind = modality(name)
    stores = {split: Store(Path("data") / name / "slices" / f"{split}.arrow") for split in ("train", "validation")}
    stream = open_stream(name, chosen, "training", stores["train"].texts, stores["train"].metadata.num_features)
    texts = [*stores["train"].texts, *(stream.texts if stream is not None else ())]
    alphabet = Alphabet.of_texts(texts, chosen.text.direction)
    torch.manual_seed(chosen.seed)
    network = Network(chosen.network, stores["train"].metadata.num_features, len(alphabet))
    started = start(name, network, alphabet, chosen)

    results = Path("results") / name
    rejected = results / "training_rejected.jsonl"
    rejections = infeasible(stores["train"], network)
    if is_first():
        write_rejections(rejected, rejections)
    check_rejected_share(rejections, len(stores["train"]), MAX_INFEASIBLE, rejected, "stage train")
    splits = {
        "train": joined(read_split(stores["train"], {rejection.id for rejection in rejections}), stream),
        "validation": read_split(stores["validation"], set()),
    }

    def augment(slices: Any, *randoms: Any) -> Any:
        return kind.augment(slices, chosen.augment, *randoms)

    state = state_folder(name, stores, chosen, kind, started.digest, stream)
    with stream or nullcontext():
        trained = train(
            network,
            splits["train"],
            splits["validation"],
            alphabet,
            chosen.training,
            augment,
            chosen.seed,
            state,
        )
    if not is_first():
        return
    metadata = stores["train"].metadata
    if stream is not None:
        metadata = replace(metadata, licences={**metadata.licences, CORPUS: stream.licence})
    description = training_summary.describe(name, chosen, metadata, alphabet, network, splits, trained)
    description["summary"] |= started.summary
    network.load_state_dict(trained.weights)
    description["calibration"] = calibration_of(network, stores["validation"], alphabet)
    folder = Path("models") / name
    # A kill leaves no curve and costs beside a model of another training, and no model is read by the settings of
    # another: only stage tune writes them anew.
    curve, costs = results / "history.csv", results / "training.json"
    for each in (curve, costs, folder / LANGUAGE_FOLDER / CHOSEN):
        each.unlink(missing_ok=True)
    write_bundle(
        folder,
        trained.weights,
        chosen.network,
        description,
        training_summary.card(description, chosen.network),
    )
    training_summary.write_history(curve, trained.progress.history)
    write_json(costs, training_summary.costs(network, trained) | pretraining_costs(name))
    finish(state)


if __name__ == "__main__":
    run(main)
