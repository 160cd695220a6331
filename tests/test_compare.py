"""Two runs held against each other: what the figures promise, what is refused, and what is shown where."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from scipy.stats import binomtest

from common.comparison.compare import CHANGES, Comparison, compare, sign_test, tree
from common.comparison.runs import Run, find, pairs_of, read_run, run_of
from common.edits import count_characters
from common.errors import GlyphoneError
from common.files import write_json, write_jsonl
from common.modality import generator
from common.pages import digest
from common.report.comparison import p_text, view
from common.report.comparison_text import markdown, text
from common.report.page import render_comparison
from common.scoring import ScoredRow, score
from pipelines.compare import main
from tests.report_world import HEBREW, HOSTILE, rows_of

QUICK = settings(deadline=None, max_examples=40)
TEXTS = st.text("ab <&*_`é\u0301שלA", max_size=8)
SAMPLES = st.lists(st.tuples(st.sampled_from(["", "x", "y", "z"]), TEXTS, TEXTS, TEXTS), min_size=1, max_size=12)


def runs_of(samples: list[tuple[str, str, str, str]]) -> tuple[Run, Run]:
    """Runs from (group, reference, first hypothesis, second hypothesis)."""
    rows = [[], []]
    for number, (group, reference, *hypotheses) in enumerate(samples):
        for own, hypothesis in zip(rows, hypotheses, strict=True):
            own.append({"id": f"s{number:03d}", "group": group, "reference": reference, "hypothesis": hypothesis})
    return run_of("A", rows[0], "a.jsonl"), run_of("B", rows[1], "b.jsonl")


def improved(rows: list[dict[str, Any]], share: float, seed: int = 0) -> list[dict[str, Any]]:
    """Rows in which a share of the samples is put right."""
    return [
        {**row, "hypothesis": row["reference"]} if generator(seed, "improved", row["id"]).random() < share else row
        for row in rows
    ]


def written(folder: Path, rows: list[dict[str, Any]]) -> Path:
    write_jsonl(folder / "hypotheses.jsonl", rows)
    return folder


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
            assert each.unit != "samples"
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


@given(better=st.integers(0, 60), worse=st.integers(0, 60))
def test_the_sign_test_is_the_exact_binomial_one(better: int, worse: int) -> None:
    expected = binomtest(better, better + worse).pvalue if better + worse else 1.0
    assert sign_test(better, worse) == pytest.approx(expected)


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


@pytest.mark.parametrize(
    ("p_value", "shown"), [(1.0, "1.00"), (0.5714, "0.57"), (0.0124, "0.012"), (0.0002, "0.0002"), (1e-9, "< 0.0001")]
)
def test_p_values_have_two_digits(p_value: float, shown: str) -> None:
    assert p_text(p_value) == shown


@pytest.fixture(scope="module")
def hostile() -> Comparison:
    rows = rows_of(60)
    later = [
        {**row, "hypothesis": f"{row['hypothesis']} {HOSTILE}"} if row["id"] in ("hostile", "hebrew") else row
        for row in improved(rows, 0.5)
    ]
    return compare(run_of(HOSTILE, rows, "a"), run_of("B | *b*\n", later, "b"), num_samples=50)


class Parts(HTMLParser):
    """Elements of a page, and the text of its transcripts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.transcripts: list[str] = []
        self.inside = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag == "bdi":
            self.inside = dict(attrs).get("class") == "transcript"
            self.transcripts += [""] * self.inside

    def handle_endtag(self, tag: str) -> None:
        self.inside = self.inside and tag != "bdi"

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.transcripts[-1] += data


def test_the_page_is_sealed_and_knows_directions(hostile: Comparison) -> None:
    source = render_comparison(view(hostile, 100))
    page = Parts(source)
    tags = {tag for tag, _ in page.elements}
    assert not tags & {"script", "img", "b"}, "what comes from data is text"
    assert not any(name.startswith("on") for _, attributes in page.elements for name in attributes)
    assert HEBREW in page.transcripts
    assert all(each["dir"] == "auto" for tag, each in page.elements if each.get("class") == "transcript")
    style = re.search(r"<style>(.*?)</style>", source, re.S)
    assert style is not None and f"style-src 'sha256-{digest(style[1])}'" in source
    assert source == render_comparison(view(hostile, 100))
    ids = {each["id"] for _, each in page.elements if "id" in each}
    assert {each["href"][1:] for tag, each in page.elements if tag == "a"} <= ids


def test_what_is_left_out_is_said(hostile: Comparison) -> None:
    total = len(hostile.with_change("better"))
    assert total > 3
    assert f"The 3 largest changes of {total}." in render_comparison(view(hostile, 3))
    assert f"Better in B: {total}, 3 shown" in text(view(hostile, 3))
    assert f"## Better in B: {total}, 3 shown" in markdown(view(hostile, 3))


def test_text_holds_reference_and_both_hypotheses(hostile: Comparison) -> None:
    """What is marked in the lines of a sample, taken back, is its reference and either hypothesis."""
    lines = text(view(hostile, 1000)).split("\n")
    samples = {each.pair.id: each.pair for each in hostile.changed}
    seen = 0
    for number, line in enumerate(lines):
        pair = samples.get(line.strip().partition(" (")[0]) if line.startswith("  ") else None
        if pair is None:
            continue
        reference, first, second = (each[15:] for each in lines[number + 1 : number + 4])
        assert reference == pair.reference
        for marked, hypothesis in ((first, pair.first), (second, pair.second)):
            assert re.sub(r"\[-(.*?)-\]|\{\+.*?\+\}", r"\1", marked) == pair.reference
            assert re.sub(r"\[-.*?-\]|\{\+(.*?)\+\}", r"\1", marked) == hypothesis
        seen += 1
    assert seen == len(samples)
    assert max(len(line) for line in lines if line.startswith(("Differences", "Of whole", "In words"))) <= 100


def test_control_characters_do_not_reach_the_terminal() -> None:
    rows = [{"id": "a\x1b[2J", "group": "g\x07", "reference": "x\x1b[31m", "hypothesis": "y\r"}]
    later = [{**rows[0], "hypothesis": "x"}]
    shown = text(view(compare(run_of("A\x1b", rows, "a"), run_of("B", later, "b"), num_samples=1), 5))
    assert "reference  x\ufffd[31m" in shown
    assert not any(ord(each) < 32 and each != "\n" for each in shown)


def test_markdown_lets_no_markup_of_data_through(hostile: Comparison) -> None:
    """Read with HTML allowed, only our own two tags are elements; the cells hold the texts."""
    tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(markdown(view(hostile, 1000)))
    cells = [tokens[place + 1] for place, token in enumerate(tokens) if token.type == "td_open"]
    children = [child for token in tokens for child in token.children or ()]
    assert {child.type for child in children} == {"html_inline", "text"}
    tags = {child.content for child in children if child.type == "html_inline"}
    assert tags == {"<del>", "</del>", "<ins>", "</ins>"}
    by_id = {each.pair.id: each.pair for each in hostile.changed}
    rows = [cells[place : place + 5] for place in range(len(cells)) if cells[place].content in by_id]
    assert len(rows) == len(by_id)
    for id, reference, first, second, _ in rows:
        pair = by_id[id.content]
        assert sides(reference) == (pair.reference.split(), pair.reference.split())
        assert sides(first) == (pair.reference.split(), pair.first.split())
        assert sides(second) == (pair.reference.split(), pair.second.split())


def sides(cell: Any) -> tuple[list[str], list[str]]:
    """Words of the reference and of the hypothesis in a cell of Markdown: without ``ins``, without ``del``."""
    reference, hypothesis, inside = "", "", ""
    for child in cell.children:
        if child.type == "html_inline":
            inside = "" if child.content.startswith("</") else child.content
            continue
        reference += child.content * (inside != "<ins>")
        hypothesis += child.content * (inside != "<del>")
    return reference.split(), hypothesis.split()


def test_json_holds_every_change_and_the_same_keys_for_all(hostile: Comparison) -> None:
    found = json.loads(json.dumps(tree(hostile)))
    assert len(found["changed"]) == len(hostile.changed)
    assert sorted({each["change"] for each in found["changed"]}) == sorted({each.change for each in hostile.changed})
    assert {each["change"] for each in found["changed"]} <= set(CHANGES)
    keys = [set(found[f"{unit}_errors"]) for unit in ("words", "characters", "samples")]
    assert keys[0] == keys[1] == keys[2]


def test_the_command_writes_each_form(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = rows_of(40)
    first, second = written(tmp_path / "a", rows), written(tmp_path / "b", improved(rows, 0.5))
    options = [str(first), str(second), "--bootstrap-samples", "50"]
    assert main(options) == 0
    assert capsys.readouterr().out.startswith(f"A: {first}\nB: {second}\n40 samples of ")
    for name, start in (("c.html", "<!doctype html>"), ("c.md", "# Two runs"), ("c.json", "{"), ("c.txt", "A: ")):
        assert main([*options, "-o", str(tmp_path / name)]) == 0
        assert (tmp_path / name).read_text(encoding="utf-8").startswith(start)
    assert main([*options, "-f", "json", "--num-shown", "1"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads((tmp_path / "c.json").read_text(encoding="utf-8"))
    for wrong, message in (
        (["-o", str(tmp_path / "c.pdf")], r"its name must end in .txt"),
        (["--num-shown", "-1"], r"--num-shown -1: 0 or more"),
        (["--confidence", "2"], r"confidence is 2"),
    ):
        with pytest.raises(GlyphoneError, match=message):
            main([*options, *wrong])


def test_a_mistake_ends_in_one_line_and_no_torch_is_loaded(tmp_path: Path, repository: Path) -> None:
    first, second = written(tmp_path / "a", rows_of(9)), written(tmp_path / "b", rows_of(8))
    code = (
        "import sys\nfrom common.errors import run\nfrom pipelines.compare import main\n"
        "try:\n    run(main)\nfinally:\n    print('torch' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(first), str(second)],
        cwd=repository,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (2, "False\n")
    assert re.fullmatch(r"error: not the same samples: .*lacks 1 of the 9 of .*\n", done.stderr)
