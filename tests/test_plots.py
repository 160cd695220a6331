"""The plots of ``dvc plots show``, drawn from the committed tables by DVC's own renderer."""

import csv
from html import escape
from pathlib import Path
from typing import Any

import pytest
from dvc_render.vega import VegaRenderer
from ruamel.yaml import YAML
from vl_convert import vegalite_to_svg

from pipelines.plots_page import VEGA_LITE

ROOT = Path(__file__).resolve().parent.parent


def specification(modality: str, table: str, revisions: tuple[str, ...] = ("workspace",)) -> dict[str, Any]:
    """Vega-Lite of a plot of stage evaluate, as DVC writes it into its page."""
    stage = YAML(typ="safe").load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]["evaluate"]
    [plot] = [each for out in stage["plots"] for path, each in out.items() if path.endswith(f"/{table}.csv")]
    plot = {key: plot[key] for key in ("template", "x", "y")}
    with (ROOT / "results" / modality / f"{table}.csv").open(encoding="utf-8", newline="") as file:
        rows = [{**row, "rev": each} for row in csv.DictReader(file) for each in revisions]
    renderer = VegaRenderer(rows, table, **plot, title="t", template_dir=str(ROOT / ".dvc" / "plots"))
    filled: dict[str, Any] = renderer.get_filled_template()
    assert "<DVC" not in str(filled)
    return filled


def drawn(filled: dict[str, Any]) -> str:
    svg: str = vegalite_to_svg(filled, vl_version=VEGA_LITE)
    return svg


@pytest.mark.parametrize("modality", ["audio", "ocr"])
def test_splits_are_told_apart_by_length(modality: str) -> None:
    svg = drawn(specification(modality, "lengths"))
    for split in ("train", "validation", "test"):
        assert f">{split}</text>" in svg
    assert svg.count('aria-roledescription="line mark"') == 3


@pytest.mark.parametrize("modality", ["audio", "ocr"])
def test_errors_are_few_and_the_most_frequent_stand_above(modality: str) -> None:
    filled = specification(modality, "errors")
    names = [row["confusion"] for row in filled["data"]["values"]]  # the most frequent first
    svg = drawn(filled)
    places = {name: svg.find(f">{escape(name, quote=False)}</text>") for name in names}
    assert [name for name in names if places[name] > 0] == names[:20]
    assert svg.count('aria-roledescription="bar"') == 20
    assert places[names[0]] == min(places[name] for name in names[:20])


def test_two_states_stand_side_by_side() -> None:
    svg = drawn(specification("ocr", "errors", ("workspace", "HEAD")))
    assert svg.count('aria-roledescription="bar"') == 40
    assert drawn(specification("ocr", "lengths", ("workspace", "HEAD"))).count('aria-roledescription="line mark"') == 6
