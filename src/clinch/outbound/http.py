"""HTTP to other machines: one request and its answer, bounded in time and size.

Nothing is followed, kept or taken from the environment: no redirects, cookies or proxies. The
library takes a while to import, so that is left to the first request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clinch.outbound.guard import Guard, OutboundRefused

if TYPE_CHECKING:
    import aiohttp

LARGEST_ANSWER = 30_000_000
_SECONDS, _SECONDS_TO_CONNECT = 60.0, 10.0

Headers = Sequence[tuple[str, str]]


class Unreachable(Exception):
    """No answer came. `sent` is whether the request may have arrived."""

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.sent = sent


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What was answered; the body as it came, in whatever content coding its headers name."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


class Client:
    """Sends requests where the guard lets them go. It is used on one event loop."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._session: aiohttp.ClientSession | None = None

    async def send(self, method: str, url: str, headers: Headers, body: bytes | None) -> HttpAnswer:
        """The answer to one request; raises OutboundRefused and Unreachable."""
        import aiohttp
        from yarl import URL

        if not url.startswith(("https://", "http://")):
            raise OutboundRefused
        sent = [*headers, ("Accept-Encoding", "identity")]
        try:
            async with self._opened().request(
                method,
                URL(url, encoded=True),
                headers=sent,
                data=body,
                allow_redirects=False,
                skip_auto_headers=("User-Agent", "Content-Type"),
            ) as response:
                return HttpAnswer(
                    response.status,
                    tuple((name, value) for name, value in response.headers.items()),
                    await _read(response),
                )
        except aiohttp.ClientConnectorError as error:
            if isinstance(error.os_error, OutboundRefused):
                raise OutboundRefused from None
            raise Unreachable("It cannot be reached.", sent=False) from None
        except (aiohttp.InvalidURL, ValueError):
            raise Unreachable("Its address cannot be read.", sent=False) from None
        except TimeoutError:
            raise Unreachable("It did not answer within a minute.", sent=True) from None
        except (aiohttp.ClientError, OSError):
            raise Unreachable("The connection to it broke off.", sent=True) from None

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            await asyncio.sleep(0)  # so that the sockets are closed, too

    def _opened(self) -> aiohttp.ClientSession:
        import aiohttp

        if self._session is None:
            times = aiohttp.ClientTimeout(total=_SECONDS, connect=_SECONDS_TO_CONNECT)
            connector = aiohttp.TCPConnector(
                socket_factory=self._guard.make_socket, ttl_dns_cache=None, use_dns_cache=False
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                timeout=times,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
            )
        return self._session


async def _read(response: aiohttp.ClientResponse) -> bytes:
    pieces, length = [], 0
    async for piece in response.content.iter_any():
        length += len(piece)
        if length > LARGEST_ANSWER:
            raise Unreachable(f"It answered with more than {LARGEST_ANSWER:,} bytes.", sent=True)
        pieces.append(piece)
    return b"".join(pieces)
