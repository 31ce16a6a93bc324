"""`/docs`: the guides and the API reference, as pages of this server that need nothing else.

A page is made when it is first asked for.
"""

import hashlib
from html import escape

import msgspec
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from clinch.server.docs.guides import contents, guide, titles
from clinch.server.docs.reference import Reference, title
from clinch.server.html import page, paragraph

_STYLE = """
body { max-width: 56rem; margin-top: 1.5rem }
h2 { font-size: 1.25rem; margin: 2.5rem 0 .5rem; padding-top: 1rem; border-top: 1px solid #d5dae3 }
h1 + h2 { margin-top: 1rem; border: 0 }
h3 { font-size: 1rem; margin: 1.25rem 0 .25rem }
code { font-size: .9em; overflow-wrap: anywhere }
:not(pre) > code { background: #f3f5f8; padding: .1em .3em; border-radius: 4px }
pre { font-size: .85rem; line-height: 1.5 }
pre code { font-size: inherit }
nav ul { list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: .25rem 1.25rem }
.wide { overflow-x: auto }
table { border-collapse: collapse; width: 100%; font-size: .92rem }
th, td { text-align: left; vertical-align: top; padding: .4rem 1rem .4rem 0;
         border-bottom: 1px solid #d5dae3 }
td:last-child, th:last-child { padding-right: 0 }
td code { white-space: nowrap }
b, i { font-size: .85em; color: #5a6373 }
.method { display: inline-block; min-width: 3.6rem; text-align: center; border-radius: 4px;
          font: 600 .75rem/1.7 ui-monospace, monospace; color: #fff }
.get { background: #17703f } .post { background: #1a56c4 }
.put { background: #8a5a00 } .delete { background: #b3261e }
@media (prefers-color-scheme: dark) {
  h2, th, td { border-color: #333c49 }
  :not(pre) > code { background: #1f2630 }
  b, i { color: #9aa5b5 }
}
"""
_ABOVE = (
    '<nav aria-label="Documentation">\n<ul>\n<li><a href="/">Clinch</a></li>\n'
    '<li><a href="/docs">Guides</a></li>\n<li><a href="/docs/api">API reference</a></li>\n'
    "</ul>\n</nav>\n"
)
_CACHED = "public, max-age=300"


class Docs:
    """The pages; `document` is the OpenAPI document as it is sent."""

    def __init__(self, document: bytes, public_url: str) -> None:
        self._document, self._public_url = document, public_url
        self._made: dict[str, HTMLResponse] = {}

    def routes(self) -> list[Route]:
        return [Route("/docs", self._respond), Route("/docs/{rest:path}", self._respond)]

    async def _respond(self, request: Request) -> Response:
        path = request.url.path.strip("/")
        made = self._made.get(path) or self._make(path)
        if made is None:
            body = paragraph("There is no such page.")
            return page("Not found", body, 404, above=_ABOVE, style=_STYLE)
        self._made[path] = made
        if request.headers.get("if-none-match") == made.headers["etag"]:
            kept = ("etag", "cache-control", "content-security-policy")
            return Response(status_code=304, headers={name: made.headers[name] for name in kept})
        return made

    def _make(self, path: str) -> HTMLResponse | None:
        match path.split("/"):
            case ["docs"]:
                return self._index()
            case ["docs", "guide", name] if name in titles():
                found = guide(name, self._public_url)
                return _page(found.title, contents(found.headings) + found.html)
            case ["docs", "api"]:
                return _page("API reference", self._read().index())
            case ["docs", "api", tag] if tag in (reference := self._read()).operations:
                return _page(title(tag), contents(reference.headings(tag)) + reference.page(tag))
        return None

    def _index(self) -> HTMLResponse:
        guides = "".join(
            f'<li><a href="/docs/guide/{name}">{escape(said)}</a></li>\n'
            for name, said in titles().items()
        )
        tags = "".join(
            f'<li><a href="/docs/api/{tag}">{title(tag)}</a></li>\n'
            for tag in self._read().operations
        )
        body = (
            f"<h2>Guides</h2>\n<ol>\n{guides}</ol>\n"
            '<h2>API</h2>\n<p><a href="/docs/api">All operations on one page</a>, and the'
            ' <a href="/api/openapi.json">OpenAPI document</a> that they are made of.</p>\n'
            f'<nav aria-label="API">\n<ul>\n{tags}</ul>\n</nav>\n'
            '<h2>Agents</h2>\n<p><a href="/skills/close/SKILL.md">How an agent works with this'
            ' server</a>, <a href="/skills/close/SKILL.zh-CN.md" hreflang="zh-CN">the same in'
            ' Chinese</a>, and <a href="/cli">the command</a>, one file.</p>\n'
        )
        return _page("Documentation", body)

    def _read(self) -> Reference:
        """The reference; its document is not kept, since pages are made once."""
        return Reference(msgspec.json.decode(self._document), self._public_url)


def _page(name: str, body: str) -> HTMLResponse:
    made = page(name, body, above=_ABOVE, style=_STYLE)
    made.headers["etag"] = f'"{hashlib.sha256(made.body).hexdigest()[:32]}"'
    made.headers["cache-control"] = _CACHED
    return made
