"""Text messages that are logged from outside, and drafts of them."""

from typing import Any

import pytest
from harness import Api, Organization, rows_of


@pytest.fixture
def lead(api: Api) -> dict[str, Any]:
    made: dict[str, Any] = api.post("/lead/", {"name": "Client", "contacts": [{"name": "Bo"}]})
    return made


def test_a_message_is_answered_as_the_reference_has_it(api: Api, lead: dict[str, Any]) -> None:
    message = api.post(
        "/activity/sms/",
        {
            "lead_id": lead["id"],
            "contact_id": lead["contact_ids"][0],
            "status": "sent",
            "text": "Running 5 min late",
            "local_phone": "+14155550111",
            "remote_phone": "(818) 555-0122",
            "activity_at": "2026-05-04T08:00:00+00:00",
        },
    )
    made = message["date_created"]
    assert message == {
        "attachments": [],
        "_type": "SMS",
        "id": message["id"],
        "organization_id": message["organization_id"],
        "lead_id": lead["id"],
        "contact_id": lead["contact_ids"][0],
        "user_id": api.user_id,
        "user_name": "Sam Reed",
        "users": [],
        "created_by": api.user_id,
        "created_by_name": "Sam Reed",
        "updated_by": api.user_id,
        "updated_by_name": "Sam Reed",
        "date_created": made,
        "date_updated": made,
        "activity_at": "2026-05-04T08:00:00.000000+00:00",
        "direction": "outbound",
        "status": "sent",
        "source": "External",
        "text": "Running 5 min late",
        "cost": None,
        "local_phone": "+14155550111",
        "local_phone_formatted": "+1 415-555-0111",
        "local_country_iso": "US",
        "remote_phone": "+18185550122",
        "remote_phone_formatted": "+1 818-555-0122",
        "remote_country_iso": "US",
        "date_scheduled": None,
        "date_sent": "2026-05-04T08:00:00.000000+00:00",
        "error_message": None,
        "template_id": None,
        "sequence_id": None,
        "sequence_name": None,
        "sequence_subscription_id": None,
    }
    assert api.get(f"/activity/sms/{message['id']}/") == message
    assert api.get("/activity/", lead_id=lead["id"], _type="SMS")["data"] == [message]


def test_the_direction_follows_from_the_status_unless_it_is_said(
    api: Api, lead: dict[str, Any]
) -> None:
    body = {"lead_id": lead["id"]}
    for status, direction in (("inbox", "inbound"), ("draft", "outbound"), ("error", "outbound")):
        assert api.post("/activity/sms/", body | {"status": status})["direction"] == direction
    said = api.post("/activity/sms/", body | {"status": "sent", "direction": "inbound"})
    assert said["direction"] == "inbound"


def test_only_a_draft_can_be_changed(api: Api, lead: dict[str, Any]) -> None:
    draft = api.post("/activity/sms/", {"lead_id": lead["id"], "status": "draft", "text": "Hi"})
    path = f"/activity/sms/{draft['id']}/"
    assert (draft["date_sent"], draft["remote_phone"]) == (None, None)
    written = api.put(path, {"text": "Hello", "remote_phone": "+18185550122"})
    assert (written["text"], written["remote_country_iso"]) == ("Hello", "US")
    sent = api.put(path, {"status": "sent"})
    assert sent["date_sent"] == sent["activity_at"] == sent["date_updated"]
    changes: list[dict[str, Any]] = [{"text": "x"}, {"remote_phone": None}, {"status": "draft"}]
    for body in changes:
        refused = api("PUT", path, body)
        assert refused.status_code == 400
        assert refused.json()["field-errors"] == dict.fromkeys(body, "Only drafts can be changed.")
    assert api.get(path) == sent
    assert api.put(path, sent) == sent


@pytest.mark.parametrize(
    "body",
    [
        {"status": "outbox"},
        {"status": "scheduled", "date_scheduled": "2030-01-01"},
        {"status": None},
        {"status": "sent", "direction": "incoming"},
        {"status": "sent", "remote_phone": "nobody"},
        {"status": "sent", "text": 7},
        {"status": "sent", "source": "Elsewhere"},
    ],
)
def test_what_no_message_can_be_is_refused(
    api: Api, organization: Organization, lead: dict[str, Any], body: dict[str, Any]
) -> None:
    before = rows_of(organization)
    refused = api("POST", "/activity/sms/", {"lead_id": lead["id"], **body})
    assert refused.status_code == 400
    assert len(refused.json()["field-errors"].keys() & body.keys()) == 1
    assert rows_of(organization) == before


def test_a_lead_counts_messages_that_reached_somebody(api: Api, lead: dict[str, Any]) -> None:
    fields = (
        "num_sms,num_sent_sms,num_received_sms,last_sms_date,last_incoming_sms_date,"
        "last_outgoing_sms_date,last_communication_date"
    )
    for day, status in enumerate(("sent", "inbox", "draft", "error"), start=1):
        at = f"2026-03-0{day}T10:00:00+00:00"
        api.post("/activity/sms/", {"lead_id": lead["id"], "status": status, "activity_at": at})
    assert api.get(f"/lead/{lead['id']}/", _fields=fields) == {
        "num_sms": 2,
        "num_sent_sms": 1,
        "num_received_sms": 1,
        "last_sms_date": "2026-03-02T10:00:00.000000+00:00",
        "last_incoming_sms_date": "2026-03-02T10:00:00.000000+00:00",
        "last_outgoing_sms_date": "2026-03-01T10:00:00.000000+00:00",
        "last_communication_date": "2026-03-02T10:00:00.000000+00:00",
    }
