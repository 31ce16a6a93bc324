"""A stand-in for HubSpot's CRM API: one account, in memory, with the manners of the real one."""

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

TOKEN = "pat-1-private"
KINDS = ("contacts", "companies", "deals", "tickets", "tasks", "notes", "calls", "meetings")
_CREATED = "2026-01-01T00:00:00.000Z"

Endpoint = Callable[[Request], Awaitable[Response]]


class Problem(Exception):
    """An error as HubSpot tells it."""

    def __init__(self, status: int, category: str, message: str) -> None:
        super().__init__(message)
        self.status, self.category = status, category


class HubSpot:
    """The account."""

    def __init__(self) -> None:
        self.made = 0
        self.objects: dict[str, dict[str, dict[str, Any]]] = {kind: {} for kind in KINDS}
        self.associations: dict[tuple[str, str, str, str], list[dict[str, Any]]] = {}
        self.owners = [
            {"id": "71", "email": "rosa@example.com", "firstName": "Rosa", "lastName": "Lind",
             "userId": 1, "type": "PERSON", "archived": False, "createdAt": _CREATED,
             "updatedAt": _CREATED}
        ]  # fmt: skip
        objects = "/crm/v3/objects/{kind}"
        of_two = "/crm/v4/objects/{kind}/{id}/associations/{to_kind}"
        default = "/crm/v4/objects/{kind}/{id}/associations/default/{to_kind}/{to_id}"
        routes: list[tuple[str, str, Endpoint]] = [
            ("GET", "/account-info/v3/details", self.account),
            ("POST", f"{objects}/search", self.search),
            ("POST", f"{objects}/merge", self.merge),
            ("GET", objects, self.listed),
            ("POST", objects, self.create),
            ("GET", f"{objects}/{{id}}", self.get),
            ("PATCH", f"{objects}/{{id}}", self.update),
            ("DELETE", f"{objects}/{{id}}", self.archive),
            ("PUT", default, self.associate),
            ("GET", of_two, self.associated),
            ("PUT", f"{of_two}/{{to_id}}", self.associate),
            ("DELETE", f"{of_two}/{{to_id}}", self.part),
            ("GET", "/crm/v3/owners", self.listed_owners),
            ("GET", "/crm/v3/owners/", self.listed_owners),
        ]
        self.app = Starlette(
            routes=[Route(path, _guarded(does), methods=[method]) for method, path, does in routes]
        )

    async def account(self, _: Request) -> Response:
        return JSONResponse({"portalId": 5, "timeZone": "Europe/Paris", "companyCurrency": "EUR"})

    async def listed(self, request: Request) -> Response:
        archived = request.query_params.get("archived", "").lower() == "true"
        found = [one for one in self.of_kind(request).values() if one["archived"] is archived]
        return JSONResponse(
            _page(found, request.query_params.get("after"), request.query_params.get("limit"),
                  request.query_params.getlist("properties"))
        )  # fmt: skip

    async def create(self, request: Request) -> Response:
        body = await _json(request)
        self.made += 1
        id = str(100 + self.made)
        properties = _texts(body)
        one = {
            "id": id,
            "properties": properties | {"hs_object_id": id},
            "createdAt": _CREATED,
            "updatedAt": _CREATED,
            "archived": False,
        }
        kind = request.path_params["kind"]
        if kind == "contacts" and self.by_email(properties.get("email")) is not None:
            raise Problem(409, "CONFLICT", "Contact already exists.")
        self.of_kind(request)[id] = one
        for association in body.get("associations", ()):
            place = (kind, id, "", str(association["to"]["id"]))
            self.associations[place] = association["types"]
        return JSONResponse(one, 201)

    async def get(self, request: Request) -> Response:
        wanted = request.query_params.getlist("properties")
        return JSONResponse(_shown(self.one(request), wanted))

    async def update(self, request: Request) -> Response:
        one = self.one(request)
        one["properties"] |= _texts(await _json(request))
        return JSONResponse(one)

    async def archive(self, request: Request) -> Response:
        self.one(request)["archived"] = True
        return Response(status_code=204)

    async def merge(self, request: Request) -> Response:
        body, kind = await _json(request), self.of_kind(request)
        kind[body["objectIdToMerge"]]["archived"] = True
        return JSONResponse(kind[body["primaryObjectId"]])

    async def search(self, request: Request) -> Response:
        body = await _json(request)
        words = body.get("query", "").lower()
        found = [
            one
            for one in self.of_kind(request).values()
            if words in " ".join(one["properties"].values()).lower()
            and _fits(one["properties"], body.get("filterGroups") or [])
        ]
        page = _page(found, body.get("after"), body.get("limit"), body.get("properties") or [])
        return JSONResponse({"total": len(found), **page})

    async def associate(self, request: Request) -> Response:
        default = "/default/" in request.url.path
        types = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 1}]
        place = self.place(request)
        self.associations[place] = types if default else await _json(request)
        result = {
            "fromObjectTypeId": "0-1",
            "fromObjectId": int(place[1]),
            "toObjectTypeId": "0-2",
            "toObjectId": int(place[3]),
            "labels": [],
        }
        if not default:
            return JSONResponse(result, 201)
        batch = {"status": "COMPLETE", "results": [], "startedAt": _CREATED}
        return JSONResponse(batch | {"completedAt": _CREATED})

    async def associated(self, request: Request) -> Response:
        kind, id, to = (request.path_params[name] for name in ("kind", "id", "to_kind"))
        results = [
            {
                "toObjectId": int(place[3]),
                "associationTypes": [
                    {"category": one["associationCategory"], "typeId": one["associationTypeId"]}
                    for one in types
                ],
            }
            for place, types in self.associations.items()
            if place[:3] == (kind, id, to)
        ]
        return JSONResponse({"results": results})

    async def part(self, request: Request) -> Response:
        self.associations.pop(self.place(request), None)
        return Response(status_code=204)

    async def listed_owners(self, request: Request) -> Response:
        email = request.query_params.get("email")
        return JSONResponse(
            {"results": [one for one in self.owners if email in (None, one["email"])]}
        )

    def of_kind(self, request: Request) -> dict[str, dict[str, Any]]:
        kind = self.objects.get(request.path_params["kind"])
        if kind is None:
            raise Problem(400, "VALIDATION_ERROR", "Unable to infer object type")
        return kind

    def one(self, request: Request) -> dict[str, Any]:
        id = request.path_params["id"]
        if request.query_params.get("idProperty") == "email":
            found = self.by_email(id)
        else:
            found = self.of_kind(request).get(id)
        if found is None or found["archived"]:
            raise Problem(404, "OBJECT_NOT_FOUND", "resource not found")
        return found

    def by_email(self, email: str | None) -> dict[str, Any] | None:
        for one in self.objects["contacts"].values():
            if email is not None and one["properties"].get("email") == email:
                return one
        return None

    def place(self, request: Request) -> tuple[str, str, str, str]:
        kind, id, to_kind, to_id = (
            request.path_params[name] for name in ("kind", "id", "to_kind", "to_id")
        )
        return kind, id, to_kind, to_id


def _guarded(does: Endpoint) -> Endpoint:
    async def answer(request: Request) -> Response:
        try:
            if request.headers.get("authorization") != f"Bearer {TOKEN}":
                raise Problem(401, "INVALID_AUTHENTICATION", "Authentication credentials not found")
            return await does(request)
        except Problem as error:
            told = {"status": "error", "message": str(error), "category": error.category}
            return JSONResponse({**told, "correlationId": "c0ffee"}, error.status)

    return answer


async def _json(request: Request) -> Any:
    if request.headers.get("content-type", "").partition(";")[0] != "application/json":
        raise Problem(415, "INVALID_CONTENT_TYPE", "JSON is expected")
    return await request.json()


def _texts(body: dict[str, Any]) -> dict[str, str]:
    properties: dict[str, str] = body["properties"]
    if not all(isinstance(value, str) for value in properties.values()):
        raise Problem(400, "VALIDATION_ERROR", "Property values are texts")
    return properties


def _shown(one: dict[str, Any], properties: list[str]) -> dict[str, Any]:
    known = one["properties"]
    if not properties:
        return one
    return one | {"properties": {name: known.get(name) for name in properties}}


def _page(found: list[Any], after: Any, limit: Any, properties: list[str]) -> dict[str, Any]:
    first = int(after or 0)
    ends = first + int(limit or 10)
    page: dict[str, Any] = {"results": [_shown(one, properties) for one in found[first:ends]]}
    if ends < len(found):
        page["paging"] = {"next": {"after": str(ends), "link": f"?after={ends}"}}
    return page


def _fits(properties: dict[str, str], groups: list[dict[str, Any]]) -> bool:
    if not groups:
        return True
    tests: dict[str, Callable[[str | None, dict[str, Any]], bool]] = {
        "EQ": lambda value, one: value == one["value"],
        "IN": lambda value, one: value in one["values"],
        "HAS_PROPERTY": lambda value, _: value is not None,
    }
    return any(
        all(
            tests[one["operator"]](properties.get(one["propertyName"]), one)
            for one in group["filters"]
        )
        for group in groups
    )
