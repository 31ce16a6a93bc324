"""Sending a request to an app elsewhere, and again where that can do no harm.

Only what reads is sent again: where the app was not reached, was in trouble for the moment, or
asked for a pause that is short. For each connection a budget bounds it, so that an app in trouble
does not get many more requests by that.
"""

import asyncio
import random
from collections import OrderedDict
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlencode

from clinch.gateway.api import ApiRequest, Pairs
from clinch.gateway.errors import ConnectionFailed
from clinch.outbound.guard import OutboundRefused
from clinch.outbound.http import Arriving, Body, Client, Unreachable

_TRIES = 3
_AGAIN = frozenset({429, 502, 503, 504})
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 5.0
# Of a connection's requests so many more may be repetitions, and so many at first.
_SHARE, _BURST = 0.2, 5.0
_REMEMBERED = 10_000


class Sender:
    """Sends requests to apps by the client."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._budgets: OrderedDict[str, float] = OrderedDict()

    async def send(
        self, connection_id: str, base_url: str, request: ApiRequest, *, reads: bool
    ) -> Arriving:
        """The app's answer, as soon as it begins; raises ConnectionFailed where none does. `reads`
        is whether the request changes nothing, so that it may be sent again."""
        url = _url(base_url, request)
        self._earn(connection_id)
        for tried in range(1, _TRIES + 1):
            failure: Unreachable | None = None
            answer: Arriving | None = None
            try:
                answer = await self._client.open(
                    request.method, url, request.headers, _body(request)
                )
            except OutboundRefused:
                raise ConnectionFailed("The app's address is not one to connect to.") from None
            except Unreachable as error:
                failure = error
            pause = _pause(answer, tried)
            again = answer is None or answer.status in _AGAIN
            if not (reads and again and pause is not None and tried < _TRIES):
                break
            if not self._spend(connection_id):
                break
            if answer is not None:
                answer.close()
            await asyncio.sleep(pause)
        if answer is None:
            raise ConnectionFailed(
                f"The app gave no answer. {failure}", sent=bool(failure and failure.sent)
            )
        return answer

    def _earn(self, id: str) -> None:
        self._budgets[id] = min(_BURST, self._budgets.pop(id, _BURST) + _SHARE)
        if len(self._budgets) > _REMEMBERED:
            self._budgets.popitem(last=False)

    def _spend(self, id: str) -> bool:
        left = self._budgets.get(id, 0.0)
        if left < 1:
            return False
        self._budgets[id] = left - 1
        return True


def _url(base_url: str, request: ApiRequest) -> str:
    path, mark, query = request.path.partition("?")
    asked = "&".join(filter(None, (query if mark else "", urlencode(request.query))))
    return f"{base_url.rstrip('/')}/{path.lstrip('/')}" + (f"?{asked}" if asked else "")


def _body(request: ApiRequest) -> Body:
    return request.body if request.rest is None else _all_of(request.body or b"", request.rest)


async def _all_of(begun: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield begun
    async for piece in rest:
        yield piece


def _pause(answer: Arriving | None, tried: int) -> float | None:
    """How long to wait before the next try, in seconds; None where the app wants more than that."""
    asked = retry_after(answer.headers) if answer is not None else None
    if asked is not None:
        return asked if asked <= _LONGEST_PAUSE else None
    return random.uniform(0, min(_LONGEST_PAUSE, _FIRST_PAUSE * 2**tried))  # noqa: S311


def retry_after(headers: Pairs) -> float | None:
    """How many seconds an answer asks to wait, by a number or a date; None where it says nothing
    that can be read."""
    text = next((value for name, value in headers if name.lower() == "retry-after"), "")
    if text.strip().isdigit():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
