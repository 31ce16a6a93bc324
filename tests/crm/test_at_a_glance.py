"""What leads, contacts and deals say of others in a few words, when asked for by name."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from harness import Api

EMAIL = {"email": "bo@harbour.example", "type": "office"}
PHONES = [
    {"phone": "+441315550100", "type": "office"},
    {"phone": "+1 904 555 1234 ext. 5", "type": "mobile"},
]


@pytest.fixture
def lead(api: Api) -> dict[str, Any]:
    made: dict[str, Any] = api.post(
        "/lead/",
        {
            "name": "Harbour Tools",
            "addresses": [{"city": "Kathmandu", "country": "NP", "state": ""}],
            "contacts": [{"name": "Ada Moss"}, {"emails": [EMAIL], "phones": PHONES}],
        },
    )
    return made


def test_a_lead_at_a_glance(api: Api, lead: dict[str, Any]) -> None:
    wanted = "contacts_summary,primary_address_summary,localtime,source,summaries,recent_calls"
    told = api.get(f"/lead/{lead['id']}/", _fields=wanted)
    time = datetime.fromisoformat(told.pop("localtime"))
    assert time.utcoffset() == timedelta(hours=5, minutes=45)
    assert abs(datetime.now(ZoneInfo("Asia/Kathmandu")) - time) < timedelta(minutes=1)
    assert told == {
        "contacts_summary": "Ada Moss, bo@harbour.example",
        "primary_address_summary": "Kathmandu, NP",
        "source": None,
        "summaries": [],
        "recent_calls": [],
    }
    assert not {"localtime", "source"} & lead.keys()


def test_the_time_at_a_lead_west_of_greenwich(api: Api) -> None:
    lead = api.post("/lead/", {"addresses": [{"country": "VE"}]})
    time = api.get(f"/lead/{lead['id']}/", _fields="localtime")["localtime"]
    assert time.endswith("-04:00")


def test_a_lead_of_which_nothing_is_known(api: Api) -> None:
    lead = api.post("/lead/", {})
    wanted = "contacts_summary,primary_address_summary,localtime"
    assert api.get(f"/lead/{lead['id']}/", _fields=wanted) == {
        "contacts_summary": "",
        "primary_address_summary": None,
        "localtime": None,
    }


def test_recent_calls_are_those_of_the_lead_and_of_the_contact(
    api: Api, lead: dict[str, Any]
) -> None:
    ada, bo = lead["contact_ids"]
    calls = [
        api.post(
            "/activity/call/",
            {
                "lead_id": lead["id"],
                "contact_id": bo if number % 2 else ada,
                "duration": 90,
                "activity_at": f"2026-03-0{number}T10:00:00+00:00",
            },
        )
        for number in range(1, 8)
    ]

    def recent(path: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = api.get(path, _fields="recent_calls")["recent_calls"]
        return found

    first, *rest = recent(f"/lead/{lead['id']}/")
    assert first == {
        "id": calls[6]["id"],
        "dialer_id": None,
        "duration": 90,
        "finish_timestamp": "2026-03-07T10:01:30.000000+00:00",
        "status": "completed",
    }
    assert [call["id"] for call in rest] == [calls[number]["id"] for number in (5, 4, 3, 2)]
    of_ada = [call["id"] for call in recent(f"/contact/{ada}/")]
    assert of_ada == [calls[number]["id"] for number in (5, 3, 1)]
    assert api.get(f"/contact/{ada}/", _fields="subscriptions,lead_suggestions_operation_id") == {
        "subscriptions": [],
        "lead_suggestions_operation_id": None,
    }


def test_a_deal_shows_how_its_lead_is_reached(api: Api, lead: dict[str, Any]) -> None:
    wanted = "lead_primary_email,lead_primary_phone"
    deal = api.post("/opportunity/", {"lead_id": lead["id"]}, _fields=wanted)
    assert deal["lead_primary_email"]["email"] == "bo@harbour.example"
    assert [phone["phone"] for phone in deal["lead_primary_phone"]] == [
        "+441315550100",
        "+19045551234;ext=5",
    ]
    assert deal["lead_primary_phone"][1]["phone_formatted"] == "+1 904-555-1234 ext. 5"
    alone = api.post("/opportunity/", {}, _fields=wanted)
    assert alone == {"lead_primary_email": None, "lead_primary_phone": None}
