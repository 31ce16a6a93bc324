"""The OpenAPI 3.1 document, made from the declarations."""

from collections.abc import Iterable
from typing import Any

from clinch import __version__
from clinch.resources.declaration import Declarations, Operation, Resource
from clinch.resources.fields import BY_REQUEST, Children, Field, Shown
from clinch.search.text import searchable
from clinch.server.resource_routes import DEFAULT_LIMIT, MAX_SKIP
from clinch.server.routes import (
    DRY_RUN,
    EITHER,
    FIELDS,
    FLAG,
    KEY,
    SESSION,
    TEXT,
    About,
    Route,
    has,
    of,
    query,
    several,
)
from clinch.server.session import COOKIE, SignInRoute

Json = dict[str, Any]

_ERROR = {"$ref": "#/components/responses/Error"}
_INVALID = {"$ref": "#/components/responses/Invalid"}
_SEARCH = (
    "The search language: words, status:Potential, created > 2026-01-01, opportunity(value > 100)."
)


def openapi(
    declarations: Declarations, routes: Iterable[Route], beside: Iterable[SignInRoute] = ()
) -> Json:
    """The document: a schema a resource, an operation a route, the errors that both share.

    What a route itself says of its operation goes before what the declaration does. `beside` are
    operations that are not below the API's path.
    """
    paths: dict[str, Json] = {}
    schemas: Json = {}
    for resource in declarations:
        schemas[resource.noun] = _object(declarations, resource)
        schemas[f"{resource.noun}_input"] = _input(resource)
        for operation in resource.operations:
            path, method, described = _operation(resource, operation)
            paths.setdefault(path, {})[method] = described
    for route in routes:
        if route.about is not None:
            path = _path(route, route.about)
            paths.setdefault(path, {})[route.method.lower()] = _described(path, route.about)
    for page in beside:
        if page.about is not None:
            described = _described(page.path, page.about) | {"servers": [{"url": "/"}]}
            paths.setdefault(page.path, {})[page.method.lower()] = described
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Clinch",
            "version": __version__,
            "description": "The REST API of this server. An API key is the user of HTTP Basic;"
            " somebody who has signed in has a session. A write that has the header Idempotency-Key"
            " is done once, however often it is sent within a day.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/api/v1"}],
        "security": _security(EITHER),
        "paths": paths,
        "components": {
            "securitySchemes": {
                KEY: {"type": "http", "scheme": "basic"},
                SESSION: {"type": "apiKey", "in": "cookie", "name": COOKIE},
            },
            "schemas": schemas | _error_schemas(),
            "responses": {
                "Error": _response("What is wrong", {"$ref": "#/components/schemas/Error"}),
                "Invalid": _response(
                    "The request is not acceptable; nothing was changed",
                    {"$ref": "#/components/schemas/Invalid"},
                ),
            },
        },
    }


def _error_schemas() -> Json:
    return {
        "Error": {
            "type": "object",
            "properties": {"error": {"type": "string"}},
            "required": ["error"],
        },
        "Invalid": {
            "type": "object",
            "properties": {
                "error": {"type": "string"},
                "errors": {"type": "array", "items": {"type": "string"}},
                "field-errors": {"type": "object"},
            },
        },
    }


def _object(declarations: Declarations, resource: type[Resource]) -> Json:
    if resource.variants:
        refs = [{"$ref": f"#/components/schemas/{v.noun}"} for v in resource.variants.values()]
        return {"description": (resource.__doc__ or "").strip(), "anyOf": refs}
    fields = [field for field in resource.fields.values() if field.shown]
    return {
        "type": "object",
        "description": (resource.__doc__ or "").strip(),
        "properties": {field.key: _answered(declarations, field) for field in fields},
    }


def _answered(declarations: Declarations, field: Field) -> Json:
    if isinstance(field, Shown):
        schema = field.schema_of(declarations[field.ref.target].fields[field.target_key])
    elif field.stored and field.column in field.resource.only:
        schema = {"const": field.resource.only[field.column]}
    else:
        schema = field.schema()
    return schema | ({} if field.writable in BY_REQUEST else {"readOnly": True})


def _input(resource: type[Resource]) -> Json:
    properties: Json = {}
    for field in resource.fields.values():
        if field.writable not in BY_REQUEST or not field.shown:
            continue
        if isinstance(field, Children):
            items = {"$ref": f"#/components/schemas/{field.target}_input"}
            properties[field.key] = {"type": "array", "maxItems": field.most, "items": items}
        elif field.stored:
            properties[field.key] = field.sent_schema()
    return {"type": "object", "properties": properties}


def _operation(resource: type[Resource], operation: Operation) -> tuple[str, str, Json]:
    of_one = operation in ("get", "update", "delete")
    path = f"/{resource.path}/{{id}}/" if of_one else f"/{resource.path}/"
    schema = of(resource.noun)
    described: Json = {
        "operationId": f"{operation}_{resource.noun}",
        "summary": f"{operation.replace('_', ' ').capitalize()} {resource.noun.replace('_', ' ')}",
        "tags": [resource.noun],
        "parameters": _parameters(resource, operation, of_one),
        "responses": {
            "400": _INVALID,
            "401": _ERROR,
            "403": _ERROR,
            "429": _ERROR,
            "503": _ERROR,
        },
    }
    if operation in ("create", "update", "bulk_update"):
        body = {"$ref": f"#/components/schemas/{resource.noun}_input"}
        described["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": body}},
        }
        described["responses"]["413"] = _ERROR
    if of_one:
        described["responses"]["404"] = _ERROR
    status, answer = {
        "list": (200, _page(resource)),
        "get": (200, schema),
        "create": (resource.create_status, schema),
        "update": (200, schema),
        "bulk_update": (200, has(("ok", "count"), ok=FLAG, count={"type": "integer"})),
        "delete": (resource.delete_status, has()),
    }[operation]
    content = _response("Done", answer) if status != 204 else {"description": "Done"}
    described["responses"][str(status)] = content
    methods = {
        "list": "get",
        "get": "get",
        "create": "post",
        "update": "put",
        "bulk_update": "put",
        "delete": "delete",
    }
    return path, methods[operation], described


def _parameters(resource: type[Resource], operation: Operation, of_one: bool) -> list[Json]:
    found = [FIELDS]
    if of_one:
        id = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
        found.insert(0, id)
    if operation in ("create", "update", "delete"):
        found.append(DRY_RUN)
    if operation == "list":
        limit = {"type": "integer", "minimum": 0, "maximum": resource.max_limit}
        skip = {"type": "integer", "minimum": 0, "maximum": MAX_SKIP}
        found.append(query("_limit", limit | {"default": DEFAULT_LIMIT}, "How many to answer."))
        found.append(query("_skip", skip, "How many to skip."))
        if resource.orders:
            orders = [sign + key for key in resource.orders for sign in ("", "-")]
            found.append(query("_order_by", {"type": "string", "enum": orders}, "The order."))
        if resource.groupings:
            groupings = [sign + key for key in resource.groupings for sign in ("", "-")]
            schema = {"type": "string", "enum": groupings}
            found.append(query("_group_by", schema, "Answer groups, each with its objects."))
    if operation in ("list", "bulk_update"):
        if searchable(resource):
            found.append(query("query", {"type": "string"}, _SEARCH))
        for name, description in resource.list_parameters.items():
            found.append(query(name, {"type": "string"}, description))
        for key, field in (resource.aliases | resource.fields).items():
            for op in field.filters:
                name = key if op == "eq" else f"{key}__{op}"
                one = query(name, {"type": "string"}, f"Only those whose {field.key} fits.")
                needed = name in resource.list_needs
                found.append(one | {"required": True} if needed else one)
    return found


def _page(resource: type[Resource]) -> Json:
    properties: Json = {"data": several(of(resource.noun)), "has_more": FLAG}
    if resource.counted:
        properties["total_results"] = {"type": "integer"}
    return {"type": "object", "properties": properties, "required": ["data", "has_more"]}


def _security(secured: tuple[str, ...]) -> list[Json]:
    return [{scheme: []} for scheme in secured]


def _path(route: Route, about: About) -> str:
    names = (f"{{{name}}}" for name in about.arguments)
    return f"/{route.path}/".replace("{}", "%s") % tuple(names)


def _described(path: str, about: About) -> Json:
    arguments = [
        {"name": name, "in": "path", "required": True, "schema": TEXT} for name in about.arguments
    ]
    done = {"description": "Done"} if about.status == 204 else _response("Done", about.answer)
    described: Json = {
        "operationId": about.name,
        "summary": about.summary,
        "tags": [path.split("/")[1]],
        "parameters": [*arguments, *about.parameters],
        "responses": {
            str(about.status): done,
            "400": _INVALID,
            "401": _ERROR,
            "403": _ERROR,
            "404": _INVALID,
            "429": _ERROR,
            "503": _ERROR,
        },
    }
    if about.secured != EITHER:
        described["security"] = _security(about.secured)
    if about.body is not None:
        content = {"application/json": {"schema": about.body}}
        described["requestBody"] = {"required": True, "content": content}
        described["responses"]["413"] = _ERROR
    return described


def _response(description: str, schema: Json) -> Json:
    return {"description": description, "content": {"application/json": {"schema": schema}}}
