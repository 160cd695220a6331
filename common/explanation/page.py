"""Content → Markdown with figures beside it, or one self-contained HTML page: no script, nothing from a network.

Both come from the same text, ``templates/explanation.md.j2``. What comes from data is escaped for Markdown, and the
Markdown reader lets no HTML through.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

from common import pages
from common.explanation.equations import EQUATIONS
from common.report.page import TEMPLATES as REPORT_TEMPLATES

TEMPLATES = Path(__file__).parent / "templates"
FIGURE = re.compile(r"(?:.*/)?([\w-]+)\.svg")


def markdown(content: Mapping[str, Any], folder: str = "") -> str:
    """The text; figures stand in files ``<folder><name>.svg``."""
    template = pages.environment(TEMPLATES, autoescape=False).get_template("explanation.md.j2")
    cell = content["settings"].cell
    text = template.render(
        {key: value for key, value in content.items() if key != "figures"},
        alts={name: _sentence(figure) for name, figure in content["figures"].items()},
        folder=folder,
        equations="\n".join(EQUATIONS.get(cell, ())),
        plain_rnn="\n".join(EQUATIONS["rnn"]),
    )
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def standalone(figure: Markup) -> str:
    """A figure as an SVG file, with the style sheet that it needs in it.

    On a ground of its own: where it is shown, light and dark may be chosen by other rules.
    """
    style = pages.inline(TEMPLATES / "figures.css") + "svg { background: var(--card); }"
    return (
        str(figure)
        .replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
        .replace(">", f"><style>{style}</style>", 1)
    )


def html(content: Mapping[str, Any]) -> str:
    """The page as one file; a content security policy allows its own style sheet and nothing else."""
    style = pages.inline(REPORT_TEMPLATES / "styles.css", TEMPLATES / "figures.css", TEMPLATES / "page.css")
    reader = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = reader.parse(markdown(content))
    title, contents = _prepare(tokens)
    drawn: Mapping[str, Markup] = content["figures"]

    def image(tokens: Sequence[Token], index: int, options: Any, environment: Any) -> str:
        name = FIGURE.fullmatch(str(tokens[index].attrGet("src")))
        assert name is not None
        return f'<figure class="card" tabindex="0">{drawn[name[1]]}</figure>'

    reader.add_render_rule("image", lambda self, *arguments: image(*arguments))
    # The title stands in the page's head already.
    tokens = tokens[next(place for place, token in enumerate(tokens) if token.type == "heading_close") + 1 :]
    body = reader.renderer.render(tokens, reader.options, {})
    return (
        pages.environment(TEMPLATES, autoescape=True)
        .get_template("page.html.j2")
        .render(
            title=title, contents=contents, body=Markup(body), style=Markup(style), style_digest=pages.digest(style)
        )
    )


def _prepare(tokens: list[Token]) -> tuple[str, list[tuple[str, str]]]:
    """Give headings names, tables a frame to scroll in; return the title and the (name, text) of the sections."""
    title = ""
    sections: list[tuple[str, str]] = []
    for place, token in enumerate(tokens):
        inner = tokens[place + 1] if place + 1 < len(tokens) else token
        if token.type == "heading_open":
            text = re.sub(r"[\\*`]", "", inner.content)
            if token.tag == "h1":
                title = text
            else:
                token.attrSet("id", f"part-{len(sections) + 1}")
                sections.append((f"part-{len(sections) + 1}", text))
        elif token.type == "th_open":
            token.attrSet("scope", "col")
        elif token.type == "paragraph_open" and inner.children and inner.children[0].type == "image":
            # A figure may not stand in a paragraph.
            token.hidden = tokens[place + 2].hidden = True
    return title, sections


def _sentence(figure: Markup) -> str:
    """What a figure says to those who do not see it."""
    found = re.search(r'aria-label="([^"]*)"', figure)
    assert found is not None
    return Markup(found[1]).unescape()
