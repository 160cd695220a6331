"""Leaks between splits: groups, contents and transcripts that stand in more than one."""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence

from common.findings import Finding, finding
from common.samples import SPLITS, Sample
from common.wording import out_of, plural, said_of

_MAX_NAMES = 5  # groups or transcripts that a sentence names


def examine_groups(samples: Sequence[Sample]) -> list[Finding]:
    """Groups of one corpus that stand in two splits. Samples without a group are passed over."""
    groups: dict[Hashable, list[Sample]] = defaultdict(list)
    for sample in samples:
        if sample.group:
            groups[sample.corpus, sample.group].append(sample)
    leaks = [members for members in groups.values() if _num_splits(members) > 1]
    if not leaks:
        return []
    return [
        finding(
            "group_in_two_splits",
            "error",
            f"{out_of(len(leaks), len(groups), 'group', 'stand')} in more than one split: "
            f"{_named(members[0].group for members in leaks)}; test scores will be too good",
            (sample.id for members in leaks for sample in members),
            "Split by speaker, writer, book or source picture: correct the corpus's split column or its group column, "
            "or leave the split empty so that prepare splits by group.",
        )
    ]


def examine_contents(samples: Sequence[Sample], digests: Mapping[str, str]) -> list[Finding]:
    """Samples with the same sound or picture: in two splits, twice in one, or with different transcripts.

    Args:
        digests: sample id → digest of the content; samples that have none are passed over.
    """
    contents: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        if sample.id in digests:
            contents[digests[sample.id]].append(sample)
    copies = [members for members in contents.values() if len(members) > 1]
    leaks = [members for members in copies if _num_splits(members) > 1]
    twice = [members for members in copies if _num_splits(members) == 1]
    contradictions = [members for members in copies if len({sample.text for sample in members}) > 1]
    found = []
    if leaks:
        found.append(
            finding(
                "content_in_two_splits",
                "error",
                f"{_contents(len(leaks), 'stand')} in more than one split; test scores will be too good",
                (sample.id for members in leaks for sample in members),
                "Remove the copies from training and validation, or leave the corpus's split empty so that prepare "
                "keeps copies together.",
            )
        )
    if twice:
        found.append(
            finding(
                "duplicate_content",
                "warning",
                f"{_contents(len(twice), 'stand')} more than once in the same split",
                (sample.id for members in twice for sample in members),
                "Remove the copies: they weigh more than other samples, in training and in scores.",
            )
        )
    if contradictions:
        found.append(
            finding(
                "contradicting_transcripts",
                "warning",
                f"{_contents(len(contradictions), 'have')} copies with another transcript",
                (sample.id for members in contradictions for sample in members),
                "At most one of the transcripts can be right: listen or look, and correct the others.",
            )
        )
    return found


def _contents(number: int, what: str) -> str:
    return f"{plural(number, 'recording or picture', 'recordings or pictures')} {said_of(number, what)}"


def examine_transcripts(samples: Sequence[Sample]) -> list[Finding]:
    """Validation and test transcripts that also stand in training: no fault, but scores must be read with it."""
    training = {sample.text for sample in samples if sample.split == "train"}
    found = []
    for split in SPLITS[1:]:
        members = [sample for sample in samples if sample.split == split]
        seen = [sample for sample in members if sample.text and sample.text in training]
        if seen:
            found.append(
                finding(
                    f"seen_transcript_{split}",
                    "note",
                    f"{out_of(len(seen), len(members), f'{split} transcript')} ({len(seen) / len(members):.1%}) also "
                    f"{said_of(len(seen), 'stand')} in training, word for word",
                    (sample.id for sample in seen),
                    _advice(split, num_new=len(members) - len(seen)),
                )
            )
    return found


def _advice(split: str, num_new: int) -> str:
    if not num_new:
        return f"No {split} transcript is new: the scores tell nothing of other texts."
    where = {"test": "the report shows both", "validation": "metrics.json has both, under validation"}[split]
    return f"Read the scores of seen and unseen transcripts apart: {where}."


def _num_splits(members: Iterable[Sample]) -> int:
    return len({sample.split for sample in members})


def _named(names: Iterable[str]) -> str:
    every = sorted(set(names))
    more = f" and {len(every) - _MAX_NAMES} more" if len(every) > _MAX_NAMES else ""
    return ", ".join(every[:_MAX_NAMES]) + more
