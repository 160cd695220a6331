"""The diagrams of confidence: what they show, and when there are none."""

from xml.etree import ElementTree

from hypothesis import given, settings
from hypothesis import strategies as st

from common.calibration import NUM_BINS, bins
from common.report.axes import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH
from common.report.charts import Curve, reliability
from common.report.confidence import calibration_charts
from tests.report_world import metrics_of, rows_of

some = settings(max_examples=60)
observed = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60)


@some
@given(observed)
def test_points_stand_where_their_bins_do(pairs):
    found = bins([chance for chance, _ in pairs], [right for _, right in pairs])
    assert 1 <= len(found) <= NUM_BINS
    points = [(each["confidence"], each["accuracy"]) for each in found]
    svg = reliability("<T>", [(Curve("<c>", "first", points), [each["count"] for each in found])])
    root = ElementTree.fromstring(svg)
    circles = [each for each in root.iter() if each.tag == "circle"]
    assert len(circles) == len(found)
    for circle, (confidence, accuracy) in zip(circles, points, strict=True):
        x, y = float(circle.get("cx")), float(circle.get("cy"))
        assert abs(x - (LEFT + confidence * (WIDTH - LEFT - RIGHT))) < 0.01
        assert abs(y - (HEIGHT - BOTTOM - accuracy * (HEIGHT - TOP - BOTTOM))) < 0.01
    areas = [float(circle.get("r")) for circle in circles]
    counts = [each["count"] for each in found]
    assert sorted(areas) == [area for _, area in sorted(zip(counts, areas, strict=True))]


def test_the_line_of_perfect_confidence_is_the_diagonal():
    root = ElementTree.fromstring(reliability("T", [(Curve("c", "first", [(0.5, 0.5)]), [1])]))
    (ideal,) = [each for each in root.iter("polyline") if each.get("class") == "ideal"]
    (first, second) = [tuple(map(float, point.split(","))) for point in ideal.get("points").split()]
    assert first == (LEFT, HEIGHT - BOTTOM) and second == (WIDTH - RIGHT, TOP)


def test_sentences_say_what_the_metrics_say():
    metrics = metrics_of(rows_of(30))
    characters, words = calibration_charts(metrics)
    assert (characters.title, words.title) == ("Characters", "Words")
    measured = metrics["calibration"]["test"]["words"]
    for key, word in (("before", "before"), ("after", "after")):
        value = 100 * measured[key]["expected_calibration_error"]
        assert f"{value:.1f}\u202f% {word}" in words.sentence
    assert "900 words" in words.sentence and "cross-validated" in words.sentence
    metrics["calibration"]["validation"] = None  # the model is older than calibration
    assert "cross-validated" not in calibration_charts(metrics)[0].sentence


def test_without_observations_there_is_no_diagram():
    metrics = metrics_of(rows_of(30))
    metrics["calibration"]["test"]["words"]["observations"] = 0
    assert [chart.title for chart in calibration_charts(metrics)] == ["Characters"]
    assert calibration_charts({}) == []
