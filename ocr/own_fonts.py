"""Typefaces of the user's own: the fonts of a folder, for scripts and prints that no package has."""

from functools import lru_cache
from pathlib import Path

from PIL import ImageFont

from common.errors import GlyphoneError

SUFFIXES = frozenset({".ttf", ".otf"})


@lru_cache(maxsize=8)
def own_families(folder: str) -> dict[str, list[str]]:
    """Family → keys of its faces, the absolute paths of their files; both sorted.

    Every folder within ``folder`` is a family, at any depth, and so is every file that lies right in it.

    Raises:
        GlyphoneError: no such folder, no fonts in it, or a file that is none.
    """
    root = Path(folder).absolute()
    if not root.is_dir():
        raise GlyphoneError(f"fonts: {root}: no such folder")
    found: dict[str, list[str]] = {}
    for file in sorted(root.rglob("*")):
        if file.suffix.lower() in SUFFIXES and file.is_file() and not file.name.startswith("."):
            _check(file)
            family = file.stem if file.parent == root else file.parent.relative_to(root).as_posix()
            found.setdefault(family, []).append(file.as_posix())
    if not found:
        raise GlyphoneError(f"fonts: {root}: no files in it that end in {', '.join(sorted(SUFFIXES))}")
    return dict(sorted(found.items()))


def _check(file: Path) -> None:
    try:
        ImageFont.truetype(str(file), 32, layout_engine=ImageFont.Layout.BASIC)
    except OSError as error:
        raise GlyphoneError(f"fonts: {file}: not a font that can be read: {error}") from None
