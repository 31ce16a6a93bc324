"""WhatsApp messages, as integrations log them."""

from typing import Any

import pytest
from harness import Api, Organization, rows_of


@pytest.fixture
def body(api: Api) -> dict[str, Any]:
    lead = api.post("/lead/", {"name": "Client", "contacts": [{"name": "Bo"}]})
    return {
        "lead_id": lead["id"],
        "contact_id": lead["contact_ids"][0],
        "direction": "incoming",
        "external_whatsapp_message_id": "wamid.HB1",
        "local_phone": "+14155550111",
        "remote_phone": "+18185550122",
        "message_markdown": "*yes*",
        "activity_at": "2026-05-04T07:59:58+00:00",
    }


def test_a_message_is_answered_as_the_reference_has_it(api: Api, body: dict[str, Any]) -> None:
    message = api.post("/activity/whatsapp_message/", body)
    made = message["date_created"]
    assert message == {
        "attachments": [],
        "_type": "WhatsAppMessage",
        "id": message["id"],
        "organization_id": message["organization_id"],
        "lead_id": body["lead_id"],
        "contact_id": body["contact_id"],
        "user_id": api.user_id,
        "user_name": "Sam Reed",
        "users": [],
        "created_by": api.user_id,
        "created_by_name": "Sam Reed",
        "updated_by": api.user_id,
        "updated_by_name": "Sam Reed",
        "date_created": made,
        "date_updated": made,
        "activity_at": "2026-05-04T07:59:58.000000+00:00",
        "direction": "incoming",
        "external_whatsapp_message_id": "wamid.HB1",
        "message_markdown": "*yes*",
        "message_html": "<b>yes</b>",
        "text": "yes",
        "local_phone": "+14155550111",
        "local_phone_formatted": "+1 415-555-0111",
        "remote_phone": "+18185550122",
        "remote_phone_formatted": "+1 818-555-0122",
        "integration_link": None,
        "integration_name": None,
        "response_to_id": None,
        "source": "api",
        "sequence_id": None,
        "sequence_name": None,
        "sequence_subscription_id": None,
    }
    assert api.get(f"/activity/whatsapp_message/{message['id']}/") == message
    assert api.get("/activity/", _type="WhatsAppMessage")["data"] == [message]
    last = api.get(f"/lead/{body['lead_id']}/", _fields="last_communication_date")
    assert last == {"last_communication_date": message["activity_at"]}
    [event] = api.get("/event/", object_type="activity.whatsapp_message")["data"]
    assert (event["action"], event["object_id"]) == ("created", message["id"])


def test_a_message_is_found_by_its_id_in_whatsapp(api: Api, body: dict[str, Any]) -> None:
    first = api.post("/activity/whatsapp_message/", body)
    second = {"external_whatsapp_message_id": "wamid.HB2", "response_to_id": first["id"]}
    answer = api.post("/activity/whatsapp_message/", body | second)
    assert answer["response_to_id"] == first["id"]
    found = api.get("/activity/whatsapp_message/", external_whatsapp_message_id="wamid.HB2")
    assert found["data"] == [answer]


def test_a_change_is_rendered_anew(api: Api, body: dict[str, Any]) -> None:
    message = api.post("/activity/whatsapp_message/", body)
    change = {
        "message_markdown": "> you <b>\n_no_ ~way~ `a_b_c`",
        "external_whatsapp_message_id": "other",
        "integration_link": "https://chat.example/1",
    }
    changed = api.put(f"/activity/whatsapp_message/{message['id']}/", change)
    assert changed["message_html"] == (
        "<blockquote>you &lt;b&gt;</blockquote><i>no</i> <s>way</s> <code>a_b_c</code>"
    )
    assert changed["text"] == "you <b>\nno way a_b_c"
    assert changed["external_whatsapp_message_id"] == "wamid.HB1"
    assert changed["integration_link"] == "https://chat.example/1"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *((key, None) for key in ("contact_id", "direction", "activity_at", "message_markdown")),
        *((key, None) for key in ("local_phone", "remote_phone")),
        ("direction", "inbound"),
        ("remote_phone", "nobody"),
        ("integration_link", "ftp://chat.example"),
        ("response_to_id", "acti_unknown"),
        ("contact_id", "cont_unknown"),
    ],
)
def test_what_no_message_can_be_is_refused(
    api: Api, organization: Organization, body: dict[str, Any], key: str, value: Any
) -> None:
    message = api.post("/activity/whatsapp_message/", body)
    before = rows_of(organization)
    path = "/activity/whatsapp_message/"
    for refused in (
        api("POST", path, body | {key: value}),
        api("PUT", f"{path}{message['id']}/", {key: value}),
    ):
        assert refused.status_code == 400
        assert refused.json()["field-errors"].keys() == {key.removesuffix("_id")}
    assert rows_of(organization) == before


def test_a_message_needs_all_its_parts(
    api: Api, organization: Organization, body: dict[str, Any]
) -> None:
    before = rows_of(organization)
    refused = api("POST", "/activity/whatsapp_message/", {})
    assert refused.status_code == 400
    named = {key if key.startswith("external") else key.removesuffix("_id") for key in body}
    assert refused.json()["field-errors"].keys() == named - {"lead"}
    refused = api(
        "POST", "/activity/whatsapp_message/", {k: v for k, v in body.items() if k != "lead_id"}
    )
    assert "lead" in refused.json()["field-errors"]
    assert rows_of(organization) == before
