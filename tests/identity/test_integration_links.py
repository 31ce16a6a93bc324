"""Integration links: templates of addresses, and what leads, contacts and opportunities show."""

from typing import Any

import pytest
from harness import Api, Organization, make_organization, rows_of

from clinch.identity.integration_links import MOST
from clinch.resources.links import PLACEHOLDER


def link(api: Api, url: str, type: str = "lead", name: str = "Search the web") -> dict[str, Any]:
    made: dict[str, Any] = api.post("/integration_link/", {"name": name, "url": url, "type": type})
    return made


@pytest.fixture
def lead(api: Api) -> dict[str, Any]:
    made: dict[str, Any] = api.post(
        "/lead/", {"name": "Harbour Tools", "contacts": [{"name": "Ada Moss"}]}
    )
    return made


def shown(api: Api, path: str) -> list[str]:
    return [entry["url"] for entry in api.get(path)["integration_links"]]


def test_a_link_has_the_documented_keys(organization: Organization) -> None:
    api = organization.admin
    made = link(api, "https://search.example/?q={{lead.display_name}}")
    assert made == {
        "id": made["id"],
        "organization_id": organization.system.organization,
        "name": "Search the web",
        "type": "lead",
        "url": "https://search.example/?q={{lead.display_name}}",
        "created_by": api.user_id,
        "updated_by": api.user_id,
        "date_created": made["date_created"],
        "date_updated": made["date_updated"],
    }
    assert made["id"].startswith("ilink_")
    assert api.get(f"/integration_link/{made['id']}/") == made
    assert api.get("/integration_link/") == {"data": [made], "has_more": False}


def test_objects_show_the_links_of_their_kind(api: Api, lead: dict[str, Any]) -> None:
    [contact] = lead["contact_ids"]
    deal = api.post("/opportunity/", {"lead_id": lead["id"], "contact_id": contact, "value": 500})
    assert lead["integration_links"] == deal["integration_links"] == []
    link(api, "https://search.example/?q={{lead.display_name}}")
    link(api, "https://people.example/{{contact.name}}?at={{lead.name}}", "contact")
    link(api, "https://deals.example/{{opportunity.value}}/{{ contact.name }}", "opportunity")
    found = api.get(f"/lead/{lead['id']}/")
    of_lead = {"name": "Search the web", "url": "https://search.example/?q=Harbour+Tools"}
    assert found["integration_links"] == [of_lead]
    of_contact = ["https://people.example/Ada%20Moss?at=Harbour+Tools"]
    of_deal = ["https://deals.example/500/Ada%20Moss"]
    assert shown(api, f"/contact/{contact}/") == of_contact
    assert shown(api, f"/opportunity/{deal['id']}/") == of_deal
    assert [entry["url"] for entry in found["contacts"][0]["integration_links"]] == of_contact
    assert [entry["url"] for entry in found["opportunities"][0]["integration_links"]] == of_deal
    assert api.get("/lead/", _fields="integration_links")["data"] == [
        {"integration_links": [of_lead]}
    ]
    assert api.put(f"/lead/{lead['id']}/", {"name": "Quay"})["integration_links"] == [
        {"name": "Search the web", "url": "https://search.example/?q=Quay"}
    ]


@pytest.mark.parametrize(
    ("template", "url"),
    [
        ("{{lead.name}}", "R%C3%A9%20%26%20%2BCo%2F%27%7B%7Blead.id%7D%7D%25"),
        ("?a={{lead.name}}", "?a=R%C3%A9+%26+%2BCo%2F%27%7B%7Blead.id%7D%7D%25"),
        ("{{lead.url}}", ""),
        ("{{lead.nothing}}.{{contact.name}}.{{x}}.{{}}", "..."),
        ("{{lead.contacts}}{{lead.custom}}{{lead.addresses}}{{lead.integration_links}}", ""),
        ("{{lead.custom.Berth}}", "North%20East"),
        ('{{lead.custom.Last one\'s "visit"}}', "3.5"),
        ("{{lead.custom.Kinds}}", "a%2Cb"),
        ("{{lead.custom.Unknown}}", ""),
        ("{{lead.status_label}}", "Potential"),
        ("{{lead.num_calls}}", "0"),
        ("it's/{a}/$1/%/\\x/{{lead.description}}", "it's/{a}/$1/%/\\x/"),
    ],
)
def test_values_stand_in_the_address(api: Api, template: str, url: str) -> None:
    kinds = {"type": "choices", "choices": ["a", "b"], "accepts_multiple_values": True}
    for field in (
        {"name": "Berth", "type": "text"},
        {"name": 'Last one\'s "visit"', "type": "number"},
        {"name": "Kinds", **kinds},
    ):
        api.post("/custom_field/lead/", field)
    lead = api.post(
        "/lead/",
        {
            "name": "Ré & +Co/'{{lead.id}}%",
            "custom": {"Berth": "North East", 'Last one\'s "visit"': 3.5, "Kinds": ["a", "b"]},
        },
    )
    link(api, f"https://quay.example/{template}")
    assert shown(api, f"/lead/{lead['id']}/") == [f"https://quay.example/{url}"]


def test_a_name_stands_as_it_is(api: Api, lead: dict[str, Any]) -> None:
    name = 'It\'s "$1" {row} \\ {{lead.name}}'
    link(api, "https://quay.example", name=name)
    [entry] = api.get(f"/lead/{lead['id']}/")["integration_links"]
    assert entry == {"name": name, "url": "https://quay.example"}


def test_what_changes_a_link_is_seen_with_the_next_request(
    organization: Organization, lead: dict[str, Any]
) -> None:
    admin, rep = organization.admin, organization.member("user")
    path = f"/lead/{lead['id']}/"
    assert shown(rep, path) == []
    made = link(admin, "quay.example/{{lead.name}}")
    assert made["url"] == "http://quay.example/{{lead.name}}"
    assert shown(rep, path) == ["http://quay.example/Harbour%20Tools"]
    changed = admin.put(f"/integration_link/{made['id']}/", {"url": "https://pier.example"})
    assert changed["name"] == "Search the web"
    assert shown(rep, path) == ["https://pier.example"]
    assert admin("DELETE", f"/integration_link/{made['id']}/").json() == {}
    assert shown(rep, path) == []


def test_links_are_of_one_organization(organization: Organization, lead: dict[str, Any]) -> None:
    other = make_organization(organization.program).admin
    made = link(organization.admin, "https://quay.example/{{lead.name}}")
    theirs = other.post("/lead/", {"name": "Pier"})
    assert theirs["integration_links"] == []
    assert other("GET", f"/integration_link/{made['id']}/").status_code == 404


def test_a_value_that_one_may_not_see_is_left_empty(organization: Organization) -> None:
    """A deal may go on naming a contact that has moved to a lead of somebody else."""
    admin = organization.admin
    owner = admin.post("/custom_field/lead/", {"name": "Owner", "type": "user"})["id"]
    rep = organization.limited(owner)
    mine = admin.post(
        "/lead/", {"name": "Mine", f"custom.{owner}": rep.user_id, "contacts": [{"name": "Ada"}]}
    )
    hidden = admin.post("/lead/", {"name": "Hidden"})
    [contact] = mine["contact_ids"]
    deal = admin.post("/opportunity/", {"lead_id": mine["id"], "contact_id": contact})
    link(admin, "https://quay.example/{{contact.name}}", "opportunity")
    path = f"/opportunity/{deal['id']}/"
    assert shown(rep, path) == ["https://quay.example/Ada"]
    admin.put(f"/contact/{contact}/", {"lead_id": hidden["id"]})
    assert shown(rep, path) == ["https://quay.example/"]
    assert shown(admin, path) == ["https://quay.example/Ada"]


@pytest.mark.parametrize(
    ("body", "problems"),
    [
        ({}, {"name", "type", "url"}),
        ({"name": "x", "type": "task", "url": "https://quay.example"}, {"type"}),
        ({"name": "", "type": "lead", "url": "https://quay.example"}, {"name"}),
        ({"name": "x", "type": "lead", "url": "javascript:alert(1)"}, {"url"}),
        ({"name": "x", "type": "lead", "url": "javascript://{{lead.name}}"}, {"url"}),
        ({"name": "x", "type": "lead", "url": "https://quay.example/a b"}, {"url"}),
        ({"name": "x", "type": "lead", "url": "https://"}, {"url"}),
        ({"name": "x", "type": "lead", "url": "https://q.example/" + "x" * 2000}, {"url"}),
        ({"name": "x", "type": "lead", "url": 5}, {"url"}),
    ],
)
def test_a_wrong_link_is_refused(
    organization: Organization, body: dict[str, Any], problems: set[str]
) -> None:
    api = organization.admin
    made = link(api, "https://quay.example")
    before = rows_of(organization)
    refused = api("POST", "/integration_link/", body)
    assert (refused.status_code, set(refused.json()["field-errors"])) == (400, problems)
    if body:
        assert api("PUT", f"/integration_link/{made['id']}/", body).status_code == 400
    assert rows_of(organization) == before


def test_a_long_space_in_a_placeholder_is_read_at_once(api: Api) -> None:
    assert PLACEHOLDER.split("{{" + " " * 100_000) == ["{{" + " " * 100_000]
    url = f"https://search.example/?q={{{{{' ' * 1900}lead"
    body = {"name": "Search", "url": url, "type": "lead"}
    assert api("POST", "/integration_link/", body).status_code == 400
    assert api.get("/integration_link/")["data"] == []


def test_only_who_manages_the_organization_changes_links(organization: Organization) -> None:
    made = link(organization.admin, "https://quay.example")
    rep = organization.member("superuser")
    before = rows_of(organization)
    path = f"/integration_link/{made['id']}/"
    for method, url, body in (
        ("POST", "/integration_link/", {"name": "x", "type": "lead", "url": "x.example"}),
        ("PUT", path, {"name": "x"}),
        ("DELETE", path, None),
    ):
        assert rep(method, url, body).status_code == 403
    assert rows_of(organization) == before
    assert rep.get(path) == made


def test_there_are_not_many_links(organization: Organization, lead: dict[str, Any]) -> None:
    api = organization.admin
    for number in range(MOST):
        link(api, f"https://quay.example/{number}/{{{{lead.name}}}}")
    assert len(shown(api, f"/lead/{lead['id']}/")) == MOST
    before = rows_of(organization)
    body = {"name": "x", "type": "contact", "url": "https://quay.example"}
    refused = api("POST", "/integration_link/", body)
    assert refused.status_code == 400
    assert "at most 50" in refused.json()["error"]
    assert rows_of(organization) == before
