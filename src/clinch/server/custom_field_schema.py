"""`/custom_field_schema/{object_type}/`: all custom fields of a kind of object, in their order.

For what has the fields of its type the path goes on with the type's id.
"""

from clinch.crm.field_schemas import (
    KINDS,
    TYPES,
    Schema,
    put_in_order,
    read_schema,
    read_schema_of_type,
)
from clinch.resources.errors import ApiError, NotFound
from clinch.resources.store import Store
from clinch.resources.write.change import Change
from clinch.resources.write.order import listed_ids
from clinch.resources.write.path import allow
from clinch.server.http import Request, Response, json_response
from clinch.server.resource_routes import read_mode
from clinch.server.routes import (
    DRY_RUN,
    FLAG,
    NO_URL,
    TEXT,
    TIME,
    About,
    Route,
    has,
    or_null,
    several,
)

_FIELD = has(
    ("id", "name", "type", "required", "is_shared"),
    id=TEXT,
    organization_id=TEXT,
    name=TEXT,
    description=or_null(TEXT),
    type=TEXT,
    converting_to_type=or_null(TEXT),
    choices=or_null(several(TEXT)),
    accepts_multiple_values=FLAG,
    editable_with_roles=several(TEXT),
    required=FLAG,
    is_shared=FLAG,
    associations=several({"type": "object"}),
    referenced_custom_type_id=or_null(TEXT),
    back_reference_is_visible=or_null(FLAG),
    created_by=or_null(TEXT),
    updated_by=or_null(TEXT),
    date_created=TIME,
    date_updated=TIME,
)


def custom_field_schema_routes(store: Store) -> list[Route]:
    async def get(request: Request) -> Response:
        return json_response(await _schema(store, request))

    async def put(request: Request) -> Response:
        changes = await _changes(store, request)
        await store.write(
            request.actor, changes, request.provenance, mode=read_mode(request), answer=False
        )
        schema = await _schema(store, request)
        # So they are by now, unless it was only tried.
        listed = list(dict.fromkeys(listed_ids(request.body, "fields") or ()))
        places = {id: place for place, id in enumerate(listed)}
        schema["fields"].sort(key=lambda field: places.get(field["id"], len(places)))
        return json_response(schema)

    of_objects, of_type = "custom_field_schema/{}", "custom_field_schema/{}/{}"
    return [
        Route("GET", of_objects, get, _about("get", "Get the custom fields of objects")),
        Route("PUT", of_objects, put, _about("order", "Put the custom fields of objects in order")),
        Route("GET", of_type, get, _about("get", "Get the custom fields of a type", "type_id")),
        Route("PUT", of_type, put, _about("order", "Put a type's fields in order", "type_id")),
    ]


def _about(verb: str, summary: str, *type_id: str) -> About:
    return About(
        f"{verb}_custom_field_schema" + "_of_type" * len(type_id),
        summary,
        arguments=("object_type", *type_id),
        parameters=(DRY_RUN,) if verb == "order" else (),
        body=has(fields=several(has(("id",), id=TEXT))) if verb == "order" else None,
        answer=has(
            ("name", "object_type", "organization_id", "fields"),
            name=TEXT,
            object_type=TEXT,
            organization_id=TEXT,
            custom_activity_type_id=TEXT,
            custom_object_type_id=TEXT,
            fields=several(_FIELD),
        ),
    )


async def _schema(store: Store, request: Request) -> Schema:
    kind, *type_id = _object_type(request)
    async with store.reading(request.actor) as transaction:
        if not type_id:
            return await read_schema(transaction, request.actor, kind)
        return await read_schema_of_type(transaction, request.actor, store.reads, kind, type_id[0])


async def _changes(store: Store, request: Request) -> list[Change]:
    kind, *type_id = _object_type(request)
    listed = listed_ids(request.body, "fields")
    if type_id:
        body = {"fields": request.body.get("fields")}
        return [Change.update(TYPES[kind], type_id[0], body, trusted=True)]
    allow(request.actor, KINDS[kind], "update")
    if listed is None:
        return []
    async with store.reading(request.actor) as transaction:
        return await put_in_order(transaction, request.actor, store.reads, kind, listed)


def _object_type(request: Request) -> tuple[str, ...]:
    """The word for the objects and, where they are of types, the type's id."""
    kind, *type_id = request.arguments
    if kind not in (TYPES if type_id else KINDS):
        raise ApiError({"error": NO_URL}, 404)
    if type_id and "\x00" in type_id[0]:
        raise NotFound(TYPES[kind].__name__)
    return request.arguments
