"""From stores to what the training loop needs, and the folder of a run's resume state."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import overload

import numpy as np
import torch

from common.alphabet import needed_slices
from common.modality import Modality
from common.network import Network
from common.samples import Rejection
from common.store import Store
from common.training.checkpoint import digest_files, fingerprint
from common.training.samples import Samples
from common.training.stream import Stream
from pipelines.listing import listing
from pipelines.resume_state import STATE, resume_folder

ROOT = Path(__file__).resolve().parent.parent
# Resume states kept a modality, the newest ones: enough to switch a setting forth and back within a training.
KEPT_STATES = 5
# Settings of training that change a result not at all, by rounding alone, or by what another key of fingerprints has.
UNDECISIVE: dict[str, bool | set[str]] = {
    **dict.fromkeys(("checkpoint_minutes", "max_nonfinite"), True),
    **dict.fromkeys(("processes", "memory_gib", "warm_start", "warm_start_digest"), True),
    "stream": {"num_workers"},
}
# What decides the weights beside settings and data; a checkpoint of other code is never gone on with.
CODE = (
    *("common/network*.py", "common/normalisation.py", "common/recurrent/*.py", "common/training/*.py"),
    # What a label means and what is drawn; which epoch is the best.
    *("common/alphabet.py", "common/bidi.py", "common/modality.py"),
    *("common/emissions.py", "common/decoding/greedy.py", "common/edits.py", "common/scoring.py"),
)


class Matrices(Sequence[np.ndarray]):
    """The slice matrices of some rows of a store, read when asked for."""

    def __init__(self, store: Store, rows: Sequence[int]) -> None:
        self.store = store
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, place: int) -> np.ndarray: ...
    @overload
    def __getitem__(self, place: slice) -> "Matrices": ...
    def __getitem__(self, place: int | slice) -> "np.ndarray | Matrices":
        if isinstance(place, slice):
            return Matrices(self.store, self.rows[place])
        return self.store.slices(self.rows[place])

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self.store.slices(row) for row in self.rows)


def read_split(store: Store, without: set[str]) -> Samples:
    """All samples of a store but those whose ids are in ``without``."""
    rows = [row for row, sample_id in enumerate(store.ids) if sample_id not in without]
    return Samples(
        ids=[store.ids[row] for row in rows],
        corpora=[store.corpora[row] for row in rows],
        texts=[store.texts[row] for row in rows],
        lengths=store.lengths[rows],
        matrices=Matrices(store, rows),
        groups=[store.groups[row] for row in rows],
    )


def no_samples() -> Samples:
    """Of a training on a stream alone."""
    return Samples([], [], [], np.zeros(0, np.int64), [])


def infeasible(store: Store, network: Network) -> list[Rejection]:
    """Training samples that no path of the network's emissions can spell: CTC's loss would be infinite."""
    emitted = network.out_lengths(torch.from_numpy(store.lengths)).tolist()
    rejections = []
    for sample_id, text, length in zip(store.ids, store.texts, emitted, strict=True):
        if length < needed_slices(text):
            sentence = (
                f"{length} emission slices, {needed_slices(text)} needed for {len(text)} characters; "
                f"the network's stride is {network.stride} slices"
            )
            rejections.append(Rejection(sample_id, "train", "too_few_slices", sentence, "train"))
    return rejections


def _augmenting(kind: Modality) -> list[Path]:
    """The modules that change samples in training: ``augment.py`` and what a room has beside it."""
    augment = ROOT / f"{kind.augment.__module__.replace('.', '/')}.py"
    beside = (augment.with_name(name) for name in ("degradations.py", "recorder.py"))
    return [augment, *(path for path in beside if path.is_file())]


def state_folder(
    name: str,
    stores: dict[str, Store],
    chosen: SimpleNamespace,
    kind: Modality,
    warm_start: str = "",
    stream: Stream | None = None,
    section: str = "training",
) -> Path:
    """The resume folder of exactly this run: settings, seed, data and code are in its name.

    ``warm_start`` is the digest of the model that it starts from; ``stream`` what is made beside the stores, decided
    by its texts, the folders that its generator reads (fonts) and the code of the modality. What decides the order of
    summation alone, processes and memory, is left out: a run goes on with another number of processes.
    """
    code = [path for pattern in CODE for path in ROOT.glob(pattern)]
    if stream is None:
        code += _augmenting(kind)
    else:
        of_modality = (ROOT / kind.augment.__module__.replace(".", "/")).parent
        code += [*of_modality.rglob("*.py"), *ROOT.glob("pipelines/stream*.py")]
    made = ""
    if stream is not None:
        given = getattr(chosen, section).stream.generator.values()
        folders = [Path(each) for each in given if isinstance(each, str) and each]
        made = fingerprint({"texts": stream.texts, "folders": [listing(each) for each in folders if each.is_dir()]})
    parts = {
        "seed": chosen.seed,
        "settings": {
            each: getattr(chosen, each).model_dump(mode="json", exclude=UNDECISIVE)
            for each in ("text", "slices", "augment", "network", section)
        },
        "warm_start": warm_start,
        "data": digest_files([store.path for store in stores.values()]),
        "stream": made,
        "code": digest_files(code),
        "torch": torch.__version__,
    }
    parent = STATE / name if section == "training" else STATE / section / name
    return resume_folder(parent, name, parts, KEPT_STATES)
