"""Turn the samples of a modality into slices, packed in one file a split."""

import argparse
import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from common.alphabet import needed_slices
from common.errors import GlyphoneError, SampleError, run
from common.mapping import map_ordered
from common.paths import without_root
from common.samples import SPLITS, Rejection, Sample, check_rejected_share, read_samples, write_rejections
from common.store import StoreWriter, halve
from common.wording import plural
from pipelines import settings
from pipelines.corpora import resolve_roots
from pipelines.modalities import MODULES, modality
from pipelines.roots import check_inside

STAGE = "extract"


@dataclass(frozen=True, slots=True)
class Extraction:
    """Slices float16 [T, F] of one sample and its preview (media type, bytes), or why there are none."""

    slices: np.ndarray | None
    preview: tuple[str, bytes]
    rejection: Rejection | None


def extract_one(sample: Sample, name: str, roots: Mapping[str, Path], front: Any) -> Extraction:
    """Slices of one sample; a pure function for worker processes. ``front`` is the modality's SliceSettings.

    Only test samples get a preview: the report shows no others. They also may have fewer slices than their transcript
    needs, which is a matter for training only.
    """
    kind = modality(name)
    preview = ("", b"")
    try:
        check_inside(sample, roots[sample.corpus])
        signal = kind.load(sample, roots[sample.corpus])
        if sample.split == "test":
            preview = kind.preview(signal)
        slices = halve(kind.slices(signal, front))
        if sample.split != "test" and len(slices) < needed_slices(sample.text):
            raise SampleError(
                "too_few_slices", f"{plural(len(slices), 'slice')}, the transcript needs {needed_slices(sample.text)}"
            )
    except SampleError as error:
        sentence = without_root(str(error), roots[sample.corpus], sample.corpus)
        return Extraction(None, preview, Rejection(sample.id, STAGE, error.code, sentence, sample.split))
    return Extraction(slices, preview, None)


def write_split(store: StoreWriter, samples: Iterable[Sample], results: Iterable[Extraction]) -> list[Rejection]:
    """Write the rows of one split and return what was rejected.

    A test sample without slices becomes a row with T = 0, so that it counts as all deletions.
    """
    rejections = []
    nothing = np.zeros((0, store.metadata.num_features), np.float16)
    with store:
        # The samples come first: zip must not take a result that belongs to the next split.
        for sample, result in zip(samples, results, strict=False):
            if result.rejection is not None:
                rejections.append(result.rejection)
                if sample.split != "test":
                    continue
            slices = nothing if result.slices is None else result.slices
            store.add(sample.id, sample.group, sample.text, slices, result.preview, sample.corpus)
    return rejections


def licences(samples: Iterable[Sample]) -> dict[str, str]:
    """Corpus → what its samples say of their licence; several are joined by semicolons."""
    found: dict[str, set[str]] = defaultdict(set)
    for sample in samples:
        found[sample.corpus].update(filter(None, [sample.licence]))
    return {corpus: "; ".join(sorted(each)) for corpus, each in sorted(found.items())}


def extract(name: str, folder: Path, num_workers: int | None = None, cluster: str | None = None) -> None:
    """Write slices/{train,validation,test}.arrow and slices/rejected.jsonl into ``folder`` from its samples.jsonl.

    Raises:
        GlyphoneError: wrong settings, a missing corpus, too many rejections.
    """
    chosen = settings.read(name, "corpora", "slices", "extract")
    front, roots = modality(name), resolve_roots(chosen.corpora)
    path = folder / "samples.jsonl"
    samples = sorted(read_samples(path), key=lambda each: (SPLITS.index(each.split), each.id))
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    work = partial(extract_one, name=name, roots=roots, front=chosen.slices)
    # One map over all splits, since workers take seconds to start.
    results = map_ordered(work, samples, num_workers=num_workers, cluster=cluster, progress=f"{STAGE} {name}")
    rejections = []
    with closing(results):  # where writing fails: the workers end, and the bar gives way to the message
        for split in SPLITS:
            store = StoreWriter(
                folder / "slices" / f"{split}.arrow",
                modality=name,
                num_features=front.num_features(chosen.slices),
                step=front.step(chosen.slices),
                unit=front.unit,
                settings=chosen.slices.model_dump(mode="json"),
                samples_digest=digest,
                licences=licences(samples),
            )
            rejections += write_split(store, [each for each in samples if each.split == split], results)
    rejected = folder / "slices" / "rejected.jsonl"
    write_rejections(rejected, rejections)
    check_rejected_share(rejections, len(samples), chosen.extract.max_rejected, rejected)
    lost = {each.id for each in rejections if each.split != "test"}  # of a test sample its errors are counted
    left = {each.split for each in samples if each.id not in lost}
    if empty := [split for split in SPLITS if split not in left]:
        raise GlyphoneError(f"no usable sample for {', '.join(empty)}: all were rejected, {rejected} says why")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m pipelines.extract", description=__doc__)
    parser.add_argument("modality", choices=MODULES)
    parser.add_argument("--num-workers", type=int, metavar="N", help="processes; all usable cores if not given")
    parser.add_argument("--cluster", metavar="ADDRESS", help="of a Dask scheduler that does the work")
    options = parser.parse_args(arguments)
    extract(options.modality, Path("data", options.modality), options.num_workers, options.cluster)


if __name__ == "__main__":
    run(main)
