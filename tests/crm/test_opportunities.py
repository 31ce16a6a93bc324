"""Opportunities over HTTP: their statuses, money, dates and totals."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from harness import Api, Organization

from clinch.crm.opportunities import Opportunity
from clinch.resources.query.read import Page
from clinch.resources.query.tree import And


def lead_of(api: Api, **values: Any) -> str:
    return str(api.post("/lead/", {"name": "Harbour Tools", **values})["id"])


@pytest.fixture
def statuses(api: Api) -> dict[str, str]:
    """The ids of the first pipeline's statuses, by label."""
    [pipeline] = api.get("/pipeline/")["data"]
    return {status["label"]: status["id"] for status in pipeline["statuses"]}


def test_a_deal_starts_with_what_is_known_of_it(api: Api, statuses: dict[str, str]) -> None:
    lead = lead_of(api)
    deal = api.post("/opportunity/", {"lead_id": lead, "value": 50000, "value_period": "monthly"})
    assert deal["status_id"] == statuses["Active"]
    assert (deal["status_label"], deal["status_type"]) == ("Active", "active")
    assert (deal["pipeline_name"], deal["status_display_name"]) == ("Sales", "Active")
    assert (deal["user_id"], deal["user_name"]) == (api.user_id, "Sam Reed")
    assert (deal["lead_name"], deal["contact_id"], deal["contact_name"]) == (
        "Harbour Tools",
        None,
        None,
    )
    assert (deal["value_formatted"], deal["value_currency"]) == ("$500 monthly", "USD")
    assert (deal["confidence"], deal["expected_value"]) == (50, 25000)
    assert (deal["annualized_value"], deal["annualized_expected_value"]) == (600000, 300000)
    assert (deal["note"], deal["note_html"], deal["date_won"]) == ("", None, None)
    assert api.get(f"/opportunity/{deal['id']}/") == deal
    assert api.get(f"/lead/{lead}/")["opportunities"] == [deal]


@pytest.mark.parametrize(
    ("value", "period", "text"),
    [
        (None, "one_time", ""),
        (0, "one_time", "$0"),
        (20000, "one_time", "$200"),
        (100000000, "one_time", "$1,000,000"),
        (125050, "one_time", "$1,250.50"),
        (500, "monthly", "$5 monthly"),
        (500, "annual", "$5 annual"),
    ],
)
def test_money_is_written_as_people_write_it(
    api: Api, value: int | None, period: str, text: str
) -> None:
    deal = api.post("/opportunity/", {"value": value, "value_period": period})
    assert deal["value_formatted"] == text


def test_winning_dates_the_deal_where_the_user_is(api: Api, statuses: dict[str, str]) -> None:
    deal = api.post("/opportunity/", {"lead_id": lead_of(api)})
    path = f"/opportunity/{deal['id']}/"
    api.headers["x-tz-offset"] = "14"
    won = api.put(path, {"status_id": statuses["Won"]})
    east = datetime.now(UTC).timestamp() + 14 * 3600
    assert won["date_won"] == datetime.fromtimestamp(east, UTC).date().isoformat()
    assert api.put(path, {"status": "Active"})["date_won"] == won["date_won"]
    lost = api.put(path, {"status": "Lost"})
    assert lost["date_lost"] is not None
    assert api.put(path, {"status": "Active"})["date_lost"] is None
    sent = api.post("/opportunity/", {"status": "Won", "date_won": "2026-01-31"})
    assert sent["date_won"] == "2026-01-31"


def test_a_status_is_named_by_its_label_or_its_id(api: Api, statuses: dict[str, str]) -> None:
    deal = api.post("/opportunity/", {"status": statuses["Lost"]})
    assert deal["status_label"] == "Lost"
    path = f"/opportunity/{deal['id']}/"
    assert api.put(path, {"status": statuses["Won"]})["status_label"] == "Won"
    for wrong in (5, ["Lost"], {"id": statuses["Lost"]}):
        refused = api("PUT", path, {"status": wrong})
        assert refused.status_code == 400
        assert refused.json()["field-errors"] == {"status": "Value must be of str type."}
    assert api.get(path)["status_label"] == "Won"
    whole = {"status_id": statuses["Lost"], "status": {"id": statuses["Won"]}}
    assert api.put(path, whole)["status_label"] == "Lost"


def test_deals_are_listed_by_the_label_of_their_status(api: Api) -> None:
    for label in ("Active", "Won", "Lost"):
        api.post("/opportunity/", {"status": label})

    def labels(**parameters: str) -> list[str]:
        deals = api.get("/opportunity/", **parameters)["data"]
        return sorted(deal["status_label"] for deal in deals)

    assert labels(status="Won") == ["Won"]
    assert labels(status__in="Won,Lost") == ["Lost", "Won"]
    assert labels(status="Nothing") == []


def test_deals_are_listed_by_a_query_of_their_leads(api: Api) -> None:
    api.post("/custom_field/lead/", {"name": "Region", "type": "text"})
    for name, region in (("Harbour Tools", "North"), ("Bright Energy", "South")):
        lead = api.post("/lead/", {"name": name, "custom": {"Region": region}})
        api.post("/opportunity/", {"lead_id": lead["id"], "note": name})

    def notes(**parameters: str) -> list[str]:
        return sorted(deal["note"] for deal in api.get("/opportunity/", **parameters)["data"])

    assert notes(lead_query="name:Harbour") == ["Harbour Tools"]
    assert notes(lead_query="custom.Region:South") == ["Bright Energy"]
    assert notes(lead_query="custom.Region:South", query="note:harbour") == []
    assert len(notes(lead_query="")) == 2
    assert api("GET", "/opportunity/", lead_query="nothing:x").status_code == 400


def test_no_filter_is_passed_over_that_cannot_be_held_to(api: Api) -> None:
    """A report of one organization or Smart View would take the deals of all for its own."""
    deal = api.post("/opportunity/", {"lead_id": lead_of(api), "value": 100})
    refused = api("GET", "/opportunity/", lead_saved_search_id="save_x")
    assert refused.status_code == 400
    assert refused.json().keys() == {"error"}
    other = api.get("/opportunity/", organization_id="orga_other")
    assert (other["data"], other["total_results"], other["total_value_one_time"]) == ([], 0, 0)
    listed = api.get(
        "/opportunity/", lead_saved_search_id="", organization_id=deal["organization_id"]
    )
    assert (listed["data"], listed["total_results"]) == ([deal], 1)


def test_null_and_blank_of_a_new_deal_are_as_if_nothing_was_said(api: Api) -> None:
    none = {"value_period": None, "confidence": None, "date_won": "", "note": None}
    deal = api.post("/opportunity/", none)
    assert (deal["value_period"], deal["confidence"]) == ("one_time", 50)
    assert (deal["date_won"], deal["note"]) == (None, "")
    path = f"/opportunity/{deal['id']}/"
    api.put(path, {"value_period": "monthly", "date_won": "2026-02-03"})
    assert api("PUT", path, {"value_period": None}).status_code == 400
    assert api.get(path)["value_period"] == "monthly"
    assert api.put(path, {"date_won": " "})["date_won"] is None


@pytest.mark.parametrize(
    "date",
    ["2026-01-01xyz", "2026-01-01/2", "2026-13-01", "2026-01-01T", "9999-12-31T23:59:59Z"],
)
def test_what_is_no_date_is_refused(api: Api, date: str) -> None:
    api.headers["x-tz-offset"] = "5"
    deal = api.post("/opportunity/", {"date_won": "2026-02-03"})
    refused = api("PUT", f"/opportunity/{deal['id']}/", {"date_won": date})
    assert refused.status_code == 400
    assert refused.json()["field-errors"] == {"date_won": "Invalid ISO 8601 datetime."}
    assert api.get(f"/opportunity/{deal['id']}/")["date_won"] == "2026-02-03"
    assert api("GET", "/opportunity/", date_won__gte=date).status_code == 400


def test_a_status_belongs_to_the_pipeline_that_is_sent(api: Api, statuses: dict[str, str]) -> None:
    steps = [{"label": "Trial", "type": "active"}, {"label": "Live", "type": "won"}]
    other = api.post("/pipeline/", {"name": "Partners", "statuses": steps})
    assert [status["label"] for status in other["statuses"]] == ["Trial", "Live"]
    deal = api.post("/opportunity/", {"pipeline_id": other["id"]})
    assert (deal["status_label"], deal["pipeline_id"]) == ("Trial", other["id"])
    assert deal["status_display_name"] == "Partners: Trial"
    refused = api(
        "POST", "/opportunity/", {"pipeline_id": other["id"], "status_id": statuses["Won"]}
    )
    assert refused.json()["field-errors"] == {"pipeline": "Object does not exist."}
    unknown = api("POST", "/opportunity/", {"pipeline_id": "pipe_none"})
    assert unknown.json()["field-errors"]["pipeline"] == "Object does not exist."
    assert api.get("/opportunity/")["total_results"] == 1


def test_a_contact_belongs_to_the_lead_and_is_let_go(api: Api) -> None:
    lead = api.post("/lead/", {"name": "Harbour Tools", "contacts": [{"name": "Ada Moss"}]})
    contact = lead["contact_ids"][0]
    deal = api.post("/opportunity/", {"lead_id": lead["id"], "contact_id": contact})
    assert deal["contact_name"] == "Ada Moss"
    stranger = api.post("/contact/", {"name": "Bo"})["id"]
    refused = api("PUT", f"/opportunity/{deal['id']}/", {"contact_id": stranger})
    assert refused.json()["field-errors"] == {"contact": "Object does not exist."}
    api.delete(f"/contact/{contact}/")
    assert api.get(f"/opportunity/{deal['id']}/")["contact_id"] is None
    api.delete(f"/lead/{lead['id']}/")
    assert api("GET", f"/opportunity/{deal['id']}/").status_code == 404


def test_lists_answer_totals_of_all_that_fits(api: Api, statuses: dict[str, str]) -> None:
    empty = api.get("/opportunity/")
    assert empty["count_by_value_period"] == {}
    assert (empty["total_value_monthly"], empty["total_value_monthly_formatted"]) == (0, None)
    for value, period, confidence, status in [
        (300000, "one_time", 75, "Active"),
        (10000, "monthly", 50, "Active"),
        (40000, "annual", 100, "Won"),
    ]:
        api.post(
            "/opportunity/",
            {
                "value": value,
                "value_period": period,
                "confidence": confidence,
                "status_id": statuses[status],
            },
        )
    page = api.get("/opportunity/", _limit="1")
    assert (len(page["data"]), page["has_more"], page["total_results"]) == (1, True, 3)
    assert page["count_by_value_period"] == {"one_time": 1, "monthly": 1, "annual": 1}
    assert page["total_value_annualized"] == 300000 + 120000 + 40000
    assert page["expected_value_one_time"] == 225000
    assert page["expected_value_one_time_formatted"] == "$2,250"
    won = api.get("/opportunity/", status_type="won")
    assert (won["total_results"], won["total_value_annual"]) == (1, 40000)
    assert won["count_by_value_period"] == {"annual": 1}
    labels = api.get("/opportunity/", status_label__in="Won,Lost", _order_by="-value")
    assert labels["total_results"] == 1
    assert api.get("/opportunity/", date_won__gte="2000-01-01")["total_results"] == 1
    assert api.get("/opportunity/", _total="0").keys() == {"data", "has_more"}


DAYS = {
    "old": "2025-12-29",  # a Monday, of the first week of 2026
    "march": "2026-03-05",
    "later in march": "2026-03-20",
    "may": "2026-05-04",
    "none": None,
}


@pytest.fixture
def deals(api: Api) -> dict[str, Any]:
    """Deals worth 1, 10, 100 and so on, monthly ones last; the ids by what is said above."""
    made = {}
    for number, (name, day) in enumerate(DAYS.items()):
        body = {"value": 100 * 10**number, "date_won": day, "note": name}
        period = "monthly" if day is None else "one_time"
        made[name] = api.post("/opportunity/", {**body, "value_period": period})["id"]
    return made


def groups(api: Api, by: str, **parameters: str) -> list[tuple[str, list[str]]]:
    """The keys of the groups, and the notes of their objects."""
    page = api.get("/opportunity/", _group_by=by, **parameters)
    return [(g["key"], [deal["note"] for deal in g["objects"]]) for g in page["data"]]


@pytest.mark.parametrize(
    ("by", "keys"),
    [
        ("date_won__week", ["2026-W01", "2026-W10", "2026-W12", "2026-W19", "none"]),
        ("date_won__month", ["2025-12", "2026-03", "2026-05", "none"]),
        ("date_won__quarter", ["2025-Q4", "2026-Q1", "2026-Q2", "none"]),
        ("date_won__year", ["2025", "2026", "none"]),
    ],
)
def test_deals_are_grouped_by_when_they_close(
    api: Api, deals: dict[str, Any], by: str, keys: list[str]
) -> None:
    found = groups(api, by)
    assert [key for key, _ in found] == keys
    assert sorted(note for _, notes in found for note in notes) == sorted(DAYS)
    assert found[-1] == ("none", ["none"])
    backward = groups(api, f"-{by}")
    assert [key for key, _ in backward] == keys[::-1]


@pytest.mark.parametrize(
    "key", ["date_won", "value", "annualized_value", "annualized_expected_value", "user_name"]
)
def test_deals_without_a_value_come_last_in_both_directions(
    organization: Organization, key: str
) -> None:
    api, ada = organization.admin, organization.member("user", "Ada", "Moss")
    for note, body in (
        ("low", {"value": 1, "date_won": "2026-01-01", "user_id": ada.user_id}),
        ("none", {"value": None, "date_won": None, "user_id": None}),
        ("high", {"value": 2, "date_won": "2026-01-02", "user_id": api.user_id}),
    ):
        api.post("/opportunity/", {**body, "note": note})

    def notes(**order: str) -> list[str]:
        return [deal["note"] for deal in api.get("/opportunity/", **order)["data"]]

    assert notes(_order_by=key) == notes(query=f"sort:{key}") == ["low", "high", "none"]
    assert notes(_order_by=f"-{key}") == notes(query=f"sort:-{key}") == ["high", "low", "none"]


def test_a_group_says_when_it_is_and_what_it_is_worth(api: Api, deals: dict[str, Any]) -> None:
    page = api.get("/opportunity/", _group_by="date_won__month", _order_by="-value")
    whole = api.get("/opportunity/", _order_by="-value")
    assert {key: page[key] for key in page if key != "data"} == {
        key: whole[key] for key in whole if key != "data"
    }
    march, rest = page["data"][1], page["data"][-1]
    assert (march["year"], march["month"], march["total_results"]) == (2026, 3, 2)
    assert [deal["note"] for deal in march["objects"]] == ["later in march", "march"]
    assert march["objects"][0] == api.get(f"/opportunity/{deals['later in march']}/")
    assert march["count_by_value_period"] == {"one_time": 2}
    assert (march["total_value_one_time"], march["total_value_one_time_formatted"]) == (
        11000,
        "$110",
    )
    assert (march["expected_value_annualized"], march["total_value_monthly"]) == (5500, 0)
    assert (rest["year"], rest["month"], rest["total_value_annualized"]) == (None, None, 12000000)
    [week] = api.get("/opportunity/", _group_by="date_won__week", date_won="2025-12-29")["data"]
    assert (week["weekyear"], week["week"]) == (2026, 1)
    [quarter] = api.get("/opportunity/", _group_by="date_won__quarter", query="note:may")["data"]
    assert (quarter["year"], quarter["quarter"], quarter["total_results"]) == (2026, 2, 1)


def test_a_page_counts_objects_and_its_groups_may_be_partial(
    api: Api, deals: dict[str, Any]
) -> None:
    wanted = {"_order_by": "value", "_fields": "note"}
    one, two, three = (
        api.get("/opportunity/", _group_by="date_won__month", _limit="2", _skip=skip, **wanted)
        for skip in ("0", "2", "4")
    )
    assert (one["has_more"], two["has_more"], three["has_more"]) == (True, True, False)
    found = [
        (group["key"], group["total_results"], [deal["note"] for deal in group["objects"]])
        for page in (one, two, three)
        for group in page["data"]
    ]
    assert found == [
        ("2025-12", 1, ["old"]),
        ("2026-03", 2, ["march"]),
        ("2026-03", 2, ["later in march"]),
        ("2026-05", 1, ["may"]),
        ("none", 1, ["none"]),
    ]
    beyond = api.get("/opportunity/", _group_by="date_won__month", _skip="5")
    assert (beyond["data"], beyond["has_more"], beyond["total_results"]) == ([], False, 5)


def test_deals_are_grouped_by_their_owners_in_the_order_of_names(
    organization: Organization,
) -> None:
    api, ada = organization.admin, organization.member("user", "Ada", "Moss")
    for user, note in ((api.user_id, "a"), (ada.user_id, "b"), (None, "c"), (api.user_id, "d")):
        api.post("/opportunity/", {"user_id": user, "note": note, "value": 100})
    page = api.get("/opportunity/", _group_by="user_id", _order_by="date_created")
    found = [
        (group["key"], group["user_id"], group["user_name"], group["total_value_one_time"])
        for group in page["data"]
    ]
    assert found == [
        (ada.user_id, ada.user_id, "Ada Moss", 100),
        (api.user_id, api.user_id, "Sam Reed", 200),
        ("none", None, None, 100),
    ]
    assert [deal["note"] for deal in page["data"][1]["objects"]] == ["a", "d"]
    assert groups(api, "-user_id", _order_by="-date_created") == [
        ("none", ["c"]),
        (api.user_id, ["d", "a"]),
        (ada.user_id, ["b"]),
    ]
    mine = api.get("/opportunity/", _group_by="user_id", user_id=ada.user_id, _total="0")
    assert mine.keys() == {"data", "has_more"}
    assert mine["data"][0].keys() == {"key", "user_id", "user_name", "objects"}


def test_groups_that_do_not_exist_are_refused(api: Api) -> None:
    for wanted in ("status_id", "date_won", "-", "--user_id", "user_id,date_won__week", "\x00"):
        refused = api("GET", "/opportunity/", _group_by=wanted)
        assert refused.status_code == 400, wanted
    assert api.get("/opportunity/", _group_by="user_id")["data"] == []
    assert api.get("/lead/", _group_by="x")["data"] == []


def test_a_note_and_its_html_are_twins(api: Api) -> None:
    deal = api.post("/opportunity/", {"note": "close <soon>\nor never"})
    assert deal["note_html"] == "<body><p>close &lt;soon&gt;<br />or never</p></body>"
    path = f"/opportunity/{deal['id']}/"
    rich = api.put(
        path,
        {
            "note": "ignored",
            "note_html": "<body><p onclick='x()'>Call <b>Ada</b><script>alert(1)</script></p>"
            "<ul><li>one</li><li>two</li></ul></body>",
        },
    )
    assert rich["note_html"] == (
        "<body><p>Call <b>Ada</b></p><ul><li>one</li><li>two</li></ul></body>"
    )
    assert rich["note"] == "Call Ada\n* one\n* two"
    link = '<p>See <a href="https://x.example/?a=1&amp;b=2">the <b>plan</b></a></p>'
    assert (
        api.put(path, {"note_html": link})["note"] == "See [the plan](https://x.example/?a=1&b=2)"
    )
    link = '<a href="https://x.example">https://x.example</a>'
    assert api.put(path, {"note_html": link})["note"] == "https://x.example"
    cleared = api.put(path, {"note_html": None})
    assert (cleared["note"], cleared["note_html"]) == ("", None)


def test_a_deal_stalls_when_nothing_happens_for_thirty_days(
    organization: Organization, statuses: dict[str, str]
) -> None:
    api, program = organization.admin, organization.program
    lead = lead_of(api)
    deal, lost = (
        api.post("/opportunity/", {"lead_id": lead, "status_id": statuses[label]})["id"]
        for label in ("Active", "Lost")
    )
    assert api.get(f"/opportunity/{deal}/")["is_stalled"] is False
    assert api.get("/opportunity/", is_stalled="true")["data"] == []
    assert len(api.get("/opportunity/", is_stalled="false")["data"]) == 2

    async def stalled(days: int) -> list[str]:
        actor = organization.actor(clock=lambda: datetime.now(UTC) + timedelta(days=days))
        page = Page(And(tuple(Opportunity.narrow({"is_stalled": "true"}, actor))), keys=("id",))
        async with program.store.reading(actor) as transaction:
            found = await program.store.reads.page(transaction, actor, Opportunity, page)
        return [one["id"] for one in json.loads(found)["data"]]

    assert program.run(stalled(29)) == []
    assert program.run(stalled(32)) == [deal] != [lost]
    spoken = (datetime.now(UTC) + timedelta(days=20)).isoformat()
    api.post("/activity/call/", {"lead_id": lead, "activity_at": spoken})
    assert program.run(stalled(32)) == []
    assert program.run(stalled(52)) == [deal]
