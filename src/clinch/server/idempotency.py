"""The header `Idempotency-Key`: a write that is sent again is not done again, but answered again.

A key is the user's own, and holds for a day. Answers may have secrets in them, such as a new API
key, and are sealed. A refusal is not kept: it did nothing, so the same key may be tried again.
"""

import hashlib
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime

import msgspec

from clinch.db.database import Database, Tenant
from clinch.resources.errors import ApiError, BadRequest
from clinch.resources.once import (
    KEPT,
    LOST,
    Answer,
    Attempt,
    Superseded,
    begin,
    give_up,
    keep_answer,
)
from clinch.resources.store import Store
from clinch.server.http import Request, Response, Stream
from clinch.server.resource_routes import read_mode
from clinch.server.unavailable import UNAVAILABLE
from clinch.vault.vault import Vault

HEADER = b"idempotency-key"
_LONGEST = 255

Handler = Callable[[Request], Awaitable[Response]]


class Idempotency:
    """Carries out requests that have a key, once each."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database, self._vault = database, vault

    def asked_for(self, request: Request) -> bool:
        """Whether a request has a key and is one that changes something."""
        return (
            HEADER in request.headers
            and request.method in ("POST", "PUT", "DELETE")
            and read_mode(request) == "commit"
        )

    async def answer(self, request: Request, handler: Handler) -> Response:
        """What the handler answers, now or when the same was sent before; raises ApiError."""
        key, actor = _key(request), request.actor
        digest = _digest(request)
        async with self._database.tenant(actor.tenant) as transaction:
            found = await begin(
                transaction, actor.organization_id, actor.user_id or "", key, digest, actor.clock()
            )
        if isinstance(found, Attempt):
            return await self._attempt(request, handler, found)
        if found.digest != digest:
            raise ApiError(
                {"error": "This Idempotency-Key was used for another request. Use a new one."}, 422
            )
        if found.sealed_answer is not None:
            return self._open(found.sealed_answer, found.place)
        if found.done:
            raise ApiError(LOST, 409)
        raise Superseded

    async def _attempt(self, request: Request, handler: Handler, attempt: Attempt) -> Response:
        request.attempt = attempt
        tenant = Tenant(request.actor.organization_id)
        try:
            response = await handler(request)
        except BaseException:
            with suppress(*UNAVAILABLE):  # then it is left behind, and may be taken up in a minute
                async with self._database.tenant(tenant) as transaction:
                    await give_up(transaction, attempt)
            raise
        if not isinstance(response.body, Stream):
            answer = Answer(response.status, response.content_type, response.body, response.headers)
            sealed = self._vault.seal(answer.packed(), attempt.place)
            async with self._database.tenant(tenant) as transaction:
                await keep_answer(transaction, attempt, sealed)
        return response

    def _open(self, sealed: bytes, place: str) -> Response:
        answer = msgspec.msgpack.decode(self._vault.open(sealed, place), type=Answer)
        headers = [*answer.headers, (b"idempotent-replayed", b"true")]
        return Response(answer.body, answer.status, headers, answer.kind)


async def forget_keys(store: Store, now: datetime) -> bool:
    """Remove some of the keys whose day is over; whether there may be more."""
    async with store.database.everyone() as transaction:
        found = await transaction.rows(
            "select distinct o.organization_id::text from once o where o.begun_at < $1 limit 100",
            now - KEPT,
        )
    for row in found:
        async with store.database.tenant(Tenant(row[0])) as transaction:
            await transaction.execute(
                "delete from once o where o.organization_id = $1 and o.begun_at < $2", row[0],
                now - KEPT,
            )  # fmt: skip
    return len(found) == 100


def _key(request: Request) -> str:
    key = request.headers[HEADER].decode("latin-1").strip()
    if not key or len(key) > _LONGEST or not key.isprintable():
        raise BadRequest(f"An Idempotency-Key has 1 to {_LONGEST} printable characters.")
    return key


def _digest(request: Request) -> bytes:
    """What makes two requests the same."""
    said = (request.method, request.path, request.parameters, request.body)
    return hashlib.sha256(msgspec.json.encode(said, order="deterministic")).digest()
