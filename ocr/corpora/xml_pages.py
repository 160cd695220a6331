"""Pages of text lines described by XML files: which there are, where their pictures lie, what cannot be used."""

from collections.abc import Callable, Collection, Iterator
from pathlib import Path, PurePosixPath

from pydantic import BaseModel, ConfigDict, field_validator

from common.corpus_files import and_links, files_below, is_hidden, linked_folders
from common.errors import GlyphoneError, SampleError
from common.grouping import checked_pattern, group_of
from common.samples import Rejection, Sample
from common.wording import plural
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


def read_pages(
    settings: PagesSettings, root: Path, lines_of: Callable[[Path, str], tuple[str, list[Sample | Rejection]]]
) -> Iterator[Sample | Rejection]:
    """The lines of all files, a rejection of each file that cannot be read, and of pictures that no file names.

    Args:
        lines_of: (file, its path below root) → path of its picture below root, and its lines; raises SampleError.

    Raises:
        GlyphoneError: no file, or none that can be read: then surely the settings are wrong.
    """
    named: set[str] = set()
    refused: list[Rejection] = []
    files = pages(settings, root)
    for file in files:
        name = file.relative_to(root).as_posix()
        try:
            picture, lines = lines_of(file, name)
        except SampleError as error:
            refused.append(Rejection(name, "prepare", error.code, str(error)))
            continue
        named.add(picture)
        yield from lines
    if not named:
        others = f"; {plural(len(refused) - 1, 'other')} cannot be read either" if len(refused) > 1 else ""
        raise GlyphoneError(refused[0].sentence + others)
    yield from refused
    yield from _unnamed(settings, root, named, [each.id for each in refused])
    if "**" in settings.files:  # any other pattern names the folders that it goes into
        yield from linked_folders(root)


def group_of_page(settings: PagesSettings, name: str) -> str:
    return group_of(name, settings.group_pattern) if settings.group_pattern else name


def line_sample(line_id: str, picture: str, text: str, group: str, box: Box, size: Size) -> Sample:
    """A line of a page; ``size`` is what ``stated_size`` says."""
    page_size = size if all(size) else None
    return Sample(id=line_id, path=picture, text=text, group=group, split="", box=box, page_size=page_size)


def pages(settings: PagesSettings, root: Path) -> list[Path]:
    """The XML files under root, sorted, without hidden ones. Raises GlyphoneError when there are none."""
    files = sorted(
        file
        for file in root.glob(settings.files)
        if file.is_file() and not is_hidden(file.relative_to(root).as_posix())
    )
    if not files:
        raise GlyphoneError(f"{root}: no files {settings.files}{and_links(root)}")
    return files


def _unnamed(
    settings: PagesSettings, root: Path, named: Collection[str], refused: Collection[str]
) -> Iterator[Rejection]:
    """A rejection (no_transcript) for each picture that no file names, in the folders of those that some name.

    A binarised version beside its picture is the same page once more. One with the name of a file that cannot be read
    is the page of that.
    """
    folders = {PurePosixPath(path).parent for path in named}
    known = {_page_name(PurePosixPath(path)) for path in named}
    for file in map(PurePosixPath, refused):
        known |= {_page_name(file), _page_name(file.parent.parent / file.name)}
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
    if base in ("", ".", ".."):
        raise xml.bad(f"{file}: does not name its picture")
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

    One that reaches further outside stays, for reading to refuse: then the size may be wrong, or the picture.
    """
    left, top = (0 if -beyond <= start < 0 else start for start in box[:2])
    right, bottom = (edge if 0 < edge < end <= edge + beyond else end for end, edge in zip(box[2:], size, strict=True))
    return left, top, right, bottom


def no_outline(line_id: str, file: Path, needed: str) -> Rejection:
    return Rejection(line_id, "prepare", "no_outline", f"{file}: line {line_id.rpartition('#')[2]} has no {needed}")
