"""Pictures that ``slices.rotate_tall`` turns: places of what is read in them, on the picture as it is stored."""

from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings

from common.bundle import write_bundle
from common.network import Network, NetworkSettings
from common.writers import WRITERS, Transcript
from common.writers.boxes import size, word_boxes
from ocr.slices import SliceSettings, num_features
from pipelines.align import align_table
from pipelines.explain import _read
from pipelines.recogniser import Recogniser
from tests.writers_world import transcripts

Edges = tuple[int, int, int, int]
WIDTH, HEIGHT = 400, 57
# How a picture that is read upwards, or downwards, comes of the upright one.
TURNS: dict[str, Callable[[np.ndarray], np.ndarray]] = {"left": lambda each: np.rot90(each, -1), "right": np.rot90}


def turned_back(edges: Edges, turned: str) -> Edges:
    """A box on a turned picture → the same on the upright one."""
    left, top, right, bottom = edges
    return (top, 0, bottom, right - left) if turned == "left" else (WIDTH - bottom, 0, WIDTH - top, right - left)


def model(folder: Path, rotate_tall: str) -> Path:
    """A model folder with random weights, the same whatever it turns, steep enough to write many different letters."""
    torch.manual_seed(3)
    chosen = NetworkSettings.model_validate(
        {"convolutions": [{"channels": 4, "stride": [2, 2]}], "num_layers": 1, "num_hidden": 12}
    )
    front = SliceSettings.model_validate({"rotate_tall": rotate_tall})
    network = Network(chosen, num_features(front), 9)
    network.head.weight.data *= 30
    description = {
        "modality": "ocr",
        "alphabet": list(" abcdefg"),
        "slice_settings": front.model_dump(mode="json"),
        "text_settings": {},
        "num_features": num_features(front),
        "step": 1.0,
        "unit": "px",
        "summary": {},
    }
    write_bundle(folder, network.state_dict(), chosen, description, "# Random\n")
    return folder


@pytest.fixture
def line(tmp_path: Path) -> np.ndarray:
    """A picture [H, W] of noise, stored upright and in both turns."""
    pixels = np.random.default_rng(0).integers(0, 255, (HEIGHT, WIDTH), dtype=np.uint8)
    for name, picture in {"upright": pixels, **{each: turn(pixels) for each, turn in TURNS.items()}}.items():
        cv2.imwrite(str(tmp_path / f"{name}.png"), picture)
    return pixels


def read(tmp_path: Path, rotate_tall: str, name: str) -> Transcript:
    recogniser = Recogniser.load(model(tmp_path / rotate_tall, rotate_tall))
    (result,) = recogniser.transcribe_all([tmp_path / f"{name}.png"])
    assert result.hypothesis is not None
    return Transcript("line.png", "line", result.hypothesis, result.length, result.height, result.turned)


@pytest.mark.parametrize("turned", TURNS)
@pytest.mark.usefixtures("line")
def test_places_and_boxes_lie_along_the_text(tmp_path: Path, turned: str) -> None:
    upright, found = read(tmp_path, "keep", "upright"), read(tmp_path, turned, turned)
    assert len(upright.hypothesis.words) > 1
    assert found.hypothesis == upright.hypothesis
    assert (found.length, found.height) == (WIDTH, HEIGHT)
    assert size(found) == (HEIGHT, WIDTH)
    for box, other in zip(word_boxes(found), word_boxes(upright), strict=True):
        pairs = [(box, other), *zip(box.characters, other.characters, strict=True)]
        for one, two in pairs:
            edges = turned_back((one.left, one.top, one.right, one.bottom), turned)
            assert edges == (two.left, two.top, two.right, two.bottom)


@pytest.mark.usefixtures("line")
def test_pictures_that_are_not_tall_are_as_they_were(tmp_path: Path) -> None:
    assert read(tmp_path, "left", "upright") == read(tmp_path, "keep", "upright")


@settings(max_examples=30)
@given(transcripts(scale=40.0))
def test_files_say_how_the_text_runs_and_hold_its_boxes(each: Transcript) -> None:
    for turned in TURNS:
        picture = Transcript(each.source, each.name, each.hypothesis, each.length, each.height, turned)  # type: ignore[arg-type]
        boxes = [(box.left, box.top, box.right, box.bottom) for box in word_boxes(picture)]
        width, height = size(picture)
        alto, hocr, page = (ElementTree.fromstring(WRITERS["px"][form].write(picture)) for form in FORMS)
        counter_clockwise = {"left": 270, "right": 90}[turned]
        assert [block.get("ROTATION") for block in alto.iter(f"{ALTO}TextBlock")] == [str(counter_clockwise)]
        assert [alto_edges(string) for string in alto.iter(f"{ALTO}String")] == boxes
        assert all(gap.get("WIDTH") == str(width) for gap in alto.iter(f"{ALTO}SP"))
        titles = {span.get("class"): span.get("title", "") for span in hocr.iter(f"{HTML}span")}
        assert titles["ocr_line"] == f"bbox 0 0 {width} {height}; textangle {counter_clockwise}"
        words = [span.get("title", "") for span in hocr.iter(f"{HTML}span") if span.get("class") == "ocrx_word"]
        assert [tuple(map(int, title.split(";")[0].split()[1:])) for title in words] == boxes
        (region,) = page.iter(f"{PAGE}TextRegion")
        assert region.get("orientation") == {"left": "-90", "right": "90"}[turned]
        assert [page_edges(word) for word in page.iter(f"{PAGE}Word")] == boxes


FORMS = ("alto", "hocr", "page")
ALTO, HTML, PAGE = (
    "{http://www.loc.gov/standards/alto/ns-v4#}",
    "{http://www.w3.org/1999/xhtml}",
    "{http://schema.primaresearch.org/PAGE/gts/pagecontent/2019-07-15}",
)


def alto_edges(element: ElementTree.Element) -> Edges:
    left, top, width, height = (int(element.get(name, "")) for name in ("HPOS", "VPOS", "WIDTH", "HEIGHT"))
    return left, top, left + width, top + height


def page_edges(element: ElementTree.Element) -> Edges:
    coordinates = element.find(f"{PAGE}Coords")
    assert coordinates is not None
    points = [tuple(map(int, point.split(","))) for point in coordinates.get("points", "").split()]
    (left, top), (right, bottom) = points[0], points[2]
    return left, top, right, bottom


@pytest.mark.parametrize("turned", TURNS)
@pytest.mark.usefixtures("line")
def test_aligned_words_too(tmp_path: Path, turned: str) -> None:
    boxes = {}
    for name, rotate_tall in (("upright", "keep"), (turned, turned)):
        (tmp_path / f"{name}.tsv").write_text(f"path\ttext\n{name}.png\tab c\n", "utf-8")
        rows, reasons = align_table(
            model(tmp_path / rotate_tall, rotate_tall), tmp_path / f"{name}.tsv", set(), None, 0
        )
        assert not reasons
        at = rows[0].index("left")
        boxes[name] = [tuple(map(int, row[at : at + 4])) for row in rows[1:]]
    assert len(boxes["upright"]) == 2
    assert [turned_back(edges, turned) for edges in boxes[turned]] == boxes["upright"]


@pytest.mark.usefixtures("line")
def test_explain_draws_along_the_text(tmp_path: Path) -> None:
    upright = _read(model(tmp_path / "keep", "keep"), tmp_path / "upright.png", None, None)
    found = _read(model(tmp_path / "left", "left"), tmp_path / "left.png", None, None)
    assert found.length == upright.length == WIDTH
    assert found.scene.hypothesis == upright.scene.hypothesis
