"""Text lines of PAGE XML (PRImA, Transkribus, eScriptorium), cut from the pictures of the pages by their boxes."""

from collections.abc import Collection, Iterator
from pathlib import Path, PurePosixPath
from xml.etree.ElementTree import Element

from pydantic import BaseModel, ConfigDict, field_validator

from common.corpus_files import files_below, is_hidden
from common.errors import GlyphoneError
from common.grouping import checked_pattern, group_of
from common.modality import CorpusReader
from common.samples import Rejection, Sample
from ocr import xml
from ocr.corpora.line_pairs import VERSIONS
from ocr.page_size import Size
from ocr.reading import SUFFIXES, Box

# How far outlines may run over the right and the lower edge of the page: much less than a letter is wide.
BEYOND_PX = 5


class PagesSettings(BaseModel):
    """A tree of XML files; the picture that each names lies beside it (or one folder up, as in ``page/``)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # Which files to read, as a glob.
    files: str = "**/*.xml"
    # Regular expression over the path of the XML file; its first bracket is the group. Empty: the page is.
    group_pattern: str = ""

    @field_validator("files")
    @classmethod
    def _glob(cls, value: str) -> str:
        try:
            next(Path("/nowhere").glob(value), None)
        except (ValueError, NotImplementedError, IndexError):
            value = ".."
        if ".." in Path(value).parts:
            raise ValueError("must be a glob below the root, as **/*.xml or page/*.xml")
        return value

    @field_validator("group_pattern")
    @classmethod
    def _pattern(cls, value: str) -> str:
        return checked_pattern(value)


def read(settings: PagesSettings, root: Path, seed: int) -> Iterator[Sample | Rejection]:
    """List the lines; lines without text are listed too, with an empty one: prepare rejects them by name.

    Lines without a polygon, as those that have a baseline alone, are rejected (no_outline), and so are pictures
    that no file names (no_transcript).

    Raises:
        GlyphoneError: no file, XML that is broken or dangerous, a wrong number.
    """
    named_pictures: set[str] = set()
    for file in pages(settings, root):
        tree = xml.parse(file)
        page = next(tree.iter("Page"), None)
        if page is None:
            raise GlyphoneError(f"{file}: no Page element: not PAGE XML; the setting files can leave it out")
        path = image_path(page.get("imageFilename") or "", file, root)
        named_pictures.add(path)
        size = stated_size(page.get("imageWidth"), page.get("imageHeight"), file)
        name = file.relative_to(root).as_posix()
        for number, line in enumerate(page.iter("TextLine")):
            line_id = line.get("id") or str(number)
            box = _box(line.find("Coords"), f"line {line_id}", file)
            if box is None:
                yield no_outline(f"{name}#{line_id}", file, "Coords with points")
                continue
            yield Sample(
                id=f"{name}#{line_id}",
                path=path,
                text=_text(line, f"line {line_id}", file),
                group=group_of(name, settings.group_pattern) if settings.group_pattern else name,
                split="",
                box=on_page(box, size),
                page_size=size if all(size) else None,
            )
    yield from unnamed(settings, root, named_pictures)


def pages(settings: PagesSettings, root: Path) -> list[Path]:
    """The XML files under root, sorted, without hidden ones. Raises GlyphoneError when there are none."""
    files = sorted(
        file
        for file in root.glob(settings.files)
        if file.is_file() and not is_hidden(file.relative_to(root).as_posix())
    )
    if not files:
        raise GlyphoneError(f"{root}: no files {settings.files}")
    return files


def unnamed(settings: PagesSettings, root: Path, named: Collection[str]) -> Iterator[Rejection]:
    """A rejection (no_transcript) for each picture that no file names, in the folders of those that some name.

    A binarised version beside its picture is the same page once more.
    """
    folders = {PurePosixPath(path).parent for path in named}
    known = {_page_name(PurePosixPath(path)) for path in named}
    for path in map(PurePosixPath, files_below(root)):
        if path.suffix.lower() in SUFFIXES and path.parent in folders and _page_name(path) not in known:
            sentence = f"{path}: none of the files {settings.files} names it"
            yield Rejection(str(path), "prepare", "no_transcript", sentence)


def _page_name(path: PurePosixPath) -> PurePosixPath:
    """A picture's path without its ending and that of a version."""
    stem = path.with_suffix("")
    return stem.with_suffix("") if stem.suffix in VERSIONS else stem


def image_path(name: str, file: Path, root: Path) -> str:
    """Where the picture that an XML file names lies, relative to root: beside the file, else one folder up.

    Only the last part of the name counts: many tools write paths of the machine that they ran on.
    """
    base = name.replace("\\", "/").rpartition("/")[2]
    if not base:
        raise GlyphoneError(f"{file}: does not name its picture")
    folders = [file.parent] if file.parent == root else [file.parent, file.parent.parent]
    for folder in folders:
        if (folder / base).is_file():
            return (folder / base).relative_to(root).as_posix()
    return (file.parent / base).relative_to(root).as_posix()


def stated_size(width: str | None, height: str | None, file: Path) -> Size:
    """(width, height) of the page as the file says; 0 where it says nothing."""
    stated = [max(0, xml.integer(each or "0", "size of the page", file)) for each in (width, height)]
    return stated[0], stated[1]


def on_page(box: Box, size: Size, beyond: int = BEYOND_PX) -> Box:
    """The part of a box on the page, whose size the file may say: outlines run along its edge, or a little beyond.

    One that ends further outside stays, for reading to refuse: then the size may be wrong, or the picture.
    """
    right, bottom = (edge if 0 < edge < end <= edge + beyond else end for end, edge in zip(box[2:], size, strict=True))
    return max(box[0], 0), max(box[1], 0), right, bottom


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


def no_outline(line_id: str, file: Path, needed: str) -> Rejection:
    return Rejection(line_id, "prepare", "no_outline", f"{file}: line {line_id.rpartition('#')[2]} has no {needed}")


def _box(coordinates: Element | None, what: str, file: Path) -> Box | None:
    """Bounding box of a polygon: ``points="x,y x,y …"`` or, in files of 2010, Point elements. Half open.

    None where there are no points.
    """
    if coordinates is None:
        return None
    if coordinates.get("points"):
        pairs = [pair.split(",") for pair in (coordinates.get("points") or "").split()]
        if any(len(pair) != 2 for pair in pairs):
            raise GlyphoneError(f"{file}: {what}: points must be x,y pairs, not {coordinates.get('points')!r}")
    else:
        pairs = [[point.get("x") or "", point.get("y") or ""] for point in coordinates.iter("Point")]
    if not pairs:
        return None
    across = [xml.integer(pair[0], f"x of {what}", file) for pair in pairs]
    down = [xml.integer(pair[1], f"y of {what}", file) for pair in pairs]
    return min(across), min(down), max(across) + 1, max(down) + 1


READER = CorpusReader(Settings=PagesSettings, read=read)
