"""Where the weights of a training come from: fresh ones, or those of a model."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from types import SimpleNamespace
from typing import Any

from common.alphabet import Alphabet
from common.bundle import BundleError, read_description
from common.errors import GlyphoneError
from common.network import Network
from common.training.processes import is_first
from common.training.warm_settings import misfits, other_settings
from common.training.warm_start import Origin, warm_start
from pipelines.pretrained import has_pretrained, is_interrupted, pretrained_folder
from pipelines.warm_model import DESCRIPTION, model_digest, warm_start_folder


@dataclass(frozen=True)
class Start:
    """Attributes: digest: of the model; summary: what the new bundle's summary says of it. Both empty without one."""

    digest: str = ""
    summary: dict[str, Any] = field(default_factory=dict)


def start(name: str, network: Network, alphabet: Alphabet, chosen: SimpleNamespace) -> Start:
    """Overwrite the fresh weights by those of the pretraining or of ``training.warm_start``, and say what changed.

    Args:
        chosen: sections ``network``, ``slices`` and ``training`` of modality ``name``.

    Raises:
        GlyphoneError: the model is missing or does not fit; ``new_characters`` stands without one; there are two; the
            pretraining was interrupted.
    """
    settings = chosen.training
    if is_interrupted(name):
        raise GlyphoneError(f"{name}.pretraining: stage pretrain did not come to its end; run it again, then this one")
    pretrained = has_pretrained(name)
    if pretrained and settings.warm_start:
        raise GlyphoneError(
            f"{name}.training.warm_start: {settings.warm_start}: {name}.pretraining gives a model "
            "to start from; allowed: one of the two"
        )
    if not pretrained and not settings.warm_start:
        if settings.new_characters:
            raise GlyphoneError(f"{name}.training.new_characters: needs training.warm_start, the model they start from")
        return Start()
    section = f"{name}.training"
    if pretrained:
        folder = pretrained_folder(name)
        key = f"{name}.pretraining: what stage pretrain made, which is to run again after a change of settings"
        return _start_from(Origin(folder, key, str(folder), section), name, network, alphabet, chosen)
    with warm_start_folder(settings.warm_start, name) as folder:
        origin = Origin(folder, f"{section}.warm_start", settings.warm_start, section)
        return _start_from(origin, name, network, alphabet, chosen)


def _start_from(origin: Origin, name: str, network: Network, alphabet: Alphabet, chosen: SimpleNamespace) -> Start:
    key, called = origin.key, origin.called
    try:
        description = read_description(origin.folder)
    except BundleError as error:
        raise GlyphoneError(f"{key}: {error}") from None
    # Shapes may be alike (32 filters, 32 pixels); where they are not, they say nothing that could be mended.
    if description["modality"] != name:
        raise GlyphoneError(f"{key}: {called} is a model of modality {description['modality']!r}")
    if told := misfits(description, chosen.network, network.num_features):
        raise GlyphoneError(f"{key}: {called} does not fit: {'; '.join(told)}; set it as in its {DESCRIPTION}")
    lines, summary = warm_start(network, alphabet, origin, chosen.training.new_characters)
    lines += other_settings(description, chosen.network, chosen.slices)
    if is_first():
        print("\n".join(lines), file=sys.stderr, flush=True)
    return Start(model_digest(origin.folder), {"warm_start": {"corpora": learnt_from(summary)}})


def learnt_from(summary: Mapping[str, Any]) -> dict[str, Any]:
    """Name → corpus of a model's training and of those before it, of which none is lost.

    Trainings may each have a corpus of one name, such as that of its reader; where they are not the same the earlier
    one has a number behind it.
    """
    corpora = dict(summary["corpora"])
    for name, corpus in summary.get("warm_start", {}).get("corpora", {}).items():
        names = (f"{name} ({number})" if number > 1 else name for number in count(1))
        corpora[next(each for each in names if corpora.get(each, corpus) == corpus)] = corpus
    return corpora
