"""What the program itself writes into the history of a lead."""

from typing import Any

import pytest
from harness import Api


@pytest.fixture
def lead(api: Api) -> dict[str, Any]:
    made: dict[str, Any] = api.post("/lead/", {"name": "Harbour Tools"})
    return made


def history(api: Api, lead: dict[str, Any], type: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.get("/activity/", lead_id=lead["id"], _type=type)["data"]
    return found


def test_the_history_of_a_lead_begins_with_its_making(api: Api, lead: dict[str, Any]) -> None:
    [created] = history(api, lead, "Created")
    assert (created["source"], created["import_id"]) == ("api", None)
    assert created["date_created"] == lead["date_created"]
    past = api.post("/lead/", {"date_created": "2020-01-02T03:04:05+00:00"})
    [created] = history(api, past, "Created")
    assert created["activity_at"] == "2020-01-02T03:04:05.000000+00:00"


def test_a_change_of_status_is_told(api: Api, lead: dict[str, Any]) -> None:
    changed = api.put(f"/lead/{lead['id']}/", {"status": "Qualified"})
    [told] = history(api, lead, "LeadStatusChange")
    assert (told["old_status_id"], told["old_status_label"]) == (lead["status_id"], "Potential")
    assert (told["new_status_id"], told["new_status_label"]) == (
        changed["status_id"],
        "Qualified",
    )
    at = api.get(f"/lead/{lead['id']}/", _fields="last_lead_status_change_date")
    assert at["last_lead_status_change_date"] == told["activity_at"]


def test_changes_that_follow_each_other_are_one_and_back_again_is_none(
    api: Api, lead: dict[str, Any]
) -> None:
    for status in ("Qualified", "Customer"):
        api.put(f"/lead/{lead['id']}/", {"status": status})
    [told] = history(api, lead, "LeadStatusChange")
    assert (told["old_status_label"], told["new_status_label"]) == ("Potential", "Customer")
    api.put(f"/lead/{lead['id']}/", {"status": "Potential"})
    assert history(api, lead, "LeadStatusChange") == []
    actions = [
        event["action"]
        for event in api.get("/event/", object_type="activity.lead_status_change")["data"]
    ]
    assert actions == ["deleted", "updated", "created"]


def test_history_from_elsewhere_can_be_logged_without_touching_the_lead(
    api: Api, lead: dict[str, Any]
) -> None:
    statuses = {status["label"]: status["id"] for status in api.get("/status/lead/")["data"]}
    body = {
        "lead_id": lead["id"],
        "old_status_id": statuses["Potential"],
        "new_status_id": statuses["Customer"],
        "date_created": "2021-05-05T00:00:00+00:00",
    }
    told = api.post("/activity/status_change/lead/", body)
    assert told["new_status_label"] == "Customer"
    assert api.get(f"/lead/{lead['id']}/")["status_label"] == "Potential"
    refused = api("POST", "/activity/status_change/lead/", body | {"old_status_id": None})
    assert refused.status_code == 400
    assert api("PUT", f"/activity/status_change/lead/{told['id']}/", {}).status_code == 405
    api.delete(f"/activity/status_change/lead/{told['id']}/")
    assert history(api, lead, "LeadStatusChange") == []


def test_what_clients_have_posted_stays_whatever_changes_next(
    api: Api, lead: dict[str, Any]
) -> None:
    statuses = {status["label"]: status["id"] for status in api.get("/status/lead/")["data"]}
    posted = api.post(
        "/activity/status_change/lead/",
        {
            "lead_id": lead["id"],
            "old_status_id": statuses["Qualified"],
            "new_status_id": lead["status_id"],
        },
    )
    api.put(f"/lead/{lead['id']}/", {"status": "Customer"})
    told, kept = history(api, lead, "LeadStatusChange")
    assert kept == posted
    assert (told["old_status_label"], told["new_status_label"]) == ("Potential", "Customer")
    api.put(f"/lead/{lead['id']}/", {"status": "Potential"})
    assert history(api, lead, "LeadStatusChange") == [posted]


def test_an_opportunity_that_comes_to_won_by_another_status_is_told_with_its_last_worth(
    api: Api, lead: dict[str, Any]
) -> None:
    deal = api.post("/opportunity/", {"lead_id": lead["id"], "value": 1000, "confidence": 20})
    path, active = f"/opportunity/{deal['id']}/", deal["pipeline_id"]
    step = api.post(
        "/status/opportunity/", {"label": "Demo", "type": "active", "pipeline_id": active}
    )
    api.put(path, {"status_id": step["id"]})
    last = {"value": 99_900, "confidence": 100, "value_period": "annual"}
    won = api.put(path, {"status": "Won"} | last)
    [told] = history(api, lead, "OpportunityStatusChange")
    assert (told["old_status_label"], told["new_status_label"]) == ("Active", "Won")
    assert {key: told[f"opportunity_{key}"] for key in last} == last
    assert told["opportunity_date_won"] == f"{won['date_won']}T00:00:00+00:00"
    back = {"old_status_id": won["status_id"], "new_status_id": step["id"]}
    posted = api.post(
        "/activity/status_change/opportunity/",
        back | {"lead_id": lead["id"], "opportunity_id": deal["id"]},
    )
    assert history(api, lead, "OpportunityStatusChange") == [posted, told]


def test_an_opportunity_that_is_won_is_told_with_what_it_was_worth(
    api: Api, lead: dict[str, Any]
) -> None:
    deal = api.post("/opportunity/", {"lead_id": lead["id"], "value": 500_000})
    won = api.put(f"/opportunity/{deal['id']}/", {"status": "Won", "confidence": 100})
    [told] = history(api, lead, "OpportunityStatusChange")
    assert (
        told
        | {
            "opportunity_id": deal["id"],
            "old_status_id": deal["status_id"],
            "old_status_label": "Active",
            "old_status_type": "active",
            "new_status_label": "Won",
            "new_status_type": "won",
            "old_pipeline_id": deal["pipeline_id"],
            "old_pipeline_name": "Sales",
            "new_pipeline_name": "Sales",
            "opportunity_value": 500_000,
            "opportunity_value_currency": "USD",
            "opportunity_value_formatted": "$5,000",
            "opportunity_value_period": "one_time",
            "opportunity_confidence": 100,
            "opportunity_date_won": f"{won['date_won']}T00:00:00+00:00",
        }
        == told
    )
    listed = api.get("/activity/status_change/opportunity/", opportunity_id=deal["id"])["data"]
    assert listed == [told]
    summary = api.get(
        f"/lead/{lead['id']}/",
        _fields="num_opportunities,num_won_opportunities,won_opportunity_value",
    )
    assert summary == {
        "num_opportunities": 1,
        "num_won_opportunities": 1,
        "won_opportunity_value": 500_000,
    }


def test_history_of_an_opportunity_from_elsewhere_has_what_it_is_worth(
    api: Api, lead: dict[str, Any]
) -> None:
    worth = {"value": 4_000, "value_period": "monthly", "confidence": 20, "date_won": "2031-05-04"}
    deal = api.post("/opportunity/", {"lead_id": lead["id"], **worth})
    statuses = {status["label"]: status["id"] for status in api.get("/status/opportunity/")["data"]}
    url = "/activity/status_change/opportunity/"
    body = {
        "lead_id": lead["id"],
        "opportunity_id": deal["id"],
        "old_status_id": statuses["Active"],
        "new_status_id": statuses["Lost"],
        "opportunity_value": 7,
    }
    told = api.post(url, body)
    kept = {
        "opportunity_value": 4_000,
        "opportunity_value_formatted": "$40 monthly",
        "opportunity_value_period": "monthly",
        "opportunity_confidence": 20,
        "opportunity_date_won": "2031-05-04T00:00:00+00:00",
    }
    assert told.items() >= kept.items()
    api.put(f"/opportunity/{deal['id']}/", {"value": 1, "confidence": 0, "date_won": None})
    assert api.get(f"{url}{told['id']}/").items() >= kept.items()
    foreign = api.post("/opportunity/", {})["id"]
    for wrong in (None, "oppo_x", foreign):
        refused = api("POST", url, body | {"opportunity_id": wrong})
        assert refused.status_code == 400
        assert refused.json()["field-errors"].keys() == {"opportunity"}
    del body["opportunity_id"]
    assert api("POST", url, body).json()["field-errors"] == {
        "opportunity": "This field is required."
    }
    assert history(api, lead, "OpportunityStatusChange") == [api.get(f"{url}{told['id']}/")]


def test_a_task_that_is_done_is_told_until_it_is_to_be_done_again(
    api: Api, lead: dict[str, Any]
) -> None:
    task = api.post("/task/", {"lead_id": lead["id"], "text": "Call back"})
    done = api.put(f"/task/{task['id']}/", {"is_complete": True})
    [told] = history(api, lead, "TaskCompleted")
    assert (done["object_type"], done["object_id"]) == ("taskcompleted", told["id"])
    assert (
        told
        | {
            "task_id": task["id"],
            "task_text": "Call back",
            "task_assigned_to": api.user_id,
            "task_assigned_to_name": "Sam Reed",
            "sequence_id": None,
        }
        == told
    )
    actions = {
        event["action"]
        for event in api.get("/event/", lead_id=lead["id"], object_type="task.lead")["data"]
    }
    assert actions == {"created", "updated", "completed"}
    api("DELETE", f"/activity/task_completed/{told['id']}/")
    alone = api.get(f"/task/{task['id']}/")
    assert (alone["is_complete"], alone["object_type"], alone["object_id"]) == (True, None, None)
    undone = api.put(f"/task/{task['id']}/", {"is_complete": False})
    assert (undone["object_type"], undone["object_id"]) == (None, None)
    assert history(api, lead, "TaskCompleted") == []


def test_what_was_told_of_an_object_goes_with_it_to_another_lead(
    api: Api, lead: dict[str, Any]
) -> None:
    other = api.post("/lead/", {"name": "Quay Works"})
    deal = api.post("/opportunity/", {"lead_id": lead["id"]})
    task = api.post("/task/", {"lead_id": lead["id"], "text": "Call back"})
    kept = api.post("/task/", {"lead_id": lead["id"], "text": "Write", "is_complete": True})
    paths = (f"/opportunity/{deal['id']}/", f"/task/{task['id']}/")
    api.put(paths[0], {"status": "Won"})
    api.put(paths[1], {"is_complete": True})
    [won] = history(api, lead, "OpportunityStatusChange")
    [told] = (one for one in history(api, lead, "TaskCompleted") if one["task_id"] != kept["id"])
    comment = api.post("/comment/", {"object_id": told["id"], "body": "Well done"})
    for path in paths:
        api.put(path, {"lead_id": other["id"]})
    assert history(api, lead, "OpportunityStatusChange") == []
    assert [entry["task_id"] for entry in history(api, lead, "TaskCompleted")] == [kept["id"]]
    [there] = history(api, other, "OpportunityStatusChange")
    assert (there["id"], there["opportunity_id"]) == (won["id"], deal["id"])
    assert [entry["id"] for entry in history(api, other, "TaskCompleted")] == [told["id"]]
    assert api.get(f"/comment/{comment['id']}/")["lead_id"] == other["id"]
    assert api.get(f"/comment_thread/{comment['thread_id']}/")["lead_id"] == other["id"]
    undone = {"lead_id": lead["id"], "is_complete": False}
    assert api.put(paths[1], undone)["object_id"] is None
    assert history(api, other, "TaskCompleted") == []
    assert api("GET", f"/comment/{comment['id']}/").status_code == 404


def test_a_bulk_change_tells_each(api: Api, lead: dict[str, Any]) -> None:
    for _ in range(3):
        api.post("/task/", {"lead_id": lead["id"], "text": "Call back"})
    api.put("/task/", {"is_complete": True}, lead_id=lead["id"])
    assert len(history(api, lead, "TaskCompleted")) == 3
