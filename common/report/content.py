"""What the page shows, as plain values: filled by ``gather``, drawn by ``page``."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from common.findings import Finding
from common.report.comparison import ComparisonView
from common.report.differences import Piece
from common.report.wording import decimals_of, hundredths, percent


@dataclass(frozen=True, slots=True)
class Figure:
    """One rate with its interval.

    Attributes:
        name: e.g. ``Word error rate``.
        short_name: e.g. ``WER``.
        value, low, high: fractions; None where there is nothing to divide by.
        num_units: what the rate is of: words, characters, samples.
        unit: their name.
        substitutions, deletions, insertions: counts; None for a rate of whole samples.
        hits: what was right, for a rate of whole samples.
        fixed_decimals: of the percentage, where a column should be even.
    """

    name: str
    short_name: str
    value: float | None
    low: float | None = None
    high: float | None = None
    num_units: int = 0
    unit: str = ""
    substitutions: int | None = None
    deletions: int | None = None
    insertions: int | None = None
    hits: int | None = None
    fixed_decimals: int | None = None

    @property
    def decimals(self) -> int:
        """The digits that the interval earns; or those of the column that the figure stands in."""
        if self.fixed_decimals is not None:
            return self.fixed_decimals
        return decimals_of(self.low, self.high, self.num_units)

    @property
    def text(self) -> str:
        """The value in percent."""
        return percent(self.value, self.decimals)

    @property
    def is_constant(self) -> bool:
        """Whether all draws of the bootstrap are the same, as where nothing or all is wrong: that is no interval."""
        return self.low is not None and self.high is not None and math.isclose(self.low, self.high)

    @property
    def interval(self) -> str:
        """``4.3 to 7.6 %``, or nothing."""
        if self.value is None or self.low is None or self.high is None or self.is_constant:
            return ""
        return f"{hundredths(self.low, self.decimals)} to {percent(self.high, self.decimals)}"

    @property
    def errors(self) -> int | None:
        if self.substitutions is None or self.deletions is None or self.insertions is None:
            return None
        return self.substitutions + self.deletions + self.insertions

    @property
    def sclite_line(self) -> str:
        """The line that speech people know, e.g. ``%WER 5.95 [ 46 / 773, 4 ins, 9 del, 33 sub ]``."""
        if self.errors is None or self.value is None:
            return ""
        return (
            f"%{self.short_name} {self.value * 100:.2f} [ {self.errors} / {self.num_units}, "
            f"{self.insertions} ins, {self.deletions} del, {self.substitutions} sub ]"
        )


@dataclass(frozen=True, slots=True)
class Subset:
    """Scores of a part of the test samples."""

    name: str
    num_samples: int
    figures: Sequence[Figure]
    bar: Markup


@dataclass(frozen=True, slots=True)
class SubsetTable:
    title: str
    sentence: str
    subsets: Sequence[Subset]
    bar_name: str


@dataclass(frozen=True, slots=True)
class Chart:
    title: str
    sentence: str
    svg: Markup
    legend: Sequence[tuple[str, str]] = ()  # (name, style)


@dataclass(frozen=True, slots=True)
class Shown:
    """One test sample on the page.

    Attributes:
        num_words, num_characters: of the reference.
        word_errors, character_errors: substitutions + deletions + insertions.
        substitutions, deletions, insertions: of characters.
        confidence: 0 to 1, or None.
        note: why it could not be read; else empty.
        media_type, media: the preview as a data URI; both empty where there is none, ``no_media`` then says why.
    """

    id: str
    group: str
    reference: str
    hypothesis: str
    pieces: Sequence[Piece]
    num_words: int
    word_errors: int
    num_characters: int
    character_errors: int
    substitutions: int
    deletions: int
    insertions: int
    confidence: float | None
    note: str = ""
    media_type: str = ""
    media: str = ""
    no_media: str = ""

    @property
    def character_rate(self) -> float:
        """Errors per reference character; an empty reference counts as one character."""
        return self.character_errors / max(self.num_characters, 1)

    @property
    def kinds(self) -> str:
        """``1 substituted, 2 deleted``: the character errors by kind."""
        kinds = ((self.substitutions, "substituted"), (self.deletions, "deleted"), (self.insertions, "inserted"))
        return ", ".join(f"{times} {kind}" for times, kind in kinds if times)

    @property
    def word_rate(self) -> float:
        return self.word_errors / max(self.num_words, 1)


@dataclass(frozen=True, slots=True)
class Confusion:
    """``reference`` was taken for ``hypothesis``, ``count`` times; an empty side is a deletion or an insertion."""

    reference: str
    hypothesis: str
    count: int


@dataclass(frozen=True, slots=True)
class Missed:
    """A reference word, how often it stands in the references, how often it was missed, and the words in its place.

    An empty word in ``instead`` stands for nothing at all.
    """

    word: str
    count: int
    missed: int
    instead: Sequence[str]


@dataclass(frozen=True, slots=True)
class RejectionGroup:
    stage: str
    code: str
    sentence: str
    count: int
    splits: str
    examples: Sequence[tuple[str, str]]  # (id, sentence)


@dataclass(frozen=True, slots=True)
class Content:
    """All of the page.

    Attributes:
        interval_name: e.g. ``95 % interval``.
        remarks: sentences below the scores.
        bars, limits, splits: a figure: its drawing, the right end of its line, and its errors by kind.
        epoch_columns, epochs: the table behind the curves, as text.
        settings: (section, text).
        commands: (what it does, command).
        num_wrong: samples with an error of characters, of which ``worst`` are those shown.
        table: the rows of the table of all samples; ``num_table`` is how many there were before the cap.
        comparison: with another run, where the settings name one; ``compare_command`` makes one elsewhere.
    """

    modality: str
    title: str
    subtitle: str
    facts: Sequence[tuple[str, str]]
    interval_name: str
    remarks: Sequence[str]
    figures: Sequence[Figure]
    bars: Sequence[Markup]
    limits: Sequence[str]
    splits: Sequence[Markup]
    subset_tables: Sequence[SubsetTable]
    learning: Sequence[Chart]
    epoch_columns: Sequence[str]
    epochs: Sequence[Sequence[str]]
    chosen_epoch: int
    calibration: Sequence[Chart]
    lengths: Sequence[Chart]
    worst: Sequence[Shown]
    num_wrong: int
    random: Sequence[Shown]
    confusions: Sequence[Confusion]
    missed: Sequence[Missed]
    rejections: Sequence[RejectionGroup]
    findings: Sequence[Finding]
    settings: Sequence[tuple[str, str]]
    commands: Sequence[tuple[str, str]]
    table: Sequence[Shown]
    num_table: int
    comparison: ComparisonView | None
    compare_command: str
