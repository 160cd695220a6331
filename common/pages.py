"""What all pages share: how templates are filled, style and script inside a page."""

import base64
import hashlib
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from common.markdown import plain


def environment(folder: Path, *, autoescape: bool) -> Environment:
    """Templates of a folder: nothing undefined passes, blocks leave no blank lines.

    Args:
        autoescape: True for HTML, where all that comes from data is escaped; in Markdown the filter ``plain`` does it.
    """
    filled = Environment(
        loader=FileSystemLoader(folder, encoding="utf-8"),
        undefined=StrictUndefined,
        autoescape=autoescape,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    filled.filters["plain"] = plain
    return filled


def inline(*paths: Path) -> str:
    """Style sheets or scripts as they may stand inside their element."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in paths)
    # Inside its element, text ends at the first closing tag, whatever surrounds it.
    assert "</" not in text, f"{', '.join(path.name for path in paths)} must not hold a closing tag"
    return text


def digest(text: str) -> str:
    """SHA-256 in base64, by which a content security policy allows this very style sheet or script."""
    return base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
