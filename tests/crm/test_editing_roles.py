"""Roles that may work on something: built in or the organization's own, and no unknown ones."""

from collections.abc import Callable
from typing import Any

import pytest
from harness import Api, Organization, make_organization, rows_of

Asked = Callable[[Api, list[str]], tuple[str, dict[str, Any]]]
"""Where something is made that lists these roles, and the body that makes it."""


def new_field(api: Api, roles: list[str]) -> tuple[str, dict[str, Any]]:
    body = {"name": "Tier", "type": "text", "editable_with_roles": roles}
    return "/custom_field/lead/", body


def new_type(api: Api, roles: list[str]) -> tuple[str, dict[str, Any]]:
    return "/custom_activity/", {"name": "Survey", "editable_with_roles": roles}


def new_object_type(api: Api, roles: list[str]) -> tuple[str, dict[str, Any]]:
    body = {"name": "Boat", "name_plural": "Boats", "editable_with_roles": roles}
    return "/custom_object_type/", body


def new_association(api: Api, roles: list[str]) -> tuple[str, dict[str, Any]]:
    field = api.post("/custom_field/shared/", {"name": "Shared", "type": "text"})["id"]
    body = {"object_type": "lead", "editable_with_roles": roles}
    return f"/custom_field/shared/{field}/association/", body


LISTS = pytest.mark.parametrize("asked", [new_field, new_type, new_object_type, new_association])


def own_role(organization: Organization, name: str = "Closer") -> str:
    body = {"name": name, "permissions": ["view_all_leads", "manage_customizations"]}
    return str(organization.admin.post("/role/", body)["id"])


def place(path: str, made: dict[str, Any]) -> str:
    return path + ("lead/" if path.endswith("association/") else f"{made['id']}/")


@LISTS
def test_a_role_of_ones_own_may_be_listed(organization: Organization, asked: Asked) -> None:
    api, role = organization.admin, own_role(organization)
    path, body = asked(api, ["admin", role])
    made = api.post(path, body)
    assert made["editable_with_roles"] == ["admin", role]
    changed = api.put(place(path, made), {"editable_with_roles": [role]})
    assert changed["editable_with_roles"] == [role]


@LISTS
def test_an_unknown_role_may_not(organization: Organization, asked: Asked) -> None:
    api, elsewhere = organization.admin, make_organization(organization.program, "Quay Sales")
    strange = own_role(elsewhere)
    path, body = asked(api, ["admin"])
    made = api.post(path, body)
    before = rows_of(organization)
    for role in (strange, "role_unknown", "king"):
        sent = body | {"name": "Other", "editable_with_roles": ["admin", role]}
        if not path.endswith("association/"):
            answer = api("POST", path, sent)
            assert answer.json()["field-errors"] == {"editable_with_roles": "Not a valid choice."}
        answer = api("PUT", place(path, made), {"editable_with_roles": [role]})
        assert answer.status_code == 400
        assert answer.json()["field-errors"] == {"editable_with_roles": "Not a valid choice."}
    assert rows_of(organization) == before


@LISTS
def test_what_is_listed_already_may_be_sent_again_when_the_role_is_gone(
    organization: Organization, asked: Asked
) -> None:
    api, role = organization.admin, own_role(organization)
    path, body = asked(api, ["admin", role])
    at = place(path, api.post(path, body))
    api.delete(f"/role/{role}/")
    roles = [role, "user"]
    assert api.put(at, {"editable_with_roles": roles})["editable_with_roles"] == roles
    api.put(at, {"editable_with_roles": ["user"]})
    before = rows_of(organization)
    assert api("PUT", at, {"editable_with_roles": roles}).status_code == 400
    assert rows_of(organization) == before


def test_the_holders_of_a_listed_role_may_change_values(organization: Organization) -> None:
    role = own_role(organization)
    closer, rep = organization.member(role), organization.member(own_role(organization, "Opener"))
    path, body = new_field(organization.admin, [role])
    field = organization.admin.post(path, body)["id"]
    lead = closer.post("/lead/", {f"custom.{field}": "gold"})["id"]
    assert rep("PUT", f"/lead/{lead}/", {f"custom.{field}": "tin"}).status_code == 400
    assert closer.get(f"/lead/{lead}/")[f"custom.{field}"] == "gold"
    assert closer.put(f"/lead/{lead}/", {f"custom.{field}": "lead"})[f"custom.{field}"] == "lead"
