"""The search language over HTTP: every form, against rows that it must and must not find."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from harness import Api, Organization, Program, make_organization

from clinch.crm.contacts import Contact
from clinch.crm.leads import Lead
from clinch.crm.opportunities import Opportunity
from clinch.resources.actor import Actor
from clinch.resources.query.read import Page
from clinch.resources.query.tree import Equal, Node
from clinch.search.text import parse

NOW = datetime.now(UTC)
NOON = {"x-tz-offset": str(12 - NOW.hour)}
"""The zone where it is about noon, so that no test runs over midnight."""


def ago(**length: float) -> str:
    return (NOW - timedelta(**length)).isoformat()


def lead(name: str, created: str, status: str, **values: Any) -> dict[str, Any]:
    return {"name": name, "date_created": created, "status": status, **values}


def person(name: str, email: str = "", phone: str = "", title: str = "") -> dict[str, Any]:
    return {
        "name": name,
        "title": title,
        "emails": [{"email": email}] if email else [],
        "phones": [{"phone": phone}] if phone else [],
    }


LEADS = {
    "acme": lead(
        "Acme, Inc.",
        "2020-03-01T11:30:00Z",
        "Potential",
        url="acme.example",
        description="Sells anvils at 100%",
        addresses=[{"city": "Leith", "country": "GB", "zipcode": "EH6"}],
        contacts=[
            person("Wile Coyote", "Wile@Acme.example", "+1 415 555 0100", "Buyer"),
            person("Road Runner", "road@acme.example"),
        ],
    ),
    "wayne": lead(
        "Wayne Enterprises",
        "2021-06-15T23:30:00Z",
        "Qualified",
        contacts=[person("Bruce Wayne", "bruce@wayne.example", "+44 131 555 0199", "Owner")],
    ),
    "ville": lead(
        "Acmeville",
        ago(days=3),
        "Bad Fit",
        contacts=[person("Bo Diddley-Doe", "bo@client.test", "+1 212 555 0147", "Head Buyer")],
    ),
    "strasse": lead("Straße_42 GmbH", ago(), "Customer", url="www.strasse.example"),
    "tokyo": lead("東京電力 Holdings", ago(days=40), "Customer", contacts=[person("佐藤")]),
    "untitled": lead("", ago(days=1), "Interested", contacts=[person("Zo")]),
}
DEALS: dict[str, dict[str, Any]] = {
    "won": {"lead": "wayne", "status": "Won", "value": 500000, "note": "a big Cave"},
    "small": {"lead": "wayne", "value": 4000, "value_period": "monthly", "confidence": 20},
    "anvils": {"lead": "acme", "value": 300000, "confidence": 90, "date_won": "2031-05-04"},
}
TASKS: dict[str, dict[str, Any]] = {
    "call": {"lead": "acme", "text": "Ring the Coyote", "date": "2026-05-04"},
    # A time that is on the same day at every offset that NOON may have.
    "quote": {"lead": "wayne", "text": "Send the quote", "date": "2026-05-05T11:30:00Z"},
    "done": {"lead": "wayne", "text": "Old quote", "date": "2026-05-01", "is_complete": True},
}


class Desk:
    """An organization with the rows above; finds them by the names that they have here."""

    def __init__(self, organization: Organization) -> None:
        self.organization, self.api = organization, organization.admin
        self.rows: dict[str, dict[str, Any]] = {}
        for name, body in LEADS.items():
            self.rows[name] = self.api.post("/lead/", body)
            for contact in self.rows[name]["contacts"]:
                self.rows[contact["name"]] = contact
        for path, bodies in (("opportunity", DEALS), ("task", TASKS)):
            for name, body in bodies.items():
                sent = {key: value for key, value in body.items() if key != "lead"}
                sent["lead_id"] = self.rows[str(body["lead"])]["id"]
                self.rows[name] = self.api.post(f"/{path}/", sent)
        for name in LEADS:  # what was made for a lead has moved its time
            self.rows[name] = self.api.get(f"/lead/{self.rows[name]['id']}/")
        self._names = {row["id"]: name for name, row in self.rows.items()}

    def find(
        self, query: str, path: str = "lead", *, api: Api | None = None, **parameters: str
    ) -> list[str]:
        asking = api or Api(self.api.program, self.api.key, self.api.user_id, NOON)
        page = asking.get(f"/{path}/", query=query, **parameters)
        assert page.get("total_results", len(page["data"])) == len(page["data"])
        return [self._names[row["id"]] for row in page["data"]]


@pytest.fixture(scope="module")
def desk(program: Program) -> Desk:
    return Desk(make_organization(program))


EVERY = set(LEADS)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", EVERY),
        ("*", EVERY),
        # words and phrases
        ("acme", {"acme", "ville"}),
        ("ACME", {"acme", "ville"}),
        ("coyote", {"acme"}),
        ("yot", {"acme"}),
        ("Wayne Enterprises", {"wayne"}),
        ('"Wayne Enterprises"', {"wayne"}),
        ('"Enterprises Wayne"', set()),
        ("wayne leith", set()),
        ("anvils", set()),
        ("acme*", {"acme", "ville"}),
        ("Acme & - coyote", {"acme"}),
        ("bruce@wayne.example", {"wayne"}),
        ("http://www.strasse", {"strasse"}),
        ("STRASSE", {"strasse"}),
        ("straße_42", {"strasse"}),
        ("strasse%42", set()),
        ("ａｃｍｅ", {"acme", "ville"}),
        ("京電", {"tokyo"}),
        ("佐藤", {"tokyo"}),
        # short ones begin a word
        ("zo", {"untitled"}),
        ("o", {"wayne"} - {"wayne"}),
        ("Do", {"ville"}),
        ("me", set()),
        # phones, as they are typed
        ("+14155550100", {"acme"}),
        ("415-555-0100", {"acme"}),
        ('"(415) 555-0100"', {"acme"}),
        ('"+44 131 555 0199"', {"wayne"}),
        ('"0131 555 0199"', {"wayne"}),
        ("555.0199", {"wayne"}),
        ("0131 0199", {"wayne"}),
        # logic
        ("acme coyote", {"acme"}),
        ("acme AND coyote", {"acme"}),
        ("coyote or bruce", {"acme", "wayne"}),
        ("coyote OR bruce buyer", {"acme"}),
        ("(coyote OR bruce) enterprises", {"wayne"}),
        ("acme NOT coyote", {"ville"}),
        ("acme -coyote", {"ville"}),
        ("acme -(coyote or bo)", set()),
        ("not not coyote", {"acme"}),
        ('-"Wayne Enterprises" -acme', {"strasse", "tokyo", "untitled"}),
        ("not(acme)", EVERY - {"acme", "ville"}),
        # a field's words, a phrase of them, all of them
        ("name:acme", {"acme"}),
        ('company:"Acme Inc"', {"acme"}),
        ('name:"acme, INC"', {"acme"}),
        ('name:"Inc Acme"', set()),
        ("name:acme*", {"acme", "ville"}),
        ("name:*ville", {"ville"}),
        ("name:*cmevi*", {"ville"}),
        ("name:*il*", {"ville"}),
        ("name:*le", {"ville"}),
        ("name:*e_4*", {"strasse"}),
        ("name:*力*", {"tokyo"}),
        ("name:cme", set()),
        ('name="acme, inc."', {"acme"}),
        ('name = "Acme"', set()),
        ('name != "Acme, Inc."', EVERY - {"acme"}),
        ("name:*", EVERY - {"untitled"}),
        ('name:""', {"untitled"}),
        ("not name:*", {"untitled"}),
        ("name:42", {"strasse"}),
        ("name:gm", set()),
        ("name:straße", {"strasse"}),
        ("url:acme.example", {"acme"}),
        ("url:*", {"acme", "strasse"}),
        ("has:url", {"acme", "strasse"}),
        ("description:anvils", {"acme"}),
        ('description:"100%"', {"acme"}),
        ('"Description":sells', {"acme"}),
        ("city:leith country:GB zip:eh6", {"acme"}),
        ("city:*", {"acme"}),
        # statuses
        ('status:"Bad Fit"', {"ville"}),
        ("status:potential", {"acme"}),
        ("lead_status:Qualified", {"wayne"}),
        ("status:bad", set()),
        ('status in (Potential, "Bad Fit")', {"acme", "ville"}),
        ("status IN (Potential)", {"acme"}),
        ("status not in (Customer, Potential)", {"wayne", "ville", "untitled"}),
        ("status:(Potential OR Customer)", {"acme", "strasse", "tokyo"}),
        ("status != Customer", {"acme", "wayne", "ville", "untitled"}),
        # contacts
        ('email_address:"bo@client.test"', {"ville"}),
        ("email:WILE@acme.example", {"acme"}),
        ("email:o@client.test", set()),
        ("email:client.test", {"ville"}),
        ("email:@acme.example", {"acme"}),
        ("email:*@acme.example", {"acme"}),
        ("email:*", {"acme", "wayne", "ville"}),
        ('phone:"(415) 555-0100"', {"acme"}),
        ("phone_number:0131", {"wayne"}),
        ("phone:none", set()),
        ("has:phone", {"acme", "wayne", "ville"}),
        ('contact:"Bo"', {"ville"}),
        ("contact:doe", {"ville"}),
        ("contact:Bod", set()),
        ("title:buyer", {"acme", "ville"}),
        ("title = buyer", {"acme"}),
        # counts
        ("contacts > 1", {"acme"}),
        ("contacts:0", {"strasse"}),
        ("contacts = 2", {"acme"}),
        ("contacts >= 1.5", {"acme"}),
        ("contacts < 1", {"strasse"}),
        ("contacts:[1 TO *]", EVERY - {"strasse"}),
        ("contacts:>1", {"acme"}),
        ("addresses > 0", {"acme"}),
        ("opportunities > 1", {"wayne"}),
        ("tasks > 0", {"acme", "wayne"}),
        ("has:opportunities", {"acme", "wayne"}),
        ("has:tasks has:addresses", {"acme"}),
        ("not has:contacts", {"strasse"}),
        # opportunities
        ("opportunity_status:won", {"wayne"}),
        ("opportunity_status:Active", {"wayne", "acme"}),
        ("opportunity_status_type:won", {"wayne"}),
        ("value:[1000 TO 5000]", {"wayne"}),
        ("value:[4001 TO 299999]", set()),
        ("value >= 300000", {"acme", "wayne"}),
        ("opportunity(status:won)", {"wayne"}),
        ("opportunity(status:won value > 100000)", {"wayne"}),
        ("opportunity(status:won value < 100000)", set()),
        ("opportunity(status:won) opportunity(value < 100000)", {"wayne"}),
        ("opportunity(confidence >= 90 or note:cave)", {"acme", "wayne"}),
        ("opportunity(not status:won)", {"acme", "wayne"}),
        ("-opportunity(status:won)", EVERY - {"wayne"}),
        ("opportunity(value_period:monthly)", {"wayne"}),
        ("opportunity(date_won:2031)", {"acme"}),
        ("opportunity(cave)", {"wayne"}),
        ("opportunity()", {"acme", "wayne"}),
        ("user:me", {"acme", "wayne"}),
        ('opportunity(user:"Sam Reed")', {"acme", "wayne"}),
        ('opportunity(user in ("user_a", "user_b"))', set()),
        # contacts and tasks, one of them
        ("contact(title:buyer email:client.test)", {"ville"}),
        ("contact(title:buyer name:road)", set()),
        ("contact(emails > 0 phones:0)", {"acme"}),
        ("task(quote)", {"wayne"}),
        ("task(is_complete:yes)", {"wayne"}),
        ("task(is_complete:no quote)", {"wayne"}),
        ("task(due_date:2026-05-04)", {"acme"}),
        # dates
        ("created:2020-03-01", {"acme"}),
        ("created:2020-03", {"acme"}),
        ("created:[2020 TO 2021]", {"acme", "wayne"}),
        ('created >= "2026-01-01 08:00:00" status:Customer', {"strasse", "tokyo"}),
        ("created<2021-01-01", {"acme"}),
        ('date_created <= "2020-03-01T11:30:00Z"', {"acme"}),
        ('date_created < "2020-03-01T11:30:00.000+0000"', set()),
        ("date_created <= 2020-03-01 11:30:00+0000", {"acme"}),
        ("created:today", {"strasse"}),
        ("created:yesterday", {"untitled"}),
        ('created:"3 days ago"', {"ville"}),
        ('created > "7 days ago"', {"ville", "strasse", "untitled"}),
        ('created:"last 3 days"', {"ville", "strasse", "untitled"}),
        ("created:tomorrow", set()),
        ('created < "30 days ago"', {"acme", "wayne", "tokyo"}),
        ("created_by:me", EVERY),
        # clients, word by word
        ('date_updated>="2020-01-01T00:00" sort:date_updated', EVERY),
        ("sort:updated date_updated > 2020-01-01 date_updated <= 2030-01-01", EVERY),
        ("sort:updated date_updated > 2030-01-01 date_updated <= 2031-01-01", set()),
        ('status:"Potential" name:"acme"', {"acme"}),
        ("(acme or wayne) slice:1/1", {"acme", "wayne", "ville"}),
    ],
)
def test_leads_are_found_by(desk: Desk, query: str, found: set[str]) -> None:
    assert set(desk.find(query)) == found


@pytest.mark.parametrize(
    ("path", "query", "found"),
    [
        ("contact", "coyote", {"Wile Coyote"}),
        ("contact", "acme.example -road", {"Wile Coyote"}),
        ("contact", "enterprises", {"Bruce Wayne"}),
        ("contact", "lead:acme title:*", {"Wile Coyote"}),
        ("contact", 'email:"bo@client.test"', {"Bo Diddley-Doe"}),
        ("contact", "lead(status:Potential)", {"Wile Coyote", "Road Runner"}),
        ("contact", "phone:0100", {"Wile Coyote"}),
        ("contact", "created >= 2020 name:zo", {"Zo"}),
        ("opportunity", "note:cave", {"won"}),
        ("opportunity", "cave", {"won"}),
        ("opportunity", "wayne", {"won", "small"}),
        ("opportunity", "status:active", {"small", "anvils"}),
        ("opportunity", "lead_name:acme", {"anvils"}),
        ("opportunity", "value > 4000 confidence:[10 TO 60]", {"won"}),
        ("opportunity", "lead(status:Qualified) not status_type:won", {"small"}),
        ("opportunity", "pipeline:Sales user:me expected_value < 1000", {"small"}),
        ("opportunity", "date_won <= 2031-05-04 date_won > 2031-05-03", {"anvils"}),
        ("task", "quote", {"quote", "done"}),
        ("task", "wayne is_complete:false", {"quote"}),
        ("task", "date:2026-05-04", {"call"}),
        ("task", "date > 2026-05-04", {"quote"}),
        ("task", "date <= 2026-05-04", {"call", "done"}),
        ("task", 'date:"2026-05-05 11:30Z"', {"quote"}),
        ("task", "assigned_to:me view:archive", {"done"}),
    ],
)
def test_others_are_found_by(desk: Desk, path: str, query: str, found: set[str]) -> None:
    assert set(desk.find(query, path)) == found


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("created:[2020 TO 2021] sort:created", ["acme", "wayne"]),
        ("created:[2020 TO 2021] sort:-created", ["wayne", "acme"]),
        ("sort:date_updated acme", ["ville", "acme"]),
        ("acme", ["acme", "ville"]),
        ("sort:-name name:*", ["tokyo", "wayne", "strasse", "ville", "acme"]),
        ("acme sort:status", ["ville", "acme"]),
        ("has:opportunities sort:-value", ["acme", "wayne"]),
        ("has:opportunities sort:value", ["wayne", "acme"]),
        ("status:customer sort:status sort:created", ["tokyo", "strasse"]),
    ],
)
def test_a_query_says_its_order(desk: Desk, query: str, names: list[str]) -> None:
    by_update = sorted(LEADS, key=lambda name: str(desk.rows[name]["date_updated"]))
    assert by_update[0] != by_update[-1]
    assert desk.find(query) == names


def test_a_sync_reads_on_in_the_order_of_changes(desk: Desk) -> None:
    updated = desk.find('date_updated>="2020-01-01T00:00" sort:date_updated')
    assert updated == sorted(updated, key=lambda name: str(desk.rows[name]["date_updated"]))
    moment = str(desk.rows[updated[2]]["date_updated"])
    assert desk.find(f'date_updated>="{moment}" sort:date_updated') == updated[2:]
    assert desk.find(f'date_updated>"{moment}" sort:date_updated') == updated[3:]
    assert desk.find(f'date_updated<="{moment}" sort:date_updated') == updated[:3]


def test_the_parameter_for_the_order_goes_before_the_querys(desk: Desk) -> None:
    query = "created:[2020 TO 2021] sort:created"
    assert desk.find(query, _order_by="-date_created") == ["wayne", "acme"]


def test_it_stands_beside_the_lists_own_filters(desk: Desk) -> None:
    found = desk.find("wayne", "opportunity", status_type="won")
    assert found == ["won"]
    assert desk.find("anvils", "opportunity", status_type="won") == []


def test_slices_part_all_there_is(desk: Desk) -> None:
    parts = [desk.find(f"* slice:{part}/3") for part in (1, 2, 3)]
    assert sorted(name for part in parts for name in part) == sorted(EVERY)
    assert parts == [desk.find(f"slice:{part}/3") for part in (1, 2, 3)]
    assert len(desk.find("slice:1/10000")) < len(EVERY)


def test_days_are_those_of_the_callers_zone(desk: Desk) -> None:
    east = Api(desk.api.program, desk.api.key, desk.api.user_id, {"x-tz-offset": "1"})
    assert desk.find("created:2021-06-15", api=east) == []
    assert desk.find("created:2021-06-16", api=east) == ["wayne"]
    assert desk.find('created >= "2021-06-16 00:30" created < 2022', api=east) == ["wayne"]
    assert desk.find("created:2021-06-15", api=desk.api) == ["wayne"]


def test_ids_and_users_are_found_by_their_ids(desk: Desk) -> None:
    acme = desk.rows["acme"]
    assert desk.find(f'lead_id:"{acme["id"]}"') == ["acme"]
    ids = f'"{acme["id"]}", {desk.rows["wayne"]["id"]}'
    assert set(desk.find(f"id in ({ids})")) == {"acme", "wayne"}
    assert desk.find(f"status_id:{acme['status_id']}") == ["acme"]
    assert desk.find(f"status:{acme['status_id']}") == ["acme"]
    assert desk.find(f"contact_id:{desk.rows['Road Runner']['id']}") == ["acme"]
    assert set(desk.find(f"opportunity(user:{desk.api.user_id})")) == {"acme", "wayne"}


def test_me_is_who_asks(desk: Desk) -> None:
    other = desk.organization.member("user")
    assert desk.find("user:me", api=other) == []
    assert set(desk.find("user:me")) == {"acme", "wayne"}


def test_nothing_of_another_organization_is_found(desk: Desk, api: Api) -> None:
    for path, query in (("lead", "acme"), ("contact", "coyote"), ("opportunity", "has:note")):
        assert desk.find(query, path), "it is there"
        assert api.get(f"/{path}/", query=query)["data"] == []
    assert api.get("/lead/", query="zo")["data"] == []


def test_no_text_of_a_hidden_object_finds_its_lead(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def visible(actor: Actor) -> Node | None:
        return None if actor.may("see_everybody") else Equal(Contact.title, "Buyer")

    monkeypatch.setattr(Contact, "visible", visible)
    store = desk.api.program.store

    def found(query: str, permissions: frozenset[str] | None) -> int:
        actor = desk.organization.actor(permissions=permissions)
        page = Page(where=parse(query, Lead, actor).where, keys=("id",))

        async def ask() -> bytes:
            async with store.reading(actor) as transaction:
                return await store.reads.page(transaction, actor, Lead, page)

        return len(json.loads(desk.api.program.run(ask()))["data"])

    for query in ("runner", "ru", "email:road@acme.example", "contact:runner", "contacts > 1"):
        assert (found(query, frozenset()), found(query, None)) == (0, 1), query
    for query in ("coyote", "acme inc", "email:wile@acme.example", "contact(name:coyote)"):
        assert found(query, frozenset()) == 1, query


def test_a_hidden_field_is_not_asked_for(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Opportunity.value, "seen_with", "see_values")
    user = desk.organization.member("user")
    for query in ("value > 1", "opportunity(value:[1 TO *])", "opportunity(not value:*)"):
        assert user("GET", "/lead/", query=query).status_code == 403
    assert user("GET", "/opportunity/", query="sort:value").status_code == 403
    assert desk.find("value > 400000") == ["wayne"]


def test_a_change_of_many_is_held_to_its_query(desk: Desk, program: Program) -> None:
    own = Desk(make_organization(program))
    answer = own.api.put("/task/", {"text": "Changed"}, query="coyote")
    assert answer == {"ok": True, "count": 1}
    assert set(own.find("changed", "task")) == {"call"}
    assert own.api("PUT", "/task/", {"text": "Lost"}, query="faxes > 1").status_code == 400
    assert own.find("lost", "task") == []


def test_lists_without_the_language_ignore_it(desk: Desk) -> None:
    assert len(desk.api.get("/user/", _limit="100", _skip="0", query="")["data"]) >= 1
    assert desk.api.get("/status/lead/", query="((")["data"]


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("(acme", "at character 6: a parenthesis is never closed"),
        ("acme)", "at character 5: a parenthesis is closed that was never opened"),
        ('"acme', "at character 1: a quotation mark is never closed"),
        ("acme or", "a condition is missing"),
        ("or acme", "a condition is missing"),
        ("acme and", "a condition is missing after AND"),
        ("and acme", "a condition is missing before AND"),
        ("not", "a condition is missing"),
        ("()", "a condition is missing"),
        ("sort:created or acme", "a condition is missing"),
        ("name:", "a value is missing after name"),
        ("status in ()", "a value is missing"),
        ("value:[1 TO 2", "a range is written [LOW TO HIGH]"),
        ("value:[1 2]", "a range is written [LOW TO HIGH]"),
        ("value:[1 TO many]", '"many" is not a number'),
        ("value > ten", '"ten" is not a number'),
        ("name > b", "It cannot be compared by size."),
        ("created > soon", '"soon" is not a date'),
        ("created:2026-02-30", '"2026-02-30" is not a date'),
        ("created:0000", '"0000" is not a date'),
        ('created > "9999999 days ago"', "is not a date"),
        ("task(is_complete:maybe)", "Write yes or no."),
        ("slice:3/2", "a slice is written"),
        ("slice:0/2", "a slice is written"),
        ("slice:many", "a slice is written"),
        ("sort:faxes", 'sorts by "faxes"'),
        ("opportunity(sort:value)", "belongs to the whole query"),
        ("faxes > 1", '"faxes"'),
        ("has:faxes", '"faxes"'),
        ("custom.cf_X:1", '"custom.cf_X"'),
        ('"custom.Source CRM":*', '"custom.Source CRM"'),
        ("fax(date > 2020)", '"fax"'),
        ("call(fax(date > 2020))", '"fax"'),
        ("call(pinned:yes)", '"pinned"'),
        ("call(duration:long)", '"long" is not a number'),
        ("task(call(duration > 1))", '"call"'),
        ("opportunity(phone:1)", '"phone"'),
        (f"{'(' * 51}acme{')' * 51}", "nested deeper than 50 levels"),
        (f"{'-' * 51}acme", "nested deeper than 50 levels"),
        (f"{'contact(lead(' * 3}contact(acme{')' * 7}", "from object to object more than 6"),
        ("acme " * 501, "more than 500 terms"),
        ("a" * 10_001, "longer than 10000 characters"),
    ],
)
def test_what_cannot_be_read_is_told(desk: Desk, query: str, text: str) -> None:
    refused = desk.api("GET", "/lead/", query=query)
    assert refused.status_code == 400
    assert refused.json().keys() == {"error"}
    assert text in refused.json()["error"]


def test_the_parameter_is_documented(desk: Desk) -> None:
    document = requests.get(f"{desk.api.program.url}/api/openapi.json", timeout=30).json()

    def names(path: str) -> set[str]:
        return {parameter["name"] for parameter in document["paths"][path]["get"]["parameters"]}

    assert all("query" in names(f"/{path}/") for path in ("lead", "contact", "opportunity", "task"))
    assert "query" not in names("/user/")
