"""Content → one self-contained HTML page: style, script, sounds and pictures inside, nothing from the network."""

from functools import cache
from pathlib import Path

from jinja2 import Environment
from markupsafe import Markup

from common import pages
from common.edits import visible
from common.report import wording
from common.report.comparison import ComparisonView
from common.report.content import Content
from common.wording import count, plural

TEMPLATES = Path(__file__).parent / "templates"


def render(content: Content) -> str:
    """Return the page. Everything from data is escaped; the same content gives the same bytes.

    A content security policy allows this very script and style sheet, by their digests, and data: pictures and sounds:
    even a hole in the escaping could run and load nothing.
    """
    style, script = pages.inline(TEMPLATES / "styles.css"), pages.inline(TEMPLATES / "script.js")
    template = _environment().get_template("report.html.j2")
    return template.render(
        content=content,
        style=Markup(style),
        script=Markup(script),
        style_digest=pages.digest(style),
        script_digest=pages.digest(script),
    )


def render_comparison(view: ComparisonView) -> str:
    """Return the page of a comparison of two runs: escaped and sealed like the report, and without any script."""
    style = pages.inline(TEMPLATES / "styles.css")
    template = _environment().get_template("comparison.html.j2")
    return template.render(view=view, style=Markup(style), style_digest=pages.digest(style))


@cache
def _environment() -> Environment:
    environment = pages.environment(TEMPLATES, autoescape=True)
    environment.filters.update(
        visible=visible, percent=wording.percent, number=count, duration=wording.duration, short=wording.short
    )
    environment.globals["plural"] = plural
    return environment
