"""`POST /lead/merge/`: one lead comes into another."""

from typing import Any

from clinch.crm.leads import merge_leads
from clinch.resources.errors import REQUIRED, ApiError, BadRequest, NotFound, ValidationError
from clinch.resources.store import Store
from clinch.server.http import Request, Response, json_response
from clinch.server.resource_routes import read_mode
from clinch.server.routes import DRY_RUN, TEXT, About, Route, has

_MERGE = About(
    "merge_leads",
    "Let a lead, the source, come into another with all that belongs to it",
    parameters=(DRY_RUN,),
    body=has(("source", "destination"), source=TEXT, destination=TEXT),
    answer=has(("status",), status=TEXT),
)


def lead_merge_routes(store: Store) -> list[Route]:
    async def merge(request: Request) -> Response:
        changes = merge_leads(*_leads(request.body))
        try:
            await store.write(
                request.actor, changes, request.provenance, mode=read_mode(request), answer=False
            )
        except NotFound:
            # Clients know this text for either of the two.
            raise ApiError({"errors": ["Source lead does not exist."]}, 404) from None
        return json_response({"status": "ok"})

    return [Route("POST", "lead/merge", merge, _MERGE)]


def _leads(body: dict[str, Any]) -> tuple[str, str]:
    """The ids of the lead that goes and of the one that stays; raises ApiError."""
    ids, problems = {}, {}
    for key in ("source", "destination"):
        if not isinstance(body.get(key), str):
            problems[key] = REQUIRED if body.get(key) is None else "Value must be of str type."
        elif "\x00" in body[key] or not body[key]:
            problems[key] = "Object does not exist."
        else:
            ids[key] = body[key]
    if problems:
        raise ValidationError(problems)
    if ids["source"] == ids["destination"]:
        raise BadRequest("A lead cannot be merged into itself.")
    return ids["source"], ids["destination"]
