"""A call of an app's HTTP API, as the gateway sees it: what is asked, what came back, and who asks.

Actions and raw requests know an app by such a callable alone. Whether it leads to a socket or to
this very server, and which credentials go along, is the callable's affair.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """One request; `path` is below the app's base URL, `query` keeps order and duplicates."""

    method: str
    path: str
    query: Pairs = ()
    headers: Pairs = ()
    body: bytes | None = None


@dataclass(frozen=True, slots=True)
class ApiAnswer:
    """What the app answered; the body is as it came, without its transfer coding."""

    status: int
    headers: Pairs
    body: bytes


Api = Callable[[ApiRequest], Awaitable[ApiAnswer]]
