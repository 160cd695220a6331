"""A model adapted to each group of a store (speaker, book) without its texts, and what each adapted one hears."""

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm import tqdm

from common.adaptation.self_training import Round, self_train
from common.adaptation.settings import AdaptationSettings
from common.bundle import Bundle
from common.calibration import calibrated
from common.decoding import in_units, readable
from common.decoding.decoder import Decoder
from common.emissions import emissions
from common.progress import with_progress
from common.store import Store
from pipelines.augmentation import augmentation_of

if TYPE_CHECKING:
    from common.decoding.hypothesis import Hypothesis


@dataclass(frozen=True)
class AdaptedGroups:
    """What the adapted models say of a split.

    Attributes:
        hypotheses: a sample each, places in units; None where the sample's group is too small.
        rounds: of each group that is large enough, none where nothing could be learnt; its corpus stands before its
            name where two have the name.
    """

    hypotheses: Sequence["Hypothesis | None"]
    rounds: Mapping[str, Sequence[Round]]


def adapted_groups(
    bundle: Bundle, store: Store, decoder: Decoder, settings: AdaptationSettings, seed: int, progress: str
) -> AdaptedGroups:
    """Adapt to each group of at least ``min_samples`` on its own, from the same model each time.

    Texts of the store are not read, so what is adapted to test speakers knows no more of them than their samples.
    """
    members: dict[tuple[str, str], list[int]] = {}
    for row, pair in enumerate(zip(store.corpora, store.groups, strict=True)):
        members.setdefault(pair, []).append(row)
    # Two corpora may each have a speaker of the same name.
    corpora_of = Counter(group for _, group in members)
    large = {
        f"{corpus}: {group}" if corpora_of[group] > 1 else group: rows
        for (corpus, group), rows in members.items()
        if len(rows) >= settings.min_samples
    }
    units = store.metadata.step * bundle.stride
    augment = augmentation_of(bundle)
    hypotheses: list[Hypothesis | None] = [None] * len(store)
    rounds: dict[str, Sequence[Round]] = {}
    for group, rows in with_progress(large.items(), len(large), f"{progress}, adapting", "group"):
        ids = [store.ids[row] for row in rows]
        matrices = [np.asarray(store.slices(row), np.float32) for row in rows]
        adapted = self_train(bundle.network, bundle.alphabet, decoder, ids, matrices, augment, settings, seed)
        if adapted.undone:
            tqdm.write(f"{progress}, {group}: {adapted.undone}", file=sys.stderr)
        for row, log_probs in zip(rows, emissions(adapted.network, matrices, exact=True), strict=True):
            hypotheses[row] = in_units(calibrated(readable(decoder(log_probs)), bundle.calibration), units)
        rounds[group] = adapted.rounds
    return AdaptedGroups(hypotheses, rounds)


def description(settings: AdaptationSettings, found: Mapping[str, AdaptedGroups]) -> dict[str, Any]:
    """What the tree ``adapted`` says beside its metrics: the settings, and of each split's groups the last round."""
    return {
        "settings": settings.model_dump(mode="json"),
        "groups_adapted_to": {
            split: {
                group: {"learnt": rounds[-1].num_learnt if rounds else 0, "rounds": len(rounds)}
                for group, rounds in sorted(each.rounds.items())
            }
            for split, each in found.items()
        },
    }
