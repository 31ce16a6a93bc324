"""`/event/` over REST: what an event tells, to whom, which are listed, and in what pieces."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from harness import Api, Organization, make_organization

from clinch.crm.activities.created import Created
from clinch.crm.contacts import Contact
from clinch.crm.leads import Lead
from clinch.crm.tasks import Task
from clinch.events.request import EventPage
from clinch.events.view import list_events
from clinch.resources.query.tree import Equal, Related

Event = dict[str, Any]


@pytest.fixture(autouse=True)
def within_ten_minutes() -> None:
    """Updates fold within the same ten minutes of the clock: let a test not meet their end."""
    left = 600 - time.time() % 600
    if left < 15:
        time.sleep(left)


def in_sql(organization: Organization, sql: str, *arguments: Any) -> None:
    """Change the log behind the program's back; `$1` is the organization."""

    async def execute() -> None:
        connection = await asyncpg.connect(organization.program.store.database.url)
        try:
            await connection.execute(sql, organization.system.organization_id, *arguments)
        finally:
            await connection.close()

    asyncio.run(execute())


def age(organization: Organization, by: timedelta) -> None:
    """Let what has happened so far have happened that much earlier."""
    in_sql(organization, "update event set at = at - $2::interval where organization_id = $1", by)


def set_apart(organization: Organization) -> None:
    """Let nothing fold: an hour lies between each two of what has happened so far."""
    in_sql(
        organization,
        "update event set at = now() - (select c.seq - event.seq from event_clock c"
        " where c.organization_id = $1) * interval '1 hour' where organization_id = $1",
    )


def put_at(organization: Organization, object_id: str, *times: datetime) -> None:
    """Say when the last events of an object were."""
    in_sql(
        organization,
        "update event e set at = t.at from (select seq, row_number() over (order by seq desc) n"
        " from event where organization_id = $1 and object_id = $2) l"
        " join unnest($3::timestamptz[]) with ordinality t(at, n) on t.n = l.n"
        " where e.organization_id = $1 and e.seq = l.seq",
        object_id,
        times[::-1],
    )


def of(api: Api, object_id: str, object_type: str = "lead") -> list[Event]:
    found: list[Event] = api.get("/event/", object_type=object_type, object_id=object_id)["data"]
    return found


def statuses(api: Api) -> list[Any]:
    found: list[Any] = api.get("/status/lead/")["data"]
    return found


def test_a_new_object_is_told_whole(api: Api, organization: Organization) -> None:
    response = api("POST", "/lead/", {"name": "Harbour", "contacts": [{"name": "Ada"}]})
    lead = response.json()
    [event] = of(api, lead["id"])
    now = datetime.now(UTC).replace(tzinfo=None)
    assert now - timedelta(seconds=20) < datetime.fromisoformat(event["date_created"]) < now
    assert len(event["date_created"]) == 26
    assert event == {
        "id": event["id"],
        "date_created": event["date_created"],
        "date_updated": event["date_created"],
        "organization_id": organization.system.organization,
        "user_id": api.user_id,
        "request_id": response.headers["x-request-id"],
        "api_key_id": api.key.partition(".")[0],
        "oauth_client_id": None,
        "oauth_scope": None,
        "object_type": "lead",
        "object_id": lead["id"],
        "lead_id": lead["id"],
        "action": "created",
        "changed_fields": [],
        "meta": {"request_method": "POST", "request_path": "/api/v1/lead/"},
        "data": lead,
        "previous_data": {},
    }
    assert api.get(f"/event/{event['id']}/") == event
    [contact] = api.get("/event/", lead_id=lead["id"], object_type="contact")["data"]
    assert contact["data"] == lead["contacts"][0]
    assert contact["request_id"] == event["request_id"]


def test_a_change_is_told_with_the_old_values_of_what_changed(api: Api) -> None:
    first, second, *_ = statuses(api)
    lead = api.post("/lead/", {"name": "Harbour", "status_id": first["id"], "description": "a"})
    changed = api.put(f"/lead/{lead['id']}/", {"status_id": second["id"], "description": "b"})
    event = of(api, lead["id"])[0]
    assert event["action"] == "updated"
    names = ["date_updated", "description", "status_id", "status_label"]
    assert event["changed_fields"] == names
    assert event["data"] == changed
    assert event["previous_data"] == {name: lead[name] for name in names}


def test_custom_values_are_told_one_by_one(api: Api) -> None:
    field = api.post("/custom_field/lead/", {"name": "Seats", "type": "number"})["id"]
    lead = api.post("/lead/", {"name": "Harbour"})
    api.put(f"/lead/{lead['id']}/", {f"custom.{field}": 3})
    [event, _] = of(api, lead["id"])
    assert event["changed_fields"] == [f"custom.{field}", "date_updated"]
    assert event["data"][f"custom.{field}"] == 3
    assert event["data"]["custom"] == {"Seats": 3}
    assert event["previous_data"] == {
        f"custom.{field}": None,
        "date_updated": lead["date_updated"],
    }
    assert of(api, field, "custom_fields.lead")[0]["action"] == "created"


def test_what_is_gone_is_told_as_it_last_was(api: Api) -> None:
    lead = api.post("/lead/", {"name": "Harbour", "contacts": [{"name": "Ada"}]})
    task = api.post("/task/", {"lead_id": lead["id"], "text": "Call"})
    api.delete(f"/task/{task['id']}/")
    [deleted, created] = of(api, task["id"], "task.lead")
    assert (deleted["action"], created["action"]) == ("deleted", "created")
    assert deleted["data"] is None
    assert deleted["previous_data"] == task
    assert deleted["changed_fields"] == []
    api.delete(f"/lead/{lead['id']}/")
    [contact, *_] = of(api, lead["contacts"][0]["id"], "contact")
    assert contact["previous_data"]["name"] == "Ada"
    assert of(api, lead["id"])[0]["previous_data"]["name"] == "Harbour"


def test_a_task_is_told_by_its_own_type(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    shown, hidden = (
        api.post("/lead/", {"name": name, "contacts": [{"name": "Ada"}]}) for name in "ab"
    )
    calls = [
        api.post(
            "/task/",
            {
                "_type": "outgoing_call",
                "lead_id": lead["id"],
                "contact_id": lead["contacts"][0]["id"],
            },
        )
        for lead in (shown, hidden)
    ]
    assert of(api, calls[0]["id"], "task.lead") == []
    [event] = of(api, calls[0]["id"], "task.outgoing_call")
    assert (event["object_type"], event["data"]) == ("task.outgoing_call", calls[0])
    only = Related(Task.lead, Equal(Lead.fields["name"], "a"))
    monkeypatch.setattr(Task, "visible", classmethod(lambda cls, actor: only))
    assert api.get("/event/", object_type="task.outgoing_call")["data"] == [event]


def test_labels_are_those_of_the_moment_of_reading(api: Api) -> None:
    status = statuses(api)[0]
    lead = api.post("/lead/", {"status_id": status["id"]})
    api.put(f"/status/lead/{status['id']}/", {"label": "Renamed"})
    assert of(api, lead["id"])[0]["data"]["status_label"] == "Renamed"


def test_an_erased_body_leaves_the_event(api: Api, organization: Organization) -> None:
    lead = api.post("/lead/", {"name": "Ada Moss"})
    api.put(f"/lead/{lead['id']}/", {"name": "Ada"})
    in_sql(organization, "delete from event_body where organization_id = $1")
    [changed, created] = of(api, lead["id"])
    assert changed["changed_fields"] == ["date_updated", "name"]
    for event in (changed, created):
        assert (event["data"], event["previous_data"]) == (None, {})


def test_quick_changes_of_one_user_are_one_event(api: Api) -> None:
    lead = api.post("/lead/", {"name": "a", "description": "x"})
    api.put(f"/lead/{lead['id']}/", {"name": "b"})
    first = of(api, lead["id"])[0]
    api.put(f"/lead/{lead['id']}/", {"description": "y"})
    last = api.put(f"/lead/{lead['id']}/", {"name": "c"})
    [folded, created] = of(api, lead["id"])
    assert created["action"] == "created"
    assert folded["id"] == first["id"]
    assert folded["date_created"] == first["date_created"] < folded["date_updated"]
    assert folded["changed_fields"] == ["date_updated", "description", "display_name", "name"]
    assert folded["data"] == last
    assert folded["previous_data"] == {
        "name": "a",
        "display_name": "a",
        "description": "x",
        "date_updated": lead["date_updated"],
    }
    assert api.get(f"/event/{folded['id']}/") == folded


def test_what_shows_the_name_of_a_lead_has_not_changed_with_it(api: Api) -> None:
    lead = api.post("/lead/", {"name": "Harbour", "contacts": [{"name": "Ada"}]})["id"]
    api.post("/opportunity/", {"lead_id": lead})
    api.post("/task/", {"lead_id": lead, "text": "Call"})
    api.put(f"/lead/{lead}/", {"name": "Quay"})
    [event, *_] = api.get("/event/", object_type="lead", lead_id=lead)["data"]
    assert event["changed_fields"] == ["date_updated", "display_name", "name"]
    assert set(event["previous_data"]) == set(event["changed_fields"])
    assert event["data"]["opportunities"][0]["lead_name"] == "Quay"


def test_a_value_that_came_back_is_still_one_that_changed(api: Api) -> None:
    lead = api.post("/lead/", {"name": "a"})
    for name in ("b", "a"):
        api.put(f"/lead/{lead['id']}/", {"name": name})
    folded = of(api, lead["id"])[0]
    assert folded["changed_fields"] == ["date_updated", "name"]
    assert folded["previous_data"]["name"] == folded["data"]["name"] == "a"


@pytest.mark.parametrize(
    ("seconds", "events"),
    [
        ((0, 60, 119), 1),
        ((0, 61, 119), 2),
        ((0, 61, 122), 3),
        ((580, 610, 620), 2),  # the ten minutes end between the first and the second
    ],
)
def test_only_what_is_near_in_time_is_folded(
    api: Api, organization: Organization, seconds: tuple[int, ...], events: int
) -> None:
    lead = api.post("/lead/", {"name": "a"})["id"]
    for name in ("b", "c", "d"):
        api.put(f"/lead/{lead}/", {"name": name})
    age(organization, timedelta(hours=2))
    whole = int(datetime.now(UTC).timestamp()) // 600 * 600 - 1200
    put_at(organization, lead, *(datetime.fromtimestamp(whole + s, UTC) for s in seconds))
    found = [event for event in of(api, lead) if event["action"] == "updated"]
    assert len(found) == events
    assert found[0]["data"]["name"] == "d"
    assert found[-1]["previous_data"]["name"] == "a"
    names = [event["previous_data"].get("name") for event in found]
    assert (
        names
        == {1: ["a"], 2: [{61: "b", 610: "b"}.get(seconds[1]), "a"], 3: ["c", "b", "a"]}[events]
    )


def test_changes_of_others_and_by_others_are_events_of_their_own(
    api: Api, organization: Organization
) -> None:
    other = organization.member("user")
    lead, next_lead = (api.post("/lead/", {"name": name})["id"] for name in "ab")
    api.put(f"/lead/{lead}/", {"name": "b"})
    api.put(f"/lead/{next_lead}/", {"name": "b"})
    other.put(f"/lead/{lead}/", {"name": "c"})
    api.put(f"/lead/{lead}/", {"name": "d"})
    api.put(f"/lead/{lead}/", {"name": "e"})
    told = [(e["user_id"], e["previous_data"].get("name")) for e in of(api, lead)]
    assert told == [
        (api.user_id, "c"),
        (other.user_id, "b"),
        (api.user_id, "a"),
        (api.user_id, None),
    ]


def test_a_request_is_answered_with_its_own_events(api: Api) -> None:
    lead = api.post("/lead/", {"name": "a"})
    responses = [api("PUT", f"/lead/{lead['id']}/", {"name": name}) for name in "bcd"]
    ids = set()
    for response, before in zip(responses, "abc", strict=True):
        request_id = response.headers["x-request-id"]
        [event] = api.get("/event/", request_id=request_id)["data"]
        assert event["previous_data"]["name"] == before
        assert event["request_id"] == request_id
        ids.add(event["id"])
    [folded, _] = of(api, lead["id"])
    [folded_in, last] = sorted(ids - {folded["id"]})
    assert api.get(f"/event/{folded_in}/")["previous_data"]["name"] == "b"
    assert api.get(f"/event/{last}/")["previous_data"]["name"] == "c"
    assert api.get(f"/event/{folded['id']}/")["data"]["name"] == "d"


@pytest.fixture
def long_log(api: Api, organization: Organization) -> list[str]:
    """The ids of 150 events of leads, newest first: many a name, now and then changed quickly."""
    leads = [api.post("/lead/", {"name": str(number)})["id"] for number in range(90)]
    set_apart(organization)
    for lead in leads[:60]:
        for name in ("a", "b") if lead in leads[:5] else ("a",):
            api.put(f"/lead/{lead}/", {"name": name})
    return [event["id"] for event in walk(api, "cursor_next", _limit=50, object_type="lead")]


def walk(api: Api, way: str, cursor: str = "", **query: Any) -> list[Event]:
    """Follow the cursors from one page on until there are none; what was found, in that order."""
    found: list[Event] = []
    for _ in range(200):
        page = api.get("/event/", _cursor=cursor, **query)
        found += page["data"] if way == "cursor_next" else page["data"][::-1]
        if page[way] is None:
            return found
        cursor = page[way]
    raise AssertionError("the walk has no end")


@pytest.mark.parametrize("limit", [1, 7, 50])
def test_a_walk_meets_every_event_once_either_way(
    api: Api, long_log: list[str], limit: int
) -> None:
    assert len(long_log) == len(set(long_log)) == 150
    query = {"object_type": "lead", "_limit": limit}
    cursor: str | None = ""
    down, pages = [], []
    while cursor is not None:
        page = api.get("/event/", _cursor=cursor, **query)
        assert len(page["data"]) <= limit
        pages.append(page)
        down += [event["id"] for event in page["data"]]
        cursor = page["cursor_next"]
    assert down == long_log
    assert pages[0]["cursor_previous"] is None
    up = [
        event["id"] for event in walk(api, "cursor_previous", pages[-1]["cursor_previous"], **query)
    ]
    assert up[::-1] == long_log[: len(up)]
    assert len(up) == 150 - len(pages[-1]["data"])


def test_a_page_has_fifty_events_unless_fewer_are_wanted(api: Api, long_log: list[str]) -> None:
    assert len(api.get("/event/")["data"]) == 50
    assert len(api.get("/event/", _limit=3)["data"]) == 3
    empty = api.get("/event/", _limit=0)
    assert empty == {"data": [], "cursor_next": None, "cursor_previous": None}


def test_times_go_with_the_cursor(api: Api, long_log: list[str]) -> None:
    """Clients leave them out of the next request, or repeat them."""
    first = api.get("/event/", object_type="lead", _limit=50)["data"]
    until = first[-1]["date_updated"]
    since = api.get("/event/", object_type="lead", date_updated__lt=until)["data"][-1]
    bounds = {"date_updated__lt": until, "date_updated__gt": since["date_updated"]}
    page = api.get("/event/", object_type="lead", _limit=10, **bounds)
    for repeated in ({}, bounds):
        rest = walk(api, "cursor_next", page["cursor_next"], object_type="lead", **repeated)
        assert [event["id"] for event in page["data"] + rest] == long_log[50:99]


def test_what_grows_between_two_pages_is_neither_lost_nor_torn(
    api: Api, organization: Organization
) -> None:
    leads = [api.post("/lead/", {"name": str(number)})["id"] for number in range(4)]
    set_apart(organization)
    for lead in leads:
        api.put(f"/lead/{lead}/", {"name": "a"})
    page = api.get("/event/", object_type="lead", _limit=2)
    assert [event["object_id"] for event in page["data"]] == [leads[3], leads[2]]
    api.put(f"/lead/{leads[3]}/", {"name": "b"})
    rest = api.get("/event/", object_type="lead", _limit=50, _cursor=page["cursor_next"])
    assert [e["object_id"] for e in rest["data"]] == [leads[1], leads[0], *reversed(leads)]
    newer = api.get("/event/", object_type="lead", _cursor=rest["cursor_previous"])["data"]
    assert [event["object_id"] for event in newer] == [leads[3], leads[2]]
    assert newer[0]["id"] == page["data"][0]["id"]
    assert newer[0]["data"]["name"] == "b"
    assert newer[0]["previous_data"]["name"] == "3"


def test_filters_together_are_each_of_them(api: Api, organization: Organization) -> None:
    other = organization.member("user")
    lead = api.post("/lead/", {"name": "a", "contacts": [{"name": "Ada"}]})["id"]
    contact = api.get(f"/lead/{lead}/")["contacts"][0]["id"]
    other.put(f"/contact/{contact}/", {"name": "Bo"})
    api.post("/lead/", {"name": "b"})

    def told(**query: str) -> list[tuple[str, str]]:
        return [(e["object_type"], e["action"]) for e in api.get("/event/", **query)["data"]]

    by_lead = [
        ("lead", "updated"),
        ("contact", "updated"),
        ("contact", "created"),
        ("activity.created", "created"),
        ("lead", "created"),
    ]
    assert sorted(told(lead_id=lead)) == sorted(by_lead)
    assert told(lead_id=lead, object_type="contact", action="updated") == [("contact", "updated")]
    assert sorted(told(lead_id=lead, user_id=other.user_id)) == sorted(by_lead[:2])
    assert told(user_id=other.user_id, object_id=contact) == [("contact", "updated")]
    assert told(object_id=contact, action="created") == [("contact", "created")]
    assert told(object_type="lead", action="created") == [("lead", "created")] * 2
    assert len(told(user_id=api.user_id)) == 5
    assert told(object_type="unheard_of") == []
    assert told(lead_id="") == told()


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ({"action": "created"}, "Events cannot be filtered by action."),
        ({"object_id": "lead_1"}, "Events cannot be filtered by object_id."),
        ({"lead_id": "l", "request_id": "r"}, "filtered by lead_id and request_id."),
        ({"lead_id": "l", "action": "created"}, "filtered by lead_id and action."),
        ({"_cursor": "nonsense"}, "_cursor is not one"),
        ({"_cursor": "äöü"}, "_cursor is not one"),
        ({"_cursor": "eyJzZXEiOi0xLCJkaXJlY3Rpb24iOiJvbGRlciIsImRhdGVzIjp7fX0"}, "_cursor is not"),
        ({"_cursor": "eyJzZXEiOjEsImRpcmVjdGlvbiI6InVwIn0"}, "_cursor is not one"),
        ({"_limit": "51"}, "(max_limit = 50)."),
        ({"_limit": "-1"}, "_limit must be a non-negative integer"),
        ({"_limit": "many"}, "_limit must be an integer"),
        ({"_skip": "50"}, "_skip is not supported here."),
        ({"date_updated__gte": "yesterday"}, "date_updated__gte: Invalid ISO 8601 datetime."),
    ],
)
def test_what_is_not_served_is_refused(api: Api, query: dict[str, str], text: str) -> None:
    response = api("GET", "/event/", **query)
    assert response.status_code == 400
    assert text in response.json()["error"]


@pytest.mark.parametrize("moment", ["0001-01-01", "9999-12-31T23:59:59+00:00"])
def test_the_ends_of_time_are_times(api: Api, moment: str) -> None:
    later = api.get("/event/", date_updated__gte=moment)["data"]
    earlier = api.get("/event/", date_updated__lt=moment)["data"]
    assert bool(later) is moment.startswith("0") is not bool(earlier)


def test_times_without_an_offset_are_in_utc(api: Api) -> None:
    """As events tell them: a client asks with what it was answered, whatever its zone."""
    lead = api.post("/lead/", {"name": "a"})["id"]
    created = of(api, lead)[0]["date_created"]
    api.headers["x-tz-offset"] = "-8"
    query = {"object_type": "lead", "object_id": lead}
    assert api.get("/event/", **query, date_updated__gte=created)["data"]
    assert not api.get("/event/", **query, date_updated__gt=created)["data"]
    assert api.get("/event/", **query, date_updated__lte=f"{created}Z")["data"]
    assert not api.get("/event/", **query, date_updated__lt=f"{created}Z")["data"]


def test_events_are_shown_for_thirty_days(api: Api, organization: Organization) -> None:
    old = api.post("/lead/", {"name": "old"})["id"]
    age(organization, timedelta(days=2))
    kept = api.post("/lead/", {"name": "kept"})["id"]
    age(organization, timedelta(days=28, hours=-1))
    [event] = of(api, old)
    age(organization, timedelta(hours=2))
    assert of(api, old) == []
    found = [(e["object_type"], e["lead_id"]) for e in api.get("/event/")["data"]]
    assert found == [("activity.created", kept), ("lead", kept)]
    assert api("GET", f"/event/{event['id']}/").status_code == 404


def test_only_admins_see_the_data_of_what_was_more_than_an_hour_ago(
    api: Api, organization: Organization
) -> None:
    member = organization.member("superuser")
    lead = api.post("/lead/", {"name": "a"})["id"]
    api.put(f"/lead/{lead}/", {"name": "b"})
    api.delete(f"/lead/{lead}/")
    age(organization, timedelta(minutes=59))
    assert of(member, lead) == of(api, lead)
    age(organization, timedelta(minutes=2))
    for event, whole in zip(of(member, lead), of(api, lead), strict=True):
        assert set(whole) - set(event) == {"data", "previous_data"}
        assert event == {key: value for key, value in whole.items() if key in event}
        assert api.get(f"/event/{event['id']}/") == whole
        assert member.get(f"/event/{event['id']}/") == event


def test_events_of_what_a_role_may_not_read_are_left_out(
    api: Api, organization: Organization
) -> None:
    member = organization.member("user")
    assert api.get("/event/", object_type="api_key")["data"]
    assert member.get("/event/", object_type="api_key")["data"] == []
    [event, *_] = api.get("/event/", object_type="api_key")["data"]
    assert member("GET", f"/event/{event['id']}/").status_code == 404


def test_events_of_what_an_actor_may_not_see_are_left_out(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown, hidden = (
        api.post("/lead/", {"name": "a", "contacts": [{"name": "Ada"}]}) for _ in range(2)
    )
    gone = [api.post("/lead/", {"name": name})["id"] for name in "ab"]
    for id in gone:
        api.delete(f"/lead/{id}/")
    api.put(f"/lead/{hidden['id']}/", {"name": "b"})  # what it is now counts, while it is there
    [*_, event] = of(api, hidden["id"])
    [made] = api.get("/event/", lead_id=shown["id"], object_type="activity.created")["data"]
    only = Equal(Lead.fields["name"], "a")
    monkeypatch.setattr(Lead, "visible", classmethod(lambda cls, actor: only))
    for resource in (Contact, Created):
        of_lead = Related(resource.lead, only)
        monkeypatch.setattr(resource, "visible", classmethod(lambda cls, actor, of=of_lead: of))
    found = {e["object_id"] for e in walk(api, "cursor_next") if e["lead_id"] is not None}
    assert found == {shown["id"], shown["contacts"][0]["id"], made["object_id"], gone[0]}
    assert api("GET", f"/event/{event['id']}/").status_code == 404


def test_events_of_another_organization_are_not_there(api: Api, organization: Organization) -> None:
    lead = api.post("/lead/", {"name": "a"})["id"]
    [event] = of(api, lead)
    other = make_organization(organization.program).admin
    assert of(other, lead) == []
    response = other("GET", f"/event/{event['id']}/")
    assert response.status_code == 404
    assert response.json() == {"error": "Empty query: Event matching query does not exist."}
    page = api.get("/event/", _limit=1)
    theirs = {
        e["organization_id"] for e in other.get("/event/", _cursor=page["cursor_next"])["data"]
    }
    assert api.get(f"/event/{event['id']}/")["organization_id"] not in theirs


def test_a_full_page_takes_as_many_statements_as_an_event(
    organization: Organization, long_log: list[str]
) -> None:
    store, actor = organization.program.store, organization.actor()

    async def statements(limit: int, **filters: str) -> int:
        async with store.reading(actor) as transaction:
            page = EventPage(filters, limit=limit)
            found = await list_events(transaction, actor, store.reads, page)
            assert len(found["data"]) == limit
            return transaction.statements

    for limit in (1, 50):
        assert organization.program.run(statements(limit, object_type="lead")) == 3


def test_fields_are_named_as_everywhere(api: Api) -> None:
    lead = api.post("/lead/", {"name": "a"})["id"]
    page = api.get("/event/", lead_id=lead, _fields="id,action")
    assert [set(event) for event in page["data"]] == [{"id", "action"}] * 2
