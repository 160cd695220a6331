"""What there is to learn from: samples, the reasons to reject one, and their JSON-lines files."""

import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import Field

from common.errors import GlyphoneError
from common.files import read_jsonl, write_jsonl
from common.shapes import checked, known_keys, written_by
from common.wording import out_of

T = TypeVar("T")
SPLITS = ("train", "validation", "test")

REASONS = {
    "unreadable": "the file cannot be read as sound or image",
    "several_pictures": "the file holds several pages or frames",
    "missing_file": "the file does not exist",
    "outside_corpus": "the path leads out of the corpus folder",
    "no_transcript": "it is not transcribed",
    "no_file": "there is a transcript, and nothing that it is of",
    "linked_folder": "it is a link to a folder, which is not followed",
    "bad_transcript": "the file with its transcript cannot be read",
    "empty_text": "the transcript is empty after normalisation",
    "too_few_slices": "fewer slices than the transcript needs (repeats count double)",
    "too_long": "longer than the limit of the settings",
    "duplicate_id": "another sample has the same id",
    "out_of_range": "start, end or box lie outside the file",
    "no_outline": "there is no outline to cut it out by",
    "size_mismatch": "the picture has other proportions than the page that its box was drawn on",
    "empty_signal": "no sound or no pixels",
    "over_limit": "larger than the safety limit",
    "not_finite": "its slices hold NaN or infinity",
}

# Of what is no sample yet, and so is none that a share of rejected ones could count: said of one, and of several.
NO_SAMPLES = {
    "no_transcript": ("is not transcribed and left out", "are not transcribed and left out"),
    "no_file": ("is a transcript of nothing", "are transcripts of nothing"),
    "linked_folder": ("is a link to a folder, which is not followed", "are links to folders, which are not followed"),
}

SYNTHESIS = "synthesis:"


@known_keys
@dataclass(frozen=True, slots=True)
class Sample:
    """One slice sequence to be and its transcript.

    Attributes:
        id: unique in the corpus.
        path: relative to the root of its corpus; or ``synthesis:<seed>:<condition>`` for a generated sample, which is
            a recipe and not a file: the same path, id and text always give the same signal.
        text: normalised once (``common.text.normalise``).
        group: speaker, writer, volume or source picture; no group stands in two splits.
        split: one of ``SPLITS``.
        start, end: seconds within the file, half open, or None for all of it.
        box: (left, top, right, bottom) in pixels, half open, or None for the whole image.
        page_size: (width, height) of the page that box was drawn on, in the units of box, where the corpus says so:
            box is scaled from it to the picture. None: box is in pixels of the picture.
        corpus: name of the corpus, a key of the settings.
        licence: as the corpus states it.
    """

    id: str
    path: str
    text: str
    group: str
    split: Annotated[str, Field(pattern="^(train|validation|test)$")]
    start: float | None = None
    end: float | None = None
    box: tuple[int, int, int, int] | None = None
    page_size: tuple[int, int] | None = None
    corpus: str = ""
    licence: str = ""

    @property
    def is_synthetic(self) -> bool:
        return self.path.startswith(SYNTHESIS)


@known_keys
@dataclass(frozen=True, slots=True)
class Rejection:
    """A sample that was not used, with the reason. ``code`` is a key of ``REASONS``."""

    id: str
    stage: str
    code: str
    sentence: str
    split: str = ""


def write_samples(path: str | Path, samples: Iterable[Sample]) -> int:
    """Write samples sorted by id, leaving out optional fields that are None or empty; return how many."""
    defaults = {field.name: field.default for field in fields(Sample)}
    rows = (
        {key: value for key, value in asdict(sample).items() if value != defaults[key]}
        for sample in sorted(samples, key=lambda sample: sample.id)
    )
    return write_jsonl(path, rows)


def read_samples(path: str | Path) -> list[Sample]:
    with written_by("prepare"):
        return [_from_row(Sample, row, path) for row in read_jsonl(path)]


def write_rejections(path: str | Path, rejections: Iterable[Rejection]) -> int:
    return write_jsonl(path, (asdict(each) for each in sorted(rejections, key=lambda each: (each.id, each.code))))


def read_rejections(path: str | Path) -> list[Rejection]:
    return [_from_row(Rejection, row, path) for row in read_jsonl(path)]


def _from_row(kind: type[T], row: dict[str, Any], path: str | Path) -> T:
    return checked(kind, row, f"{path}: not a {kind.__name__.lower()}")


def check_rejected_share(
    rejections: Sequence[Rejection], num_all: int, limit: float, where: str | Path, who: str = "max_rejected"
) -> None:
    """Say on standard error how many samples were rejected; the rejections are already written to ``where``.

    Args:
        limit: the share of ``num_all`` that may be.
        who: sets the limit, for the message.

    Raises:
        GlyphoneError: it was more.
    """
    if not num_all or not rejections:
        return
    codes = Counter(each.code for each in rejections)
    counts = sorted(codes.items(), key=lambda pair: (-pair[1], pair[0]))
    first = min((each for each in rejections if each.code == counts[0][0]), key=lambda each: each.id)
    share = len(rejections) / num_all
    told = f"{out_of(len(rejections), num_all, 'sample')} rejected ({share:.1%})"
    example = first.sentence if first.id in first.sentence else f"{first.id}: {first.sentence}"
    reasons = f"{', '.join(f'{count} {code}' for code, count in counts)}, as {example}; the reasons are in {where}"
    if share > limit:
        raise GlyphoneError(f"{told}, {who} allows {limit:.1%}: {reasons}")
    print(" ".join(f"{told}: {reasons}".splitlines()), file=sys.stderr, flush=True)
