"""The parts of the report: numbers as text, differences, charts, tables and the choice of samples."""

import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.report import samples, wording
from common.report.axes import log_ticks, ticks
from common.report.charts import Bar, Curve, histogram, interval_bar, line_chart, stacked_bar
from common.report.differences import clusters, difference
from common.report.gather import gather, rejection_groups
from common.report.page import render
from common.report.scores import bar_of, headline, limit_of, subset_tables
from common.report.sources import read_sources
from common.samples import Rejection
from tests.report_world import HOSTILE, build, metrics_of, rows_of

few = settings(max_examples=80)
COUNTS = {"substitutions": 0, "deletions": 0, "insertions": 0}
finite = st.floats(-1e6, 1e6, allow_nan=False)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("world")
    build(root, "audio", rows_of(60))
    return root


# Wording


@pytest.mark.parametrize(
    ("low", "high", "num_units", "decimals"),
    [(0.043, 0.076, 773, 1), (0.2, 0.6, 10, 0), (0.0101, 0.0119, 10**6, 2), (None, None, 773, 1), (None, None, 20, 0)],
)
def test_a_percentage_has_the_digits_that_its_interval_earns(
    low: float | None, high: float | None, num_units: int, decimals: int
) -> None:
    assert wording.decimals_of(low, high, num_units) == decimals


@few
@given(num_units=st.integers(1, 10**6), decimals=st.integers(0, 2), data=st.data())
def test_nothing_and_all_are_said_of_nothing_and_all_alone(num_units: int, decimals: int, data: st.DataObject) -> None:
    near = st.integers(0, min(3, num_units))
    errors = data.draw(st.integers(0, num_units) | near | near.map(lambda each: num_units - each))
    text = wording.percent(errors / num_units, decimals).removesuffix("\u202f%")
    assert (text.strip("0.") == "") == (errors == 0)
    assert (text.partition(".")[0] == "100") == (errors == num_units)
    # What stands behind the sign is true, and as even as the rest of its column.
    sign, _, number = text.rpartition(" ")
    assert len(number.partition(".")[2]) == decimals
    share = 100 * errors / num_units
    assert {"": abs(share - float(number)) <= 0.51 * 10**-decimals, "<": 0 < share < float(number)}.get(
        sign, float(number) < share < 100
    )


@pytest.mark.parametrize(
    ("number", "drawn", "beginning"),
    [(0, "groups", None), (1, "samples", "Only 1 sample:"), (9, "groups", "Only 9 groups:"), (10, "groups", None)],
)
def test_few_drawn_units_make_a_caution(number: int, drawn: str, beginning: str | None) -> None:
    said = wording.caution(number, drawn)
    assert [each.startswith(beginning or "") for each in said] == [True] * (beginning is not None)


@few
@given(low=st.floats(0, 1), width=st.floats(0, 1), num_units=st.integers(0, 10**7))
def test_decimals_stay_readable(low: float, width: float, num_units: int) -> None:
    assert 0 <= wording.decimals_of(low, low + width, num_units) <= 2


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "–"), (4.23, "4.2 s"), (59.4, "59 s"), (59.6, "1 min 00 s"), (3599.7, "1 h 00 min"), (7261, "2 h 01 min")],
)
def test_durations(seconds: float | None, text: str) -> None:
    assert wording.duration(seconds).replace("\u00a0", " ") == text


@few
@given(finite)
def test_short_numbers_keep_their_value(number: float) -> None:
    text = wording.short(number)
    assert float(text.replace(",", "")) == pytest.approx(number, rel=6e-3, abs=1e-300)


def test_what_is_no_number_is_a_dash() -> None:
    assert wording.percent(None) == wording.percent(float("nan")) == wording.short(float("inf")) == "–"


# Differences


@few
@given(st.text("abc é\u0301\u05d0 \n", max_size=25), st.text("abd é\u0301\u05d0 ", max_size=25))
def test_pieces_joined_are_the_texts(reference: str, hypothesis: str) -> None:
    pieces = difference(reference, hypothesis)
    assert "".join(piece.reference for piece in pieces) == reference
    assert "".join(piece.hypothesis for piece in pieces) == hypothesis
    for piece in pieces:
        assert (piece.kind == "equal") == (piece.reference == piece.hypothesis)
        assert (piece.kind == "deleted") == (not piece.hypothesis)
        assert (piece.kind == "inserted") == (not piece.reference)


@few
@given(st.text(max_size=20))
def test_equal_texts_are_one_equal_piece(text: str) -> None:
    assert [piece.kind for piece in difference(text, text)] == (["equal"] if text else [])


def test_words_are_aligned_before_characters() -> None:
    pieces = difference("TWO FIVE DOVER ROAD TWO FIVE DOVER ROAD", "TWO FIVE DOVER ROAD")
    assert [piece.kind for piece in pieces].count("deleted") == 1
    assert sum(len(piece.reference) for piece in pieces if piece.kind == "deleted") == 20


def test_a_mark_stays_on_its_base() -> None:
    assert clusters("e\u0301a") == ["e\u0301", "a"]
    assert [(each.reference, each.hypothesis) for each in difference("caf\u0065\u0301", "cafe")][-1] == ("e\u0301", "e")


# Charts


@few
@given(finite, st.floats(0, 1e6))
def test_ticks_are_round_and_hold_the_range(low: float, span: float) -> None:
    values = ticks(low, low + span)
    assert values[0] <= low + abs(low) * 1e-6 + span * 1e-6 + 1e-29
    assert values[-1] >= (low + span) - abs(low + span) * 1e-6 - span * 1e-6 - 1e-29
    assert 2 <= len(values) <= 13 and values == sorted(set(values))


@few
@given(st.floats(1e-6, 1e6), st.floats(1, 1e6))
def test_log_ticks_hold_the_range(low: float, factor: float) -> None:
    values = log_ticks(low, low * factor)
    assert values[0] <= low * 1.001 and values[-1] >= low * factor * 0.999 and len(values) >= 2


@few
@given(st.lists(st.tuples(st.integers(1, 500), st.floats(1e-9, 1e6)), min_size=1, max_size=50), st.booleans())
def test_charts_are_well_formed_and_stay_inside(points: list[tuple[int, float]], is_percent: bool) -> None:
    points = sorted(dict(points).items())
    chart = line_chart(HOSTILE, [Curve(HOSTILE, "first", points)], HOSTILE, "<y>", points[0][0], is_percent)
    root = ElementTree.fromstring(str(chart))
    assert {child.tag for child in root.iter()} <= {"svg", "line", "text", "polyline", "circle", "title"}
    width, height = map(float, root.attrib["viewBox"].split()[2:])
    for x, y in (each.split(",") for each in root.find("polyline").attrib["points"].split()):
        assert 0 <= float(x) <= width and 0 <= float(y) <= height
    assert HOSTILE in root.attrib["aria-label"]


def test_a_curve_over_epochs_marks_the_chosen_one() -> None:
    chart = line_chart("Loss", [Curve("training", "first", [(1, 4.0), (2, 3.0), (3, 2.5)])], "epoch", "loss", 2)
    root = ElementTree.fromstring(str(chart))
    chosen = next(each for each in root.iter("line") if each.attrib["class"] == "chosen")
    large = max(root.iter("circle"), key=lambda each: float(each.attrib["r"]))
    assert chosen.attrib["x1"] == large.attrib["cx"] and large.find("title").text == "training, 2: 3"


@few
@given(first=st.integers(0, 50), num_epochs=st.integers(1, 60))
def test_only_epochs_that_were_have_a_tick(first: int, num_epochs: int) -> None:
    points = [(first + each, 0.5) for each in range(num_epochs)]
    root = ElementTree.fromstring(str(line_chart("Error", [Curve("words", "first", points)], "epoch", "", None, True)))
    ticks_across = [each for each in root.iter("text") if each.attrib["text-anchor"] == "middle" and each.text]
    told = {int(each.text) for each in ticks_across if each.text.isdecimal()}
    assert told and told <= {x for x, _ in points}


@few
@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=40))
def test_bars_are_as_high_as_their_counts(counts: list[int]) -> None:
    bars = [Bar(start, start + 1, count) for start, count in enumerate(counts)]
    root = ElementTree.fromstring(str(histogram("Lengths", bars, "seconds", "samples")))
    heights = [float(each.attrib["height"]) for each in root.iter("rect")]
    assert len(heights) == len(counts)
    if max(counts):
        unit = max(heights) / max(counts)
        assert all(
            height == pytest.approx(count * unit, abs=0.02) for height, count in zip(heights, counts, strict=True)
        )


@few
@given(st.floats(0, 2), st.floats(0, 2), st.floats(0, 2), st.sampled_from([0.05, 0.3, 1.0]))
def test_an_interval_bar_stays_on_its_line(first: float, second: float, third: float, limit: float) -> None:
    low, value, high = sorted([first, second, third])
    root = ElementTree.fromstring(str(interval_bar(value, low, high, limit, "WER")))
    band, dot = root.find("rect"), root.find("circle")
    width = float(root.attrib["viewBox"].split()[2])
    assert 0 <= float(band.attrib["x"]) <= width and float(band.attrib["x"]) + float(band.attrib["width"]) <= width
    assert float(band.attrib["x"]) - 0.01 <= float(dot.attrib["cx"])


def test_parts_of_a_stacked_bar_are_as_long_as_their_shares() -> None:
    root = ElementTree.fromstring(
        str(stacked_bar([("substituted", 30, "sub"), ("deleted", 0, "del"), ("inserted", 10, "ins")]))
    )
    first, second = root.findall("rect")
    assert float(second.attrib["x"]) == pytest.approx(180) and float(first.attrib["width"]) == pytest.approx(178.5)
    assert stacked_bar([("substituted", 0, "sub")]) == ""


# Scores and tables


def test_figures_say_what_the_metrics_say(world: Path) -> None:
    metrics = read_sources("audio", world).metrics
    words, characters, exact, *_ = headline(metrics)
    assert words.sclite_line == metrics["line"]
    assert characters.errors == metrics["characters"]["errors"] and exact.hits == metrics["exact"]["hits"]
    assert words.text.startswith(f"{metrics['words']['rate'] * 100:.0f}"[:1])
    low, high = re.fullmatch(r"([\d.]+) to ([\d.]+)\u202f%", words.interval).groups()
    assert float(low) == pytest.approx(metrics["words"]["low"] * 100, abs=0.51)
    assert float(high) == pytest.approx(metrics["words"]["high"] * 100, abs=0.51)


def test_every_subset_of_the_metrics_is_a_row(world: Path) -> None:
    metrics = read_sources("audio", world).metrics
    tables = {table.title: table for table in subset_tables(metrics, "s")}
    assert list(tables) == ["By transcript", "By condition", "By group", "By length"]
    for title in ("By transcript", "By condition", "By length"):
        assert sum(row.num_samples for row in tables[title].subsets) == metrics["samples"]
    for table in tables.values():
        decimals = [[figure.decimals for figure in row.figures] for row in table.subsets]
        assert all(row == decimals[0] for row in decimals), "a column has one number of decimals"


def test_of_many_conditions_the_ends_are_shown() -> None:
    """As of many groups; groups of a picture's folder may be thousands of conditions."""
    rows = [dict(row, group=f"c{number % 60:02d}/{number}") for number, row in enumerate(rows_of(120))]
    metrics = metrics_of(rows)
    parts = {}
    for name in sorted({row["group"].partition("/")[0] for row in rows}):
        of_them = metrics_of([row for row in rows if row["group"].startswith(f"{name}/")])
        parts[name] = {key: of_them[key] for key in ("samples", "words", "characters", "exact", "exact_ignoring_case")}
    tables = {table.title: table for table in subset_tables({**metrics, "by_condition": parts}, "s")}
    table = tables["By condition"]
    assert len(table.subsets) == 20 and "Of 60 kinds, the 10 highest and the 10 lowest." in table.sentence
    rates = sorted((part["words"]["rate"] for part in parts.values()), reverse=True)
    assert [parts[row.name]["words"]["rate"] for row in table.subsets] == [*rates[:10], *rates[-10:]]


def test_few_errors_of_many_do_not_look_like_none() -> None:
    rows = [dict(row, hypothesis=row["reference"], group=f"g{number % 9}") for number, row in enumerate(rows_of(60))]
    long = " ".join(f"w{each}" for each in range(600))
    rows.append(dict(rows[0], id="long", group="long", reference=long, hypothesis=long.replace("w7 ", "").strip("w0")))
    table = next(table for table in subset_tables(metrics_of(rows), "s") if table.title == "By group")
    texts = {row.name: (row.figures[0].text, str(row.bar)) for row in table.subsets}
    assert texts["long"][0] == "< 1\u202f%" and "WER &lt; 1\u202f%" in texts["long"][1]
    assert {text for name, (text, _) in texts.items() if name != "long"} == {"0\u202f%"}


def test_single_samples_and_curves_round_no_error_away(tmp_path: Path) -> None:
    build(tmp_path, "ocr", [{**rows_of(5)[0], "confidence": 0.997}])
    sources = read_sources("ocr", tmp_path)
    rows = [{**sources.hypotheses[0], "character_counts": {**COUNTS, "substitutions": 1, "reference": 289}}]
    page = render(gather(replace(sources, hypotheses=rows), "ocr", "", 1, 1, {"decoding": {"engine": "greedy"}}))
    assert '<td class="number" data-sort="0.0034602076124567475">&lt; 1\u202f%</td>' in page
    assert page.count("confidence &gt; 99\u202f%") == 2
    chart = line_chart("Error", [Curve("words", "first", [(1, 1.0), (2, 0.9998)])], "epoch", "", None, True)
    assert "words from 100 % to &gt; 99.9 %" in chart


def test_an_infinite_rate_is_a_dash_and_sorts_first() -> None:
    rows = [dict(row, group=row["group"]) for row in rows_of(30)]
    for row in rows[:1]:
        row.update(reference="", group="empty", word_counts={}, character_counts={})
    metrics = metrics_of(rows)
    table = next(table for table in subset_tables(metrics, "s") if table.title == "By group")
    assert table.subsets[0].name == "empty" and table.subsets[0].figures[0].text == "–" and table.subsets[0].bar == ""


def test_limits_hold_what_is_drawn(world: Path) -> None:
    for figure in headline(read_sources("audio", world).metrics):
        limit = limit_of([figure])
        assert limit >= figure.high and "interval" in bar_of(figure, limit)


# Samples


def test_the_worst_come_first_and_have_errors(world: Path) -> None:
    shown = samples.scored(read_sources("audio", world).hypotheses, {"unread": "not a sound file"})
    worst, drawn = samples.pick(shown, 12, seed=1)
    rates = [each.character_rate for each in worst]
    assert rates == sorted(rates, reverse=True) and all(rates) and len(worst) == 12
    assert worst[0].id == "unread" and "not a sound file" in worst[0].note
    assert len({each.id for each in drawn}) == samples.NUM_RANDOM
    assert samples.pick(shown[::-1], 0, seed=1) == ([], drawn), "drawing depends on the seed alone"
    assert samples.pick(shown, 0, seed=2)[1] != drawn


def test_previews_are_bounded(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = samples.scored(read_sources("audio", world).hypotheses, {})[:5]
    monkeypatch.setattr(samples, "MAX_PREVIEW_BYTES", 100)
    monkeypatch.setattr(samples, "MAX_ALL_PREVIEW_BYTES", 150)
    stored = dict(
        zip(
            (each.id for each in shown),
            [
                ("image/png", b"x" * 101),
                ("text/html", b"x"),
                ("", b""),
                ("audio/wav", b"x" * 90),
                ("audio/wav", b"y" * 90),
            ],
            strict=True,
        )
    )
    [result] = samples.with_previews([shown], lambda id: stored[id])
    assert [bool(each.media) for each in result] == [False, False, False, True, False]
    assert all(bool(each.media) != bool(each.no_media) for each in result)
    assert "101 bytes" in result[0].no_media and "text/html" in result[1].no_media and "small" in result[4].no_media


def test_missed_words_count_every_reference_word(world: Path) -> None:
    rows = read_sources("audio", world).hypotheses
    missed = {each.word: each for each in samples.missed_words(samples.scored(rows, {}))}
    assert missed["SEVEN"].count == sum(row["reference"].split().count("SEVEN") for row in rows)
    assert all(0 < each.missed <= each.count for each in missed.values())
    assert "" in missed["SEVEN"].instead, "the sample that was not read has no word in its place"


def test_long_transcripts_make_a_short_table(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = samples.scored(read_sources("audio", world).hypotheses, {})
    assert len(samples.table_rows(shown)) == len(shown) == 60
    monkeypatch.setattr(samples, "MAX_TABLE_CHARACTERS", 1000)
    rows = samples.table_rows(shown)
    assert 0 < len(rows) < 60 and rows == shown[: len(rows)]
    assert sum(len(each.reference) + len(each.hypothesis) for each in rows) <= 1000


def test_rejections_are_grouped_with_all_counts() -> None:
    rows = [Rejection(str(each), "prepare", "unreadable", f"why {each}", "train") for each in range(50)]
    rows.append(Rejection("x", "train", "a_new_code", "why", ""))
    groups = rejection_groups(rows)
    assert [(each.count, each.code) for each in groups] == [(50, "unreadable"), (1, "a_new_code")]
    assert len(groups[0].examples) == 20 and groups[1].sentence == "a new code"
