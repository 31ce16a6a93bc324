"""Accounts over HTTP: their trees, domains, custom fields, and what their leads come to."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from harness import TEST, Api, Organization, make_organization, rows_of

from clinch.crm.accounts import Account
from clinch.resources.write.change import Change


def account(api: Api, name: str = "Harbour Group", **body: Any) -> dict[str, Any]:
    made: dict[str, Any] = api.post("/account/", {"name": name, **body})
    return made


def names(api: Api, **query: Any) -> list[str]:
    return sorted(found["name"] for found in api.get("/account/", **query)["data"])


def test_an_account_answers_what_it_has(organization: Organization) -> None:
    api = organization.admin
    top = account(api)
    made = account(
        api, "Harbour Tools", domains=["harbour.example"], parent_id=top["id"], owner_id=api.user_id
    )
    assert made == {
        "id": made["id"],
        "organization_id": organization.system.organization,
        "name": "Harbour Tools",
        "domains": ["harbour.example"],
        "parent_id": top["id"],
        "owner_id": api.user_id,
        "owner_name": "Sam Reed",
        "num_children": 0,
        "num_leads": 0,
        "num_contacts": 0,
        "num_opportunities": 0,
        "num_active_opportunities": 0,
        "num_won_opportunities": 0,
        "active_opportunity_value": 0,
        "won_opportunity_value": 0,
        "last_communication_date": None,
        "custom": {},
        "created_by": api.user_id,
        "created_by_name": "Sam Reed",
        "updated_by": api.user_id,
        "updated_by_name": "Sam Reed",
        "date_created": made["date_created"],
        "date_updated": made["date_updated"],
    }
    assert made["id"].startswith("acct_")
    assert api.get(f"/account/{made['id']}/") == made
    assert api.get("/account/", _order_by="name")["data"] == [
        api.get(f"/account/{top['id']}/"),
        made,
    ]
    assert api.get(f"/account/{top['id']}/", _fields="num_children,child_ids") == {
        "num_children": 1,
        "child_ids": [made["id"]],
    }
    assert api.put(f"/account/{made['id']}/", {"name": "Quay"})["parent_id"] == top["id"]
    assert api("DELETE", f"/account/{made['id']}/").json() == {}
    assert api("GET", f"/account/{made['id']}/").status_code == 404


def test_sums_are_those_of_its_leads(api: Api) -> None:
    top, other = account(api), account(api, "Other")
    one, two = (
        api.post("/lead/", {"account_id": top["id"], "contacts": [{"name": "A"}, {"name": "B"}]})
        for _ in range(2)
    )
    assert one["account_id"] == top["id"]
    assert api.post("/lead/", {"name": "of none"})["account_id"] is None
    api.post("/lead/", {"account_id": other["id"], "contacts": [{"name": "C"}]})
    for body in (
        {"lead_id": one["id"], "value": 500, "value_period": "monthly"},
        {"lead_id": one["id"], "value": 70, "status": "Won"},
        {"lead_id": two["id"], "value": 3},
        {"lead_id": two["id"], "value": 9, "status": "Lost"},
    ):
        api.post("/opportunity/", body)
    called = "2026-03-01T09:00:00.000000+00:00"
    api.post("/activity/call/", {"lead_id": two["id"], "activity_at": called})
    sums = {
        "num_leads": 2,
        "num_contacts": 4,
        "num_opportunities": 4,
        "num_active_opportunities": 2,
        "num_won_opportunities": 1,
        "active_opportunity_value": 6003,
        "won_opportunity_value": 70,
        "last_communication_date": called,
    }
    found = api.get(f"/account/{top['id']}/")
    assert {key: found[key] for key in sums} == sums
    listed = api.get("/account/", _fields=",".join(["name", *sums]), _order_by="name")["data"]
    assert listed[0] == {"name": "Harbour Group", **sums}
    assert (listed[1]["num_leads"], listed[1]["num_contacts"]) == (1, 1)
    api.put(f"/lead/{two['id']}/", {"account_id": None})
    assert api.get(f"/account/{top['id']}/")["num_leads"] == 1


def test_sums_are_of_the_leads_that_one_sees(organization: Organization) -> None:
    admin = organization.admin
    owner = admin.post("/custom_field/lead/", {"name": "Owner", "type": "user"})["id"]
    rep = organization.limited(owner)
    top = account(admin)
    for user, value in ((rep.user_id, 5), (admin.user_id, 7000)):
        lead = admin.post(
            "/lead/",
            {"account_id": top["id"], f"custom.{owner}": user, "contacts": [{"name": "Ada"}]},
        )
        admin.post("/opportunity/", {"lead_id": lead["id"], "value": value})
        if user == admin.user_id:
            admin.post("/activity/call/", {"lead_id": lead["id"]})
    keys = ("num_leads", "num_contacts", "active_opportunity_value", "last_communication_date")
    for path in (f"/account/{top['id']}/", "/account/"):
        answer = rep.get(path)
        found = answer if "data" not in answer else answer["data"][0]
        assert [found[key] for key in keys] == [1, 1, 5, None]
    assert admin.get(f"/account/{top['id']}/")["active_opportunity_value"] == 7005
    assert len(rep.get("/lead/", account_id=top["id"])["data"]) == 1
    [event] = rep.get("/event/", object_type="account")["data"]
    assert event["data"]["active_opportunity_value"] == 5


def test_leads_are_found_by_their_account(api: Api) -> None:
    one, two = account(api, "Harbour Group", domains=["harbour.example"]), account(api, "Quay")
    leads = {
        name: api.post("/lead/", {"name": name, "account_id": id})["id"]
        for name, id in (("a", one["id"]), ("b", two["id"]), ("c", None))
    }

    def found(**query: Any) -> str:
        return "".join(sorted(lead["name"] for lead in api.get("/lead/", **query)["data"]))

    assert found(account_id=one["id"]) == "a"
    assert found(account_id__in=f"{one['id']},{two['id']}") == "ab"
    assert found(account_id="") == "c"
    assert found(query="account:harbour") == "a"
    assert found(query="account(domain:harbour.example)") == "a"
    assert found(query=f"account_id:{two['id']}") == "b"
    assert leads.keys() == set("abc")


def test_accounts_are_found_as_people_look_for_them(organization: Organization) -> None:
    api = organization.admin
    top = account(api, "Harbour Group", domains=["harbour.example", "hg.example"])
    account(api, "Harbour Tools", domains=["tools.harbour.example"], parent_id=top["id"])
    account(api, "Quay", owner_id=api.user_id)
    stranger = make_organization(organization.program).admin
    account(stranger, "Harbour Group", domains=["harbour.example"])
    for query, wanted in (
        ({"domain": "harbour.example"}, ["Harbour Group"]),
        ({"domain": "https://WWW.Harbour.example/about"}, ["Harbour Group"]),
        ({"domain": "hg.example,tools.harbour.example"}, ["Harbour Group", "Harbour Tools"]),
        ({"domain": "example"}, []),
        ({"domain": "no domain"}, []),
        ({"domain": "harbour.exampl"}, []),
        ({"name": "harbour GROUP"}, ["Harbour Group"]),
        ({"name": "Harbour"}, []),
        ({"name": "..."}, []),
        ({"parent_id": top["id"]}, ["Harbour Tools"]),
        ({"parent_id": ""}, ["Harbour Group", "Quay"]),
        ({"owner_id": api.user_id}, ["Quay"]),
        ({"query": "harbour"}, ["Harbour Group", "Harbour Tools"]),
        ({"query": "hg.example"}, ["Harbour Group"]),
        ({"query": "domain:harbour.example"}, ["Harbour Group"]),
        ({"query": "domains:*"}, ["Harbour Group", "Harbour Tools"]),
        ({"query": "name:tools"}, ["Harbour Tools"]),
        ({"query": "parent:group"}, ["Harbour Tools"]),
        ({"query": "owner:me"}, ["Quay"]),
        ({"query": "sort:-name harbour"}, ["Harbour Group", "Harbour Tools"]),
    ):
        assert names(api, **query) == wanted, query
    api.put(f"/account/{top['id']}/", {"domains": ["new.example"]})
    assert names(api, domain="harbour.example") == []
    assert names(api, domain="new.example") == ["Harbour Group"]


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (["Harbour.EXAMPLE", "harbour.example."], ["harbour.example"]),
        (
            ["https://www.harbour.example/x?y#z", "  quay.example "],
            ["harbour.example", "quay.example"],
        ),
        (["www.example"], ["www.example"]),
        (["müller.example", "例え.jp"], ["xn--mller-kva.example", "xn--r8jz45g.jp"]),
        ([], []),
        (None, []),
    ],
)
def test_domains_are_kept_in_one_spelling(api: Api, sent: Any, kept: list[str]) -> None:
    assert account(api, domains=sent)["domains"] == kept


@pytest.mark.parametrize(
    "domains",
    [
        "harbour.example",
        [5],
        [""],
        ["harbour"],
        ["harbour .example"],
        ["-x.example"],
        ["x-.example"],
        ["a..example"],
        ["10.0.0.1"],
        ["x.example:8080"],
        ["ada@harbour.example"],
        [f"{'x' * 64}.example"],
        [".".join(["x" * 60] * 5) + ".example"],
        ["x\x00.example"],
        [f"x{number}.example" for number in range(101)],
    ],
)
def test_what_is_no_domain_is_refused(organization: Organization, domains: Any) -> None:
    made = account(organization.admin, domains=["harbour.example"])
    before = rows_of(organization)
    path = f"/account/{made['id']}/"
    for method, url in (("POST", "/account/"), ("PUT", path)):
        refused = organization.admin(method, url, {"name": "x", "domains": domains})
        assert (refused.status_code, list(refused.json()["field-errors"])) == (400, ["domains"])
    assert rows_of(organization) == before


@pytest.mark.parametrize(
    ("body", "problems"),
    [
        ({"name": None}, {"name": "This field is required."}),
        ({"name": "x" * 501}, {"name": "The value must be no longer than 500 characters."}),
        ({"parent_id": "acct_none"}, {"parent": "Object does not exist."}),
        ({"owner_id": "user_none"}, {"owner": "Object does not exist."}),
        ({"custom.Size": 5}, {"custom.Size": "Unknown custom field."}),
    ],
)
def test_a_wrong_account_is_refused(
    organization: Organization, body: dict[str, Any], problems: dict[str, str]
) -> None:
    made = account(organization.admin)
    before = rows_of(organization)
    for method, url in (("POST", "/account/"), ("PUT", f"/account/{made['id']}/")):
        refused = organization.admin(method, url, {"name": "x", **body})
        assert (refused.status_code, refused.json()["field-errors"]) == (400, problems)
    lead = organization.admin("POST", "/lead/", {"account_id": "acct_none"})
    assert lead.json()["field-errors"] == {"account": "Object does not exist."}
    assert rows_of(organization) == before


def test_no_account_stands_above_itself(organization: Organization) -> None:
    api = organization.admin
    top = account(api)
    middle = account(api, "Middle", parent_id=top["id"])
    low = account(api, "Low", parent_id=middle["id"])
    before = rows_of(organization)
    for below in (top, middle, low):
        refused = api("PUT", f"/account/{top['id']}/", {"parent_id": below["id"]})
        assert refused.status_code == 400
        assert refused.json()["field-errors"] == {"parent": "The object would stand above itself."}
    assert rows_of(organization) == before
    aside = account(api, "Aside")
    assert api.put(f"/account/{middle['id']}/", {"parent_id": aside["id"]})
    assert api.put(f"/account/{top['id']}/", {"parent_id": low["id"]})["parent_id"] == low["id"]


def test_accounts_of_one_write_do_not_stand_above_each_other(organization: Organization) -> None:
    one, two = (account(organization.admin, name)["id"] for name in ("One", "Two"))
    before = rows_of(organization)
    changes = [
        Change.update(Account, one, {"parent_id": two}),
        Change.update(Account, two, {"parent_id": one}),
    ]
    store = organization.program.store
    with pytest.raises(Exception, match="above itself"):
        organization.program.run(store.write(organization.actor(), changes, TEST))
    assert rows_of(organization) == before


def test_writers_who_meet_make_no_circle(organization: Organization) -> None:
    """Each move alone would be right; the later one of two that meet is told of the other."""
    api = organization.admin
    ids = [account(api, str(number))["id"] for number in range(5)]

    def move(step: int) -> set[int]:
        codes = set()
        for number in range(30):
            id, to = ids[(number * step) % 5], ids[(number * step + step) % 5]
            codes.add(api("PUT", f"/account/{id}/", {"parent_id": to}).status_code)
            codes.add(api("PUT", f"/account/{id}/", {"parent_id": None}).status_code)
        return codes

    with ThreadPoolExecutor(4) as threads:
        codes = set().union(*threads.map(move, (1, 2, 3, 4)))
    assert codes <= {200, 400}
    parents = {found["id"]: found["parent_id"] for found in api.get("/account/")["data"]}
    for id in ids:
        seen = set()
        above: str | None = id
        while above is not None:
            assert above not in seen
            seen.add(above)
            above = parents[above]


@pytest.mark.parametrize("between", [False, True])
def test_a_move_waits_for_one_further_up(organization: Organization, between: bool) -> None:
    """While a moves below b, the one at the top of b cannot come below a, or below its child."""
    api, store, actor = organization.admin, organization.program.store, organization.actor()
    a, top = account(api, "A")["id"], account(api, "Top")["id"]
    b = account(api, "B", parent_id=top)["id"]
    to = account(api, "C", parent_id=a)["id"] if between else a

    async def race() -> str:
        async with store.database.tenant(actor.tenant) as transaction:
            below = Change.update(Account, a, {"parent_id": b})
            await store.writes.write_within(transaction, actor, [below], TEST, answer=False)
            other = asyncio.create_task(
                store.write(actor, [Change.update(Account, top, {"parent_id": to})], TEST)
            )
            await asyncio.sleep(0.3)
            assert not other.done()
        try:
            await other
        except Exception as error:
            return str(error)
        return "made a circle"

    assert "above itself" in organization.program.run(race())
    assert api.get(f"/account/{top}/")["parent_id"] is None


def test_what_belonged_to_a_deleted_account_stands_alone(organization: Organization) -> None:
    api = organization.admin
    top = account(api)
    middle = account(api, "Middle", parent_id=top["id"], domains=["middle.example"])
    low = account(api, "Low", parent_id=middle["id"])
    lead = api.post("/lead/", {"name": "Quay", "account_id": middle["id"]})
    api.delete(f"/account/{middle['id']}/")
    assert api.get(f"/lead/{lead['id']}/")["account_id"] is None
    assert api.get(f"/account/{low['id']}/")["parent_id"] is None
    assert names(api, domain="middle.example") == []
    told = {
        (event["object_type"], event["action"], event["object_id"]): event
        for event in api.get("/event/")["data"]
    }
    assert ("account", "deleted", middle["id"]) in told
    of_lead = told["lead", "updated", lead["id"]]
    assert "account_id" in of_lead["changed_fields"]
    assert of_lead["previous_data"]["account_id"] == middle["id"]
    assert "parent_id" in told["account", "updated", low["id"]]["changed_fields"]


def test_who_may_delete_leads_and_sees_all_deletes_accounts(organization: Organization) -> None:
    admin = organization.admin
    owner = admin.post("/custom_field/lead/", {"name": "Owner", "type": "user"})["id"]
    top = account(admin)
    path = f"/account/{top['id']}/"
    for rep, permission in (
        (organization.member("restricteduser"), "delete_leads"),
        (organization.limited(owner), "view_all_leads"),
    ):
        before = rows_of(organization)
        refused = rep("DELETE", path)
        assert refused.status_code == 403
        assert permission in refused.json()["error"]
        assert rows_of(organization) == before
        assert rep.put(path, {"owner_id": rep.user_id})["owner_name"]
    organization.member("user").delete(path)
    assert admin("GET", path).status_code == 404


def test_accounts_have_custom_fields(organization: Organization) -> None:
    api = organization.admin
    tier = api.post("/custom_field/account/", {"name": "Tier", "type": "choices", "choices": ["A"]})
    shared = api.post("/custom_field/shared/", {"name": "Region", "type": "text"})
    path = f"/custom_field/shared/{shared['id']}/association/"
    assert api("POST", path, {"object_type": "account"}).status_code == 201
    made = account(api, custom={"Tier": "A"}, **{f"custom.{shared['id']}": "North"})
    assert made["custom"] == {"Tier": "A", "Region": "North"}
    assert made[f"custom.{tier['id']}"] == "A"
    fields = api.get("/custom_field_schema/account/")["fields"]
    assert [field["name"] for field in fields] == ["Tier", "Region"]
    order = {"fields": [{"id": shared["id"]}]}
    assert api.put("/custom_field_schema/account/", order)["fields"][0]["id"] == shared["id"]
    assert names(api, query="custom.Tier:A") == ["Harbour Group"]
    refused = api("PUT", f"/account/{made['id']}/", {"custom.Tier": "B"})
    assert refused.status_code == 400
    assert api.get(f"/account/{made['id']}/")["custom"]["Tier"] == "A"
    assert "custom.Tier" not in api.post("/lead/", {"name": "x"})
    assert api("POST", "/lead/", {"custom.Tier": "A"}).status_code == 400


def test_accounts_have_no_fields_whose_values_would_be_a_leads(organization: Organization) -> None:
    api = organization.admin
    vessel = api.post("/custom_object_type/", {"name": "Vessel", "name_plural": "Vessels"})["id"]
    tier = api.post("/custom_field/account/", {"name": "Tier", "type": "text"})["id"]
    of_leads = {
        "contact": {"type": "contact"},
        "custom_object": {"type": "custom_object", "referenced_custom_type_id": vessel},
    }
    shared = [
        api.post("/custom_field/shared/", {"name": name, **body})["id"]
        for name, body in of_leads.items()
    ]
    before = rows_of(organization)
    no = "Accounts have no fields of this type, whose values would be objects of a lead."
    for body in of_leads.values():
        made = api("POST", "/custom_field/account/", {"name": "x", **body})
        assert (made.status_code, made.json()["field-errors"]) == (400, {"type": no})
        changed = api("PUT", f"/custom_field/account/{tier}/", body)
        assert (changed.status_code, changed.json()["field-errors"]) == (400, {"type": no})
    for id in shared:
        given = api("POST", f"/custom_field/shared/{id}/association/", {"object_type": "account"})
        assert (given.status_code, given.json()["field-errors"]) == (400, {"object_type": no})
    assert rows_of(organization) == before
    for id in shared:
        api.post(f"/custom_field/shared/{id}/association/", {"object_type": "opportunity"})
    owner = {"name": "Owner", "type": "user"}
    assert api.put(f"/custom_field/account/{tier}/", owner)["type"] == "user"
