"""The sample organization: a sales team's, the same each time, and gone when it is deleted."""

from collections import Counter
from typing import Any

import pytest
from harness import Api, Organization, Program, rows_of

from clinch.crm.sample.organization import create_sample
from clinch.identity.organizations import delete_organization, find_organization


@pytest.fixture
def sample(program: Program) -> dict[str, Any]:
    made: dict[str, Any] = program.run(create_sample(program.store, leads=60))
    return made


@pytest.fixture
def api(program: Program, sample: dict[str, Any]) -> Api:
    return Api(program, sample["api_key"], "")


def everything(api: Api, path: str) -> list[dict[str, Any]]:
    page = api.get(path, _limit=100)
    assert not page["has_more"]
    found: list[dict[str, Any]] = page["data"]
    return found


def test_it_looks_like_a_team_at_work(api: Api, sample: dict[str, Any]) -> None:
    assert set(sample["logins"]) == {"rep", "manager", "executive", "admin"}
    assert len(everything(api, "/user/")) == 6
    assert [one["name"] for one in everything(api, "/pipeline/")] == [
        "Sales",
        "Partners",
        "Renewals",
    ]
    leads = everything(api, "/lead/")
    assert len({lead["name"] for lead in leads}) == len(leads) == 60
    assert len({lead["status_label"] for lead in leads}) == 5
    assert all(lead["contacts"] and lead["custom"]["Owner"] for lead in leads)
    groups = everything(api, "/account/")
    assert sum(group["num_leads"] for group in groups) > len(groups) > 3
    views = Counter(task["view"] for task in everything(api, "/task/"))
    assert set(views) == {"inbox", "future", "archive"}
    won = [one for one in everything(api, "/opportunity/") if one["status_type"] == "won"]
    assert won
    assert len({one["user_id"] for one in won}) == 3
    entries = api.get("/activity/", _limit=200)["data"]
    assert {"Call", "Note", "Email", "Meeting", "LeadStatusChange", "OpportunityStatusChange"} <= {
        entry["_type"] for entry in entries
    }


def test_it_is_the_same_each_time(program: Program, api: Api) -> None:
    again = Api(program, program.run(create_sample(program.store, leads=60))["api_key"], "")

    def told(one: Api) -> list[Any]:
        return [
            [
                sorted(lead["name"] for lead in everything(one, "/lead/")),
                sorted(contact["emails"][0]["email"] for contact in _contacts(one)),
                sorted((deal["value"], deal["status_label"]) for deal in _deals(one)),
            ]
        ]

    assert told(api) == told(again)


def _contacts(api: Api) -> list[dict[str, Any]]:
    return [contact for lead in everything(api, "/lead/") for contact in lead["contacts"]]


def _deals(api: Api) -> list[dict[str, Any]]:
    return everything(api, "/opportunity/")


def test_nothing_is_left_of_it_when_it_is_deleted(program: Program, sample: dict[str, Any]) -> None:
    found = program.run(find_organization(program.store, sample["organization_id"]))
    organization = Organization(program, found, Api(program, sample["api_key"], ""))
    assert any(rows_of(organization).values())
    program.run(delete_organization(program.store, found.organization_id))
    assert not any(rows_of(organization).values())
