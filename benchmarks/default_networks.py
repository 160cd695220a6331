"""The default networks, with batches of the default corpora, for the benchmarks of speed."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from benchmarks.processes import watch
from benchmarks.recipes import choose, overrides_of
from benchmarks.workspace import environment, workspace
from common.alphabet import Alphabet
from common.network import Network
from common.network_settings import NetworkSettings
from common.store import Store
from common.training.batches import Batch, collate, plan_epoch
from common.training.settings import TrainingSettings

MODALITIES = ("audio", "ocr")
SEED = 1


@dataclass(frozen=True)
class Default:
    """What the default recipe trains of one modality.

    Attributes:
        store: its training samples.
        alphabet: of their texts.
        network, training: the recipe's settings.
    """

    store: Store
    alphabet: Alphabet
    network: NetworkSettings
    training: TrainingSettings

    def new_network(self) -> Network:
        """The network as training begins with it."""
        torch.manual_seed(SEED)
        return Network(self.network, self.store.metadata.num_features, len(self.alphabet)).train()

    def plan(self, epoch: int) -> list[np.ndarray]:
        """Rows of each batch of an epoch, as the training loop cuts them."""
        return plan_epoch(np.arange(len(self.store)), self.store.lengths, self.training, SEED, epoch)

    def batches(self, count: int) -> list[Batch]:
        """So many batches spread evenly over an epoch ordered by length: short, middling and long samples."""
        plan = self.plan(0)
        chosen = [plan[round((place + 0.5) / count * len(plan) - 0.5)] for place in range(count)]
        return [self._batch(rows) for rows in chosen]

    def _batch(self, rows: np.ndarray) -> Batch:
        matrices = [np.asarray(self.store.slices(row), np.float32) for row in rows]
        targets = [self.alphabet.encode(self.store.texts[row]) for row in rows]
        return collate(rows.tolist(), matrices, targets, self.store.metadata.num_features)


def asked_overrides(name: str, arguments: Sequence[str], about: str | None) -> dict[str, Any]:
    """What ``python -m benchmarks NAME --set KEY=VALUE …`` asks for: dotted keys of ``params.yaml`` → values."""
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks {name}", description=(about or "").partition("\n")[0])
    parser.add_argument(
        "--set",
        nargs="+",
        default=[],
        metavar="KEY=VALUE",
        dest="pairs",
        help="settings other than the default recipe's, such as audio.network.num_hidden=256",
    )
    return overrides_of(parser.parse_args(arguments).pairs, "--set")


def default(modality: str, overrides: Mapping[str, Any] | None = None) -> Default:
    """The default recipe's settings, and its corpus as ``dvc repro`` makes it in a workspace of its own.

    Args:
        overrides: dotted keys of ``params.yaml`` → values, to try another network or other batches.
    """
    from pipelines.settings import read

    folder = workspace("default_networks")
    choose(folder, "default", overrides or {})
    watch([sys.executable, "-m", "dvc", "repro", f"extract@{modality}"], folder, environment())
    store = Store(folder / "data" / modality / "slices" / "train.arrow")
    chosen = read(modality, "network", "training", path=folder / "params.yaml")
    return Default(store, Alphabet.of_texts(store.texts), chosen.network, chosen.training)
