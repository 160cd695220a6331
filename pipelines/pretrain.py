"""Pretrain stage: a model trained on samples made while it trains, for the train stage to start from; or none."""

import argparse
import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path

from common.errors import GlyphoneError, run
from pipelines.pretrained import BEGUN, CURVE, SUMMARY, pretrained_folder


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m pipelines.pretrain", description=__doc__)
    parser.add_argument("modality", help="audio or ocr, a section of params.yaml")
    name = parser.parse_args().modality
    from pipelines import settings

    chosen = settings.read(name, "pretraining").pretraining
    if chosen.stream.samples and chosen.processes > 1 and "WORLD_SIZE" not in os.environ:
        from common.training.launch import launch

        # The same command, as it was given.
        raise SystemExit(launch(chosen.processes, [sys.executable, *sys.orig_argv[1:]]))
    pretrain_modality(name)


def pretrain_modality(name: str) -> None:
    """Write ``data/<name>/pretrained``: a model folder with its curve and costs; nothing but ``{}`` where it is off.

    Every epoch is judged on the real validation samples; the best one's averaged weights are kept.

    Raises:
        GlyphoneError: wrong settings; a stream that cannot be made; ``warm_start`` in a section that cannot have it.
    """
    from common.files import write_json
    from common.training.processes import is_first
    from pipelines import settings

    chosen = settings.read(name, "seed", "text", "slices", "augment", "network", "pretraining")
    folder = pretrained_folder(name)
    if not chosen.pretraining.stream.samples:
        if folder.exists():  # a model of earlier settings, from which training would start
            try:
                shutil.rmtree(folder)
            except OSError as error:  # it names a file without its folder
                raise OSError(error.errno, error.strerror, str(folder)) from None
        write_json(folder / SUMMARY, {})
        return
    if chosen.pretraining.warm_start:
        raise GlyphoneError(f"{name}.pretraining.warm_start: only training starts from a model")
    if is_first():
        write_json(folder / SUMMARY, BEGUN)

    import torch

    from common.alphabet import Alphabet
    from common.bundle import write_bundle
    from common.network import Network
    from common.samples import read_samples
    from common.store import Store
    from common.training.loop import train
    from pipelines import training_summary
    from pipelines.modalities import modality
    from pipelines.resume_state import finish
    from pipelines.streaming import CORPUS, joined, open_stream
    from pipelines.training_calibration import calibration_of
    from pipelines.training_data import no_samples, read_split, state_folder

    kind = modality(name)
    data = Path("data") / name
    validation = Store(data / "slices" / "validation.arrow")
    texts = [
        each.text for each in read_samples(data / "samples.jsonl") if each.split == "train" and not each.is_synthetic
    ]
    stream = open_stream(name, chosen, "pretraining", texts, validation.metadata.num_features)
    assert stream is not None
    alphabet = Alphabet.of_texts(stream.texts, chosen.text.direction)
    torch.manual_seed(chosen.seed)
    network = Network(chosen.network, validation.metadata.num_features, len(alphabet))
    splits = {"train": joined(no_samples(), stream), "validation": read_split(validation, set())}
    state = state_folder(name, {"validation": validation}, chosen, kind, "", stream, "pretraining")
    with stream:
        trained = train(
            network,
            splits["train"],
            splits["validation"],
            alphabet,
            chosen.pretraining,
            lambda slices, *randoms: kind.augment(slices, chosen.augment, *randoms),
            chosen.seed,
            state,
        )
    if not is_first():
        return
    metadata = replace(validation.metadata, licences={CORPUS: stream.licence})
    description = training_summary.describe(name, chosen, metadata, alphabet, network, splits, trained)
    training_summary.write_history(folder / CURVE, trained.progress.history)
    network.load_state_dict(trained.weights)
    description["calibration"] = calibration_of(network, validation, alphabet)
    write_bundle(
        folder, trained.weights, chosen.network, description, training_summary.card(description, chosen.network)
    )
    costs = training_summary.costs(network, trained)
    write_json(folder / SUMMARY, {**costs, "samples": stream.num_samples * trained.progress.epoch})
    finish(state)


if __name__ == "__main__":
    run(main)
