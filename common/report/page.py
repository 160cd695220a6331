"""Content → one self-contained HTML page: style, script, sounds and pictures inside, nothing from the network."""

import base64
import hashlib
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from common.report import wording
from common.report.content import Content

TEMPLATES = Path(__file__).parent / "templates"


def render(content: Content) -> str:
    """Return the page. Everything from data is escaped; the same content gives the same bytes.

    A content security policy allows this very script and style sheet, by their digests, and data: pictures and sounds:
    even a hole in the escaping could run and load nothing.
    """
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES, encoding="utf-8"),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(
        percent=wording.percent, number=wording.count, duration=wording.duration, short=wording.short
    )
    environment.globals["plural"] = wording.plural
    style, script = _read("styles.css"), _read("script.js")
    template = environment.get_template("report.html.j2")
    return template.render(
        content=content,
        style=Markup(style),
        script=Markup(script),
        style_digest=_digest(style),
        script_digest=_digest(script),
    )


def _read(name: str) -> str:
    text = (TEMPLATES / name).read_text(encoding="utf-8")
    # Inside its element, text ends at the first closing tag, whatever surrounds it.
    assert "</" not in text, f"{name} must not hold a closing tag"
    return text


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
