"""What is said of whole groups: which samples are one (a speaker, a book), and which split a name means."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from common.errors import GlyphoneError
from common.samples import Sample

SPLIT_NAMES = {
    "": "", "train": "train", "training": "train", "tr": "train",
    "validation": "validation", "valid": "validation", "val": "validation", "dev": "validation",
    "development": "validation", "test": "test", "testing": "test", "eval": "test", "evaluation": "test",
}  # fmt: skip


def split_name(value: str) -> str:
    """Our name of a split, e.g. validation for dev. Raises ValueError naming what is allowed."""
    try:
        return SPLIT_NAMES[value.strip().lower()]
    except KeyError:
        allowed = ", ".join(filter(None, SPLIT_NAMES))
        raise ValueError(f"split {value!r} is none of {allowed}") from None


def checked_pattern(value: str) -> str:
    """The pattern itself, when it compiles and has a bracket (or is empty). Raises ValueError."""
    try:
        groups = re.compile(value).groups
    except re.error as error:
        raise ValueError(f"not a regular expression: {value!r}: {error}") from None
    if value and not groups:
        raise ValueError(f"the pattern needs one bracket around what names the group: {value!r}")
    return value


def file_groups(samples: list[Sample]) -> list[Sample]:
    """The samples, each file a group of its own if all lie in one folder: a single group could not be split.

    So is a file right in the folder of its split (train/a.wav), whose name says nothing of speakers or books.
    """
    one = len(samples) > 1 and len({sample.group for sample in samples}) == 1
    return [replace(sample, group=sample.path) if one or _lies_in_split(sample) else sample for sample in samples]


def _lies_in_split(sample: Sample) -> bool:
    return bool(split_of_folder(sample.path)) and sample.path.count("/") == 1


def group_of(path: str, pattern: str) -> str:
    """Group of a relative path: the first bracket of pattern, or else its folder; a file at the top is its own group.

    Raises:
        GlyphoneError: the pattern does not match the path, or its bracket matches nothing of it.
    """
    if pattern:
        match = re.search(pattern, path)
        if match is None or match[1] is None:
            raise GlyphoneError(f"group_pattern {pattern!r} does not match {path!r}")
        if not match[1]:
            raise GlyphoneError(f"group_pattern {pattern!r} finds an empty group in {path!r}")
        return match[1]
    parent = Path(path).parent.as_posix()
    return parent if parent != "." else Path(path).name.split(".", 1)[0]


def split_of_folder(path: str) -> str:
    """The split that the top folder of a relative path names (train, dev, test, …), else the empty string."""
    top, slash, _ = path.partition("/")
    return SPLIT_NAMES.get(top.lower(), "") if slash else ""


def distinct_groups(corpora: Sequence[str], groups: Sequence[str]) -> list[str]:
    """The group of each sample by a name that means one group alone.

    Two corpora may each have a speaker 1: the name of their corpus then stands behind, since what stands before the
    first slash is a condition.
    """
    num_corpora = Counter(group for _, group in set(zip(corpora, groups, strict=True)))
    return [
        f"{group} ({corpus})" if num_corpora[group] > 1 else group
        for corpus, group in zip(corpora, groups, strict=True)
    ]
