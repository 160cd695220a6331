"""Edits between a reference and a hypothesis: counts, rates and alignments of words and of characters alike."""

import unicodedata
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from rapidfuzz.distance import Levenshtein

Operation = Literal["equal", "substitution", "deletion", "insertion"]


@dataclass(frozen=True, slots=True)
class Counts:
    """How a hypothesis differs from its reference, in units (words or characters).

    Attributes:
        substitutions, deletions, insertions: of a shortest way from the reference to the hypothesis.
        reference: number of units in the reference.
    """

    substitutions: int = 0
    deletions: int = 0
    insertions: int = 0
    reference: int = 0

    @property
    def errors(self) -> int:
        return self.substitutions + self.deletions + self.insertions

    @property
    def rate(self) -> float:
        """Errors a reference unit, a fraction in [0, ∞).

        Without reference units: 0.0 if there are no errors, else infinity (never the bare count of errors).
        """
        if self.reference:
            return self.errors / self.reference
        return 0.0 if self.errors == 0 else float("inf")

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.substitutions + other.substitutions,
            self.deletions + other.deletions,
            self.insertions + other.insertions,
            self.reference + other.reference,
        )


def words(text: str) -> list[str]:
    """The units of a word error rate: NFC, split at white space."""
    return unicodedata.normalize("NFC", text).split()


def characters(text: str) -> list[str]:
    """The units of a character error rate: code points of the NFC form, blanks included."""
    return list(unicodedata.normalize("NFC", text))


def count(reference: Sequence[Hashable], hypothesis: Sequence[Hashable]) -> Counts:
    """Counts of the Levenshtein distance between two sequences of units."""
    kinds = Counter(edit.tag for edit in Levenshtein.editops(reference, hypothesis))
    return Counts(kinds["replace"], kinds["delete"], kinds["insert"], len(reference))


def count_words(reference: str, hypothesis: str) -> Counts:
    return count(words(reference), words(hypothesis))


def count_characters(reference: str, hypothesis: str) -> Counts:
    return count(characters(reference), characters(hypothesis))


def align(reference: Sequence[str], hypothesis: Sequence[str]) -> list[tuple[Operation, str, str]]:
    """Steps from reference units to hypothesis units: (operation, reference unit, hypothesis unit).

    The reference unit of an insertion and the hypothesis unit of a deletion are "". The steps' reference units are the
    reference, their hypothesis units the hypothesis, in order.
    """
    steps: list[tuple[Operation, str, str]] = []
    for block in Levenshtein.opcodes(reference, hypothesis):
        left = reference[block.src_start : block.src_end]
        right = hypothesis[block.dest_start : block.dest_end]
        if block.tag == "delete":
            steps += [("deletion", unit, "") for unit in left]
        elif block.tag == "insert":
            steps += [("insertion", "", unit) for unit in right]
        else:
            kind: Operation = "equal" if block.tag == "equal" else "substitution"
            steps += [(kind, first, second) for first, second in zip(left, right, strict=True)]
    return steps


def confusions(pairs: Iterable[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """Count the character errors of (reference, hypothesis) texts: (reference character, hypothesis character) → times.

    "" stands for the missing side of an insertion or deletion; equal characters are not counted. The most frequent
    come first, equals by code point.
    """
    counted: Counter[tuple[str, str]] = Counter()
    for reference, hypothesis in pairs:
        steps = align(characters(reference), characters(hypothesis))
        counted.update((left, right) for kind, left, right in steps if kind != "equal")
    return dict(sorted(counted.items(), key=lambda item: (-item[1], item[0])))


def visible(character: str) -> str:
    """A character on its own as one can see it: by its code point what leaves no ink, a mark on a dotted circle."""
    kind = unicodedata.category(character)
    if kind.startswith("C") or kind in ("Zl", "Zp") or (kind == "Zs" and character != " "):
        return f"U+{ord(character):04X}"
    return f"\u25cc{character}" if kind.startswith("M") else character


def one_minus_ned(reference: str, hypothesis: str) -> float:
    """1 - distance / length of the longer text in characters, ICDAR 2019's "1-N.E.D."; 1.0 for two empty texts."""
    left, right = characters(reference), characters(hypothesis)
    return Levenshtein.normalized_similarity(left, right)
