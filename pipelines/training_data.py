"""From stores to what the training loop needs, and the folder of a run's resume state."""

import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any, overload

import numpy as np
import torch

from common.alphabet import needed_slices
from common.errors import GlyphoneError
from common.files import read_json, write_json
from common.modality import Modality
from common.network import Network
from common.samples import Rejection
from common.store import Store
from common.training.checkpoint import FILE_NAME, digest_files, fingerprint
from common.training.processes import is_first
from common.training.samples import Samples
from common.training.stream import Stream
from pipelines.listing import listing

ROOT = Path(__file__).resolve().parent.parent
STATE = Path(".state")
# Resume states kept a modality, the newest ones: enough to switch a setting forth and back within a training.
KEPT_STATES = 5
# Of a state: what it hangs on; gone when what its training gives is written.
UNFINISHED = "unfinished.json"
# What a state hangs on by a digest alone, in a sentence on another one; and how many differences that names.
DIGESTS = {
    "code": "the code of training is another",
    "data": "the samples are others",
    "stream": "texts or fonts of the made samples are others",
    "warm_start": "the model that it starts from is another",
}
MAX_NAMED = 5
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

    It lies outside DVC's outs, which DVC deletes before a stage. Older states beyond ``KEPT_STATES`` are removed.
    ``warm_start`` is the digest of the model that it starts from; ``stream`` what is made beside the stores, decided
    by its texts, the folders that its generator reads (fonts) and the code of the modality. What decides the order of
    summation alone, processes and memory, is left out: a run goes on with another number of processes.
    Where it begins anew beside an interrupted one, a line on standard error says why.
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
    folder = (STATE / name if section == "training" else STATE / section / name) / fingerprint(parts)
    folder.mkdir(parents=True, exist_ok=True)
    # Another process may remove the same ones meanwhile.
    others = {}
    for each in folder.parent.iterdir():
        with suppress(FileNotFoundError):
            others[each] = each.stat().st_mtime
    del others[folder]
    newest_first = sorted(others, key=others.__getitem__, reverse=True)
    for old in newest_first[KEPT_STATES - 1 :]:
        shutil.rmtree(old, ignore_errors=True)
    if is_first():
        if newest_first and not (folder / FILE_NAME).exists():
            _say_not_gone_on_with(newest_first[0], parts, name)
        write_json(folder / UNFINISHED, parts)
    return folder


def finish(state: Path) -> None:
    """The training of a resume folder is at its end, and what it gives is written."""
    (state / UNFINISHED).unlink(missing_ok=True)


def _say_not_gone_on_with(other: Path, parts: dict[str, Any], name: str) -> None:
    """Of an interrupted training whose work would else seem lost: which it is, and why this one begins anew."""
    if not (other / FILE_NAME).exists():
        return
    with suppress(GlyphoneError):  # it was finished
        reasons = list(_differences(read_json(other / UNFINISHED), parts, name))
        more = f" and {len(reasons) - MAX_NAMED} more" if len(reasons) > MAX_NAMED else ""
        told = "; ".join(reasons[:MAX_NAMED]) + more
        print(f"begins anew, not where {other} was interrupted: {told}", file=sys.stderr, flush=True)


def _differences(was: Any, now: Any, name: str, key: str = "") -> Iterator[str]:
    """What two states of modality ``name`` hang on and is not the same, a sentence each."""
    if isinstance(was, dict) and isinstance(now, dict):
        for each in sorted({*was, *now}):
            yield from _differences(was.get(each), now.get(each), name, f"{key}.{each}" if key else each)
    elif isinstance(was, list) and isinstance(now, list) and len(was) == len(now):
        for number, pair in enumerate(zip(was, now, strict=True)):
            yield from _differences(*pair, name, f"{key}.{number}")
    elif was != now:
        setting = key.replace("settings.", f"{name}.", 1) if key.startswith("settings.") else key
        yield DIGESTS.get(key, f"{setting} was {was!r}, is {now!r}")
