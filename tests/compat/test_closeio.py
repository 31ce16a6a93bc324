"""The official client `closeio`, unmodified, against the server."""

from typing import Any

import pytest
from closeio_api import APIError, Client, ValidationError
from harness import Api


@pytest.fixture
def client(api: Api) -> Any:
    """The client with its documented constructor; only its base address is ours."""
    client = Client(api.key, tz_offset=-8.0)
    client.base_url = f"{api.program.url}/api/v1/"
    return client


def test_it_says_who_it_is(client: Any, api: Api) -> None:
    me = client.get("me")
    assert me["id"] == api.user_id
    organization = me["organizations"][0]
    assert me["memberships"][0]["organization_id"] == organization["id"]
    assert me["memberships"][0]["role_id"] == "admin"
    people = client.get(f"organization/{organization['id']}")
    assert [m["user_email"] for m in people["memberships"]] == [me["email"]]
    assert people["inactive_memberships"] == []


def test_a_lead_lives_and_ends(client: Any) -> None:
    status = client.get("status/lead")["data"][1]
    lead = client.post(
        "lead",
        data={
            "name": "Harbour Tools",
            "status": status["label"],
            "contacts": [{"name": "Ada Moss", "emails": [{"email": "ada@harbour.example"}]}],
        },
    )
    assert lead["status_id"] == status["id"]
    assert client.get(f"lead/{lead['id']}") == lead
    changed = client.put(f"lead/{lead['id']}", data={"description": "By the sea"})
    assert (changed["description"], changed["name"]) == ("By the sea", "Harbour Tools")
    assert client.put(f"lead/{lead['id']}", data=changed)["contacts"] == changed["contacts"]
    assert client.get("lead", params={"_limit": 0})["total_results"] == 1
    assert client.delete(f"lead/{lead['id']}") == {}
    with pytest.raises(APIError) as gone:
        client.get(f"lead/{lead['id']}")
    assert gone.value.response.status_code == 404
    assert "does not exist" in str(gone.value)
    assert client.get("contact")["data"] == []


def test_contacts_are_made_and_moved(client: Any) -> None:
    one, two = (client.post("lead", data={"name": name}) for name in ("One", "Two"))
    contact = client.post("contact", data={"lead_id": one["id"], "name": "Ada"})
    assert client.get("contact", params={"lead_id": one["id"]})["data"] == [contact]
    client.put(f"contact/{contact['id']}", data={"lead_id": two["id"]})
    assert client.get("contact", params={"lead_id": one["id"]})["data"] == []
    assert client.get(f"lead/{two['id']}")["contact_ids"] == [contact["id"]]


def test_a_list_is_asked_for_with_params_in_the_body(client: Any) -> None:
    lead = client.post("lead", data={"name": "Harbour Tools", "contacts": [{"name": "Ada"}]})
    found = client.post(
        "contact",
        data={"_params": {"lead_id": lead["id"], "_fields": ["id"]}},
        headers={"x-http-method-override": "GET"},
    )
    assert found == {"data": [{"id": lead["contact_ids"][0]}], "has_more": False}


def test_mistakes_become_validation_errors(client: Any) -> None:
    with pytest.raises(ValidationError) as wrong:
        client.post("contact", data={"lead_id": "lead_unknown", "emails": [{"email": "bad"}]})
    problem = {"errors": {"0": {"errors": [], "field-errors": {"email": "Invalid email address."}}}}
    assert wrong.value.errors == []
    assert wrong.value.field_errors == {"emails": problem}
    with pytest.raises(ValidationError) as wrong:
        client.post("contact", data={"lead_id": "lead_unknown"})
    assert wrong.value.field_errors == {"lead": "Object does not exist."}
    assert client.get("contact")["data"] == []


@pytest.mark.parametrize(("name", "value"), [("_limit", "many"), ("_skip", 10**9)])
def test_every_refusal_of_a_request_can_be_read(client: Any, name: str, value: Any) -> None:
    """The client parses each 400 as a JSON object."""
    with pytest.raises(ValidationError) as wrong:
        client.get("lead", params={name: value})
    assert (wrong.value.errors, wrong.value.field_errors) == ([], {})
    assert wrong.value.response.json()["error"]


def test_a_wrong_key_and_a_wrong_url_are_api_errors(client: Any) -> None:
    with pytest.raises(APIError) as wrong:
        client.get("nothing")
    assert wrong.value.response.status_code == 404
    with pytest.raises(APIError) as wrong:
        client.get("me", api_key="api_wrong.key")
    assert wrong.value.response.status_code == 401
    assert wrong.value.response.json() == {"error": "Unauthorized"}


def test_an_answer_without_content_is_an_empty_string(client: Any) -> None:
    pipeline = client.post("pipeline", data={"name": "Renewals"})
    assert client.delete(f"pipeline/{pipeline['id']}") == ""
    assert pipeline["id"] not in [other["id"] for other in client.get("pipeline")["data"]]


def test_an_opportunity_is_won(client: Any) -> None:
    lead = client.post("lead", data={"name": "Harbour Tools"})
    deal = client.post(
        "opportunity", data={"lead_id": lead["id"], "value": 50000, "value_period": "monthly"}
    )
    assert deal["value_formatted"] == "$500 monthly"
    won = client.put(f"opportunity/{deal['id']}", data={"status": "Won"})
    assert won["status_type"] == "won"
    assert client.get("opportunity", params={"status_type": "won"})["total_results"] == 1


def test_leads_are_paged_through(client: Any) -> None:
    names = [f"Lead {number}" for number in range(250)]
    for name in names:
        client.post("lead", data={"name": name}, params={"_fields": "id"})
    for advance in ("by what came", "by the limit"):
        found: list[str] = []
        skip, pages, more = 0, 0, True
        while more:
            page = client.get("lead", params={"_limit": 100, "_skip": skip, "_fields": "id,name"})
            assert page["total_results"] == 250
            found += [lead["name"] for lead in page["data"]]
            skip += len(page["data"]) if advance == "by what came" else 100
            pages, more = pages + 1, page["has_more"]
        assert pages == 3
        assert sorted(found) == sorted(names)
