"""The endpoints that every resource has: list, get, create, update, delete."""

import re
from collections.abc import Iterator
from functools import partial

import msgspec

from clinch.identity.groups import names_groups, of_users
from clinch.resources.actor import Actor
from clinch.resources.custom_fields import CustomFields
from clinch.resources.declaration import Resource
from clinch.resources.errors import (
    REQUIRED,
    ApiError,
    BadRequest,
    Forbidden,
    Invalid,
    NotFound,
    ValidationError,
)
from clinch.resources.fields import Field, Ref
from clinch.resources.query.definitions import custom_values
from clinch.resources.query.read import Keys, Page
from clinch.resources.query.tree import EVERYTHING, And, Equal, In, Node, Range, Related
from clinch.resources.store import Store
from clinch.resources.visibility import LEAD
from clinch.resources.write.change import Change
from clinch.resources.write.path import Mode, Written, allow
from clinch.search.custom_terms import find_custom
from clinch.search.text import Search, UnknownName, named_fields, parse, searchable
from clinch.server.http import Request, Response, Several, json_response
from clinch.server.routes import Handler, Route

MAX_SKIP = 250_000
DEFAULT_LIMIT = 100
MOST_AT_ONCE = 1000

_LEAD_QUERY = "lead_query"
_CUSTOM = re.compile(r"custom\.\w{1,80}", re.ASCII)
_INTEGER = re.compile(r"[+-]?\d+", re.ASCII)


class ResourceRoutes:
    """Makes the routes of a resource out of its declaration."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def routes(self, resource: type[Resource]) -> Iterator[Route]:
        endpoints = {
            "list": ("GET", resource.path, self._list),
            "create": ("POST", resource.path, self._create),
            "get": ("GET", f"{resource.path}/{{}}", self._get),
            "bulk_update": ("PUT", resource.path, self._bulk_update),
            "update": ("PUT", f"{resource.path}/{{}}", self._update),
            "delete": ("DELETE", f"{resource.path}/{{}}", self._delete),
        }
        for operation in resource.operations:
            method, path, endpoint = endpoints[operation]
            handler: Handler = partial(endpoint, resource)
            yield Route(method, path, handler)
            for other in resource.also_at:
                yield Route(method, path.replace(resource.path, other, 1), handler)

    async def _list(self, resource: type[Resource], request: Request) -> Response:
        allow(request.actor, resource, "list")
        search = await self._search(resource, request)
        page = read_page(resource, request.parameters, request.actor, search)
        return Response(await self._store.page(request.actor, resource, page))

    async def _get(self, resource: type[Resource], request: Request) -> Response:
        allow(request.actor, resource, "get")
        keys = read_keys(resource, request.parameters.get("_fields"))
        id = object_id(resource, request)
        return Response(await self._store.get(request.actor, resource, id, keys))

    async def _create(self, resource: type[Resource], request: Request) -> Response:
        written = await self._write(resource, request, Change.create(resource, request.body))
        response = Response(written.body, resource.create_status)
        if resource.create_status == 201:
            location = f"/api/v1/{resource.path}/{written.id}/"
            response.headers.append((b"location", location.encode()))
        return response

    async def _update(self, resource: type[Resource], request: Request) -> Response:
        change = Change.update(resource, object_id(resource, request), request.body)
        return Response((await self._write(resource, request, change)).body)

    async def _bulk_update(self, resource: type[Resource], request: Request) -> Response:
        """Change every object that fits the list filters, or none of them."""
        allow(request.actor, resource, "bulk_update")
        allow(request.actor, resource, "list")
        page = Page(
            both(
                read_filters(resource, request.parameters, request.actor),
                (await self._search(resource, request)).where,
            ),
            limit=MOST_AT_ONCE + 1,
            keys=("id",),
            total=False,
        )
        found = await self._store.page(request.actor, resource, page)
        ids = [entry["id"] for entry in msgspec.json.decode(found)["data"]]
        if len(ids) > MOST_AT_ONCE:
            text = f"It's not allowed to update more than {MOST_AT_ONCE} objects at once"
            raise ApiError({"errors": [text]})
        changes = [Change.update(resource, id, request.body) for id in ids]
        await self._store.write(
            request.actor, changes, request.provenance, mode=read_mode(request), answer=False
        )
        return json_response({"ok": True, "count": len(ids)})

    async def _delete(self, resource: type[Resource], request: Request) -> Response:
        change = Change.delete(resource, object_id(resource, request))
        await self._write(resource, request, change)
        return Response(b"" if resource.delete_status == 204 else b"{}", resource.delete_status)

    async def _search(self, resource: type[Resource], request: Request) -> Search:
        """What the parameter `query` asks for, of resources that take one, and `lead_query` of
        those that say so; raises BadRequest."""
        search = await self._read_search(resource, request, "query")
        lead = next((ref for ref in resource.refs if ref.target == LEAD), None)
        if lead is None or _LEAD_QUERY not in resource.list_parameters:
            return search
        leads = await self._read_search(self._store.declared[LEAD], request, _LEAD_QUERY)
        if leads.where == EVERYTHING:
            return search
        return Search(both(search.where, Related(lead, leads.where)), search.order)

    async def _read_search(
        self, resource: type[Resource], request: Request, parameter: str
    ) -> Search:
        """What a parameter asks for; custom fields are read only where the text has a name that
        nothing else has."""
        text = request.parameters.get(parameter, "")
        if not text or not searchable(resource):
            return Search()
        try:
            return parse(text, resource, request.actor)
        except UnknownName:
            async with self._store.reading(request.actor) as transaction:
                fields = await custom_values(
                    transaction, self._store.declared, request.actor, named_fields(text)
                )
        return parse(text, resource, request.actor, partial(find_custom, fields))

    async def _write(self, resource: type[Resource], request: Request, change: Change) -> Written:
        keys = read_keys(resource, request.parameters.get("_fields"))
        [written] = await self._store.write(
            request.actor,
            [change],
            request.provenance,
            mode=read_mode(request),
            answer=False if change.kind == "delete" else keys,
        )
        return written


def read_mode(request: Request) -> Mode:
    """Whether a write is only tried, which `_dry_run` asks for."""
    wanted = request.parameters.get("_dry_run", "").lower() not in ("", "0", "false")
    return "dry_run" if wanted else "commit"


def refuse_dry_run(request: Request) -> None:
    """Raise BadRequest for what is asked to be tried, and cannot be."""
    if read_mode(request) == "dry_run":
        raise BadRequest("This cannot be tried without doing it: leave out _dry_run.")


def object_id(resource: type[Resource], request: Request) -> str:
    """The id in the path; raises NotFound for one that no object can have."""
    id = request.arguments[0]
    if "\x00" in id:
        raise NotFound(resource.called)
    return id


def read_page(
    resource: type[Resource], parameters: dict[str, str], actor: Actor, search: Search
) -> Page:
    """What a list's parameters ask for; raises BadRequest. Names that mean nothing are ignored."""
    limit = _number(parameters, "_limit", DEFAULT_LIMIT)
    skip = _number(parameters, "_skip", 0)
    if limit > resource.max_limit:
        raise BadRequest(
            "The limit you set is larger than the maximum limit for this resource"
            f" (max_limit = {resource.max_limit})."
        )
    if skip > MAX_SKIP:
        raise BadRequest(
            "The skip you set is larger than the maximum skip for this resource"
            f" (max_skip = {MAX_SKIP}).\nPlease refine your search query."
        )
    order = parameters.get("_order_by", "")
    known = order.removeprefix("-") in resource.orders
    grouping = _grouping(resource, parameters)
    return Page(
        where=both(read_filters(resource, parameters, actor), search.where),
        order=order if known else search.order,
        skip=skip,
        limit=limit,
        keys=_listed(resource, parameters),
        total=parameters.get("_total") not in ("0", "false"),
        group=resource.groupings.get(grouping.removeprefix("-")),
        groups_descend=grouping.startswith("-"),
    )


def _listed(resource: type[Resource], parameters: dict[str, str]) -> Keys:
    """The fields that a list answers: those that `_fields` names, or that are not left out."""
    keys = read_keys(resource, parameters.get("_fields"))
    answered = resource.answered()
    left_out = {key for key, field in answered.items() if not field.listed}
    if keys is None:
        left_out |= resource.left_out(parameters)
    if not left_out:
        return keys
    if keys is None:
        keys = tuple(key for key, field in answered.items() if not field.optional)
    return tuple(key for key in keys if key not in left_out)


def _grouping(resource: type[Resource], parameters: dict[str, str]) -> str:
    """The key to group by, `-` before one that descends; "" for none."""
    grouping = parameters.get("_group_by", "") if resource.groupings else ""
    if grouping and grouping.removeprefix("-") not in resource.groupings:
        words = ", ".join(resource.groupings)
        raise BadRequest(f'_group_by must be one of {words} (got "{grouping[:100]}" instead).')
    return grouping


def _number(parameters: dict[str, str], name: str, default: int) -> int:
    text = parameters.get(name)
    if text is None or text == "":
        return default
    if not _INTEGER.fullmatch(text):
        raise BadRequest(f'{name} must be an integer (got "{text}" instead).')
    if text.startswith("-") and text.strip("-0"):
        raise BadRequest(f'{name} must be a non-negative integer (got "{text}" instead).')
    return int(text) if len(text) <= 18 else 10**18


def read_keys(resource: type[Resource], fields: str | None) -> Keys:
    """The fields that `_fields` names, in their declared order; unknown ones are ignored."""
    if not fields:
        return None
    named = {name.strip() for name in fields.split(",")}
    answered = resource.answered()
    keys = [key for key in answered if "_all" in named or key in named]
    has_custom = any(isinstance(field, CustomFields) for field in answered.values())
    if has_custom and "custom" not in keys:
        keys += sorted(name for name in named if _CUSTOM.fullmatch(name))
    return tuple(keys)


def both(first: Node, second: Node) -> Node:
    """Both conditions, as one without needless levels: what asks for everything is known by it."""
    nodes = tuple(node for node in (first, second) if node != And())
    return nodes[0] if len(nodes) == 1 else And(nodes)


def read_filters(resource: type[Resource], parameters: dict[str, str], actor: Actor) -> Node:
    """The condition of the declared filters among a list's parameters; raises BadRequest, and
    ValidationError where one that is needed is missing."""
    missing = [key for key in resource.list_needs if not parameters.get(key)]
    if missing:
        raise ValidationError(dict.fromkeys(missing, REQUIRED))
    nodes = resource.narrow(parameters, actor)
    for name, text in parameters.items():
        key, _, op = name.partition("__")
        field = resource.fields.get(key) or resource.aliases.get(key)
        if field is None or (op or "eq") not in field.filters:
            continue
        if not actor.may(field.seen_with):
            raise Forbidden(f"You do not have permission to use the field {key}.")
        try:
            if isinstance(text, Several) and not op:
                op, text = _of_several(field, text)
            nodes.append(_condition(field, op, text, actor))
        except Invalid as error:
            raise BadRequest(f"{name}: {error.problem}") from None
    return And(tuple(nodes))


def _of_several(field: Field, several: Several) -> tuple[str, str]:
    """The filter that a field which is named more than once means: one of the values where it takes
    several, else the last."""
    return ("in", several) if "in" in field.filters else ("", several.parts[-1])


def _condition(field: Field, op: str, text: str, actor: Actor) -> Node:
    if names_groups(field, text) and op in ("", "in"):
        return of_users(field, tuple(part.strip() for part in text.split(",")))
    match op:
        case "" if not (isinstance(field, Ref) and "," in text):  # no id has a comma in it
            return Equal(field, field.filter_value(text, actor))
        case "" | "in":
            values = [field.filter_value(part.strip(), actor) for part in text.split(",")]
            return In(field, tuple(value for value in values if value is not None))
        case "gt" | "gte" | "lt" | "lte":
            value = field.filter_value(text, actor)
            if value is None:
                raise Invalid("A value to compare with is missing.")
            return Range(field, op, value)
    raise AssertionError(op)
