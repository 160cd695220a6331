"""Formats of text images, read back by programs that are not ours: pypxml, hocr-spec's validator, alto-tools."""

import io
import warnings
from contextlib import redirect_stdout
from dataclasses import replace
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from alto_tools import alto_tools
from hypothesis import given, settings
from hypothesis import strategies as st
from pypxml import PageXML
from pypxml.pagetype import PageType

from common.decoding.hypothesis import Hypothesis, Symbol, in_read_order, readable, words_of
from common.writers import WRITERS, Transcript
from common.writers.boxes import word_boxes
from common.writers.transcript import is_right_to_left, printable, whole_spans
from tests.writers_world import texts, transcript, transcripts, words_in

with warnings.catch_warnings():  # of its own code, where it is compiled for the first time
    warnings.simplefilter("ignore")
    from hocr_spec.validate import HocrValidator

from lxml import etree

some = settings(max_examples=60)
PAGES = WRITERS["px"]
ALTO, PAGE = "{http://www.loc.gov/standards/alto/ns-v4#}", "{*}"
pictures = transcripts(scale=40.0)


def write(name, each):
    return PAGES[name].write(each)


def parse(name, each):
    return ElementTree.fromstring(write(name, each))


def check_boxes(boxes, each):
    """In order, none over another, none empty, within the picture; wide enough pictures only."""
    width = max(1, round(each.length))
    if width >= len(each.hypothesis.symbols):
        flat = [border for box in boxes for border in box]
        assert flat == sorted(flat)
    assert all(0 <= left < right <= width for left, right in boxes)


@some
@given(pictures)
def test_alto_is_read_back(each):
    text = write("alto", each)
    file, tree, namespace = alto_tools.alto_parse(io.StringIO(text))
    assert namespace == ALTO.strip("{}")
    with redirect_stdout(io.StringIO()) as said:
        alto_tools.alto_text(tree, namespace)
        file.name = each.source
        mean = alto_tools.alto_confidence(file, tree, namespace)
    assert said.getvalue().rpartition("\nFile:")[0].split() == words_in(each)
    confidences = [word.confidence for word in each.hypothesis.words]
    assert mean == pytest.approx(100 * sum(confidences) / max(1, len(confidences)), abs=0.02)


@some
@given(pictures)
def test_alto_keeps_the_rules_of_its_schema(each):
    """alto-4-4.xsd: a line holds Strings with at most one SP between, a glyph one character, ids are unique."""
    root = parse("alto", each)
    for line in root.iter(f"{ALTO}TextLine"):
        kinds = [child.tag.removeprefix(ALTO) for child in line]
        assert kinds == ["String"] + ["SP", "String"] * (len(kinds) // 2)
        assert (line.get("BASEDIRECTION") == "rtl") == is_right_to_left(each.hypothesis.text)
    assert len(list(root.iter(f"{ALTO}TextLine"))) == bool(each.hypothesis.words)
    strings = list(root.iter(f"{ALTO}String"))
    check_boxes([alto_box(string) for string in strings], each)
    for string in strings:
        glyphs = string.findall(f"{ALTO}Glyph")
        assert printable("".join(glyph.get("CONTENT") for glyph in glyphs)) == string.get("CONTENT")
        assert all(len(glyph.get("CONTENT")) == 1 for glyph in glyphs)
        assert alto_box(string) == (alto_box(glyphs[0])[0], alto_box(glyphs[-1])[1])
    ids = [element.get("ID") for element in root.iter() if element.get("ID")]
    assert len(set(ids)) == len(ids)


def alto_box(element):
    left = int(element.get("HPOS"))
    return left, left + int(element.get("WIDTH"))


@some
@given(pictures, st.lists(st.tuples(texts, st.floats(-9, 0)), max_size=3))
def test_page_is_read_back(each, alternatives):
    others = transcript(each.hypothesis.text, alternatives=alternatives).hypothesis.alternatives
    root = etree.fromstring(write("page", transcript(each.hypothesis.text, alternatives=alternatives)).encode())
    indices = root.xpath("//*[local-name()='TextLine']/*[local-name()='TextEquiv']/@index")
    assert indices == ([str(index) for index in range(len(others) + 1)] if others else [])
    page = PageXML._from_etree(etree.fromstring(write("page", each).encode()))
    assert (page["imageFilename"], page["imageWidth"]) == (each.source, str(max(1, round(each.length))))
    (region,) = page.regions
    (line,) = region.find_all(PageType.TextLine)
    assert page_text(line) == printable(each.hypothesis.text)
    words = [word for word in line.elements if word.pagetype == PageType.Word]
    assert [page_text(word) for word in words] == words_in(each)
    check_boxes([page_box(word) for word in words], each)
    for word in words:
        glyphs = [glyph for glyph in word.elements if glyph.pagetype == PageType.Glyph]
        assert printable("".join(map(page_text, glyphs))) == page_text(word)


def page_text(element):
    first = next(each for each in element.elements if each.pagetype == PageType.TextEquiv)
    return first.find(pagetype=PageType.Unicode).text or ""


def page_box(element):
    (coordinates,) = [each for each in element.elements if each.pagetype == PageType.Coords]
    points = [tuple(map(int, point.split(","))) for point in coordinates["points"].split()]
    assert len(points) == 4
    return points[0][0], points[1][0]


@pytest.mark.parametrize("turned", ["", "left"])
@pytest.mark.parametrize("text", ["", 'say "hi" <b> & go', "שלום עולם", "a\x07b \ufffe"])
def test_hocr_is_valid(text, turned, tmp_path):
    path = tmp_path / "line.hocr"
    path.write_text(write("hocr", replace(transcript(text, [(3.0, 8.0)]), turned=turned)), encoding="utf-8")
    report = HocrValidator("standard").validate(str(path))
    assert report.is_valid(), report.format("text")


def test_the_validator_finds_mistakes(tmp_path):
    path = tmp_path / "line.hocr"
    path.write_text(write("hocr", transcript("ab", [(3.0, 8.0)])).replace("bbox 3 0", "bbox 3 no"), encoding="utf-8")
    assert not HocrValidator("standard").validate(str(path)).is_valid()


@some
@given(pictures)
def test_hocr_is_read_back(each):
    """By lxml's reader of HTML, as a browser would: the words, and between them white space."""
    root = etree.HTML(write("hocr", each).encode("utf-8"))
    words = root.xpath("//span[@class='ocrx_word']")
    assert ["".join(word.itertext()) for word in words] == words_in(each)
    (line,) = root.xpath("//span[@class='ocr_line']")
    assert "".join(line.itertext()).split() == words_in(each)
    assert (line.get("dir") == "rtl") == is_right_to_left(each.hypothesis.text)
    properties = [dict(part.split(" ", 1) for part in word.get("title").split("; ")) for word in words]
    check_boxes([tuple(map(int, each["bbox"].split()))[::2] for each in properties], each)
    assert all(0 <= int(each["x_wconf"]) <= 100 for each in properties)


@some
@given(st.lists(st.tuples(st.floats(0, 3), st.floats(0, 3)), max_size=20), st.integers(1, 60), st.floats(0.2, 20))
def test_whole_spans_move_by_no_more_than_they_must(pieces, limit, scale):
    at, spans = 0.0, []
    for free, own in pieces:
        spans.append((at + free, at + free + own))
        at += free + own
    whole = whole_spans(spans, scale, limit)
    assert all(0 <= start < end <= limit for start, end in whole)
    if limit >= len(spans):
        assert all(before[1] <= after[0] for before, after in pairwise(whole))
    if at * scale <= limit and all(own * scale >= 1 for _, own in pieces):
        assert whole == [(round(start * scale), round(end * scale)) for start, end in spans]


def test_directions_and_what_files_cannot_hold():
    assert [is_right_to_left(text) for text in ("", "12 אב", "a אב", "دار", "(א")] == [False, True, False, True, True]
    assert printable("e\u0301\x00\u2029\ufffe\ud800\n") == "é" + "\ufffd" * 5


@given(st.text("אבגד 12ab", max_size=12))
def test_boxes_of_a_line_from_right_to_left_stand_where_its_characters_do(shown):
    symbols = tuple(Symbol(each, 10.0 * place, 10.0 * place + 8, 0.9) for place, each in enumerate(shown))
    hypothesis = readable(in_read_order(Hypothesis("", -1.0, 0.9, symbols, words_of(symbols))))
    each = Transcript("a.png", "a", hypothesis, 10.0 * len(shown) + 1, 32.0)
    found = [(box.text, box.left, box.right) for box in word_boxes(each)]
    assert found == [(word.text, word.start, word.end) for word in hypothesis.words]
    line = ElementTree.fromstring(WRITERS["px"]["alto"].write(each))
    gaps = [part for part in line.iter() if part.tag.endswith("}SP")]
    # Words of both directions may stand so that one lies between two others.
    assert all(int(gap.get("WIDTH")) > 0 for gap in gaps) or any(character in shown for character in "12ab")
