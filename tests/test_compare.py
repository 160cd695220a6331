"""What a comparison of two runs shows where: page, terminal, Markdown, JSON, and the command that writes them."""

import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

from common.comparison.compare import CHANGES, Comparison, compare, tree
from common.comparison.runs import run_of
from common.errors import GlyphoneError
from common.files import write_jsonl
from common.pages import digest
from common.report.comparison import p_text, view
from common.report.comparison_text import markdown, text
from common.report.page import render_comparison
from pipelines import compare as command
from pipelines.compare import main
from tests.report_world import HEBREW, HOSTILE, improved, rows_of, written


@pytest.mark.parametrize(
    ("p_value", "shown"), [(1.0, "1.00"), (0.5714, "0.57"), (0.0124, "0.012"), (0.0002, "0.0002"), (1e-9, "< 0.0001")]
)
def test_p_values_have_two_digits(p_value: float, shown: str) -> None:
    assert p_text(p_value) == shown


def test_a_tiny_p_value_is_no_equation() -> None:
    """Of 60 samples that all became right, McNemar's p is 2 ** -59."""
    before = [{"id": str(number), "reference": "a", "hypothesis": "b"} for number in range(60)]
    after = [{**row, "hypothesis": "a"} for row in before]
    shown = view(compare(run_of("A", before, "A"), run_of("B", after, "B"), num_samples=1), num_shown=0)
    assert "(Gillick and Cox 1989), p < 0.0001." in shown.remarks[1]
    assert "1 draw (" in shown.remarks[0]


def test_a_comparison_does_not_take_the_place_of_a_run(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_jsonl(tmp_path / name / "hypotheses.jsonl", [{"id": "1", "reference": "a", "hypothesis": name}])
    before = (tmp_path / "b" / "hypotheses.jsonl").read_bytes()
    for out in ("a", "b"):
        path = tmp_path / out / "hypotheses.jsonl"
        with pytest.raises(GlyphoneError, match=f"-o {path}: is {path}, which is compared; name another file"):
            main([str(tmp_path / "a"), str(tmp_path / "b"), "-f", "json", "-o", str(path)])
    assert (tmp_path / "b" / "hypotheses.jsonl").read_bytes() == before


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


def test_samples_that_are_not_shown_are_not_denied(hostile: Comparison) -> None:
    for num_shown in (0, 1, 100):
        changes = view(hostile, num_shown).changes
        page = render_comparison(view(hostile, num_shown))
        assert page.count("No sample.") == sum(not each.total for each in changes)
        assert page.count("is shown.") == sum(each.total > 0 and not num_shown for each in changes)
        assert "The 0 largest" not in page


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


def test_defaults_are_those_of_the_page(repository: Path) -> None:
    page = (repository / "docs" / "compare.md").read_text(encoding="utf-8")
    shown, options = command.NUM_SHOWN, command._parser().parse_args(["a", "b"])
    assert f"{shown['text']} in text, {shown['markdown']} in Markdown, {shown['html']} on a page" in page
    assert f"{options.bootstrap_samples:,} draws, {options.confidence}, {options.seed};" in page
