"""Splits by rule: whole groups, chosen by the hash of their names, the same for ever and whatever the order."""

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from common.errors import GlyphoneError
from common.samples import Sample


def split_corpus(
    samples: Sequence[Sample],
    digests: Mapping[str, str],
    validation_share: float,
    test_share: float,
    seed: int,
) -> list[Sample]:
    """Give every sample of one corpus a split, in the order of the samples.

    * A split that the corpus fixes stays. A corpus that fixes all of its samples to train stays so: it is there for
      training only.
    * Samples without a split go whole groups at a time to those of test and validation that the corpus does not fix,
      until these have their share of all such samples; the rest goes to train. A group that also has fixed samples
      follows these.
    * Where the corpus fixes test but no validation, groups of train are taken for validation in the same way.

    Groups that share a recording or picture (equal digest) count as one group.

    Raises:
        GlyphoneError: there are too few groups to split by.
    """
    if not samples:
        return []
    bundles = connected_groups(samples, digests)
    fixed: dict[str, str] = {}
    for sample in samples:
        if sample.split:
            fixed[bundles[sample.id]] = min(fixed.get(bundles[sample.id], sample.split), sample.split, key=_by_caution)
    present = {each.split for each in samples}
    shares = {"test": test_share, "validation": validation_share}
    free = [bundles[each.id] for each in samples if not each.split and bundles[each.id] not in fixed]
    chosen = fixed | _choose(free, {split: share for split, share in shares.items() if split not in present}, seed)
    result = [each if each.split else replace(each, split=chosen[bundles[each.id]]) for each in samples]
    if "test" in present and "train" in present and not present & {"validation", ""}:
        train = [bundles[each.id] for each in samples if each.split == "train"]
        taken = _choose(train, {"validation": validation_share}, seed)
        result = [replace(each, split=taken[bundles[each.id]]) if each.split == "train" else each for each in result]
    return result


def _by_caution(split: str) -> int:
    """A group without a split joins train where it can, so that it cannot spoil a fixed test set."""
    return ("train", "validation", "test").index(split)


def connected_groups(samples: Sequence[Sample], digests: Mapping[str, str]) -> dict[str, str]:
    """Id → name of its bundle: all samples that a chain of equal groups or equal contents connects.

    A sample without a group is a group of its own. The name is the least group name of the bundle.
    """
    parents: dict[tuple[str, str], tuple[str, str]] = {}

    def top(node: tuple[str, str]) -> tuple[str, str]:
        parents.setdefault(node, node)
        while parents[node] != node:
            parents[node] = parents[parents[node]]
            node = parents[node]
        return node

    for sample in samples:
        group = top(_group_node(sample))
        if sample.id in digests:
            parents[top(("content", digests[sample.id]))] = group
    least: dict[tuple[str, str], str] = {}
    for sample in samples:
        kind, name = _group_node(sample)
        bundle = top((kind, name))
        least[bundle] = min(least.get(bundle, f"{kind}:{name}"), f"{kind}:{name}")
    return {sample.id: least[top(_group_node(sample))] for sample in samples}


def _group_node(sample: Sample) -> tuple[str, str]:
    return ("group", sample.group) if sample.group else ("id", sample.id)


def _choose(members: Sequence[str], shares: Mapping[str, float], seed: int) -> dict[str, str]:
    """Bundle → split. ``members`` names the bundle of each sample; what no share claims goes to train.

    Bundles are taken in the order of their hashes. One that would make a split more than twice as large as it should be
    is passed over, as long as another one is left: a single long book is no good test set of 10 %.
    """
    if not members:
        return {}
    sizes: dict[str, int] = defaultdict(int)
    for bundle in members:
        sizes[bundle] += 1
    wanted = {split: share for split, share in shares.items() if share > 0}
    if len(sizes) <= len(wanted):
        names = ", ".join(sorted(sizes)[:3])
        raise GlyphoneError(
            f"{len(members)} samples in {len(sizes)} group(s) ({names}) cannot be split into train, "
            f"{', '.join(wanted)}: no group may stand in two; give more groups, or each sample its split"
        )
    order = sorted(sizes, key=lambda bundle: hashlib.sha256(f"{seed}\0{bundle}".encode()).digest())
    chosen: dict[str, str] = {}
    for position, (split, share) in enumerate(wanted.items()):
        target = share * len(members)
        num_taken = 0
        left = [bundle for bundle in order if bundle not in chosen]
        num_reserved = len(wanted) - position  # one group for each later split, and one for train
        fitting = [bundle for bundle in left if sizes[bundle] <= 2 * target] or [min(left, key=sizes.__getitem__)]
        for bundle in fitting:
            if num_taken and (num_taken + sizes[bundle] > 2 * target or len(left) <= num_reserved):
                continue
            if num_taken >= target:
                break
            chosen[bundle] = split
            left.remove(bundle)
            num_taken += sizes[bundle]
    return {bundle: chosen.get(bundle, "train") for bundle in order}


def limit_training(samples: Sequence[Sample], most: int, seed: int) -> tuple[list[Sample], list[Sample]]:
    """At most so many training samples that are not synthetic, and those that were left out; each in their order.

    Groups are taken in the order of the hash of their names, of the last one the samples in the order of the hash of
    their ids. So what a number keeps is part of what a larger number keeps, whatever the order of the samples.
    """
    real = [each for each in samples if each.split == "train" and not each.is_synthetic]
    if not most or len(real) <= most:
        return list(samples), []

    def place(sample: Sample) -> tuple[bytes, str, bytes, str]:
        group = "\0".join((sample.corpus, *_group_node(sample)))
        return _hash(seed, group), group, _hash(seed, sample.id), sample.id

    out = {each.id for each in sorted(real, key=place)[most:]}
    return [each for each in samples if each.id not in out], [each for each in samples if each.id in out]


def _hash(seed: int, name: str) -> bytes:
    return hashlib.sha256(f"{seed}\0training\0{name}".encode()).digest()
