"""What is not the API: the front page, the documentation, signing in, the pages of links, where
files are sent to, the health checks and the OpenAPI document."""

from collections.abc import Awaitable, Callable
from functools import partial
from html import escape
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from clinch import __version__
from clinch.identity.credentials import Authenticator
from clinch.resources.store import Store
from clinch.server.docs.pages import Docs
from clinch.server.files import upload_routes
from clinch.server.handouts import handouts
from clinch.server.html import page
from clinch.server.link_pages import link_pages
from clinch.server.oauth.pages import oauth_pages
from clinch.server.oauth.tokens import token_routes
from clinch.server.routes import NO_URL
from clinch.server.session import SignInRoute
from clinch.vault.vault import Vault

Ready = Callable[[], Awaitable[bool]]


def pages(
    store: Store,
    vault: Vault,
    authenticator: Authenticator,
    connecting: list[Route],
    signing_in: list[SignInRoute],
    document: dict[str, Any],
    ready: Ready,
) -> Starlette:
    """The pages, with those of `connecting` apps, the operations of signing in and the OpenAPI
    `document`; `ready` says whether the database answers and is at this program's schema."""
    encoded = msgspec.json.encode(document)
    return Starlette(
        routes=[
            Route("/", partial(_front_page, store.declared.public_url)),
            Route("/healthz", _health),
            Route("/readyz", partial(_readiness, ready)),
            Route("/api/openapi.json", partial(_document, encoded)),
            *Docs(encoded, store.declared.public_url).routes(),
            *signing_in,
            *link_pages(store, authenticator),
            *upload_routes(store, vault),
            *oauth_pages(store.database, vault, authenticator, store.declared.public_url),
            *token_routes(store.database, store.declared.public_url),
            *connecting,
            *handouts(store.declared.public_url),
        ],
        exception_handlers={HTTPException: _refusal},
    )


async def _health(request: Request) -> Response:
    return _json({"status": "ok"})


async def _readiness(ready: Ready, request: Request) -> Response:
    if await ready():
        return _json({"status": "ok"})
    return _json({"status": "the database does not answer, or is not migrated"}, 503)


async def _document(document: bytes, request: Request) -> Response:
    return Response(document, media_type="application/json")


async def _refusal(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    text = NO_URL if status == 404 else "The method is not allowed for the requested URL."
    answer = _json({"error": text}, status)
    if isinstance(error, HTTPException):
        answer.headers.update(error.headers or {})  # which methods are allowed
    return answer


def _json(value: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, media_type="application/json")


async def _front_page(public_url: str, request: Request) -> Response:
    return page("Clinch", _PAGE.format(version=__version__, url=escape(public_url)))


_PAGE = """<p>Version {version} runs here: a CRM that speaks the public REST API of Close,
with a gateway for agents.</p>
<p>The API is at <code>{url}/api/v1/</code>. An API key is the user name of HTTP Basic; make one
with <code>clinch key create</code>.</p>
<pre>curl -u "$CLINCH_API_KEY:" {url}/api/v1/me/
curl -u "$CLINCH_API_KEY:" "{url}/api/v1/lead/?_limit=5"
curl -u "$CLINCH_API_KEY:" -H "Content-Type: application/json" \\
  -d '{{"name": "Harbour Tools"}}' {url}/api/v1/lead/</pre>
<p>Agents and other programs begin with <code>membrane login --tenant</code>; the command is
<a href="/cli">one file</a>. What agents read is
<a href="/skills/close/SKILL.md">here</a>.</p>
<p>Existing Close clients work when their base address is <code>{url}/api/v1</code>.</p>
<ul>
<li><a href="/docs">Documentation</a>: guides, and the API's operations one by one</li>
<li><a href="/api/openapi.json">OpenAPI document</a>: every operation, field and filter</li>
<li><a href="/readyz">Readiness</a> and <a href="/healthz">health</a></li>
</ul>"""
