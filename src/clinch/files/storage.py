"""The content of files: written and read in parts, so that no file is ever whole in memory.

These two functions are all that knows where the content is. Each part has a transaction of its own:
who sends or fetches slowly holds no connection meanwhile.
"""

from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from clinch.db.database import Database, Tenant
from clinch.files.images import image_type
from clinch.resources.errors import ApiError, BadRequest
from clinch.resources.files import TEMPORARY_FOR

PART = 1 << 20
"""The bytes of a part; all but the last have so many."""


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file that is to be written. It may have `max_size` bytes."""

    id: str
    user_id: str
    filename: str
    content_type: str
    max_size: int


def too_large(max_size: int) -> ApiError:
    return ApiError({"error": f"The file is larger than {max_size} bytes."}, 413)


async def write_file(
    database: Database,
    tenant: Tenant,
    file: NewFile,
    pieces: AsyncIterator[bytes],
    now: datetime,
) -> None:
    """Write a file as its content comes; it is there once all of it is.

    Raises ApiError, CredentialChanged, and whatever `pieces` raises: then nothing of it is left, or
    is swept where even that failed.
    """
    await _begin(database, tenant, file, now)
    try:
        size, kind = 0, None
        async for number, part in _parts(pieces, file.max_size):
            kind = image_type(part) if number == 0 else kind
            size += len(part)
            async with database.tenant(tenant) as transaction:
                await transaction.execute(
                    "insert into file_part (organization_id, file_id, number, content)"
                    " values ($1, $2, $3, $4)",
                    tenant.organization_id,
                    file.id,
                    number,
                    part,
                )
        async with database.tenant(tenant) as transaction:
            await transaction.execute(
                "update file set size = $3, image_type = $4 where organization_id = $1 and id = $2",
                tenant.organization_id,
                file.id,
                size,
                kind,
            )
    except BaseException:
        with suppress(Exception):
            await _discard(database, Tenant(tenant.organization_id), file.id)
        raise


async def read_file(
    database: Database, tenant: Tenant, id: str, first: int, last: int
) -> AsyncIterator[bytes]:
    """The bytes of a file from `first` to `last`, both included, a part a time."""
    for number in range(first // PART, last // PART + 1):
        begin = max(first - number * PART, 0)
        end = min(last + 1 - number * PART, PART)
        async with database.tenant(tenant) as transaction:
            part: bytes = await transaction.value(
                "select substring(p.content from $4::int for $5::int) from file_part p"
                " where p.organization_id = $1 and p.file_id = $2 and p.number = $3",
                tenant.organization_id,
                id,
                number,
                begin + 1,
                end - begin,
            )
        yield part


async def _parts(pieces: AsyncIterator[bytes], max_size: int) -> AsyncIterator[tuple[int, bytes]]:
    """The content as numbered parts, from pieces of any length; raises ApiError 413."""
    waiting, number, size = bytearray(), 0, 0
    async for piece in pieces:
        size += len(piece)
        if size > max_size:
            raise too_large(max_size)
        waiting += piece
        while len(waiting) >= PART:
            yield number, bytes(waiting[:PART])
            del waiting[:PART]
            number += 1
    if waiting:
        yield number, bytes(waiting)


async def _begin(database: Database, tenant: Tenant, file: NewFile, now: datetime) -> None:
    try:
        async with database.tenant(tenant) as transaction:
            await transaction.execute(
                "insert into file (organization_id, id, user_id, filename, content_type,"
                " uploaded_at, kept_until) values ($1, $2, $3, $4, $5, $6, $7)",
                tenant.organization_id,
                file.id,
                file.user_id,
                file.filename,
                file.content_type,
                now,
                now + TEMPORARY_FOR,
            )
    except asyncpg.UniqueViolationError:
        raise BadRequest("This file was uploaded already, or is being sent just now.") from None


async def _discard(database: Database, tenant: Tenant, id: str) -> None:
    async with database.tenant(tenant) as transaction:
        for statement in (
            "delete from file_part where organization_id = $1 and file_id = $2",
            "delete from file where organization_id = $1 and id = $2",
        ):
            await transaction.execute(statement, tenant.organization_id, id)
