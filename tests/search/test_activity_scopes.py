"""Asking for leads, contacts and deals by their activities, over HTTP."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from harness import Api, Organization, Program, make_organization

from clinch.crm.activities.activity import Activity
from clinch.crm.leads import Lead
from clinch.resources.fields import Children, Text
from clinch.resources.query.tree import EVERYTHING, Or, Related, TextMatch
from clinch.search.text import UnknownName, parse

NOW = datetime.now(UTC)
NOON = {"x-tz-offset": str(12 - NOW.hour)}
"""The zone where it is about noon, so that no test runs over midnight."""


def ago(**length: float) -> str:
    return (NOW - timedelta(**length)).isoformat()


# Each: the lead, the type, and what is posted.
ACTIVITIES: list[tuple[str, str, dict[str, Any]]] = [
    ("acme", "call", {"direction": "outbound", "duration": 700, "activity_at": ago(days=2)}),
    ("acme", "call", {"direction": "inbound", "duration": 5, "note": "about anvils"}),
    ("wayne", "call", {"direction": "inbound", "status": "no-answer", "activity_at": ago(days=9)}),
    ("acme", "note", {"note": "likes tunnels", "activity_at": ago(days=40)}),
    ("acme", "note", {"title": "Second", "note": "x"}),
    ("ville", "note", {"note": "anvils again", "pinned": True}),
    ("wayne", "meeting", {"starts_at": ago(days=-3), "duration": 3600, "title": "Cave tour"}),
    ("ville", "meeting", {"starts_at": ago(hours=1), "duration": 60, "status": "canceled"}),
    ("tokyo", "meeting", {"starts_at": ago(days=3), "duration": 600}),
    (
        "wayne",
        "email",
        {"status": "inbox", "sender": "bo@cave.example", "subject": "Bats", "body_text": "Many"},
    ),
    (
        "tokyo",
        "email",
        {
            "status": "sent",
            "to": ["zo@tokyo.example"],
            "subject": "Offer",
            "date_created": ago(days=4),
            "opens": [{"opened_at": ago(days=1)}],
        },
    ),
    ("ville", "email", {"status": "draft", "subject": "Bats, a draft"}),
    (
        "ville",
        "sms",
        {
            "status": "inbox",
            "text": "Running late",
            "local_phone": "+14155550100",
            "remote_phone": "+14155550101",
        },
    ),
]


class Desk:
    """An organization whose leads have activities; finds what there is by its name."""

    def __init__(self, organization: Organization) -> None:
        self.organization, self.api = organization, organization.admin
        self.mate = organization.member("user", "Ada", "Moss")
        self.ids: dict[str, str] = {}
        self.contacts: dict[str, str] = {}
        for name in ("acme", "wayne", "ville", "tokyo"):
            made = self.api.post("/lead/", {"name": name, "contacts": [{"name": f"Bo {name}"}]})
            self.ids[name], [self.contacts[name]] = made["id"], made["contact_ids"]
        for lead, path, body in ACTIVITIES:
            self.api.post(f"/activity/{path}/", {"lead_id": self.ids[lead]} | body)
        self._visits()
        of_contact = {"lead_id": self.ids["ville"], "contact_id": self.contacts["ville"]}
        self.mate.post("/activity/note/", of_contact | {"note": "spoke to Bo"})
        self.api.put(f"/lead/{self.ids['wayne']}/", {"status": "Qualified"})
        for name, status in (("acme", "Won"), ("ville", "Lost")):
            deal = self.api.post("/opportunity/", {"lead_id": self.ids[name]})
            self.ids[f"deal of {name}"] = deal["id"]
            self.api.put(f"/opportunity/{deal['id']}/", {"status": status})
        self.ids |= {f"Bo {name}": id for name, id in self.contacts.items()}

    def _visits(self) -> None:
        """Custom activities of two types, which have fields of the same name."""
        self.types: dict[str, str] = {}
        for type, lead, berths in (("Visit", "acme", 3), ("Tasting", "wayne", 8)):
            self.types[type] = self.api.post("/custom_activity/", {"name": type})["id"]
            of_type: dict[str, Any] = {"custom_activity_type_id": self.types[type]}
            self.api.post("/custom_field/activity/", of_type | {"name": "Berths", "type": "number"})
            body = of_type | {"lead_id": self.ids[lead], "custom.Berths": berths}
            self.api.post("/activity/custom/", body)
        shared = self.api.post("/custom_field/shared/", {"name": "Weather", "type": "text"})["id"]
        association = {
            "object_type": "custom_activity_type",
            "custom_activity_type_id": self.types["Visit"],
        }
        self.api.post(f"/custom_field/shared/{shared}/association/", association)
        draft: dict[str, Any] = {
            "custom_activity_type_id": self.types["Visit"],
            "lead_id": self.ids["tokyo"],
        }
        body = draft | {"status": "draft", "custom.Weather": "fine"}
        self.api.post("/activity/custom/", body)

    def find(self, query: str, path: str = "lead", api: Api | None = None) -> set[str]:
        asking = api or Api(self.api.program, self.api.key, self.api.user_id, NOON)
        page = asking.get(f"/{path}/", query=query, _fields="id")
        assert page.get("total_results", len(page["data"])) == len(page["data"])
        names = {id: name for name, id in self.ids.items()}
        return {names[row["id"]] for row in page["data"]}


@pytest.fixture(scope="module")
def desk(program: Program) -> Desk:
    return Desk(make_organization(program))


EVERY = {"acme", "wayne", "ville", "tokyo"}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        # one activity meets all that stands in the scope
        ("call()", {"acme", "wayne"}),
        ("calls()", {"acme", "wayne"}),
        ("call(duration > 600)", {"acme"}),
        ("call(direction:outbound duration < 600)", set()),
        ("call(direction:outbound) call(duration < 600)", {"acme"}),
        ("-call(duration > 600)", EVERY - {"acme"}),
        ("call(duration > 600 or status:no-answer)", {"acme", "wayne"}),
        ("call(not duration > 600)", {"acme", "wayne"}),
        # directions in any words
        ("call(direction:incoming)", {"acme", "wayne"}),
        ("call(direction:outgoing)", {"acme"}),
        ("call(direction:Sent)", {"acme"}),
        ("call(direction:sideways)", set()),
        ("call(direction != incoming)", {"acme"}),
        # days
        ("call(date:today)", {"acme"}),
        ('call(date:"2 days ago")', {"acme"}),
        ('call(date < "7 days ago")', {"wayne"}),
        ('call(date > "3 days ago" direction:outbound)', {"acme"}),
        ("call(outgoing_call_date:today)", set()),
        ('call(outgoing_call_date:"2 days ago")', {"acme"}),
        ('call(outgoing_call_date:["5 days ago" TO today])', {"acme"}),
        ("call(created:today)", {"acme", "wayne"}),
        # people and texts
        ("call(user:me)", {"acme", "wayne"}),
        ('note(user:"Ada Moss")', {"ville"}),
        ('note(user in ("Ada Moss", "Nobody"))', {"ville"}),
        ("note(contact:bo)", {"ville"}),
        ("note(anvils)", {"ville"}),
        ("call(anvils)", {"acme"}),
        ("note(note:tunnels)", {"acme"}),
        ("note(second)", {"acme"}),
        ("note(pinned:yes)", {"ville"}),
        ("note(pinned:no)", {"acme", "ville"}),
        ("anvils", set()),
        # the status at first
        ("original_lead_status:Potential", EVERY),
        ("original_lead_status:Potential status:Qualified", {"wayne"}),
        ("original_lead_status:Qualified", set()),
        ("original_lead_status:Active", set()),
        ("original_lead_status in (Qualified, potential) status:Potential", EVERY - {"wayne"}),
        ("original_lead_status:*", EVERY),
        ('opportunity(original_status:"Active")', {"acme", "ville"}),
        ("opportunity(original_status:Active status:Won)", {"acme"}),
        ("opportunity(original_status:Won)", set()),
        # meetings
        ("meeting(status:upcoming)", {"wayne"}),
        ("meeting(status:completed)", {"tokyo"}),
        ("meeting(status:canceled)", {"ville"}),
        ("meeting(starts_at > now)", {"wayne"}),
        ("meeting(ends_at < now)", {"tokyo", "ville"}),
        ("meeting(cave)", {"wayne"}),
        ("next_meeting_date > now", {"wayne"}),
        ("next_meeting_date:*", {"wayne"}),
        ("last_meeting_date < now", {"tokyo"}),
        ("num_upcoming_meetings > 0", {"wayne"}),
        # what is written
        ("email(subject:bats)", {"wayne", "ville"}),
        ("email(bats status:inbox)", {"wayne"}),
        ("email(many)", {"wayne"}),
        ("email(direction:incoming)", {"wayne"}),
        ("email(direction:sent)", {"tokyo", "ville"}),
        ("email(direction:outgoing status:sent)", {"tokyo"}),
        ("email(sent:today)", {"wayne"}),
        ('email(sent:"4 days ago")', {"tokyo"}),
        ("email(opened:yes)", {"tokyo"}),
        ("email(opened:no status:sent)", set()),
        ("email(has_reply:yes)", set()),
        ("email(template:Welcome)", set()),
        ("emails > 0", {"wayne", "tokyo"}),  # a draft has reached nobody
        ("has:emails", {"wayne", "tokyo"}),
        ("emails:0", {"acme", "ville"}),
        ("last_emailed:today", {"wayne"}),
        ('last_emailed < "2 days ago"', {"tokyo"}),
        ("sms(late)", {"ville"}),
        ("sms(direction:incoming date:today)", {"ville"}),
        ("sms_messages > 0", {"ville"}),
        ("has:sms_messages", {"ville"}),
        ("has:sms", {"ville"}),
        ("last_sms:today", {"ville"}),
        ("email_thread(n_emails:1 emails > 0)", {"wayne", "tokyo"}),
        ("whatsapp_message()", set()),
        # changes of status, of the lead and of its deals
        ("lead_status_change(new_status:Qualified)", {"wayne"}),
        ("lead_status_change(old_status:Potential date:today)", {"wayne"}),
        ("lead_status_change(old_status:Qualified)", set()),
        ("status_change(new_status:Qualified)", {"wayne"}),
        ("status_change(old_status:active new_status:won)", {"acme"}),
        ("status_change(new_status:Lost)", {"ville"}),
        ("status_change(new_status in (won, lost))", {"acme", "ville"}),
        ("opportunity(status_change(old_status:active new_status:won))", {"acme"}),
        ("opportunity(status_change(date:yesterday))", set()),
        ("opportunity_status_change(new_status_type:lost)", {"ville"}),
        # custom activities
        ("custom_activity()", {"acme", "wayne", "tokyo"}),
        ("custom_activity(type:Visit)", {"acme", "tokyo"}),
        ("custom_activity(type:<Tasting>)", {"wayne"}),
        ("custom_activity(custom_activity_type_id:<Visit> status:published)", {"acme"}),
        ("custom_activity(status:draft)", {"tokyo"}),
        ("custom_activity(Berths > 2)", {"acme", "wayne"}),
        ("custom_activity(Berths > 5)", {"wayne"}),
        ("custom_activity(type:Visit Berths > 5)", set()),
        ("custom_activity(custom.Weather:fine)", {"tokyo"}),
        ("custom_activity(has:Berths)", {"acme", "wayne"}),
        # counts
        ("calls > 1", {"acme"}),
        ("calls:1", {"wayne"}),
        ("calls >= 1", {"acme", "wayne"}),
        ("calls:0", {"ville", "tokyo"}),
        ("calls < 2", {"wayne", "ville", "tokyo"}),
        ("calls != 2", {"wayne", "ville", "tokyo"}),
        ("calls:[1 TO 2]", {"acme", "wayne"}),
        ("calls > 1.5", {"acme"}),
        ("calls > -1", EVERY),
        ("notes > 1", {"acme", "ville"}),
        ("meetings > 0", {"wayne", "ville", "tokyo"}),
        ("custom_activities > 0", {"acme", "wayne", "tokyo"}),
        ("lead_status_changes:1", {"wayne"}),
        ("has:calls", {"acme", "wayne"}),
        ("not has:calls has:notes", {"ville"}),
        ("has:meetings", {"wayne", "ville", "tokyo"}),
        ("num_calls:2", {"acme"}),
        # dates of the last one
        ("last_called:today", {"acme"}),
        ('last_called < "7 days ago"', {"wayne"}),
        ('last_called >= "20 days ago"', {"acme", "wayne"}),
        ('last_called > "20 days ago" last_called < "2 days ago"', {"wayne"}),
        ("last_called:*", {"acme", "wayne"}),
        ("not last_called:*", {"ville", "tokyo"}),
        ('last_called:"2 days ago"', set()),
        ('last_call_date:["10 days ago" TO "5 days ago"]', {"wayne"}),
        ("last_note:today", {"acme", "ville"}),
        ("last_communication_date:today", {"acme", "wayne", "ville"}),
        ("last_lead_status_change_date:today", {"wayne"}),
        # among other things
        ("status:Qualified call(direction:inbound)", {"wayne"}),
        ("acme or note(contact:bo)", {"acme", "ville"}),
        ("contact(note(spoke))", {"ville"}),
    ],
)
def test_leads_are_found_by_what_happened_with_them(
    desk: Desk, query: str, found: set[str]
) -> None:
    for name, id in desk.types.items():
        query = query.replace(f"<{name}>", id)
    assert desk.find(query) == found


@pytest.mark.parametrize(
    ("path", "query", "found"),
    [
        ("contact", "note(spoke)", {"Bo ville"}),
        ("contact", "notes > 0", {"Bo ville"}),
        ("contact", "has:notes", {"Bo ville"}),
        ("contact", "call()", set()),
        ("contact", "emails > 0", set()),
        ("contact", "lead(call(direction:outbound))", {"Bo acme"}),
        ("opportunity", "status_change(new_status:won)", {"deal of acme"}),
        ("opportunity", "status_change(date:today user:me)", {"deal of acme", "deal of ville"}),
        ("opportunity", "lead(note(anvils))", {"deal of ville"}),
        ("opportunity", "original_status:active", {"deal of acme", "deal of ville"}),
        ("opportunity", "original_status:Lost", set()),
    ],
)
def test_others_are_found_by_their_activities(
    desk: Desk, path: str, query: str, found: set[str]
) -> None:
    assert desk.find(query, path) == found


def test_leads_are_sorted_by_their_meetings(desk: Desk) -> None:
    page = desk.api.get("/lead/", query="meetings > 0 sort:last_meeting_date", _fields="name")
    assert page["data"][0]["name"] == "tokyo"
    page = desk.api.get("/lead/", query="calls > 0 sort:-num_calls", _fields="name")
    assert [lead["name"] for lead in page["data"]] == ["acme", "wayne"]


def test_leads_are_sorted_by_how_much_happened(desk: Desk) -> None:
    for order, names in (("-", ["acme", "wayne", "tokyo"]), ("", ["tokyo", "wayne", "acme"])):
        query = f"name in (acme, wayne, tokyo) sort:{order}activities"
        page = desk.api.get("/lead/", query=query, _fields="name")
        assert [lead["name"] for lead in page["data"]] == names


def test_a_status_at_first_is_that_of_the_oldest_change(api: Api) -> None:
    statuses = {status["label"]: status["id"] for status in api.get("/status/lead/")["data"]}
    lead = api.post("/lead/", {"status": "Customer"})["id"]
    for old, new, day in (("Qualified", "Customer", "05"), ("Interested", "Qualified", "04")):
        change = {"old_status_id": statuses[old], "new_status_id": statuses[new]}
        moment = {"date_created": f"2020-05-{day}T00:00:00Z"}
        api.post("/activity/status_change/lead/", {"lead_id": lead} | change | moment)
    for word, found in (("Interested", [lead]), ("Qualified", []), ("Customer", [])):
        for name in (word, statuses[word]):
            page = api.get("/lead/", query=f"original_lead_status:{name}", _fields="id")
            assert [row["id"] for row in page["data"]] == found


def test_a_shared_field_is_asked_for_like_any(api: Api) -> None:
    shared = api.post("/custom_field/shared/", {"name": "Port", "type": "text"})["id"]
    assert api("GET", "/lead/", query="Port:Oslo").status_code == 400
    api.post(f"/custom_field/shared/{shared}/association/", {"object_type": "lead"})
    api.post("/lead/", {"name": "a", "custom.Port": "Oslo"})
    api.post("/lead/", {"name": "b", "custom.Port": "Bergen"})
    for query in ("Port:oslo", f"custom.{shared}:oslo"):
        found = api.get("/lead/", query=query, _fields="name")["data"]
        assert found == [{"name": "a"}]
    assert api("GET", "/contact/", query="Port:Oslo").status_code == 400


def test_a_type_that_is_declared_can_be_asked_for(desk: Desk) -> None:
    actor = desk.organization.actor()
    with pytest.raises(UnknownName):
        parse("pigeon(message:x)", Lead, actor)

    class Pigeon(
        Activity, path="activity/pigeon", prefix="acti", table="activity", only={"_type": "Pigeon"}
    ):
        message = Text(packed=True)

    try:
        for query, inner in (
            ("pigeon()", EVERYTHING),
            ("pigeons()", EVERYTHING),
            ("pigeon(message:x)", Or((TextMatch(Pigeon.message, "words", "x"),))),
            ("pigeon(x)", Or((TextMatch(Pigeon.message, "contains", "x"),))),
        ):
            where = parse(query, Lead, actor).where
            assert isinstance(where, Related)
            assert isinstance(where.field, Children)
            assert (where.field.target, where.field.by) == ("pigeon", "lead_id")
            assert where.node == inner
        for query in ("has:pigeons", "pigeons > 2", "contact(pigeon(date:today))"):
            parse(query, Lead, actor)
    finally:
        del Activity.variants["Pigeon"]
    with pytest.raises(UnknownName):
        parse("pigeon(message:x)", Lead, actor)


def test_who_does_not_see_a_lead_does_not_find_it_by_its_activities(program: Program) -> None:
    organization = make_organization(program)
    admin = organization.admin
    owner = admin.post("/custom_field/lead/", {"name": "Owner", "type": "user"})["id"]
    rep = organization.limited(owner)
    hidden = admin.post("/lead/", {"name": "hidden", f"custom.{owner}": admin.user_id})
    mine = rep.post("/lead/", {"name": "mine", "contacts": [{"name": "Bo"}]})
    deal = admin.post("/opportunity/", {"lead_id": hidden["id"]})
    admin.put(f"/opportunity/{deal['id']}/", {"status": "Won"})
    type = admin.post("/custom_activity/", {"name": "Visit"})["id"]
    for lead in (hidden["id"], mine["id"]):
        admin.post("/activity/call/", {"lead_id": lead, "note": "anvils"})
        admin.post("/activity/custom/", {"lead_id": lead, "custom_activity_type_id": type})
        later = {"starts_at": ago(days=-1), "duration": 60}
        admin.post("/activity/meeting/", {"lead_id": lead} | later)
    for query in (
        *("call(anvils)", "has:calls", "calls > 0", "last_called:*", "custom_activity(type:Visit)"),
        *("meeting(status:upcoming)", "next_meeting_date:*", "status_change()", "not call(x)"),
        *("last_called > 2020", "sort:-num_calls", "num_upcoming_meetings:1"),
    ):
        found = rep.get("/lead/", query=query)
        assert [lead["name"] for lead in found["data"]] in (["mine"], []), query
        assert found["total_results"] == len(found["data"])
        assert "hidden" in {lead["name"] for lead in admin.get("/lead/", query=query)["data"]}
    assert rep.get("/opportunity/", query="status_change()")["data"] == []
    contacts = rep.get("/contact/", query="lead(call())")["data"]
    assert [contact["lead_id"] for contact in contacts] == [mine["id"]]


def test_nothing_is_found_of_another_organization(desk: Desk, api: Api) -> None:
    api.post("/lead/", {"name": "own"})
    for query in ("call()", "note(anvils)", "has:meetings", "calls > 0", "last_called:*"):
        assert desk.find(query)
        assert api.get("/lead/", query=query)["data"] == []
