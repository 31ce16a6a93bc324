"""HTTP to other machines: one request, and its answer as it arrives or whole.

Nothing is followed, kept or taken from the environment: no redirects, cookies or proxies. Nothing
is sent twice. Connections are kept open for a while, each to the address that was looked at when it
was made. The library takes a while to import, so that is left to the first request.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clinch.outbound.guard import Guard, OutboundRefused

if TYPE_CHECKING:
    import aiohttp

LARGEST_ANSWER = 30_000_000
"""The bytes of an answer that is taken whole."""
# Until an answer begins; until it is whole, or the next piece has come where pieces are taken.
_SECONDS, _SECONDS_TO_CONNECT = 60.0, 10.0
# Many servers close what was silent for 5 seconds, and may do so just when it is used again.
_SECONDS_KEPT = 4.0

Headers = Sequence[tuple[str, str]]
Body = bytes | AsyncIterator[bytes] | None


class Unreachable(Exception):
    """No answer came, or not all of it. `sent` is whether the request may have arrived."""

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.sent = sent


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What was answered; the body as it came, in whatever content coding its headers name."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


@dataclass(frozen=True, slots=True)
class Arriving:
    """An answer that has begun. Its body comes once, in `pieces`, which raise Unreachable where it
    breaks off; whoever has an answer calls `close` in the end, read or not."""

    status: int
    headers: tuple[tuple[str, str], ...]
    pieces: AsyncIterator[bytes]
    close: Callable[[], object]

    async def whole(self) -> HttpAnswer:
        """All of it; raises Unreachable where it breaks off, takes too long or is too large."""
        pieces, length = [], 0
        try:
            with _told():
                async with asyncio.timeout(_SECONDS):
                    async for piece in self.pieces:
                        length += len(piece)
                        if length > LARGEST_ANSWER:
                            most = f"{LARGEST_ANSWER:,} bytes"
                            raise Unreachable(f"It answered with more than {most}.", sent=True)
                        pieces.append(piece)
        finally:
            self.close()
        return HttpAnswer(self.status, self.headers, b"".join(pieces))


class Client:
    """Sends requests where the guard lets them go. It is used on one event loop."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._session: aiohttp.ClientSession | None = None

    async def send(self, method: str, url: str, headers: Headers, body: bytes | None) -> HttpAnswer:
        """The answer to one request; raises OutboundRefused and Unreachable."""
        return await (await self.open(method, url, headers, body)).whole()

    async def open(self, method: str, url: str, headers: Headers, body: Body) -> Arriving:
        """The answer to one request, as soon as it begins; the body is sent as it comes.

        Raises OutboundRefused, Unreachable, and what the body raises: then it is broken off.
        """
        from yarl import URL

        if not url.startswith(("https://", "http://")):
            raise OutboundRefused
        session = self._opened()
        with _told():
            async with asyncio.timeout(_SECONDS) as patience:
                response = await session.request(
                    method,
                    URL(url, encoded=True),
                    headers=[*headers, ("Accept-Encoding", "identity")],
                    data=body if body is None or isinstance(body, bytes) else _fed(body, patience),
                    allow_redirects=False,
                    skip_auto_headers=("User-Agent", "Content-Type"),
                )
        return Arriving(
            response.status,
            tuple((n.decode("latin-1"), v.decode("latin-1")) for n, v in response.raw_headers),
            _pieces(response),
            response.release,
        )

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            await asyncio.sleep(0)  # so that the sockets are closed, too

    def _opened(self) -> aiohttp.ClientSession:
        import aiohttp

        if self._session is None:
            connector = aiohttp.TCPConnector(
                socket_factory=self._guard.make_socket,
                ttl_dns_cache=None,
                use_dns_cache=False,
                limit=0,  # each is for a request of ours, so that those are the limit
                keepalive_timeout=_SECONDS_KEPT,
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                timeout=aiohttp.ClientTimeout(
                    total=None, connect=_SECONDS_TO_CONNECT, sock_read=_SECONDS
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
            )
            # It would send again by itself what HTTP calls idempotent, and a GET may be anything.
            self._session._retry_connection = False
        return self._session


class _BodyFailed(Exception):
    """The body that was to be sent raised an error."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


async def _fed(body: AsyncIterator[bytes], patience: asyncio.Timeout) -> AsyncIterator[bytes]:
    """The body; the time to wait for an answer begins anew with each piece that was taken."""
    try:
        async for piece in body:
            yield piece
            with suppress(RuntimeError):  # the answer has begun
                patience.reschedule(asyncio.get_running_loop().time() + _SECONDS)
    except Exception as error:
        raise _BodyFailed(error) from None


async def _pieces(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    with _told():
        async for piece in response.content.iter_any():
            yield piece


@contextmanager
def _told() -> Iterator[None]:
    """Tell what goes wrong in our own words."""
    import aiohttp

    try:
        yield
    except aiohttp.ClientConnectorError as error:
        if isinstance(error.os_error, OutboundRefused):
            raise OutboundRefused from None
        raise Unreachable("It cannot be reached.", sent=False) from None
    except aiohttp.ConnectionTimeoutError:
        raise Unreachable("It cannot be reached.", sent=False) from None
    except (aiohttp.InvalidURL, ValueError):
        raise Unreachable("Its address cannot be read.", sent=False) from None
    except TimeoutError:
        raise Unreachable("It did not answer within a minute.", sent=True) from None
    except (aiohttp.ClientError, OSError) as error:
        if isinstance(error.__cause__, _BodyFailed):
            raise error.__cause__.error from None
        raise Unreachable("The connection to it broke off.", sent=True) from None
