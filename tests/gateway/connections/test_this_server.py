"""Calls of this very server: bodies come as they are read, answers are taken as they are sent."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from clinch.gateway.api import ApiRequest
from clinch.gateway.connections.this_server import Asgi, call_this_server
from clinch.outbound.http import Arriving, Unreachable

BASE = "https://crm.example/api/v1"
START = {"type": "http.response.start", "status": 200, "headers": [(b"x-one", b"1")]}


def piece(body: bytes, *, more: bool = True) -> dict[str, Any]:
    return {"type": "http.response.body", "body": body, "more_body": more}


async def call(app: Asgi, request: ApiRequest | None = None) -> Arriving:
    return await call_this_server(app, BASE, request or ApiRequest("GET", "/me/?a=b"))


async def test_an_ordinary_request_is_seen() -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.extend((scope, await receive()))
        await send(START)
        await send(piece(b"done", more=False))

    request = ApiRequest("POST", "/a%2Fb/?q=1", (("r", "2"),), (("X-Two", "2"),), b"body")
    answer = await (await call(app, request)).whole()
    assert (answer.status, answer.headers, answer.body) == (200, (("x-one", "1"),), b"done")
    scope, message = seen
    assert (scope["path"], scope["raw_path"]) == ("/api/v1/a/b/", b"/api/v1/a%2Fb/")
    assert (scope["query_string"], scope["scheme"]) == (b"q=1&r=2", "https")
    assert scope["headers"] == [
        (b"host", b"crm.example"),
        (b"x-two", b"2"),
        (b"content-length", b"4"),
    ]
    assert message == {"type": "http.request", "body": b"body", "more_body": False}


async def test_pieces_are_taken_one_by_one() -> None:
    sent = 0

    async def app(scope: Any, receive: Any, send: Any) -> None:
        nonlocal sent
        await send(START)
        while sent < 100:
            await send(piece(b"x"))
            sent += 1
        await send(piece(b"", more=False))

    answer = await call(app)
    assert await anext(answer.pieces) == b"x"
    await asyncio.sleep(0.01)
    assert sent < 5
    assert len((await answer.whole()).body) == 99


async def test_a_body_is_read_as_it_comes() -> None:
    read = asyncio.Event()

    async def rest() -> AsyncIterator[bytes]:
        yield b"two"
        await asyncio.wait_for(read.wait(), 5)
        yield b"three"

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert b"content-length" not in dict(scope["headers"])
        messages = [await receive(), await receive()]
        read.set()
        while messages[-1]["more_body"]:
            messages.append(await receive())
        await send(START)
        await send(piece(b",".join(one["body"] for one in messages), more=False))

    answer = await call(app, ApiRequest("POST", "/", body=b"one", rest=rest()))
    assert (await answer.whole()).body == b"one,two,three,"


async def test_what_breaks_off_never_looks_whole() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        await send(piece(b"part"))

    with pytest.raises(Unreachable):
        await (await call(app)).whole()

    async def silent(scope: Any, receive: Any, send: Any) -> None:
        pass

    with pytest.raises(Unreachable):
        await call(silent)

    async def failing(scope: Any, receive: Any, send: Any) -> None:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        await call(failing)


async def test_who_hangs_up_ends_it() -> None:
    ended = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            if scope["path"].endswith("/events/"):
                await send(START)
            await asyncio.sleep(60)
        finally:
            ended.set()

    (await call(app, ApiRequest("GET", "/events/"))).close()
    await asyncio.wait_for(ended.wait(), 5)
    ended.clear()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(call(app), 0.05)
    await asyncio.wait_for(ended.wait(), 5)
