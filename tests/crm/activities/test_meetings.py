"""Meetings: where they stand by the clock, who is invited, and what calendars say of them."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from crm.activities.test_activities import BASE
from harness import TEST, Api, Organization, make_organization, rows_of

from clinch.crm.activities.meetings import Meeting
from clinch.crm.leads import Lead
from clinch.resources.query.read import Page
from clinch.resources.query.tree import Equal, Range
from clinch.resources.write.change import Change

URL = "/activity/meeting/"
NOW = datetime.now(UTC).replace(microsecond=0)


def at(**later: float) -> str:
    """A time that is so much later than now, as it is answered."""
    return (NOW + timedelta(**later)).isoformat(timespec="microseconds")


def body(lead: str, start: str, minutes: int = 30, **rest: Any) -> dict[str, Any]:
    return {"lead_id": lead, "starts_at": start, "duration": minutes * 60, "title": "Demo"} | rest


@pytest.fixture
def lead(api: Api) -> str:
    contact = {"name": "Bo", "emails": [{"email": "Bo@client.test"}]}
    return str(api.post("/lead/", {"name": "Harbour Tools", "contacts": [contact]})["id"])


FROM_CALENDAR: dict[str, Any] = {
    "source": "calendar",
    "status": "upcoming",
    "ends_at": at(days=1, minutes=30),
    "location": "https://zoom.us/j/1",
    "note": "Bring the samples",
    "is_recurring": False,
    "attendees": [
        {"email": "bo@client.test", "name": "Bo"},
        {"email": "someone@client.test", "status": "no"},
    ],
    "conference_links": [{"type": "ZOOM", "url": "https://zoom.us/j/1"}],
    "calendar_event_link": "https://calendar.test/1",
    "calendar_event_uids": ["uid1"],
    "connected_account_id": "emailacct_1",
    "provider_calendar_type": "google",
    "provider_calendar_event_id": "event1",
    "provider_calendar_ids": ["primary", "team"],
}


def sync(organization: Organization, lead: str, **rest: Any) -> dict[str, Any]:
    """A meeting as the program itself brings it from a calendar."""
    meeting = FROM_CALENDAR | {"lead_id": lead, "starts_at": at(days=1), "title": "Demo"} | rest
    [written] = organization.program.run(
        organization.program.store.write(
            organization.actor(), [Change.create(Meeting, meeting, trusted=True)], TEST
        )
    )
    made: dict[str, Any] = json.loads(written.body)
    return made


def actions(api: Api, meeting: dict[str, Any]) -> list[str]:
    """What was told of a meeting, first to last."""
    query = {"object_type": "activity.meeting", "object_id": meeting["id"]}
    return [event["action"] for event in api.get("/event/", **query)["data"]][::-1]


def test_a_meeting_is_answered_whole(organization: Organization, lead: str) -> None:
    api = organization.admin
    address = api.get("/me/")["email"]
    invited = [*FROM_CALENDAR["attendees"], {"email": address.upper(), "is_organizer": True}]
    made = sync(organization, lead, attendees=invited)
    [contact] = api.get(f"/lead/{lead}/")["contact_ids"]
    nobody = {"name": None, "status": "noreply", "is_organizer": False}
    own = FROM_CALENDAR | {
        "_type": "Meeting",
        "lead_id": lead,
        "contact_id": None,
        "user_id": api.user_id,
        "users": [api.user_id],
        "title": "Demo",
        "activity_at": at(days=1),
        "starts_at": at(days=1),
        "duration": 1800,
        "actual_duration": None,
        "attendees": [
            nobody
            | {"email": "bo@client.test", "name": "Bo", "contact_id": contact, "user_id": None},
            nobody
            | {"email": "someone@client.test", "status": "no"}
            | {"contact_id": None, "user_id": None},
            nobody
            | {"email": address.upper(), "is_organizer": True}
            | {"contact_id": None, "user_id": api.user_id},
        ],
        "user_note": None,
        "user_note_html": None,
        "user_note_date_updated": None,
        "user_note_mentions": [],
        "outcome_id": None,
        "outcome_reason": None,
        "outcome_autofill_confidence": None,
        "outcome_autofill_reasoning": None,
        "playbook_id": None,
        "playbook_reason": None,
        "conversation_type_id": None,
        "conversation_type_reason": None,
        "notetaker_id": None,
        "attached_call_ids": [],
        "integrations": [],
        "summary": None,
    }
    assert made.keys() == BASE | own.keys()
    assert made | own == made
    path = f"{URL}{made['id']}/"
    assert api.get(path) == made
    assert api.get(URL, lead_id=lead)["data"] == [made]
    assert api.get("/activity/", _type="Meeting")["data"] == [made]
    assert api.get(path, _fields="id,transcripts") == {"id": made["id"], "transcripts": []}
    deleted = api("DELETE", path)
    assert (deleted.status_code, deleted.json()) == (200, {})
    assert api("GET", path).status_code == 404


@pytest.mark.parametrize(
    ("later", "status"),
    [
        (timedelta(hours=1), "upcoming"),
        (timedelta(minutes=-10), "in-progress"),
        (timedelta(hours=-1), "completed"),
    ],
)
def test_a_meeting_that_is_logged_stands_where_the_clock_is(
    api: Api, lead: str, later: timedelta, status: str
) -> None:
    start = (NOW + later).isoformat()
    made = api.post(URL, body(lead, start, source="calendar", connected_account_id="x"))
    assert (made["status"], made["source"]) == (status, "manual")
    assert made["connected_account_id"] is None
    assert made["activity_at"] == made["starts_at"]
    assert datetime.fromisoformat(made["ends_at"]) == NOW + later + timedelta(minutes=30)
    path = f"{URL}{made['id']}/"
    off = api.put(path, {"status": "declined-by-lead"})
    assert off["status"] == "declined-by-lead"
    assert api.put(path, {"status": "completed"})["status"] == status
    assert api.put(path, {"status": "canceled"})["status"] == "canceled"
    assert api.put(path, {"status": None})["status"] == status


def test_where_a_meeting_stands_moves_with_the_clock_alone(
    organization: Organization, lead: str
) -> None:
    api, store = organization.admin, organization.program.store
    made = api.post(URL, body(lead, at(hours=1)))

    def read(**later: float) -> tuple[str, Any]:
        moment = NOW + timedelta(**later)
        actor = organization.actor(clock=lambda: moment)
        keys = ("next_meeting_date", "last_meeting_date", "num_upcoming_meetings", "num_meetings")
        page = Page(Range(Lead.next_meeting_date, "gt", moment), keys=("id",), total=False)

        async def ask() -> list[bytes]:
            async with store.reading(actor) as transaction:
                return [
                    await store.reads.get(transaction, actor, Meeting, made["id"], ("status",)),
                    await store.reads.get(transaction, actor, Lead, lead, keys),
                    await store.reads.page(transaction, actor, Lead, page),
                ]

        meeting, summary, found = map(json.loads, organization.program.run(ask()))
        assert bool(found["data"]) == (summary["next_meeting_date"] is not None)
        return meeting["status"], tuple(summary[key] for key in keys)

    start = at(hours=1)
    assert read() == ("upcoming", (start, None, 1, 1))
    assert read(minutes=59) == ("upcoming", (start, None, 1, 1))
    assert read(hours=1) == ("in-progress", (None, start, 0, 1))
    assert read(hours=1, minutes=29) == ("in-progress", (None, start, 0, 1))
    assert read(hours=1, minutes=30) == ("completed", (None, start, 0, 1))
    assert read(minutes=-5) == ("upcoming", (start, None, 1, 1))
    assert api.get(f"/lead/{lead}/").keys() & {"num_meetings", "next_meeting_date"} == set()


def test_a_lead_knows_its_next_and_its_last_meeting(api: Api, lead: str) -> None:
    keys = "num_meetings,num_upcoming_meetings,last_meeting_date,next_meeting_date"
    assert api.get(f"/lead/{lead}/", _fields=keys) == {
        "num_meetings": 0,
        "num_upcoming_meetings": 0,
        "last_meeting_date": None,
        "next_meeting_date": None,
    }
    made = [api.post(URL, body(lead, at(days=day))) for day in (-9, -2, 3, 5)]
    api.post(URL, body(lead, at(days=1), status="canceled"))
    api.post(URL, body(lead, at(days=-1), status="declined-by-org"))
    api.post("/activity/note/", {"lead_id": lead, "activity_at": at(days=2), "note": "x"})
    assert api.get(f"/lead/{lead}/", _fields=keys) == {
        "num_meetings": 6,
        "num_upcoming_meetings": 2,
        "last_meeting_date": at(days=-2),
        "next_meeting_date": at(days=3),
    }
    api.put(f"{URL}{made[2]['id']}/", {"status": "canceled"})
    api.delete(f"{URL}{made[1]['id']}/")
    assert api.get(f"/lead/{lead}/", _fields=keys) == {
        "num_meetings": 5,
        "num_upcoming_meetings": 1,
        "last_meeting_date": at(days=-9),
        "next_meeting_date": at(days=5),
    }


def test_the_end_and_the_duration_follow_from_each_other(api: Api, lead: str) -> None:
    made = api.post(URL, {"lead_id": lead, "starts_at": at(days=1), "ends_at": at(days=1, hours=2)})
    assert made["duration"] == 7200
    path = f"{URL}{made['id']}/"

    def told(changed: dict[str, Any]) -> tuple[str, str, int]:
        return changed["starts_at"], changed["ends_at"], changed["duration"]

    moved = api.put(path, {"starts_at": at(days=2)})
    assert told(moved) == (at(days=2), at(days=2, hours=2), 7200)
    shorter = api.put(path, {"duration": 600})
    assert told(shorter) == (at(days=2), at(days=2, minutes=10), 600)
    later = api.put(path, {"ends_at": at(days=2, minutes=20)})
    assert told(later) == (at(days=2), at(days=2, minutes=20), 1200)
    # what was read is sent back whole, with one change
    whole = api.put(path, later | {"duration": 60})
    assert told(whole) == (at(days=2), at(days=2, minutes=1), 60)
    whole = api.put(path, whole | {"ends_at": at(days=2, minutes=5)})
    assert told(whole) == (at(days=2), at(days=2, minutes=5), 300)
    whole = api.put(path, whole | {"starts_at": at(days=2, minutes=1)})
    assert told(whole) == (at(days=2, minutes=1), at(days=2, minutes=5), 240)
    assert api.put(path, {"activity_at": at(days=3)})["starts_at"] == at(days=3)


@pytest.mark.parametrize(
    ("wrong", "key"),
    [
        ({"starts_at": None}, "starts_at"),
        ({"starts_at": "soon"}, "starts_at"),
        ({"starts_at": "9999-12-31T23:59:00Z"}, "starts_at"),
        ({"duration": None}, "ends_at"),
        ({"duration": -1}, "duration"),
        ({"duration": 10**12}, "duration"),
        ({"ends_at": at(days=-400)}, "ends_at"),
        ({"ends_at": "9999-01-01"}, "ends_at"),
        ({"status": "over"}, "status"),
        ({"attendees": [{"name": "Bo"}]}, "attendees"),
        ({"attendees": [{"email": "bo@client.test", "status": "perhaps"}]}, "attendees"),
        ({"conference_links": [{"type": "TIN_CAN", "url": "https://x.test"}]}, "conference_links"),
        ({"conference_links": [{"type": "ZOOM", "url": "javascript:x"}]}, "conference_links"),
    ],
)
def test_what_no_meeting_can_be_is_refused(
    organization: Organization, lead: str, wrong: dict[str, Any], key: str
) -> None:
    api = organization.admin
    made = api.post(URL, body(lead, at(days=1)))
    before = rows_of(organization)
    for method, path in (("POST", URL), ("PUT", f"{URL}{made['id']}/")):
        refused = api(method, path, body(lead, at(days=1)) | wrong)
        assert refused.status_code == 400
        assert refused.json()["field-errors"].keys() == {key}
    assert rows_of(organization) == before


def test_a_meeting_needs_a_lead_a_start_and_an_end(organization: Organization, lead: str) -> None:
    before = rows_of(organization)
    refused = organization.admin("POST", URL, {"duration": 60}).json()["field-errors"]
    assert refused.keys() == {"starts_at"}
    refused = organization.admin("POST", URL, {"starts_at": at()}).json()["field-errors"]
    assert refused.keys() == {"lead"}
    refused = organization.admin("POST", URL, {"starts_at": at(), "lead_id": lead})
    assert refused.json()["field-errors"] == {"ends_at": "This field is required."}
    assert rows_of(organization) == before


def test_what_a_calendar_says_is_not_changed_by_requests(
    organization: Organization, lead: str
) -> None:
    api, made = organization.admin, sync(organization, lead)
    path = f"{URL}{made['id']}/"
    changed = api.put(
        path,
        {
            "starts_at": at(days=9),
            "ends_at": at(days=10),
            "duration": 60,
            "title": "Other",
            "note": "x",
            "status": "canceled",
            "attendees": [],
            "conference_links": [],
            "user_note_html": "<p>Went <b>well</b></p>",
            "outcome_id": "outcome_1",
        },
    )
    noted = {
        "user_note": "Went well",
        "user_note_html": "<body><p>Went <b>well</b></p></body>",
        "user_note_date_updated": changed["date_updated"],
        "outcome_id": "outcome_1",
        "date_updated": changed["date_updated"],
    }
    assert changed == made | noted
    assert api.get(path) == changed
    store, program = organization.program.store, organization.program
    moved = Change.update(Meeting, made["id"], {"starts_at": at(days=2)}, trusted=True)
    program.run(store.write(organization.actor(), [moved], TEST, answer=False))
    assert api.get(path)["ends_at"] == at(days=2, minutes=30)


def test_a_note_is_kept_plain_and_rich(api: Api, lead: str) -> None:
    made = api.post(URL, body(lead, at(days=1), note="from the calendar"))
    path = f"{URL}{made['id']}/"
    span = f'<span data-type="mention" data-id="{api.user_id}" class="mention">@Sam</span>'
    noted = api.put(path, {"user_note_html": f"<p>{span} look</p>"})
    assert (noted["user_note"], noted["user_note_mentions"]) == ("@Sam look", [api.user_id])
    assert noted["note"] == "from the calendar"
    plain = api.put(path, {"user_note": "a < b"})
    assert plain["user_note_html"] == "<body><p>a &lt; b</p></body>"
    gone = api.put(path, {"user_note_html": None})
    assert (gone["user_note"], gone["user_note_html"]) == (None, None)


def test_who_is_invited_is_known_by_the_address(organization: Organization, lead: str) -> None:
    api = organization.admin
    member = organization.member("user")
    address = member.get("/me/")["email"]
    invited = [{"email": address, "contact_id": "cont_x", "user_id": "user_x"}]
    made = api.post(URL, body(lead, at(days=1), attendees=invited))
    [attendee] = made["attendees"]
    assert (attendee["contact_id"], attendee["user_id"]) == (None, member.user_id)
    assert made["users"] == [member.user_id]
    path = f"{URL}{made['id']}/"
    other = api.post(
        "/lead/", {"contacts": [{"name": "Ada", "emails": [{"email": "ada@client.test"}]}]}
    )
    invited = [{"email": "ada@client.test"}]
    changed = api.put(path, {"attendees": invited})
    assert changed["attendees"][0]["contact_id"] is None  # she is another lead's
    assert changed["users"] == []
    body_of_ada = {"lead_id": lead, "name": "Ada", "emails": [{"email": "ADA@client.test"}]}
    ada = api.post("/contact/", body_of_ada)["id"]
    assert api.get(path)["attendees"][0]["contact_id"] == ada
    assert (
        api.put(path, {"lead_id": other["id"]})["attendees"][0]["contact_id"]
        == (other["contact_ids"][0])
    )
    given = api.put(path, {"attendees": [{"email": address}], "users": [api.user_id]})
    assert given["users"] == [member.user_id]


def test_what_the_write_makes_of_a_meeting_is_told(api: Api, lead: str) -> None:
    def logged(start: str, **rest: Any) -> dict[str, Any]:
        made: dict[str, Any] = api.post(URL, body(lead, start, **rest))
        return made

    assert actions(api, logged(at(hours=-2))) == ["created"]
    assert actions(api, logged(at(minutes=-5))) == ["created", "started"]
    assert actions(api, logged(at(hours=2), status="canceled")) == ["created"]
    meeting = logged(at(hours=2))
    path = f"{URL}{meeting['id']}/"
    for change in (
        {"title": "Talk"},
        {"starts_at": at(hours=3)},
        {"status": "canceled"},
        {"starts_at": at(hours=4)},
        {"status": None},
        {"starts_at": at(minutes=-10)},
        {"ends_at": at(minutes=-5)},
        {"status": "declined-by-lead"},
    ):
        api.put(path, change)
    told = [action for action in actions(api, meeting) if action != "updated"]
    assert told == [
        *("created", "scheduled", "scheduled", "canceled"),
        *("scheduled", "started", "completed"),
    ]


def test_an_event_tells_where_the_meeting_stood_then(organization: Organization, lead: str) -> None:
    """Not where it stands when the log is read."""
    api, store = organization.admin, organization.program.store
    past = NOW - timedelta(hours=3)
    actor = organization.actor(clock=lambda: past)
    change = Change.create(Meeting, body(lead, at(hours=-2)))
    [written] = organization.program.run(store.write(actor, [change], TEST))
    made = json.loads(written.body)
    assert made["status"] == "upcoming"
    assert api.get(f"{URL}{made['id']}/")["status"] == "completed"
    api.put(f"{URL}{made['id']}/", {"status": "canceled"})
    query = {"object_type": "activity.meeting", "object_id": made["id"]}
    events = api.get("/event/", **query)["data"]
    canceled, updated, scheduled, created = events
    assert [event["data"]["status"] for event in (created, scheduled)] == ["upcoming"] * 2
    assert (updated["data"]["status"], updated["previous_data"]["status"]) == (
        "canceled",
        "completed",
    )
    assert canceled["action"] == "canceled"


def test_meetings_are_found_by_their_event_in_a_calendar(
    organization: Organization, lead: str
) -> None:
    api = organization.admin
    one = sync(organization, lead)
    two = sync(organization, lead, starts_at=at(days=2), ends_at=at(days=2, hours=1))
    sync(organization, lead, provider_calendar_event_id="event2")

    def found(**query: str) -> list[str]:
        return [row["id"] for row in api.get(URL, **query)["data"]]

    event = {"provider_calendar_event_id": "event1"}
    assert found(**event) == [two["id"], one["id"]]
    assert found(**event, lead_id="lead_x") == []
    assert found(**event, starts_at=at(days=1)) == [one["id"]]
    assert found(**event, starts_at__gte=at(days=1, seconds=1)) == [two["id"]]
    assert found(**event, starts_at__lt=at(days=2)) == [one["id"]]
    assert found(**event, provider_calendar_id="team") == [two["id"], one["id"]]
    assert found(**event, provider_calendar_id="tea") == []
    assert found(**event, provider_calendar_type="microsoft") == []
    for name in ("provider_calendar_id", "provider_calendar_type", "starts_at", "starts_at__lt"):
        refused = api("GET", URL, **{name: "2026-01-01"})
        assert refused.status_code == 400
        assert refused.json() == {"error": f"{name} needs provider_calendar_event_id."}


def test_meetings_are_listed_by_when_they_are(api: Api, lead: str) -> None:
    later, sooner = (api.post(URL, body(lead, at(days=day)))["id"] for day in (5, 2))
    query = {"_order_by": "-activity_at", "activity_at__gt": at(days=1)}
    assert [row["id"] for row in api.get(URL, **query)["data"]] == [later, sooner]
    query["activity_at__lte"] = at(days=2)
    assert [row["id"] for row in api.get(URL, **query)["data"]] == [sooner]
    history = api.get("/activity/", lead_id=lead, _order_by="-activity_at")["data"]
    assert [row["id"] for row in history[:2]] == [later, sooner]


def test_conditions_read_the_actors_clock(organization: Organization, lead: str) -> None:
    store = organization.program.store
    organization.admin.post(URL, body(lead, at(hours=1)))

    def count(status: str, **later: float) -> int:
        moment = NOW + timedelta(**later)
        actor = organization.actor(clock=lambda: moment)
        page = Page(Equal(Meeting.status, status), keys=("id",))

        async def ask() -> bytes:
            async with store.reading(actor, plan_anew=True) as transaction:
                return await store.reads.page(transaction, actor, Meeting, page)

        return len(json.loads(organization.program.run(ask()))["data"])

    assert [count("upcoming"), count("completed")] == [1, 0]
    assert [count("upcoming", hours=2), count("completed", hours=2)] == [0, 1]


def test_a_hidden_leads_meetings_are_not_there(organization: Organization, lead: str) -> None:
    admin = organization.admin
    owner = admin.post("/custom_field/lead/", {"name": "Owner", "type": "user"})["id"]
    admin.put(f"/lead/{lead}/", {f"custom.{owner}": admin.user_id})
    made, rep = admin.post(URL, body(lead, at(days=1))), organization.limited(owner)
    own = rep.post("/lead/", {"name": "Own"})["id"]
    kept = rep.post(URL, body(own, at(days=1), attendees=[{"email": "bo@client.test"}]))
    assert kept["attendees"][0]["contact_id"] is None
    before = rows_of(organization)
    path = f"{URL}{made['id']}/"
    for method in ("GET", "PUT", "DELETE"):
        assert rep(method, path, {"title": "x"}).status_code == 404
    assert [row["id"] for row in rep.get(URL)["data"]] == [kept["id"]]
    assert rows_of(organization) == before


def test_another_organization_has_nothing_of_it(organization: Organization, lead: str) -> None:
    made = organization.admin.post(URL, body(lead, at(days=1)))
    stranger = make_organization(organization.program).admin
    assert stranger("GET", f"{URL}{made['id']}/").status_code == 404
    assert stranger.get(URL)["data"] == []
