"""Two runs held against each other: what the figures promise, and which runs are refused."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from common.comparison.compare import compare, sign_test, tree
from common.comparison.runs import Run, find, pairs_of, read_run, run_of
from common.edits import count_characters
from common.errors import GlyphoneError
from common.files import write_json
from common.report.comparison import view
from common.scoring import ScoredRow, score
from tests.report_world import improved, rows_of, written

QUICK = settings(max_examples=40)
TEXTS = st.text("ab <&*_`é\u0301שלA", max_size=8)
SAMPLES = st.lists(st.tuples(st.sampled_from(["", "x", "y", "z"]), TEXTS, TEXTS, TEXTS), min_size=1, max_size=12)


def runs_of(samples: list[tuple[str, str, str, str]]) -> tuple[Run, Run]:
    """Runs from (group, reference, first hypothesis, second hypothesis)."""
    rows = [[], []]
    for number, (group, reference, *hypotheses) in enumerate(samples):
        for own, hypothesis in zip(rows, hypotheses, strict=True):
            own.append({"id": f"s{number:03d}", "group": group, "reference": reference, "hypothesis": hypothesis})
    return run_of("A", rows[0], "a.jsonl"), run_of("B", rows[1], "b.jsonl")


@QUICK
@given(samples=SAMPLES, seed=st.integers(0, 3))
def test_a_run_does_not_differ_from_itself(samples: list, seed: int) -> None:
    first, _ = runs_of(samples)
    found = compare(first, first, num_samples=20, seed=seed)
    assert found.changed == []
    for each in found.measures:
        assert (each.better, each.worse, each.same, each.pairs_p_value) == (0, 0, len(samples), 1.0)
        assert each.verdict == "unclear"
        if each.difference is None:
            assert each.unit != "samples" or len(samples) == 1
            continue
        assert (each.difference.value, each.difference.low, each.difference.high) == (0, 0, 0)
        assert each.difference.p_value == 1
    assert view(found, 5).conclusion == "Both runs read every sample alike."


@QUICK
@given(samples=SAMPLES)
def test_exchanging_the_runs_turns_everything_round(samples: list) -> None:
    first, second = runs_of(samples)
    found, turned = compare(first, second, num_samples=30), compare(second, first, num_samples=30)
    for one, other in zip(found.measures, turned.measures, strict=True):
        assert (one.errors, one.better, one.worse, one.same) == (
            other.errors[::-1],
            other.worse,
            other.better,
            other.same,
        )
        assert one.pairs_p_value == other.pairs_p_value
        if one.difference is not None and other.difference is not None:
            assert (one.difference.value, one.difference.low, one.difference.high) == (
                -other.difference.value,
                -other.difference.high,
                -other.difference.low,
            )
            assert one.difference.p_value == other.difference.p_value
    assert {each.pair.id for each in found.with_change("better")} == {
        each.pair.id for each in turned.with_change("worse")
    }


@QUICK
@given(samples=SAMPLES, order=st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(samples: list, order: Any) -> None:
    first, second = runs_of(samples)
    shuffled = []
    for each in (first, second):
        ids = list(each.rows)
        order.shuffle(ids)
        shuffled.append(replace(each, rows={id: each.rows[id] for id in ids}))
    assert tree(compare(*shuffled, num_samples=20)) == tree(compare(first, second, num_samples=20))


@QUICK
@given(samples=SAMPLES)
def test_counts_and_rates_are_those_of_the_score(samples: list) -> None:
    first, second = runs_of(samples)
    found = compare(first, second, num_samples=5)
    for place, each in enumerate((first, second)):
        rows = [ScoredRow(row.id, row.group, row.reference, row.hypothesis, False, 1.0) for row in each.rows.values()]
        metrics = score(rows, num_samples=1)
        for measure, key in zip(found.measures, ("words", "characters"), strict=False):
            assert (measure.errors[place], measure.reference) == (metrics[key]["errors"], metrics[key]["reference"])
            assert not measure.reference or measure.rates[place] == metrics[key]["rate"]
        assert found.measures[2].errors[place] == len(samples) - metrics["exact"]["hits"]
    for measure in found.measures:
        assert measure.better + measure.worse + measure.same == len(samples)
    differing = {pair.id for pair in pairs_of(first, second) if pair.first != pair.second}
    assert sorted(each.pair.id for each in found.changed) == sorted(differing)
    for each in found.changed:
        errors = [count_characters(each.pair.reference, side).errors for side in (each.pair.first, each.pair.second)]
        assert list(each.character_errors) == errors
        if errors[0] != errors[1]:
            assert each.change == ("better" if errors[1] < errors[0] else "worse")
    sizes = [each.size for each in found.changed]
    assert sizes == sorted(sizes, reverse=True)


def test_a_known_improvement_is_found() -> None:
    rows = rows_of(400)
    first, second = run_of("A", rows, "a"), run_of("B", improved(rows, 0.4), "b")
    found = compare(first, second, num_samples=500)
    for each in found.measures:
        assert each.verdict == "better" and each.difference.p_value < 0.01 and each.pairs_p_value < 0.001
        assert each.difference.improvement > 0.99 and each.worse == 0
    assert view(found, 1).conclusion == "B errs less in words, characters and whole samples."
    assert view(compare(second, first, num_samples=500), 1).conclusion.startswith("B errs more in words")
    slight = compare(first, run_of("B", improved(rows[:1], 1) + rows[1:], "b"), num_samples=500)
    assert {each.verdict for each in slight.measures} == {"unclear"}
    assert "may be chance" in view(slight, 1).conclusion


def test_a_tie_is_no_difference_that_may_be_chance() -> None:
    samples = [
        (f"g{each}", "a b c", "a b x" if each % 2 else "a b c", "a b c" if each % 2 else "a b x") for each in range(20)
    ]
    tied = view(compare(*runs_of(samples), num_samples=100), 1)
    expected = "In words, characters and whole samples there is no difference: both make as many errors."
    assert tied.conclusion == expected
    samples[0] = ("g0", "a b c", "a b c", "a b xyz")
    assert view(compare(*runs_of(samples), num_samples=100), 1).conclusion == (
        "In characters the difference may be chance: the interval holds 0. "
        "In words and whole samples there is no difference: both make as many errors."
    )


@given(better=st.integers(0, 60), worse=st.integers(0, 60))
def test_the_sign_test_is_the_exact_binomial_one(better: int, worse: int) -> None:
    expected = binomtest(better, better + worse).pvalue if better + worse else 1.0
    assert sign_test(better, worse) == pytest.approx(expected)


def test_a_single_sample_proves_nothing() -> None:
    found = compare(*runs_of([("g", "a b", "a c", "a b")]))
    assert {each.verdict for each in found.measures} == {"unclear"}
    assert found.measures[0].change == -0.5 and found.measures[0].difference is None
    shown = view(found, 1)
    assert shown.conclusion == "A single sample cannot tell which run errs less."
    assert (shown.rows[0].difference, shown.rows[0].interval, shown.rows[0].p_value) == ("\u221250", "", "")
    assert shown.remarks[-1] == "Only 1 sample: too few to draw an interval from."


def test_few_groups_are_said_to_make_small_p_values() -> None:
    remarks = view(compare(*runs_of([("g", "a", "b", "a"), ("h", "a", "b", "a")])), 1).remarks
    assert remarks[-1] == "Only 2 groups: the intervals are rough, and rather too narrow, the p-values too small."


def test_the_id_of_a_sample_without_a_group_is_no_group() -> None:
    def found(first_id: str) -> Any:
        runs = []
        for hypotheses in (["a", "b", "a", "b"], ["a", "a", "a", "a"]):
            ids, groups = [first_id, "s1", "s2", "s3"], ["", "anna", "anna", "bob"]
            rows = [
                {"id": each, "group": group, "reference": "a", "hypothesis": hypothesis}
                for each, group, hypothesis in zip(ids, groups, hypotheses, strict=True)
            ]
            runs.append(run_of("A", rows, "a.jsonl"))
        return compare(*runs)

    assert found("anna").num_groups == found("s0").num_groups == 3
    assert found("anna").measures == found("s0").measures


def test_without_groups_samples_are_drawn() -> None:
    samples = [("", "ab", "ab" if number % 2 else "b", "ab") for number in range(20)]
    found = compare(*runs_of(samples))
    assert found.drawn_over == "samples"
    one_group = compare(*runs_of([("x", *rest) for _, *rest in samples]))
    assert one_group.measures == found.measures
    of_other = runs_of(samples)[0], runs_of([(str(number // 4), *rest) for number, (_, *rest) in enumerate(samples)])[1]
    assert compare(*of_other).num_groups == 5


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ([("x", "a", "", ""), ("x", "b", "", "")], r"same samples: B lacks 1 of the 3 of A \(s002\)"),
        ([("x", "a", "", "")] * 1 + [("x", "b", "", "")] * 4, r"A lacks 2 of the 5 of B \(s003, s004\)"),
        (
            [("x", "a", "", ""), ("x", "B", "", ""), ("x", "c", "", "")],
            r"references: 1 of 3 .* s001: 'b' in A, 'B' in B",
        ),
        ([("x", "a", "", ""), ("x", "b", "", ""), ("y", "c", "", "")], r"groups: 1 of 3 .* s002: 'x' in A, 'y' in B"),
    ],
)
def test_other_samples_are_refused_in_one_line(second: list, message: str) -> None:
    first = runs_of([("x", "a", "", ""), ("x", "b", "", ""), ("x", "c", "", "")])[0]
    with pytest.raises(GlyphoneError, match=message) as error:
        compare(first, runs_of(second)[1])
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "no samples"),
        ([{"id": "a", "reference": "x"}], r"sample 1: no hypothesis; a text is needed"),
        ([{"id": "a", "reference": "x", "hypothesis": None}], r"sample 1: hypothesis is None"),
        ([{"id": "a", "reference": "x", "hypothesis": "x", "group": 3}], r"group is 3"),
        ([{"id": "a", "reference": "x", "hypothesis": "\ud83d"}], r"hypothesis is '.ud83d': half a surrogate pair"),
        ([{"id": "a", "reference": "x", "hypothesis": "x"}] * 2, r"the id 'a' stands twice"),
    ],
)
def test_wrong_files_are_named(tmp_path: Path, rows: list, message: str) -> None:
    (tmp_path / "run").mkdir()
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / "run" / "hypotheses.jsonl").write_text(lines, encoding="utf-8")
    with pytest.raises(GlyphoneError, match=message) as error:
        read_run(tmp_path / "run")
    assert "hypotheses.jsonl" in str(error.value)


def test_a_run_is_found_by_file_folder_and_workspace(tmp_path: Path) -> None:
    file = written(tmp_path / "results" / "audio", rows_of(9)) / "hypotheses.jsonl"
    for path in (file, file.parent, tmp_path):
        assert find(path) == file
    written(tmp_path / "results" / "ocr", rows_of(9))
    assert find(tmp_path, "audio") == file
    for path, modality, message in (
        (tmp_path, "", "results of audio, ocr in it; choose one with --modality"),
        (tmp_path, "toy", r"neither hypotheses.jsonl nor results/toy/hypotheses.jsonl"),
        (tmp_path / "none", "", "no such file or folder"),
    ):
        with pytest.raises(GlyphoneError, match=message):
            find(path, modality)


def test_hypotheses_and_metrics_of_two_runs_are_noticed(tmp_path: Path) -> None:
    rows = rows_of(20)
    scored = [ScoredRow(*(row[key] for key in ScoredRow.__slots__)) for row in rows]
    write_json(written(tmp_path, rows) / "metrics.json", score(scored, num_samples=1))
    assert len(read_run(tmp_path, ignore_case=True).rows) == 20
    written(tmp_path, improved(rows, 0.9))
    with pytest.raises(GlyphoneError, match=r"errors in \d+ words, but metrics.json beside it says"):
        read_run(tmp_path)
    write_json(tmp_path / "metrics.json", [])
    with pytest.raises(GlyphoneError, match=r"metrics.json: no errors and reference of words"):
        read_run(tmp_path)


def test_case_can_be_ignored(tmp_path: Path) -> None:
    written(tmp_path, [{"id": "a", "reference": "Straße", "hypothesis": "STRASSE"}])
    heard = read_run(tmp_path)
    folded = read_run(tmp_path, ignore_case=True)
    assert compare(heard, heard, num_samples=1).measures[2].errors == (1, 1)
    assert compare(folded, folded, num_samples=1).measures[2].errors == (0, 0)
