"""The guides as HTML. They are the files of `docs/guide`, which a link brings into the package."""

import re
from dataclasses import dataclass
from functools import cache
from html import escape
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markdown_it.token import Token

# The one that begins comes first; the others by how far they go.
_ORDER = ("getting-started", "agents", "api", "apps", "customers", "connectors", "operations")
_EXAMPLE = "http://127.0.0.1:8080"
_SKILLS = "../../src/clinch/server/skills/"


@dataclass(frozen=True, slots=True)
class Guide:
    """`headings` are those of the second level, each with the anchor that it has in `html`."""

    title: str
    html: str
    headings: list[tuple[str, str]]


@cache
def titles() -> dict[str, str]:
    """The titles of the guides by name, in the order in which they are read."""
    found = {}
    for name in sorted(_files(), key=_place):
        with _files()[name].open(encoding="utf-8") as file:
            found[name] = file.readline().removeprefix("# ").strip()
    return found


def guide(name: str, public_url: str) -> Guide:
    """A guide, with this server's address in place of the example's."""
    # It takes a while to import, and only who reads a guide needs it.
    from markdown_it import MarkdownIt

    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    text = _files()[name].read_text("utf-8").replace(_EXAMPLE, public_url)
    tokens = markdown.parse(text)[3:]  # without the title, which the page has
    headings = []
    for place, token in enumerate(tokens):
        if token.type == "heading_open":
            said = tokens[place + 1].content
            token.attrSet("id", anchor(said))
            if token.tag == "h2":
                headings.append((anchor(said), said.replace("`", "")))
        elif token.type == "inline":
            token.children = _linked(token.children or [])
    html = markdown.renderer.render(tokens, markdown.options, {})
    html = html.replace("<table>", '<div class="wide"><table>')
    return Guide(titles()[name], html.replace("</table>", "</table></div>"), headings)


def anchor(heading: str) -> str:
    """The name of a heading in an address, as code hosts make it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def contents(headings: list[tuple[str, str]]) -> str:
    items = "".join(f'<li><a href="#{id}">{escape(text)}</a></li>\n' for id, text in headings)
    return f'<nav aria-label="On this page">\n<ul>\n{items}</ul>\n</nav>\n' if items else ""


def _linked(tokens: list["Token"]) -> list["Token"]:
    """Inline tokens whose links lead to pages of this server; a link to what only the repository
    has is left as its text."""
    kept, dropped = [], False
    for token in tokens:
        if token.type == "link_open":
            place = _address(str(token.attrGet("href") or ""))
            dropped = place is None
            if place is not None:
                token.attrSet("href", place)
        if not (dropped and token.type in ("link_open", "link_close")):
            kept.append(token)
        if token.type == "link_close":
            dropped = False
    return kept


def _address(link: str) -> str | None:
    path, mark, fragment = link.partition("#")
    if not path or ":" in path:
        return link
    if path.startswith(_SKILLS):
        return f"/skills/{path.removeprefix(_SKILLS)}"
    name = path.removesuffix(".md")
    return f"/docs/guide/{name}{mark}{fragment}" if name in _files() else None


@cache
def _files() -> dict[str, Traversable]:
    folder = files("clinch.server.docs").joinpath("guide")
    return {one.name[:-3]: one for one in folder.iterdir() if one.name.endswith(".md")}


def _place(name: str) -> tuple[int, str]:
    return (_ORDER.index(name) if name in _ORDER else len(_ORDER), name)
