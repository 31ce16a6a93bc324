"""A call of an app's HTTP API, as the gateway sees it: what is asked, what came back, and who asks.

Actions and raw requests know an app by such a callable alone. Whether it leads to a socket or to
this very server, and which credentials go along, is the callable's affair.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from clinch.gateway.errors import InvalidRequest

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """One request; `path` is below the app's base URL, `query` keeps order and duplicates.

    Of a body that is too large to be kept `rest` is what comes after `body`; such a request can be
    sent once only.
    """

    method: str
    path: str
    query: Pairs = ()
    headers: Pairs = ()
    body: bytes | None = None
    rest: AsyncIterator[bytes] | None = None


@dataclass(frozen=True, slots=True)
class ApiAnswer:
    """What the app answered; the body is as it came, without its transfer coding."""

    status: int
    headers: Pairs
    body: bytes


Api = Callable[[ApiRequest], Awaitable[ApiAnswer]]


def below(path: str, base_url: str) -> str:
    """The path below the base address, whose own path may stand before it.

    Raises InvalidRequest.
    """
    base = urlsplit(base_url).path.rstrip("/")
    if path.startswith(f"{base}/"):
        path = path.removeprefix(base)
    decoded = unquote(path)
    if ".." in decoded.split("/") or "\\" in decoded or path.startswith("//"):
        raise InvalidRequest("The path goes out of the app's base address.", field="path")
    return path
