import json
import math
import unicodedata
from collections import Counter

import jiwer
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from common.files import to_json
from common.scoring import (
    Counts,
    ScoredRow,
    align,
    characters,
    confusions,
    count_characters,
    count_words,
    one_minus_ned,
    score,
    wer_line,
    words,
)

QUICK = settings(max_examples=80)
# Few letters, so that texts resemble each other; combining marks and their composed forms; blanks.
letters = st.sampled_from(["a", "b", "B", "é", "e", "\u0301", "ß", "α", " ", " ", "\u0928", "\u093c"])
texts = st.text(letters, max_size=12)
plain_texts = st.lists(st.text(st.sampled_from("abcdé"), min_size=1, max_size=3), max_size=6).map(" ".join)
counters = pytest.mark.parametrize(("count", "units"), [(count_words, words), (count_characters, characters)])


def distance(left: list[str], right: list[str]) -> int:
    """Levenshtein distance by the textbook's recurrence (Wagner & Fischer 1974)."""
    row = list(range(len(right) + 1))
    for i, first in enumerate(left, 1):
        previous, row[0] = row[0], i
        for j, second in enumerate(right, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (first != second))
    return row[-1]


def row(number: int, reference: str, hypothesis: str, group: str = "g", seen: bool = False, length: float = 1.0):
    return ScoredRow(f"s{number:04}", group, reference, hypothesis, seen, length)


@QUICK
@given(reference=plain_texts, hypothesis=plain_texts)
def test_words_as_jiwer(reference: str, hypothesis: str) -> None:
    # jiwer returns a count where the reference is empty, so that case has a test of its own.
    assume(reference)
    ours, theirs = count_words(reference, hypothesis), jiwer.process_words(reference, hypothesis)
    assert ours == Counts(theirs.substitutions, theirs.deletions, theirs.insertions, len(reference.split()))
    assert ours.rate == pytest.approx(theirs.wer)


@QUICK
@given(reference=plain_texts, hypothesis=plain_texts)
def test_characters_as_jiwer(reference: str, hypothesis: str) -> None:
    assume(reference)
    ours, theirs = count_characters(reference, hypothesis), jiwer.process_characters(reference, hypothesis)
    assert ours == Counts(theirs.substitutions, theirs.deletions, theirs.insertions, len(reference))
    assert ours.rate == pytest.approx(theirs.cer)


@counters
@QUICK
@given(reference=texts, hypothesis=texts)
def test_counts_add_up(count, units, reference: str, hypothesis: str) -> None:
    found = count(reference, hypothesis)
    assert found.errors == distance(units(reference), units(hypothesis))
    assert found.reference == len(units(reference))
    assert found.reference - found.deletions + found.insertions == len(units(hypothesis))
    assert min(found.substitutions, found.deletions, found.insertions) >= 0
    backwards = count(hypothesis, reference)
    assert backwards.errors == found.errors
    assert backwards.insertions - backwards.deletions == found.deletions - found.insertions


@counters
@QUICK
@given(text=texts)
def test_a_text_against_itself(count, units, text: str) -> None:
    assert count(text, text) == Counts(reference=len(units(text)))
    # However it is composed.
    for form in ("NFC", "NFD"):
        assert count(text, unicodedata.normalize(form, text)).errors == 0


@pytest.mark.parametrize(
    ("reference", "hypothesis", "by_words", "by_characters"),
    [
        ("", "", (0, 0, 0, 0), (0, 0, 0, 0)),
        ("", "a b", (0, 0, 2, 0), (0, 0, 3, 0)),
        ("a b", "", (0, 2, 0, 2), (0, 3, 0, 3)),
        ("caf\u00e9", "cafe\u0301", (0, 0, 0, 1), (0, 0, 0, 4)),
        ("a  b", "a b", (0, 0, 0, 2), (0, 1, 0, 4)),
        ("the cat", "the hat sat", (1, 0, 1, 2), (1, 0, 4, 7)),
        ("\U0001f600", "x", (1, 0, 0, 1), (1, 0, 0, 1)),
    ],
)
def test_table(reference: str, hypothesis: str, by_words: tuple, by_characters: tuple) -> None:
    assert count_words(reference, hypothesis) == Counts(*by_words)
    assert count_characters(reference, hypothesis) == Counts(*by_characters)


def test_rates() -> None:
    assert Counts().rate == 0.0
    assert Counts(insertions=2).rate == math.inf
    assert Counts(1, 2, 3, 4).rate == 1.5
    assert Counts(1, 2, 3, 4) + Counts(10, 20, 30, 40) == Counts(11, 22, 33, 44)
    assert wer_line(Counts(93, 20, 10, 997)) == "%WER 12.34 [ 123 / 997, 10 ins, 20 del, 93 sub ]"


@QUICK
@given(reference=texts, hypothesis=texts)
def test_alignment_holds_both_texts(reference: str, hypothesis: str) -> None:
    left, right = characters(reference), characters(hypothesis)
    steps = align(left, right)
    assert [first for kind, first, _ in steps if kind != "insertion"] == left
    assert [second for kind, _, second in steps if kind != "deletion"] == right
    for kind, first, second in steps:
        assert (kind == "equal") == (first == second)
        assert (kind == "insertion") == (first == "") and (kind == "deletion") == (second == "")
    kinds = Counter(kind for kind, _, _ in steps)
    found = count_characters(reference, hypothesis)
    assert (kinds["substitution"], kinds["deletion"], kinds["insertion"]) == (
        found.substitutions,
        found.deletions,
        found.insertions,
    )


@QUICK
@given(pairs=st.lists(st.tuples(texts, texts), max_size=6))
def test_confusions_are_the_errors(pairs: list[tuple[str, str]]) -> None:
    found = confusions(pairs)
    assert sum(found.values()) == sum(count_characters(*pair).errors for pair in pairs)
    assert all(first != second for first, second in found)
    assert list(found.values()) == sorted(found.values(), reverse=True)
    assert found == confusions(reversed(pairs)) and list(found) == list(confusions(reversed(pairs)))


def test_confusions_name_the_characters() -> None:
    assert confusions([("cat", "hat"), ("cab", "ha"), ("", "x")]) == {("c", "h"): 2, ("", "x"): 1, ("b", ""): 1}


@QUICK
@given(reference=texts, hypothesis=texts)
def test_normalised_edit_distance(reference: str, hypothesis: str) -> None:
    left, right = characters(reference), characters(hypothesis)
    longest = max(len(left), len(right))
    wanted = 1 - distance(left, right) / longest if longest else 1.0
    assert one_minus_ned(reference, hypothesis) == pytest.approx(wanted)
    assert one_minus_ned(reference, hypothesis) == one_minus_ned(hypothesis, reference)


rows = st.lists(
    st.tuples(texts, texts, st.sampled_from("abc"), st.booleans(), st.floats(0, 9)), min_size=0, max_size=25
).map(lambda parts: [row(number, *part) for number, part in enumerate(parts)])


@settings(max_examples=40)
@given(rows=rows, random=st.randoms(use_true_random=False))
def test_tree_adds_up(rows: list[ScoredRow], random) -> None:
    tree = score(rows, num_samples=20)
    json.loads(to_json(tree))
    pooled = sum((count_characters(each.reference, each.hypothesis) for each in rows), Counts())
    assert tree["characters"]["errors"] == pooled.errors
    assert tree["characters"]["reference"] == pooled.reference
    assert tree["characters"]["rate"] == (pooled.rate if pooled.reference else None)
    assert tree["samples"] == len(rows) and tree["groups"] == len({each.group for each in rows})
    parts = [tree["by_transcript"]["seen"], tree["by_transcript"]["unseen"]]
    for table in (parts, tree["by_group"], tree["by_length"]):
        assert sum(part["samples"] for part in table) == len(rows)
        for unit in ("words", "characters"):
            for name in ("substitutions", "deletions", "insertions", "errors", "reference"):
                assert sum(part[unit][name] for part in table) == tree[unit][name]
    assert tree["exact"]["hits"] <= tree["exact_ignoring_case"]["hits"] <= len(rows)
    for name in ("words", "characters"):
        if tree[name]["low"] is not None and tree[name]["high"] is not None:
            assert tree[name]["low"] <= tree[name]["high"]
    shuffled = rows[:]
    random.shuffle(shuffled)
    assert to_json(score(shuffled, num_samples=20)) == to_json(tree)


@settings(max_examples=20)
@given(rows=rows)
def test_tree_of_perfect_hypotheses(rows: list[ScoredRow]) -> None:
    perfect = [ScoredRow(r.id, r.group, r.reference, r.reference, r.seen_in_training, r.length) for r in rows]
    tree = score(perfect, num_samples=20)
    assert tree["words"]["errors"] == tree["characters"]["errors"] == 0
    for unit in ("words", "characters"):
        assert tree[unit]["rate"] == (0.0 if tree[unit]["reference"] else None)
    if rows:
        assert tree["exact"]["share"] == tree["one_minus_ned"] == 1.0
        certain = (1.0, 1.0) if len(rows) > 1 else (None, None)  # a single sample has no interval
        assert (tree["exact"]["low"], tree["exact"]["high"]) == certain


def test_rates_are_pooled_and_not_averaged() -> None:
    """The mean of 1/1 and 0/9 is 0.5; the pooled rate is 0.1."""
    tree = score([row(1, "x", "y"), row(2, "a b c d e f g h i", "a b c d e f g h i")])
    assert tree["words"]["rate"] == pytest.approx(0.1)
    assert tree["line"] == "%WER 10.00 [ 1 / 10, 0 ins, 0 del, 1 sub ]"
    assert tree["exact"]["share"] == 0.5


def test_a_sample_that_could_not_be_read_is_all_deletions() -> None:
    tree = score([row(1, "one two", ""), row(2, "three", "three")])
    assert (tree["words"]["deletions"], tree["words"]["rate"]) == (2, pytest.approx(2 / 3))


def test_infinite_rates_are_null_beside_their_counts() -> None:
    tree = score([row(1, "", "a b")])
    assert tree["words"]["rate"] is None and tree["words"]["low"] is None
    assert (tree["words"]["insertions"], tree["words"]["reference"]) == (2, 0)
    assert tree["line"] == "%WER inf [ 2 / 0, 2 ins, 0 del, 0 sub ]"


def test_nothing_to_divide_by_is_null_and_no_perfect_score() -> None:
    """As of the unseen transcripts of a corpus in which training has seen all."""
    tree = score([row(1, "one", "one", seen=True)])
    nothing = tree["by_transcript"]["unseen"]
    assert nothing["samples"] == 0
    assert [nothing[unit]["rate"] for unit in ("words", "characters")] == [None, None]
    assert nothing["exact"]["share"] is None


def test_case_is_ignored_where_it_says_so() -> None:
    tree = score([row(1, "Straße", "STRASSE"), row(2, "a", "a"), row(3, "a", "b")])
    assert (tree["exact"]["hits"], tree["exact_ignoring_case"]["hits"]) == (1, 2)
    assert tree["characters"]["errors"] > 0


def test_tables() -> None:
    rows = [row(i, "ab", "ab" if i % 4 else "a", group=f"g{i % 4}", seen=i < 10, length=float(i)) for i in range(40)]
    tree = score(rows, num_samples=50)
    assert [each["group"] for each in tree["by_group"]] == ["g0", "g1", "g2", "g3"]
    assert [each["exact"] for each in tree["by_group"]] == [0, 10, 10, 10]
    assert [(each["from"], each["to"], each["samples"]) for each in tree["by_length"]] == [
        (0.0, 9.0, 10),
        (10.0, 19.0, 10),
        (20.0, 29.0, 10),
        (30.0, 39.0, 10),
    ]
    assert tree["by_transcript"]["seen"]["samples"] == 10
    assert tree["interval"] == {"confidence": 0.95, "bootstrap_samples": 50, "drawn_over": "groups"}
    same_length = score([row(i, "a", "a", length=2.0) for i in range(9)], num_samples=5)
    assert len(same_length["by_length"]) == 1


def test_a_slice_of_one_group_has_no_interval_where_groups_are_drawn() -> None:
    rows = [row(i, "ab", "ab" if i % 3 else "a", group="anna" if i < 8 else "bob", seen=i >= 8) for i in range(16)]
    tree = score(rows, num_samples=50)
    assert tree["interval"]["drawn_over"] == "groups" and tree["words"]["low"] is not None
    for part in tree["by_transcript"].values():
        assert part["samples"] == 8
        assert [part[unit][bound] for unit in ("words", "characters", "exact") for bound in ("low", "high")] == [
            None
        ] * 6
    alone = score(rows[:8], num_samples=50)
    assert alone["interval"]["drawn_over"] == "samples" and alone["by_transcript"]["unseen"]["words"]["low"] is not None


def test_thousands_of_groups_make_a_short_table() -> None:
    rows = [row(i, "ab", "a" if i == 700 else "ab", group=f"g{i}") for i in range(1000)]
    tree = score(rows, num_samples=20)
    assert tree["groups"] == 1000 and len(tree["by_group"]) == 100
    assert tree["by_group"][0]["group"] == "g700"
