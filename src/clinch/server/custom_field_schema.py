"""`/custom_field_schema/{object_type}/`: all custom fields of a kind of object, in their order."""

from typing import Any

import msgspec

from clinch.crm.custom_fields import KINDS, CustomField
from clinch.resources.errors import ApiError, ValidationError, wrong_type
from clinch.resources.query.read import Page
from clinch.resources.store import Store
from clinch.resources.write.change import Change
from clinch.resources.write.path import allow
from clinch.server.http import Request, Response, json_response
from clinch.server.routes import NO_URL, Route


def custom_field_schema_routes(store: Store) -> list[Route]:
    async def get(request: Request) -> Response:
        return json_response(await _schema(store, request, _kind(request)))

    async def put(request: Request) -> Response:
        kind = _kind(request)
        allow(request.actor, kind, "update")
        first = _listed(request.body)
        known = [field["id"] for field in (await _schema(store, request, kind))["fields"]]
        order = [id for id in dict.fromkeys([*first, *known]) if id in known]
        changes = [
            Change.update(kind, id, {"position": position}, trusted=True)
            for position, id in enumerate(order)
        ]
        await store.write(request.actor, changes, request.provenance, answer=False)
        return json_response(await _schema(store, request, kind))

    path = "custom_field_schema/{}"
    return [Route("GET", path, get), Route("PUT", path, put)]


def _kind(request: Request) -> type[CustomField]:
    try:
        return KINDS[request.arguments[0]]
    except KeyError:
        raise ApiError({"error": NO_URL}, 404) from None


def _listed(body: dict[str, Any]) -> list[str]:
    fields = body.get("fields")
    if not isinstance(fields, list):
        raise ValidationError({"fields": wrong_type("list").problem})
    return [entry["id"] for entry in fields if isinstance(entry, dict) and "id" in entry]


async def _schema(store: Store, request: Request, kind: type[CustomField]) -> dict[str, Any]:
    async with store.reading(request.actor) as transaction:
        page = await store.reads.page(transaction, request.actor, kind, Page(limit=kind.max_limit))
    object_type = kind.only["kind"]
    return {
        "name": object_type.capitalize(),
        "object_type": object_type,
        "organization_id": request.actor.organization,
        "fields": msgspec.json.decode(page)["data"],
    }
