"""Who may read a file: its user while it is fresh, and who is answered an object that holds it."""

import re
from dataclasses import dataclass
from typing import Any

import msgspec

from clinch.db.database import Transaction
from clinch.resources.actor import Actor, OperationClass
from clinch.resources.declaration import Resource
from clinch.resources.errors import Forbidden, NotFound
from clinch.resources.files import PREFIX, TEMPORARY_FOR, persisted_path
from clinch.resources.store import Store
from clinch.resources.write.path import allow

_ID = re.compile(rf"{PREFIX}_[0-9A-Za-z]{{22}}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Found:
    """A file that may be read; `image_type` where it is an image that a browser may show."""

    id: str
    filename: str
    size: int
    image_type: str | None


async def find_temporary(store: Store, actor: Actor, user_id: str, id: str) -> Found:
    """A file that the actor has uploaded within the last day; raises NotFound."""
    if OperationClass.READ not in actor.grant:
        raise Forbidden(f"This grant does not allow {OperationClass.READ} operations.")
    if user_id != actor.user_id or not _ID.fullmatch(id):
        raise NotFound("File")
    async with store.reading(actor) as transaction:
        rows = await transaction.rows(
            "select f.id, f.filename, f.size, f.image_type from file f where f.organization_id = $1"
            " and f.id = $2 and f.user_id = $3 and f.size is not null and f.uploaded_at > $4",
            actor.organization_id,
            id,
            user_id,
            actor.clock() - TEMPORARY_FOR,
        )
    if not rows:
        raise NotFound("File")
    return Found(*rows[0])


async def find_persisted(
    store: Store, actor: Actor, organization: str, object_type: str, object_id: str, id: str
) -> Found:
    """A file that an object holds, as the actor is answered the object; raises NotFound, Forbidden.

    So whoever may not see the object, or its list of files, does not get them.
    """
    resource = next((r for r in store.declared if _holds(r, object_type)), None)
    known = organization == actor.organization and "\x00" not in object_id and _ID.fullmatch(id)
    if resource is None or not known:
        raise NotFound("File")
    allow(actor, resource, "get")
    keys = tuple(field.key for field in resource.file_lists)
    async with store.reading(actor) as transaction:
        answer = await store.reads.get(transaction, actor, resource, object_id, keys)
        lists = msgspec.json.decode(answer, type=dict[str, list[dict[str, Any]]])
        place = store.declared.public_url + persisted_path(organization, object_type, object_id)
        for entry in (entry for entries in lists.values() for entry in entries):
            if str(entry["url"]).startswith(f"{place}{id}/"):
                return await _file(transaction, actor, id, str(entry["filename"]))
    raise NotFound("File")


def _holds(resource: type[Resource], object_type: str) -> bool:
    return bool(resource.file_lists) and resource.event_type() == object_type


async def _file(transaction: Transaction, actor: Actor, id: str, filename: str) -> Found:
    [row] = await transaction.rows(
        "select f.size, f.image_type from file f where f.organization_id = $1 and f.id = $2",
        actor.organization_id,
        id,
    )
    return Found(id, filename, row["size"], row["image_type"])
