"""Requests to the operations that are no resource's list, get, create, update or delete."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from examples import Examples
from harness import Api


@dataclass(frozen=True, slots=True)
class Call:
    """A request to an operation: where to, with what, and whose key it is if not the admin's."""

    path: str
    body: Any = None
    by: Api | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """A request that an operation carries out, and one that it refuses."""

    good: Call
    refused: Call


Maker = Callable[[Examples, Api], Case]
"""Makes the requests, given the examples of an organization and a key of another one."""


def _me(examples: Examples, stranger: Api) -> Case:
    return Case(Call("/me/"), Call("/me/", by=Api(examples.api.program, "api_unknown.x", "")))


def _events(examples: Examples, stranger: Api) -> Case:
    return Case(Call("/event/"), Call("/event/?_limit=x"))


def _event(examples: Examples, stranger: Api) -> Case:
    examples.api.put(f"/lead/{examples.id('lead')}/", {"name": "Harbour and Sons"})
    [event, *_] = examples.api.get("/event/", object_type="lead", action="updated")["data"]
    url = f"/event/{event['id']}/"
    return Case(Call(url), Call(url, by=stranger))


def _merge(examples: Examples, stranger: Api) -> Case:
    source, destination = (examples.api.post("/lead/", {"name": name})["id"] for name in "ab")
    return Case(
        Call("/lead/merge/", {"source": source, "destination": destination}),
        Call("/lead/merge/", {"source": "lead_unknown", "destination": destination}),
    )


def _tasks(examples: Examples, stranger: Api) -> Case:
    url = f"/task/?id__in={examples.id('task')}"
    return Case(Call(url, {"is_complete": True}), Call(url, {"date": {"wrong": 1}}))


def _schema(examples: Examples, stranger: Api) -> Case:
    return Case(Call("/custom_field_schema/lead/"), Call("/custom_field_schema/unknown/"))


def _schema_order(examples: Examples, stranger: Api) -> Case:
    url = "/custom_field_schema/lead/"
    ids = [{"id": field["id"]} for field in examples.api.get(url)["fields"]]
    return Case(Call(url, {"fields": ids}), Call(url, {"fields": "wrong"}))


def _associate(examples: Examples, stranger: Api) -> Case:
    url = f"/custom_field/shared/{examples.id('shared_custom_field')}/association/"
    return Case(Call(url, {"object_type": "lead"}), Call(url, {"object_type": "unknown"}))


def _association(examples: Examples, stranger: Api) -> Case:
    url = f"/custom_field/shared/{examples.id('shared_custom_field')}/association/lead/"
    return Case(Call(url), Call(url, by=stranger))


def _memberships(examples: Examples, stranger: Api) -> Case:
    url = f"/membership/?id__in={examples.id('membership')}"
    return Case(Call(url, {"track_email_opens": True}), Call(url, {"role_id": "unknown"}))


def _join(examples: Examples, stranger: Api) -> Case:
    body = {"email": "new@harbour.example", "role_id": "user"}
    return Case(Call("/membership/", body), Call("/membership/", body | {"role_id": "unknown"}))


def _pinned_views(examples: Examples, stranger: Api) -> Case:
    url = f"/membership/{examples.id('membership')}/pinned_views/"
    return Case(Call(url, {"saved_view_ids": []}), Call(url, {"saved_view_ids": 1}, stranger))


def _add_to_group(examples: Examples, stranger: Api) -> Case:
    url = f"/group/{examples.id('group')}/member/"
    return Case(
        Call(url, {"user_id": examples.api.user_id}), Call(url, {"user_id": "user_unknown"})
    )


def _remove_from_group(examples: Examples, stranger: Api) -> Case:
    url = f"/group/{examples.id('group')}/member/{examples.api.user_id}/"
    return Case(Call(url), Call(url, by=stranger))


def _availability(examples: Examples, stranger: Api) -> Case:
    unknown = Api(examples.api.program, "api_unknown.x", "")
    return Case(Call("/user/availability/"), Call("/user/availability/", by=unknown))


def _upload(examples: Examples, stranger: Api) -> Case:
    url, file = "/files/upload/", {"filename": "quote.pdf", "content_type": "application/pdf"}
    return Case(Call(url, file), Call(url, file | {"filename": "../quote.pdf"}))


def _list_of_lead(path: str) -> Maker:
    def case(examples: Examples, stranger: Api) -> Case:
        return Case(Call(f"{path}?lead_id={examples.id('lead')}"), Call(path))

    return case


def _comments(examples: Examples, stranger: Api) -> Case:
    return Case(Call(f"/comment/?object_id={examples.id('note')}"), Call("/comment/"))


_ASSOCIATION = "/custom_field/shared/{scf_id}/association/"

CASES: dict[tuple[str, str], Maker] = {
    ("GET", "/me/"): _me,
    ("POST", "/files/upload/"): _upload,
    ("GET", "/event/"): _events,
    ("GET", "/event/{id}/"): _event,
    ("POST", "/lead/merge/"): _merge,
    ("PUT", "/task/"): _tasks,
    ("GET", "/custom_field_schema/{object_type}/"): _schema,
    ("PUT", "/custom_field_schema/{object_type}/"): _schema_order,
    ("POST", _ASSOCIATION): _associate,
    ("GET", f"{_ASSOCIATION}{{object_type}}/"): _association,
    ("PUT", f"{_ASSOCIATION}{{object_type}}/"): _association,
    ("DELETE", f"{_ASSOCIATION}{{object_type}}/"): _association,
    ("PUT", "/membership/"): _memberships,
    ("POST", "/membership/"): _join,
    ("GET", "/membership/{id}/pinned_views/"): _pinned_views,
    ("PUT", "/membership/{id}/pinned_views/"): _pinned_views,
    ("POST", "/group/{group_id}/member/"): _add_to_group,
    ("DELETE", "/group/{group_id}/member/{user_id}/"): _remove_from_group,
    ("GET", "/user/availability/"): _availability,
    ("GET", "/comment/"): _comments,
    ("GET", "/custom_object/"): _list_of_lead("/custom_object/"),
    ("GET", "/sequence_subscription/"): _list_of_lead("/sequence_subscription/"),
}
"""What is no resource's list, get, create, update or delete, or needs a parameter."""
