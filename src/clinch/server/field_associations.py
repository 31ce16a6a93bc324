"""`/custom_field/shared/{id}/association/`: which objects have a shared field, and how.

An association is named by the kind of objects and, where they are of types, by the type:
`association/lead/`, `association/custom_activity_type/{id}/`.
"""

from dataclasses import replace
from typing import Any

import msgspec

from clinch.crm.shared_fields import CustomFieldAssociation, SharedCustomField
from clinch.resources.errors import NotFound
from clinch.resources.query.read import Page
from clinch.resources.query.tree import And, Equal
from clinch.resources.store import Store
from clinch.resources.write.change import Change
from clinch.server.http import Request, Response, json_response
from clinch.server.resource_routes import object_id, read_mode
from clinch.server.routes import DRY_RUN, TEXT, About, Handler, Route, has

_TYPE_IDS = ("custom_activity_type_id", "custom_object_type_id")
_SHOWN = ("object_type", *_TYPE_IDS, "editable_with_roles", "required")


_ASSOCIATION = has(
    ("object_type", "editable_with_roles", "required"),
    object_type=TEXT,
    custom_activity_type_id=TEXT,
    custom_object_type_id=TEXT,
    editable_with_roles={"type": "array", "items": TEXT},
    required={"type": "boolean"},
)
_CREATE = About(
    "create_association",
    "Give a shared field to objects",
    arguments=("id",),
    parameters=(DRY_RUN,),
    body=_ASSOCIATION | {"required": ["object_type"]},
    status=201,
    answer=_ASSOCIATION,
)


def _about(verb: str, summary: str) -> About:
    settings = {key: _ASSOCIATION["properties"][key] for key in ("editable_with_roles", "required")}
    return About(
        f"{verb}_association",
        summary,
        arguments=("id", "object_type"),
        parameters=(DRY_RUN,) if verb != "get" else (),
        body=has(**settings) if verb == "update" else None,
        status=204 if verb == "delete" else 200,
        answer=_ASSOCIATION,
    )


def field_association_routes(store: Store) -> list[Route]:
    associations = _Associations(store)
    operations: list[tuple[str, Handler, About]] = [
        ("GET", associations.get, _about("get", "What a shared field is to objects")),
        ("PUT", associations.update, _about("update", "Change what a shared field is to objects")),
        ("DELETE", associations.delete, _about("delete", "Take a shared field from objects")),
    ]
    of_field = "custom_field/shared/{}"
    routes = [Route("POST", f"{of_field}/association", associations.create, _CREATE)]
    for method, handler, about in operations:
        place = f"{of_field}/association/{{}}"
        of_type = replace(
            about, name=f"{about.name}_of_type", arguments=(*about.arguments, "type_id")
        )
        routes += [
            Route(method, place, handler, about),
            Route(method, f"{place}/{{}}", handler, of_type),
        ]
    # As older clients do it.
    routes.append(
        Route("POST", f"{of_field}/custom_activity_type", associations.create_of_activities)
    )
    return routes + [
        Route(route.method, route.path.replace("custom_field", "custom_fields", 1), route.handler)
        for route in routes
    ]


class _Associations:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def create(self, request: Request) -> Response:
        field_id = await self._field_id(request)
        body = request.body | {CustomFieldAssociation.custom_field.key: field_id}
        made = await self._write(request, Change.create(CustomFieldAssociation, body))
        place = "/".join(made[key] for key in ("object_type", *_TYPE_IDS) if key in made)
        location = f"/api/v1/{SharedCustomField.path}/{field_id}/association/{place}/"
        response = json_response(made, 201)
        response.headers.append((b"location", location.encode()))
        return response

    async def create_of_activities(self, request: Request) -> Response:
        request.body["object_type"] = "custom_activity_type"
        return await self.create(request)

    async def get(self, request: Request) -> Response:
        return json_response(_shown(await self._find(request)))

    async def update(self, request: Request) -> Response:
        id = (await self._find(request))["id"]
        change = Change.update(CustomFieldAssociation, id, request.body)
        return json_response(await self._write(request, change))

    async def delete(self, request: Request) -> Response:
        change = Change.delete(CustomFieldAssociation, (await self._find(request))["id"])
        await self._store.write(
            request.actor, [change], request.provenance, mode=read_mode(request), answer=False
        )
        return Response(b"", 204)

    async def _field_id(self, request: Request) -> str:
        """The id of the shared field in the path; raises NotFound."""
        id = object_id(SharedCustomField, request)
        async with self._store.reading(request.actor) as transaction:
            await self._store.reads.get(transaction, request.actor, SharedCustomField, id, ("id",))
        return id

    async def _find(self, request: Request) -> dict[str, Any]:
        """The association that the path names; raises NotFound."""
        field_id, object_type, *type_id = request.arguments
        typed = f"{object_type}_id" in _TYPE_IDS
        if typed != bool(type_id) or any("\x00" in argument for argument in request.arguments):
            raise NotFound(CustomFieldAssociation.__name__)
        fields = CustomFieldAssociation.fields
        nodes = [
            Equal(fields["custom_field_id"], field_id),
            Equal(fields["object_type"], object_type),
            *(Equal(fields[f"{object_type}_id"], id) for id in type_id),
        ]
        page = Page(And(tuple(nodes)), limit=1, keys=("id", *_SHOWN))
        async with self._store.reading(request.actor) as transaction:
            found = await self._store.reads.page(
                transaction, request.actor, CustomFieldAssociation, page
            )
        for association in msgspec.json.decode(found)["data"]:
            return dict(association)
        raise NotFound(CustomFieldAssociation.__name__)

    async def _write(self, request: Request, change: Change) -> dict[str, Any]:
        [written] = await self._store.write(
            request.actor,
            [change],
            request.provenance,
            mode=read_mode(request),
            answer=_SHOWN,
        )
        return _shown(msgspec.json.decode(written.body))


def _shown(association: dict[str, Any]) -> dict[str, Any]:
    """The association as its field shows it, too: without the types that it is not about."""
    return {key: association[key] for key in _SHOWN if association[key] is not None}
