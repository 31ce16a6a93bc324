"""One run of an action: the requests that it makes, what it looks up, what it tells beside."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from clinch.gateway.actions.errors import ActionError
from clinch.gateway.actions.exchange import Exchange, exchange_of
from clinch.gateway.actions.refusals import refusal
from clinch.gateway.api import Api, ApiAnswer, ApiRequest, Pairs

AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How to run an action.

    With `dry_run` a write does everything and changes nothing, which takes an app that
    `can_dry_run`: this server. `clock` gives the time; only days in a time zone ask for it.
    """

    clock: Callable[[], datetime]
    dry_run: bool = False
    can_dry_run: bool = False


@dataclass(slots=True)
class Run:
    """What the functions of an action work with. `names` are the inputs by the API's properties,
    so that a refusal can name the input. `foreign` are records that are shown, by their identity,
    with the fields of theirs that came from outside."""

    api: Api
    options: RunOptions
    names: dict[str, str] = field(default_factory=dict)
    headers: Pairs = ()
    warnings: list[str] = field(default_factory=list)
    exchanges: list[Exchange] = field(default_factory=list)
    foreign: dict[int, tuple[dict[str, Any], tuple[str, ...]]] = field(default_factory=dict)
    _looked_up: dict[str, asyncio.Task[Any]] = field(default_factory=dict)
    _slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    async def get(self, path: str, query: Pairs = (), seeks: str | None = None) -> Any:
        """What the app answers; `seeks` is the noun of the one object at the path."""
        return await self._send(ApiRequest("GET", path, query), seeks)

    async def write(
        self, method: str, path: str, body: Any = None, seeks: str | None = None
    ) -> Any:
        """Change something, or in a dry run only try to; the app's answer, None if empty."""
        headers: Pairs = ()
        if body is not None:
            headers = (("content-type", "application/json"),)
        query: Pairs = (("_dry_run", "true"),) if self.options.dry_run else ()
        sent = None if body is None else msgspec.json.encode(body)
        return await self._send(ApiRequest(method, path, query, headers, sent), seeks)

    async def once(self, name: str, look_up: Callable[[], Awaitable[Any]]) -> Any:
        """What `look_up` finds; asked for at most once a run, under a name."""
        if name not in self._looked_up:
            self._looked_up[name] = asyncio.ensure_future(look_up())
        return await self._looked_up[name]

    async def close(self) -> None:
        """End what is still being looked up."""
        for task in self._looked_up.values():
            task.cancel()
        await asyncio.gather(*self._looked_up.values(), return_exceptions=True)

    async def _send(self, request: ApiRequest, seeks: str | None) -> Any:
        request = ApiRequest(
            request.method,
            request.path,
            request.query,
            (("accept", "application/json"), *self.headers, *request.headers),
            request.body,
        )
        async with self._slots:
            answer: ApiAnswer | None = None
            try:
                answer = await self.api(request)
            finally:
                self.exchanges.append(exchange_of(request, answer))
        if answer.status >= 400:
            raise refusal(answer, seeks, self.names)
        if not answer.body.strip():
            return None
        try:
            return msgspec.json.decode(answer.body)
        except msgspec.DecodeError:
            raise ActionError(
                "The app did not answer with JSON.",
                "Check the base URL of the connection.",
                status=502,
            ) from None
