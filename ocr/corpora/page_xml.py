"""Text lines of PAGE XML (PRImA, Transkribus, eScriptorium), cut from the pictures of the pages by their boxes."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from xml.etree.ElementTree import Element

from common.modality import CorpusReader
from common.samples import Rejection, Sample
from ocr import xml
from ocr.corpora.xml_pages import (
    PagesSettings,
    group_of_page,
    image_path,
    line_sample,
    no_outline,
    on_page,
    read_pages,
    stated_size,
)
from ocr.reading import Box


def read(settings: PagesSettings, root: Path, seed: int) -> Iterator[Sample | Rejection]:
    """List the lines; lines without text are listed too, with an empty one: prepare rejects them by name.

    Lines without a polygon, as those that have a baseline alone, are rejected (no_outline), and so are pictures
    that no file names (no_transcript), and files with XML that is broken or dangerous, or a wrong number
    (bad_transcript).

    Raises:
        GlyphoneError: no file, or none that can be read.
    """
    return read_pages(settings, root, partial(_lines, settings, root))


def _lines(settings: PagesSettings, root: Path, file: Path, name: str) -> tuple[str, list[Sample | Rejection]]:
    pages = list(xml.parse(file).iter("Page"))
    if not pages:
        raise xml.bad(f"{file}: no Page element: not PAGE XML; the setting files can leave it out")
    if len(pages) > 1:
        raise xml.bad(f"{file}: {len(pages)} Page elements, PAGE XML has one; write a file for each")
    page = pages[0]
    path, group = image_path(page.get("imageFilename") or "", file, root), group_of_page(settings, name)
    size = stated_size(page.get("imageWidth"), page.get("imageHeight"), file)
    found: list[Sample | Rejection] = []
    for number, line in enumerate(page.iter("TextLine")):
        line_id = line.get("id") or str(number)
        box = _box(line.find("Coords"), f"line {line_id}", file)
        if box is None:
            found.append(no_outline(f"{name}#{line_id}", file, "Coords with points"))
            continue
        text = _text(line, f"line {line_id}", file)
        found.append(line_sample(f"{name}#{line_id}", path, text, group, on_page(box, size), size))
    return path, found


def _text(line: Element, what: str, file: Path) -> str:
    """The text right under the line (of the lowest index, where there are several), not that of its words.

    PAGE's schema has ``index`` as an optional integer. Without one it counts as 0; equals stay in the file's order.
    """

    def rank(candidate: Element) -> int:
        return xml.integer(candidate.get("index") or "0", f"index of a TextEquiv of {what}", file)

    for candidate in sorted(line.findall("TextEquiv"), key=rank):
        text = candidate.findtext("Unicode")
        if text and text.strip():
            return text.strip()
    return ""


def _box(coordinates: Element | None, what: str, file: Path) -> Box | None:
    """Bounding box of a polygon: ``points="x,y x,y …"`` or, in files of 2010, Point elements. Half open.

    None where there are no points.
    """
    if coordinates is None:
        return None
    if coordinates.get("points"):
        pairs = [pair.split(",") for pair in (coordinates.get("points") or "").split()]
        if any(len(pair) != 2 for pair in pairs):
            raise xml.bad(f"{file}: {what}: points must be x,y pairs, not {coordinates.get('points')!r}")
    else:
        pairs = [[point.get("x") or "", point.get("y") or ""] for point in coordinates.iter("Point")]
    if not pairs:
        return None
    across = [xml.integer(pair[0], f"x of {what}", file) for pair in pairs]
    down = [xml.integer(pair[1], f"y of {what}", file) for pair in pairs]
    return min(across), min(down), max(across) + 1, max(down) + 1


READER = CorpusReader(Settings=PagesSettings, read=read)
