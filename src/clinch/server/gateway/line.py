"""The line to a caller whose request is passed on: what still comes in over it, and its end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from types import TracebackType

from clinch.resources.errors import ApiError, BadRequest
from clinch.server.http import MAX_BODY, Headers, Receive

LARGEST_BODY = 100_000_000


class Line(AbstractAsyncContextManager["Line"]):
    """The line of one request. What is done inside is ended when the caller hangs up, once `body`
    has read what they sent, or from `listen` on; `gone` is whether they did."""

    def __init__(self, headers: Headers, receive: Receive) -> None:
        self._headers, self.receive = headers, receive
        self._work: asyncio.Task[object] | None = None
        self._watch: asyncio.Task[None] | None = None
        self._open = True
        self.gone = False

    async def __aenter__(self) -> "Line":
        self._work = asyncio.current_task()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> bool:
        self._open = False
        if self._watch is not None:
            self._watch.cancel()
        if self._work is None or not self.gone or kind is not asyncio.CancelledError:
            return False
        return self._work.uncancel() == 0  # or else somebody wants more than the work ended

    async def body(self) -> tuple[bytes | None, AsyncIterator[bytes] | None]:
        """The body if it is small, None where the request has none. Of a large one, how it begins
        and what is still to come, which raises ApiError where that is too much.

        Raises ApiError.
        """
        declared = self._headers.get(b"content-length", b"")
        if not declared and b"transfer-encoding" not in self._headers:
            self.listen()
            return None, None
        length = int(declared) if declared.isdigit() else 0
        if length > LARGEST_BODY:
            raise _too_large()
        begun, more = b"", True
        while more and max(length, len(begun)) <= MAX_BODY:
            piece, more = await self._next()
            begun += piece
        if more:
            return begun, self._rest(len(begun))
        self.listen()
        return begun, None

    async def _rest(self, length: int) -> AsyncIterator[bytes]:
        more = True
        try:
            while more:
                piece, more = await self._next()
                length += len(piece)
                if length > LARGEST_BODY:
                    raise _too_large()
                yield piece
        except BadRequest:
            self._hang_up()
            raise
        finally:
            self.listen()

    async def _next(self) -> tuple[bytes, bool]:
        """The next piece of the body, and whether there is more."""
        message = await self.receive()
        if message["type"] == "http.disconnect":
            raise BadRequest("The connection was closed before the request was complete.")
        return bytes(message.get("body", b"")), message.get("more_body", False)

    def listen(self) -> None:
        """Take in nothing more but the end."""
        if self._open and not self.gone:
            self._watch = asyncio.create_task(self._until_gone())

    async def _until_gone(self) -> None:
        while (await self.receive())["type"] != "http.disconnect":
            pass
        self._hang_up()

    def _hang_up(self) -> None:
        if self._open and self._work is not None:
            self.gone = True
            self._work.cancel()


def _too_large() -> ApiError:
    return ApiError({"error": f"The request is larger than {LARGEST_BODY} bytes."}, 413)
