"""Read the corpora of a modality, check every sample, and say which is for training, validation and test."""

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from common.doctor import examine, write_findings
from common.errors import GlyphoneError, SampleError, run
from common.mapping import map_ordered
from common.paths import without_root
from common.samples import NO_SAMPLES, SPLITS, Rejection, Sample, check_rejected_share, write_rejections, write_samples
from common.splitting import limit_training, split_corpus
from common.text import TextSettings, normalise
from common.wording import plural
from pipelines import settings
from pipelines.corpora import read_corpora, resolve_roots
from pipelines.modalities import MODULES, modality
from pipelines.roots import check_inside
from pipelines.stage_settings import PrepareSettings

STAGE = "prepare"


@dataclass(frozen=True, slots=True)
class Inspection:
    """What decoding one file told.

    Attributes:
        digest: of its content; empty when it could not be read.
        length: in seconds; of a picture its width by its height.
        oddities: pairs (finding code, sentence).
        rejection: pair (reason code, sentence) when it cannot be used, else None.
    """

    digest: str = ""
    length: float = 0.0
    oddities: tuple[tuple[str, str], ...] = ()
    rejection: tuple[str, str] | None = None


def inspect(sample: Sample, name: str, roots: Mapping[str, Path]) -> Inspection:
    """Decode one file; a pure function for worker processes."""
    front = modality(name)
    try:
        check_inside(sample, roots[sample.corpus])
        signal = front.load(sample, roots[sample.corpus])
        length = front.length(signal) / front.height(signal)
        return Inspection(front.digest(signal), length, tuple(front.inspect(signal, sample.text)))
    except SampleError as error:
        return Inspection(rejection=(error.code, without_root(str(error), roots[sample.corpus], sample.corpus)))


def usable(samples: Iterable[Sample], text: TextSettings) -> tuple[list[Sample], dict[str, str], list[Rejection]]:
    """Normalise the texts; sort out samples without text, and all but the first of those with one id.

    Returns:
        The samples, id → text as the corpus has it, and the rejections.
    """
    kept: list[Sample] = []
    raw_texts: dict[str, str] = {}
    rejections: list[Rejection] = []
    paths: dict[str, str] = {}
    for sample in samples:
        normalised = normalise(sample.text, text)
        if sample.id in paths:
            sentence = f"{sample.path}: its id is that of {paths[sample.id]}"
            rejections.append(Rejection(sample.id, STAGE, "duplicate_id", sentence, sample.split))
        elif not normalised:
            sentence = f"{sample.path}: nothing is left of the transcript {sample.text!r}"
            rejections.append(Rejection(sample.id, STAGE, "empty_text", sentence, sample.split))
        else:
            kept.append(replace(sample, text=normalised))
            raw_texts[sample.id] = sample.text
        paths.setdefault(sample.id, sample.path)
    return kept, raw_texts, rejections


def assign_splits(
    samples: Sequence[Sample], digests: Mapping[str, str], chosen: PrepareSettings, seed: int
) -> list[Sample]:
    """Every sample with its split; corpus by corpus. Raises GlyphoneError where a corpus has too few groups."""
    corpora: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        corpora[sample.corpus].append(sample)
    result = []
    for name, members in corpora.items():
        try:
            result += split_corpus(members, digests, chosen.validation_share, chosen.test_share, seed)
        except GlyphoneError as error:
            raise GlyphoneError(f"corpus {name}: {error}") from None
    return result


def check_leaks(samples: Sequence[Sample], digests: Mapping[str, str]) -> None:
    """Refuse one recording or picture in two splits, brought by two corpora.

    Within a corpus the rule never does that; a corpus whose own fixed split does is reported as a finding.

    Raises:
        GlyphoneError: naming the samples.
    """
    # Of each content the first sample of every corpus and split.
    first: dict[str, dict[tuple[str, str], Sample]] = defaultdict(dict)
    pairs = []
    for sample in samples:
        if sample.id in digests:
            known = first[digests[sample.id]]
            pairs += [
                f"{other.id} ({other.split}) and {sample.id} ({sample.split})"
                for (corpus, split), other in known.items()
                if split != sample.split and corpus != sample.corpus
            ]
            known.setdefault((sample.corpus, sample.split), sample)
    if pairs:
        more = f" and {len(pairs) - 5} more pairs" if len(pairs) > 5 else ""
        raise GlyphoneError(f"the same content stands in two splits: {', '.join(pairs[:5])}{more}; drop one of each")


def check_splits(samples: Sequence[Sample]) -> None:
    """Raises GlyphoneError where a split has no samples at all."""
    counts = {split: sum(each.split == split for each in samples) for split in SPLITS}
    empty = [split for split, count in counts.items() if not count]
    if empty:
        raise GlyphoneError(
            f"no samples for {', '.join(empty)} ({len(samples)} in all): add a corpus that has some, "
            "or leave splits empty and set prepare.validation_share and prepare.test_share above 0"
        )


def _samples(listed: Iterable[Sample | Rejection], refused: list[Rejection]) -> Iterator[Sample]:
    """What a reader lists as samples; what it refuses goes to ``refused``."""
    for each in listed:
        if isinstance(each, Rejection):
            refused.append(each)
        else:
            yield each


def prepare(name: str, folder: Path, num_workers: int | None = None, cluster: str | None = None) -> None:
    """Write samples.jsonl, rejected.jsonl and findings.json of modality ``name`` into ``folder``.

    A test sample that cannot be read is listed as rejected but stays among the samples: it counts as all deletions.

    Raises:
        GlyphoneError: wrong settings, a missing corpus, a leak, an empty split, too many rejections.
    """
    chosen = settings.read(name, "seed", "corpora", "text", "prepare")
    seed = chosen.seed if chosen.prepare.seed is None else chosen.prepare.seed
    front, roots = modality(name), resolve_roots(chosen.corpora)
    refused: list[Rejection] = []
    listed = _samples(read_corpora(front, chosen.corpora, roots, seed), refused)
    samples, raw_texts, rejections = usable(listed, chosen.text)
    rejections += [each for each in refused if each.code not in NO_SAMPLES]
    num_all = len(samples) + len(rejections)
    if not rejections and not any(each.split for each in samples):
        # Before minutes of reading: equal contents make groups fewer, never more.
        check_splits(assign_splits(samples, {}, chosen.prepare, seed))

    files = [sample for sample in samples if not sample.is_synthetic]
    work = partial(inspect, name=name, roots=roots)
    results = map_ordered(
        work, files, num_workers=num_workers, cluster=cluster, progress=f"{STAGE} {name}" if files else ""
    )
    inspections = {sample.id: result for sample, result in zip(files, results, strict=True)}
    readable = {id: each for id, each in inspections.items() if each.rejection is None}
    digests = {id: each.digest for id, each in readable.items()}

    samples = assign_splits(samples, digests, chosen.prepare, seed)
    unreadable = [sample for sample in samples if sample.id in inspections and sample.id not in readable]
    for sample in unreadable:
        code, sentence = inspections[sample.id].rejection or ("", "")
        rejections.append(Rejection(sample.id, STAGE, code, sentence, sample.split))
    dropped = {sample.id for sample in unreadable if sample.split != "test"}
    samples = [sample for sample in samples if sample.id not in dropped]
    samples, left_out = limit_training(samples, chosen.prepare.max_train_samples, seed)
    if left_out:
        told = plural(len(left_out), "training sample is", "training samples are")
        print(f"prepare.max_train_samples: {told} left out", file=sys.stderr, flush=True)

    findings = examine(
        samples,
        raw_texts,
        digests=digests,
        lengths={id: each.length for id, each in readable.items()},
        unit=front.unit,
        signals={id: each.oddities for id, each in readable.items()},
        direction=chosen.text.direction if front.unit == "px" else "",
    )
    for each in findings:
        if each.severity == "error":  # a training would be in vain; the others stand in the report
            print(f"{name}: {each.code}: {each.sentence}. {each.advice}", file=sys.stderr, flush=True)
    if warnings := [f"{each.count} {each.code}" for each in findings if each.severity == "warning"]:
        # Where a later stage stops, as of pictures that lie on their side, there is no report that would tell.
        print(f"{name}: warnings: {', '.join(warnings)}; {folder / 'findings.json'}", file=sys.stderr, flush=True)
    for code, said in NO_SAMPLES.items():
        if some := [each for each in refused if each.code == code]:
            first = f"the first is {some[0].sentence}; {folder / 'rejected.jsonl'} names all"
            print(f"{name}: {plural(len(some), *said)}, {first}", file=sys.stderr, flush=True)
    no_samples = [each for each in refused if each.code in NO_SAMPLES]
    write_rejections(folder / "rejected.jsonl", [*rejections, *no_samples])
    write_findings(folder / "findings.json", findings)
    check_rejected_share(rejections, num_all, chosen.prepare.max_rejected, folder / "rejected.jsonl")
    check_leaks(samples, digests)
    check_splits(samples)
    write_samples(folder / "samples.jsonl", samples)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m pipelines.prepare", description=__doc__)
    parser.add_argument("modality", choices=MODULES)
    parser.add_argument("--num-workers", type=int, metavar="N", help="processes; all usable cores if not given")
    parser.add_argument("--cluster", metavar="ADDRESS", help="of a Dask scheduler that does the work")
    options = parser.parse_args(arguments)
    prepare(options.modality, Path("data", options.modality), options.num_workers, options.cluster)


if __name__ == "__main__":
    run(main)
