"""Text of data in Markdown is read as it was, whatever stands in it."""

from html.parser import HTMLParser

from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from common.markdown import code, plain, table

MARKUP = st.text("ab`*_\\|<>&;#!~[]()-. \n", max_size=12)
# Markdown itself takes the character NUL for a mistake.
ANY = MARKUP | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)


class Cells(HTMLParser):
    """Tags of a page, and the text in each cell of its tables."""

    def __init__(self, markdown: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.cells: list[str] = []
        self.text = ""
        self.feed(MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(markdown))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag in ("th", "td"):
            self.cells.append("")

    def handle_data(self, data: str) -> None:
        self.text += data
        if self.cells:
            self.cells[-1] += data


def one_line(text: str) -> str:
    return " ".join(text.split())


@given(st.lists(st.tuples(ANY, ANY), min_size=1, max_size=4))
@example([("a|b", "c\\|d"), ("\\", "|"), ("`|`", "<b>|</b>")])
def test_a_cell_is_read_as_the_text_that_it_is(rows: list[tuple[str, str]]) -> None:
    page = Cells(table([("x", "y"), *((plain(each), plain(other)) for each, other in rows)]))
    assert page.tags <= {"table", "thead", "tbody", "tr", "th", "td"}
    assert [one_line(cell) for cell in page.cells] == ["x", "y", *(one_line(cell) for row in rows for cell in row)]


@given(st.lists(st.tuples(ANY, ANY), min_size=1, max_size=4))
def test_a_table_has_a_line_a_row_whatever_stands_in_it(rows: list[tuple[str, str]]) -> None:
    assert len(table(rows).replace("\r", "\n").split("\n")) == len(rows) + 1


@given(ANY.filter(str.strip))
@example("a``b")
@example("`")
@example(" a ")
def test_code_marks_hold_any_text(text: str) -> None:
    page = Cells(f"read {code(text)} here")
    assert page.tags == {"p", "code"}
    shown = text.replace("\r", " ").replace("\n", " ")
    assert page.text == f"read {shown} here\n"
    bars = Cells(table([("x",), (code("a|b"),)]))
    assert bars.cells[1].strip() == "a|b"
