"""HTTP connections that send the head of an answer together with its body."""

import asyncio
from typing import Any, ClassVar

import msgspec
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class OneWrite:
    """A transport that keeps what is written until the next piece or the next turn of the loop.

    uvicorn writes the head of an answer and its body apart; each would be sent, and wake who
    reads it, by itself.
    """

    __slots__ = ("_kept", "_loop", "_transport", "is_closing")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self._kept: bytes | None = None
        self.is_closing = transport.is_closing  # asked for by every request

    def write(self, data: bytes) -> None:
        if self._kept is None:
            self._kept = data
            self._loop.call_soon(self._flush)
        else:
            kept, self._kept = self._kept, None
            self._transport.writelines([kept, data])

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._kept is not None:
            kept, self._kept = self._kept, None
            self._transport.write(kept)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class HttpProtocol(HttpToolsProtocol):
    """uvicorn's, over such a transport, with refusals in the API's shape.

    A request that is not whole after `patience` seconds, twice that at most, has its connection
    closed; so has a connection on which none begins.
    """

    patience: ClassVar[float] = 300.0
    _watch: asyncio.TimerHandle
    scope: Any = None  # until a first request begins

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(OneWrite(transport, self.loop))  # type: ignore[arg-type]
        self._watch_for(object())

    def connection_lost(self, exc: Exception | None) -> None:
        self._watch.cancel()
        super().connection_lost(exc)

    def _watch_for(self, awaited: object) -> None:
        """Look again later, whether what was awaited still is. One timer for a connection costs a
        request nothing."""
        self._watch = self.loop.call_later(self.patience, self._look, awaited)

    def _look(self, awaited: object) -> None:
        arriving = self._arriving()
        if arriving is awaited:
            self.transport.close()
        else:
            self._watch_for(arriving)

    def _arriving(self) -> object:
        """What tells the request that is not whole yet from all others."""
        cycle: Any = self.cycle  # None until a first head is whole
        whole = cycle is not None and cycle.scope is self.scope and not cycle.more_body
        return object() if whole else self.scope

    def send_400_response(self, msg: str) -> None:
        """What is not HTTP, or has a head that is too large, is refused as all else is: by JSON."""
        body = msgspec.json.encode({"error": msg})
        head = (
            "HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()
