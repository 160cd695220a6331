"""PAGE and ALTO that state a size of the page: boxes are scaled to the picture, or its lines are rejected."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from common.errors import GlyphoneError, SampleError
from common.samples import Sample, read_rejections
from common.writers import WRITERS
from ocr.modality import MODALITY
from ocr.page_size import alike, scaled
from pipelines.prepare import prepare
from tests.writers_world import transcript

PAGE = """<PcGts><Page imageFilename="page1.png"{size}><TextRegion><TextLine id="l1">
<Coords points="{left},{top} {right},{bottom}"/><TextEquiv><Unicode>Zeile</Unicode></TextEquiv>
</TextLine></TextRegion></Page></PcGts>"""
ALTO = """<alto><Description><MeasurementUnit>{unit}</MeasurementUnit><sourceImageInformation>
<fileName>page1.png</fileName></sourceImageInformation></Description><Layout><Page PHYSICAL_IMG_NR="1"{size}>
<TextLine ID="l1" HPOS="{left}" VPOS="{top}" WIDTH="{width}" HEIGHT="{height}"><String CONTENT="Zeile"/></TextLine>
</Page></Layout></alto>"""
READERS = ["page_xml", "alto"]


def written(
    root: Path, reader: str, size: tuple[int, int] | None, box: tuple[int, int, int, int], unit: str = "pixel"
) -> Sample:
    """The line of a page of that size, half-open box."""
    left, top, right, bottom = box
    if reader == "page_xml":
        stated = f' imageWidth="{size[0]}" imageHeight="{size[1]}"' if size else ""
        text = PAGE.format(size=stated, left=left, top=top, right=right - 1, bottom=bottom - 1)
    else:
        stated = f' WIDTH="{size[0]}" HEIGHT="{size[1]}"' if size else ""
        text = ALTO.format(size=stated, unit=unit, left=left, top=top, width=right - left, height=bottom - top)
    (root / "page1.xml").write_text(text, encoding="utf-8")
    (line,) = MODALITY.corpora[reader].read(MODALITY.corpora[reader].Settings(), root, 1)
    return line


def picture(root: Path, width: int, height: int) -> np.ndarray:
    values = np.random.default_rng(0).integers(0, 256, (height, width)).astype(np.uint8)
    Image.fromarray(values).save(root / "page1.png")
    return values


@pytest.mark.parametrize("reader", READERS)
def test_a_scan_made_smaller_since(tmp_path: Path, reader: str) -> None:
    values = picture(tmp_path, 100, 60)
    line = written(tmp_path, reader, (200, 120), (20, 10, 124, 44))
    assert np.array_equal(MODALITY.load(line, tmp_path), values[5:22, 10:62])
    # Rounded when it was made smaller: 199 x 121 becomes 100 x 60 too.
    line = written(tmp_path, reader, (199, 121), (0, 0, 199, 121))
    assert np.array_equal(MODALITY.load(line, tmp_path), values)


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(
    ("size", "cause"), [((100, 65), "a cut one"), ((600, 1000), "turned by 90 degrees"), ((200, 60), "another picture")]
)
def test_another_picture(tmp_path: Path, reader: str, size: tuple[int, int], cause: str) -> None:
    picture(tmp_path, 100, 60)
    line = written(tmp_path, reader, size, (1, 1, 50, 50))
    with pytest.raises(SampleError) as caught:
        MODALITY.load(line, tmp_path)
    assert caught.value.code == "size_mismatch"
    for words in ("page1.png: 100 x 60 pixels", "page1.xml#l1", f"{size[0]} x {size[1]}", cause):
        assert words in str(caught.value)


@pytest.mark.parametrize("reader", READERS)
def test_without_a_size_boxes_are_in_pixels_of_the_picture(tmp_path: Path, reader: str) -> None:
    values = picture(tmp_path, 100, 60)
    for size in (None, (0, 0), (0, 120)):
        line = written(tmp_path, reader, size, (20, 10, 90, 44))
        assert line.page_size is None and np.array_equal(MODALITY.load(line, tmp_path), values[10:44, 20:90])


@pytest.mark.parametrize("unit", ["mm10", "inch1200"])
def test_alto_in_other_units_than_pixels(tmp_path: Path, unit: str) -> None:
    """A page of 300 dpi; lines may run over its edge by as much as in pixels."""
    values = picture(tmp_path, 600, 300)
    size = {"mm10": (508, 254), "inch1200": (2400, 1200)}[unit]
    factor = size[0] / 600
    box = (round(30 * factor), round(50 * factor), size[0] + round(4 * factor), round(100 * factor))
    line = MODALITY.load(written(tmp_path, "alto", size, box, unit), tmp_path)
    assert abs(line.shape[0] - 50) <= 2 and abs(line.shape[1] - 570) <= 2
    assert any(np.array_equal(values[top : top + len(line), -line.shape[1] :], line) for top in (49, 50))


def test_alto_of_several_pictures_is_refused(tmp_path: Path) -> None:
    """As Tesseract writes it for a many-page TIFF: the lines of all pages would be cut out of the first."""
    page = ALTO.format(size="", unit="pixel", left=1, top=1, width=9, height=9)
    start, end = page.index("<Page"), page.index("</Layout>")
    second = page[start:end].replace('IMG_NR="1"', 'IMG_NR="2"')
    (tmp_path / "page1.xml").write_text(page[:end] + second + page[end:], encoding="utf-8")
    with pytest.raises(GlyphoneError, match=r"page1\.xml: 2 pages with lines, PHYSICAL_IMG_NR 1, 2, "):
        list(MODALITY.corpora["alto"].read(MODALITY.corpora["alto"].Settings(), tmp_path, 1))


@pytest.mark.parametrize(("reader", "format_name"), [("page_xml", "page"), ("alto", "alto")])
@pytest.mark.parametrize("size", [(1, 1), (7, 40), (333, 48)])
def test_what_transcribe_writes_comes_in_unchanged(
    tmp_path: Path, reader: str, format_name: str, size: tuple[int, int]
) -> None:
    text = replace(transcript("ab cd", name="page1", height=float(size[1])), source="page1.png", length=float(size[0]))
    (tmp_path / "page1.xml").write_text(WRITERS["px"][format_name].write(text), encoding="utf-8")
    values = picture(tmp_path, *size)
    (line,) = MODALITY.corpora[reader].read(MODALITY.corpora[reader].Settings(), tmp_path, 1)
    assert line.page_size == size and np.array_equal(MODALITY.load(line, tmp_path), values)


def test_prepare_rejects_lines_with_their_reasons(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four pages of five lines: of one the picture is another one, on another a line has a baseline alone."""
    root = tmp_path / "corpus"
    random = np.random.default_rng(0)
    for number in range(4):
        (root / f"{number}").mkdir(parents=True)
        values = random.integers(0, 256, (60, 100)).astype(np.uint8)
        Image.fromarray(values).save(root / f"{number}" / "page.png")
        text = "<TextEquiv><Unicode>a{0}</Unicode></TextEquiv>"
        outline = '<TextLine id="{0}"><Coords points="0,{1} 99,{2}"/>' + text + "</TextLine>"
        lines = [outline.format(each, 10 * each, 10 * each + 9) for each in range(5)]
        if number == 2:
            lines[3] = '<TextLine id="3"><Baseline points="0,39 99,39"/></TextLine>'
        size = 'imageWidth="100" imageHeight="90"' if number == 1 else 'imageWidth="200" imageHeight="120"'
        page = f'<PcGts><Page imageFilename="page.png" {size}>{"".join(lines)}</Page></PcGts>'
        (root / f"{number}" / "page.xml").write_text(page, encoding="utf-8")
    tree = {"seed": 1, "recipe": "mine", "modalities": ["ocr"]}
    tree["ocr"] = {"corpora": [{"reader": "page_xml", "root": str(root)}]}
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text(json.dumps(tree), encoding="utf-8")
    with pytest.raises(
        GlyphoneError, match=r"6 of 20 samples rejected .*: 5 size_mismatch, 1 no_outline, as "
    ) as caught:
        prepare("ocr", Path("data/ocr"), num_workers=1)
    assert "100 x 60 pixels, the page of 1/page.xml#0 is 100 x 90: another picture, or a cut one;" in str(caught.value)
    sentences = {each.id: each.sentence for each in read_rejections("data/ocr/rejected.jsonl")}
    assert sentences["2/page.xml#3"] == "2/page.xml: line 3 has no Coords with points"


sides = st.integers(1, 5000)


@given(sides, sides, st.floats(0.05, 20), st.data())
def test_scaled_boxes_lie_on_the_picture_and_none_is_empty(
    width: int, height: int, factor: float, data: st.DataObject
) -> None:
    size = max(1, round(width * factor)), max(1, round(height * factor))
    if min(width * factor, height * factor) >= 1:
        assert alike((width, height), size) and alike(size, (width, height))
    assert alike((width, height), (width, height))
    left, top = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    box = left, top, data.draw(st.integers(left + 1, width)), data.draw(st.integers(top + 1, height))
    assert scaled(box, (width, height), (width, height), "a", "a.png") == box
    if alike((width, height), size):
        across, down = size[0] / width, size[1] / height
        result = scaled(box, (width, height), size, "a", "a.png")
        assert 0 <= result[0] < result[2] <= size[0] and 0 <= result[1] < result[3] <= size[1]
        exact = (box[0] * across, box[1] * down, box[2] * across, box[3] * down)
        assert all(abs(ours - real) < 1 for ours, real in zip(result, exact, strict=True))


@given(st.integers(200, 5000), st.integers(200, 5000), st.floats(1.03, 4), st.floats(1, 5))
def test_other_proportions_are_told(width: int, height: int, stretch: float, factor: float) -> None:
    size = round(width * factor * stretch), round(height * factor)
    assert not alike((width, height), size) and not alike(size, (width, height))
