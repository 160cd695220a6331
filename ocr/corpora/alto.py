"""Text lines of ALTO XML (libraries, kraken, Tesseract), cut from the pictures of the pages by their boxes."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from xml.etree.ElementTree import Element

from pydantic import Field

from common.modality import CorpusReader
from common.samples import Rejection, Sample
from ocr import xml
from ocr.corpora.xml_pages import (
    BEYOND_PX,
    PagesSettings,
    group_of_page,
    image_path,
    line_sample,
    no_outline,
    on_page,
    read_pages,
    stated_size,
)

# Units of ALTO, none is pixels, each with how far a line may run over the edge of the page: tenths of a millimetre and
# 1200ths of an inch as far as pixels at 300 dpi. How many pixels they are, the size of the page and its picture say.
UNITS = {"pixel": BEYOND_PX, "": BEYOND_PX, "mm10": 4, "inch1200": 4 * BEYOND_PX}


PLACE = ("HPOS", "VPOS", "WIDTH", "HEIGHT")


class AltoSettings(PagesSettings):
    """As PAGE; ``image_suffix`` is for files that do not name their picture: the file's own name with that suffix."""

    image_suffix: str = Field(".png", pattern=r"^\.[^./\\]")


def read(settings: AltoSettings, root: Path, seed: int) -> Iterator[Sample | Rejection]:
    """List the lines; lines without text are listed too, with an empty one: prepare rejects them by name.

    Lines without a place, as those that have a baseline alone, are rejected (no_outline), and so are pictures
    that no file names (no_transcript), and files with XML that is broken or dangerous, an unknown unit, one other than
    pixels without the size of the page, or a wrong number (bad_transcript).

    Raises:
        GlyphoneError: no file, or none that can be read.
    """
    return read_pages(settings, root, partial(_lines, settings, root))


def _lines(settings: AltoSettings, root: Path, file: Path, name: str) -> tuple[str, list[Sample | Rejection]]:
    tree = xml.parse(file)
    if tree.tag != "alto":
        raise xml.bad(f"{file}: the root is {tree.tag}, not alto: not ALTO XML; files can leave it out")
    unit = (tree.findtext("Description/MeasurementUnit") or "").strip().lower()
    if unit not in UNITS:
        raise xml.bad(f"{file}: measured in {unit}; allowed are {', '.join(filter(None, UNITS))}")
    named = tree.findtext("Description/sourceImageInformation/fileName") or ""
    path = image_path(named.strip() or file.with_suffix(settings.image_suffix).name, file, root)
    group = group_of_page(settings, name)
    lines = [(page, line) for page in tree.iter("Page") for line in page.iter("TextLine")]
    _check_one_picture([page for page in tree.iter("Page") if next(page.iter("TextLine"), None) is not None], file)
    found: list[Sample | Rejection] = []
    for number, (page, line) in enumerate(lines):
        line_id = line.get("ID") or str(number)
        if not any(map(line.get, PLACE)):
            found.append(no_outline(f"{name}#{line_id}", file, ", ".join(PLACE)))
            continue
        left, top, width, height = (xml.integer(line.get(key), f"{key} of line {line_id}", file) for key in PLACE)
        size = stated_size(page.get("WIDTH"), page.get("HEIGHT"), file)
        if not all(size) and unit not in ("pixel", ""):
            raise xml.bad(
                f"{file}: measured in {unit}, and Page has no WIDTH and HEIGHT: without the size of the page these "
                "cannot be turned into pixels"
            )
        box = on_page((left, top, left + width, top + height), size, UNITS[unit])
        found.append(line_sample(f"{name}#{line_id}", path, _text(line), group, box, size))
    return path, found


def _check_one_picture(pages: Sequence[Element], file: Path) -> None:
    """Refuse a file whose pages are of several pictures, as of a many-page TIFF: the first would stand for all.

    The standard asks every page for its PHYSICAL_IMG_NR; two pages of one number are of one picture. Where a number is
    missing beside other pages nobody knows.
    """
    numbers = sorted({page.get("PHYSICAL_IMG_NR") or "none" for page in pages})
    if len(pages) > 1 and (len(numbers) > 1 or "none" in numbers):
        raise xml.bad(
            f"{file}: {len(pages)} pages with lines, PHYSICAL_IMG_NR {', '.join(numbers)}, and one picture that is "
            "named; write a file for each"
        )


def _text(line: Element) -> str:
    """Strings, blanks and hyphens of a line. Strings without SP between them are set apart by a blank as well."""
    text = ""
    for child in line:
        if child.tag == "String":
            text += ("" if not text or text.endswith(" ") else " ") + (child.get("CONTENT") or "")
        elif child.tag == "SP":
            text += " "
        elif child.tag == "HYP":
            text += child.get("CONTENT") or "-"
    return text.strip()


READER = CorpusReader(Settings=AltoSettings, read=read)
