"""How far confidences are to be trusted: a diagram for characters and one for words."""

from collections.abc import Mapping
from typing import Any

from common.report.charts import Curve, reliability
from common.report.content import Chart
from common.report.wording import percent
from common.wording import plural

BEFORE, AFTER = "before", "calibrated"


def calibration_charts(metrics: Mapping[str, Any]) -> list[Chart]:
    """Reliability of the test set's confidences before and after calibration; nothing where nothing was observed."""
    tree = metrics.get("calibration")
    if not tree:
        return []
    charts = []
    for kind, measured in tree["test"].items():
        if not measured["observations"]:
            continue
        curves = []
        for name, style, key in ((BEFORE, "second", "before"), (AFTER, "first", "after")):
            bins = measured[key]["bins"]
            points = [(each["confidence"], each["accuracy"]) for each in bins]
            curves.append((Curve(name, style, points), [each["count"] for each in bins]))
        legend = [(BEFORE, "second"), (AFTER, "first")]
        title = kind.capitalize()
        charts.append(Chart(title, _sentence(kind, measured, tree["validation"]), reliability(title, curves), legend))
    return charts


def _sentence(kind: str, measured: Mapping[str, Any], validation: Mapping[str, Any] | None) -> str:
    share = percent(measured["right"] / measured["observations"])
    of = plural(measured["observations"], kind.removesuffix("s"))
    error = "Expected calibration error (how far confidences are off on average)"
    sentence = f"Of {of} {share} were right. {error}: {_change(measured)}"
    if validation and validation[kind]["observations"]:
        sentence += f"; on validation data, cross-validated, {_change(validation[kind])}"
    return sentence + "."


def _change(measured: Mapping[str, Any]) -> str:
    before, after = (percent(measured[key]["expected_calibration_error"]) for key in ("before", "after"))
    return f"{before} before and {after} after"
