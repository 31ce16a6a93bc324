"""Tasks over HTTP: days and moments, views, and many at once."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from harness import Api


@pytest.fixture
def lead(api: Api) -> dict[str, Any]:
    made: dict[str, Any] = api.post(
        "/lead/", {"name": "Harbour Tools", "contacts": [{"name": "Ada Moss"}]}
    )
    return made


def day(offset: int) -> str:
    return (datetime.now(UTC) + timedelta(days=offset)).date().isoformat()


def test_a_task_without_a_date_is_one_of_today(api: Api, lead: dict[str, Any]) -> None:
    task = api.post("/task/", {"lead_id": lead["id"], "text": "Send the quote"})
    assert task["_type"] == "lead"
    assert (task["date"], task["due_date"], task["is_dateless"]) == (day(0), None, True)
    assert (task["view"], task["is_complete"]) == ("inbox", False)
    assert (task["assigned_to"], task["assigned_to_name"]) == (api.user_id, "Sam Reed")
    assert api.get(f"/task/{task['id']}/") == task
    assert api.get(f"/lead/{lead['id']}/")["tasks"] == [task]


def test_days_and_moments_are_answered_as_they_were_sent(api: Api, lead: dict[str, Any]) -> None:
    body = {"lead_id": lead["id"], "text": "x"}
    on_day = api.post("/task/", {**body, "date": "2026-03-05"})
    assert (on_day["date"], on_day["due_date"]) == ("2026-03-05", "2026-03-05")
    at = api.post("/task/", {**body, "due_date": "2026-03-05T10:00:00+02:00"})
    assert at["date"] == "2026-03-05T08:00:00.000000+00:00"
    changed = api.put(f"/task/{at['id']}/", {"date": "2026-03-06"})
    assert changed["date"] == "2026-03-06"
    assert changed["is_dateless"] is False


def test_views_go_by_the_callers_day(api: Api, lead: dict[str, Any]) -> None:
    body = {"lead_id": lead["id"]}
    api.post("/task/", {**body, "text": "late", "date": day(-3)})
    api.post("/task/", {**body, "text": "soon", "date": day(1)})
    api.post("/task/", {**body, "text": "far", "date": day(9)})
    api.post("/task/", {**body, "text": "done", "date": day(9), "is_complete": True})

    def view(name: str) -> list[str]:
        tasks = api.get("/task/", view=name)["data"]
        assert {task["view"] for task in tasks} == {name}
        return [task["text"] for task in tasks]

    assert view("archive") == ["done"]
    assert view("future")[-1] == "far"
    assert "late" in view("inbox")
    assert len(view("inbox")) + len(view("future")) == 3
    api.headers["x-tz-offset"] = "-12"
    assert "soon" in view("future")
    texts = [task["text"] for task in api.get(f"/lead/{lead['id']}/")["tasks"]]
    assert texts == ["late", "soon", "far"]


def texts(api: Api, **parameters: str) -> set[str]:
    return {task["text"] for task in api.get("/task/", **parameters)["data"]}


@pytest.mark.parametrize("key", ["date", "due_date"])
@pytest.mark.parametrize("offset", [None, "-8", "9"])
def test_dates_compare_with_the_callers_days(
    api: Api, lead: dict[str, Any], key: str, offset: str | None
) -> None:
    if offset is not None:
        api.headers["x-tz-offset"] = offset
    for text, date in (
        ("before", "2026-11-30"),
        ("day", "2026-12-01"),
        ("first", "2026-12-01T00:00:00"),
        ("last", "2026-11-30T23:59:59"),
        ("after", "2026-12-02"),
    ):
        api.post("/task/", {"lead_id": lead["id"], "text": text, "date": date})

    def found(**parameters: str) -> set[str]:
        return texts(api, **{key + op: date for op, date in parameters.items()})

    assert found(__lt="2026-12-01") == {"before", "last"}
    assert found(__gte="2026-12-01") == {"day", "first", "after"}
    assert found(__gt="2026-12-01") == {"after"}
    assert found(__lte="2026-12-01") == {"before", "last", "day", "first"}
    assert found(**{"": "2026-12-01"}) == {"day", "first"}
    assert found(__lt="9998-12-31T23:59:59") == {"before", "last", "day", "first", "after"}
    assert found(**{"": ""}) == set()
    late = {f"{key}__lt": "9999-12-31T23:59:59Z"}
    assert api("GET", "/task/", **late).status_code == (400 if offset == "9" else 200)
    refused = api("GET", "/task/", **{f"{key}__lt": "soon"})
    assert refused.status_code == 400
    assert refused.json() == {"error": f"{key}__lt: Invalid ISO 8601 datetime."}


def test_many_tasks_are_chosen_by_the_older_name_of_the_date(
    api: Api, lead: dict[str, Any]
) -> None:
    for text, date in (("old", "2020-01-01"), ("new", "2026-12-01")):
        api.post("/task/", {"lead_id": lead["id"], "text": text, "date": date})
    changed = api.put("/task/", {"text": "very old"}, due_date__lt="2020-02-01")
    assert changed == {"ok": True, "count": 1}
    assert texts(api) == {"very old", "new"}


def test_a_view_says_itself_where_its_dates_end_or_begin(api: Api, lead: dict[str, Any]) -> None:
    for offset in (-9, -2, 2, 9):
        api.post("/task/", {"lead_id": lead["id"], "text": str(offset), "date": day(offset)})
    assert texts(api, view="inbox", date__lt=day(-5)) == {"-9", "-2"}
    assert texts(api, view="inbox", date__gte=day(-5)) == {"-2"}
    assert texts(api, view="future", date__gte=day(5)) == {"2", "9"}
    assert texts(api, view="future", date__lt=day(5)) == {"2"}


def test_a_task_without_a_date_can_be_sent_back_as_it_was_read(
    api: Api, lead: dict[str, Any]
) -> None:
    task = api.post("/task/", {"lead_id": lead["id"], "text": "x"})
    same = api.put(f"/task/{task['id']}/", task)
    assert same == task | {"date_updated": same["date_updated"]}
    again = api.post("/task/", task)
    assert (again["date"], again["due_date"], again["is_dateless"]) == (day(0), None, True)
    dated = api.put(f"/task/{task['id']}/", {**task, "date": "2026-12-31"})
    assert (dated["due_date"], dated["is_dateless"]) == ("2026-12-31", False)
    assert api.put(f"/task/{task['id']}/", dated)["due_date"] == "2026-12-31"


def test_a_task_whose_contact_has_gone_can_be_sent_back_as_it_was_read(
    api: Api, lead: dict[str, Any]
) -> None:
    contact = api.post("/contact/", {"lead_id": lead["id"], "name": "Nora"})["id"]
    call = {"_type": "outgoing_call", "lead_id": lead["id"], "contact_id": contact}
    path = f"/task/{api.post('/task/', call)['id']}/"
    assert api("PUT", path, {"contact_id": None}).status_code == 400
    api.delete(f"/contact/{contact}/")
    read = api.get(path)
    assert read["contact_id"] is None
    assert api.put(path, read | {"is_complete": True})["is_complete"]


def test_a_task_loses_its_date(api: Api, lead: dict[str, Any]) -> None:
    body = {"lead_id": lead["id"], "text": "x", "date": "2026-12-31"}
    task = api.post("/task/", body)
    for sent in ({"is_dateless": True}, {"date": ""}, {"date": None}):
        api.put(f"/task/{task['id']}/", {"date": "2026-12-31"})
        lost = api.put(f"/task/{task['id']}/", sent)
        assert (lost["date"], lost["due_date"], lost["is_dateless"]) == (day(0), None, True)
    made = api.post("/task/", {**body, "is_dateless": True})
    assert (made["date"], made["is_dateless"]) == (day(0), True)


def test_only_to_dos_are_listed_unless_types_are_named(api: Api, lead: dict[str, Any]) -> None:
    contact = lead["contact_ids"][0]
    api.post("/task/", {"lead_id": lead["id"], "text": "to do"})
    call = {"_type": "outgoing_call", "lead_id": lead["id"], "contact_id": contact}
    made = api.post("/task/", call)
    assert made["contact_name"] == "Ada Moss"
    assert [task["_type"] for task in api.get("/task/")["data"]] == ["lead"]
    assert len(api.get("/task/", _type="all")["data"]) == 2
    assert [t["id"] for t in api.get("/task/", _type__in="outgoing_call,voicemail")["data"]] == [
        made["id"]
    ]


@pytest.mark.parametrize(
    ("body", "problems"),
    [
        ({"text": "x"}, {"lead": "This field is required."}),
        ({"text": "x", "lead_id": "lead_none"}, {"lead": "Object does not exist."}),
        ({"lead_id": "LEAD"}, {"text": "This field is required."}),
        ({"lead_id": "LEAD", "_type": "outgoing_call"}, {"contact": "This field is required."}),
        ({"lead_id": "LEAD", "_type": "voicemail"}, {"_type": "Not a valid choice."}),
        (
            {"lead_id": "LEAD", "text": "x", "date": "soon"},
            {"date": "Invalid ISO 8601 datetime."},
        ),
    ],
)
def test_what_is_missing_is_told(
    api: Api, lead: dict[str, Any], body: dict[str, str], problems: dict[str, str]
) -> None:
    sent = {key: lead["id"] if value == "LEAD" else value for key, value in body.items()}
    refused = api("POST", "/task/", sent)
    assert (refused.status_code, refused.json()["field-errors"]) == (400, problems)
    assert api.get("/task/", _type="all")["data"] == []


def test_many_tasks_change_at_once(api: Api, lead: dict[str, Any]) -> None:
    ids = [
        api.post("/task/", {"lead_id": lead["id"], "text": str(number)})["id"]
        for number in range(3)
    ]
    body = {"_params": {"id__in": ",".join(ids[:2])}, "is_complete": True}
    assert api.put("/task/", body) == {"ok": True, "count": 2}
    open_tasks = api.get("/task/", is_complete="false")["data"]
    assert [task["id"] for task in open_tasks] == ids[2:]
    refused = api("PUT", "/task/", {"date": "soon"}, id=ids[2])
    assert refused.status_code == 400
    assert api.get(f"/task/{ids[2]}/")["date"] == day(0)


def test_many_tasks_can_be_tried_without_changing(api: Api, lead: dict[str, Any]) -> None:
    task = api.post("/task/", {"lead_id": lead["id"], "text": "x"})
    tried = api.put("/task/", {"is_complete": True}, _dry_run="1", id=task["id"])
    assert tried == {"ok": True, "count": 1}
    assert api.get(f"/task/{task['id']}/") == task
    api.put("/task/", {"is_complete": True}, _dry_run="0", id=task["id"])
    assert api.get(f"/task/{task['id']}/")["is_complete"] is True


@pytest.mark.parametrize(
    ("parameters", "status"),
    [({"view": "archived"}, 400), ({"organization_id": "orga_other"}, 200)],
    ids=["unknown view", "other organization"],
)
def test_what_fits_no_task_changes_none(
    api: Api, lead: dict[str, Any], parameters: dict[str, str], status: int
) -> None:
    task = api.post("/task/", {"lead_id": lead["id"], "text": "x"})
    for method, body in (("GET", None), ("PUT", {"is_complete": True})):
        answer = api(method, "/task/", body, **parameters)
        assert answer.status_code == status
        if status == 200:
            assert answer.json().get("data", []) == []
            assert answer.json().get("count", 0) == 0
        else:
            assert answer.json().keys() == {"error"}
    assert api.get(f"/task/{task['id']}/") == task
    mine = api.get("/task/", view="", organization_id=task["organization_id"])["data"]
    assert mine == [task]
