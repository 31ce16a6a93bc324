"""What becomes of stored values when their field changes: at once, and after the errand has run."""

import asyncio
import json
from typing import Any

import pytest
from harness import TEST, Api, Organization

from clinch.crm.custom_values import VALUES
from clinch.crm.leads import Lead
from clinch.events.follower import behind, run_errand
from clinch.resources.errors import ValidationError
from clinch.resources.store import Store
from clinch.resources.write.change import Change


def define(api: Api, type: str, kind: str = "lead", **rest: Any) -> str:
    body = {"name": "Field", "type": type, **rest}
    return str(api.post(f"/custom_field/{kind}/", body)["id"])


def run(organization: Organization) -> None:
    store, id = organization.program.store, organization.system.organization_id
    organization.program.run(run_errand(store, VALUES, id))
    assert id not in organization.program.run(behind(store.database, VALUES))


def ask(organization: Organization, sql: str, *arguments: Any) -> Any:
    """The one value that the organization's transaction finds; `$1` is its uuid."""
    store, actor = organization.program.store, organization.system

    async def read() -> Any:
        async with store.reading(actor) as transaction:
            return await transaction.value(sql, actor.organization_id, *arguments)

    return organization.program.run(read())


def stored(organization: Organization, id: str, table: str = "lead") -> Any:
    """The column of the values as it is, whatever answers make of it."""
    sql = f"select custom::text from {table} where organization_id = $1 and id = $2"
    return json.loads(ask(organization, sql, id))


def measured(organization: Organization) -> int:
    sql = "select count(*) from custom_value where organization_id = $1"
    return int(ask(organization, sql))


def events(organization: Organization) -> int:
    return int(ask(organization, "select count(*) from event where organization_id = $1"))


GONE = object()


@pytest.mark.parametrize(
    ("was", "becomes", "value", "converted"),
    [
        ("text", "number", "12.5", 12.5),
        ("text", "number", " -3 ", -3),
        ("text", "number", "12 or so", GONE),
        ("text", "date", "2026-03-05", "2026-03-05"),
        ("text", "date", "2026-03-05, if all goes well", GONE),
        ("text", "date", "2026-02-30", GONE),
        ("text", "datetime", "2026-03-05T10:00:00+02:00", "2026-03-05T08:00:00+00:00"),
        ("text", "datetime", "soon", GONE),
        ("text", "hidden", "kept", "kept"),
        ("text", "choices", "b", "b"),
        ("text", "choices", " b ", "b"),
        ("text", "choices", "z", GONE),
        ("number", "text", 12.5, "12.5"),
        ("number", "text", 0.00001, "0.00001"),
        ("number", "hidden", 5, "5"),
        ("number", "date", 20260305, "2026-03-05"),
        ("number", "date", 5, GONE),
        ("date", "text", "2026-03-05", "2026-03-05"),
        ("date", "datetime", "2026-03-05", "2026-03-05T00:00:00+00:00"),
        ("date", "number", "2026-03-05", GONE),
        ("datetime", "date", "2026-03-05T23:30:00-01:00", "2026-03-06"),
        ("choices", "text", "a", "a"),
        ("choices", "number", "7", 7),
        ("choices", "user", "a", GONE),
    ],
)
def test_a_new_type_converts_what_converts(
    organization: Organization, was: str, becomes: str, value: Any, converted: Any
) -> None:
    api = organization.admin
    choices = ["a", "b", "7"]
    field = define(api, was, choices=choices if was == "choices" else None)
    lead = api.post("/lead/", {"name": "Acme", f"custom.{field}": value})
    path = f"/lead/{lead['id']}/"
    body = {"type": becomes, "choices": choices if becomes == "choices" else None}
    changed = api.put(f"/custom_field/lead/{field}/", body)
    assert (changed["type"], changed["converting_to_type"]) == (becomes, becomes)
    between = api.get(path).get(f"custom.{field}", GONE)
    assert between in (GONE, converted) or (was, becomes, between) == ("text", "date", value)

    run(organization)
    after = api.get(path)
    assert after.get(f"custom.{field}", GONE) == converted
    assert after["custom"] == ({} if converted is GONE else {"Field": converted})
    assert stored(organization, lead["id"]) == ({} if converted is GONE else {field: converted})
    assert api.get(f"/custom_field/lead/{field}/")["converting_to_type"] is None
    if converted is not GONE:
        assert api.put(path, {f"custom.{field}": converted})[f"custom.{field}"] == converted


def test_a_field_that_becomes_one_of_objects_says_of_which_type(
    organization: Organization,
) -> None:
    api = organization.admin
    body = {"name": "Vessel", "name_plural": "Vessels"}
    vessel, boat = (api.post("/custom_object_type/", body)["id"] for _ in range(2))
    field = define(api, "text")
    path = f"/custom_field/lead/{field}/"
    before = api.get(path)
    refused = api("PUT", path, {"type": "custom_object"})
    assert refused.json()["field-errors"] == {"referenced_custom_type": "This field is required."}
    assert api.get(path) == before
    lead = api.post("/lead/", {})["id"]
    anna = {"lead_id": lead, "custom_object_type_id": vessel, "name": "Anna"}
    named = api.post("/custom_object/", anna)["id"]
    api.put(f"/lead/{lead}/", {f"custom.{field}": named})
    reference = {"referenced_custom_type_id": vessel}
    changed = api.put(path, {"type": "custom_object", **reference})
    assert changed["referenced_custom_type_id"] == vessel
    run(organization)
    assert api.get(f"/lead/{lead}/")[f"custom.{field}"] == named
    kept = api.put(path, {"type": "custom_object", "referenced_custom_type_id": boat})
    assert kept["referenced_custom_type_id"] == vessel
    assert api.put(path, {"type": "text"})["referenced_custom_type_id"] is None


def test_what_is_deleted_is_no_value_any_more(organization: Organization) -> None:
    api = organization.admin
    type_id = api.post("/custom_object_type/", {"name": "Vessel", "name_plural": "Vessels"})["id"]
    deciders = define(api, "contact", accepts_multiple_values=True)
    decider = define(api, "contact", "opportunity")
    vessel = api.post(
        "/custom_field/lead/",
        {"name": "Vessel", "type": "custom_object", "referenced_custom_type_id": type_id},
    )["id"]
    people = [{"name": name} for name in ("Ada", "Bo")]
    lead, other = (api.post("/lead/", {"contacts": people}) for _ in range(2))
    ada, bo = lead["contact_ids"]
    anna = {"lead_id": lead["id"], "custom_object_type_id": type_id, "name": "Anna"}
    thing = api.post("/custom_object/", anna)["id"]
    path, elsewhere = f"/lead/{lead['id']}/", f"/lead/{other['id']}/"
    api.put(path, {f"custom.{deciders}": [ada, bo], f"custom.{vessel}": thing})
    kept = api.put(elsewhere, {f"custom.{deciders}": other["contact_ids"]})
    deal = api.post("/opportunity/", {"lead_id": lead["id"], f"custom.{decider}": ada})["id"]

    api.delete(f"/contact/{ada}/")
    api.delete(f"/custom_object/{thing}/")
    run(organization)
    assert stored(organization, lead["id"]) == {deciders: [bo]}
    assert stored(organization, deal, "opportunity") == {}
    assert api.get(elsewhere) == kept
    before = events(organization)
    api.delete(f"/contact/{other['contact_ids'][0]}/")
    api.delete(elsewhere)
    made = events(organization)
    run(organization)
    assert events(organization) == made > before


def test_what_goes_to_another_lead_is_no_value_at_the_one_it_left(
    organization: Organization,
) -> None:
    api = organization.admin
    deciders = define(api, "contact", accepts_multiple_values=True)
    decider = define(api, "contact", "opportunity")
    boss = define(api, "contact", "contact")
    lead = api.post("/lead/", {"contacts": [{"name": name} for name in ("Ada", "Bo", "Cy")]})
    there = api.post("/lead/", {"contacts": [{"name": "Di"}]})["id"]
    ada, bo, cy = lead["contact_ids"]
    path = f"/lead/{lead['id']}/"
    api.put(path, {f"custom.{deciders}": [ada, bo]})
    for subordinate, chief in ((ada, bo), (bo, ada), (cy, bo)):
        api.put(f"/contact/{subordinate}/", {f"custom.{boss}": chief})
    by_ada, by_bo = (
        api.post("/opportunity/", {"lead_id": lead["id"], f"custom.{decider}": one})["id"]
        for one in (ada, bo)
    )
    moved = api.put(f"/contact/{ada}/", {"lead_id": there})
    assert (moved["lead_id"], moved[f"custom.{boss}"]) == (there, bo)
    run(organization)
    assert stored(organization, lead["id"]) == {deciders: [bo]}
    assert [stored(organization, one, "contact") for one in (ada, bo, cy)] == [{}, {}, {boss: bo}]
    assert stored(organization, by_ada, "opportunity") == {}
    assert stored(organization, by_bo, "opportunity") == {decider: bo}
    api.put(f"/opportunity/{by_bo}/", {"lead_id": there})
    run(organization)
    assert stored(organization, by_bo, "opportunity") == {}
    api.post("/lead/merge/", {"source": lead["id"], "destination": there})
    run(organization)
    assert stored(organization, there) == {deciders: [bo]}
    assert stored(organization, cy, "contact") == {boss: bo}


def test_whoever_changed_a_field_stays_named_when_its_values_are_converted(
    organization: Organization,
) -> None:
    api = organization.admin
    field = define(api, "text")
    api.put(f"/custom_field/lead/{field}/", {"type": "number"})
    run(organization)
    after = api.get(f"/custom_field/lead/{field}/")
    assert (after["converting_to_type"], after["updated_by"]) == (None, api.user_id)


def test_until_then_only_values_of_the_new_type_are_answered(organization: Organization) -> None:
    api = organization.admin
    field = define(api, "text")
    key = f"custom.{field}"
    old = api.post("/lead/", {"name": "old", key: "12"})
    api.put(f"/custom_field/lead/{field}/", {"type": "number"})
    new = api.post("/lead/", {"name": "new", key: 7})
    assert (new[key], new["custom"]) == (7, {"Field": 7})
    assert key not in api.get(f"/lead/{old['id']}/")
    assert [lead.get(key) for lead in api.get("/lead/")["data"]] == [7, None]
    refused = api("PUT", f"/lead/{new['id']}/", {key: "many"})
    assert refused.json()["field-errors"] == {key: "Value must be of int or float type."}
    assert {row["name"] for row in api.get("/lead/", query="Field > 5")["data"]} == {"new"}
    run(organization)
    assert {row["name"] for row in api.get("/lead/", query="Field > 5")["data"]} == {"new", "old"}
    assert api.get(f"/lead/{new['id']}/")[key] == 7
    assert api.get(f"/lead/{old['id']}/")[key] == 12


def test_a_type_that_changes_again_is_what_counts(organization: Organization) -> None:
    api = organization.admin
    field = define(api, "text")
    lead = api.post("/lead/", {f"custom.{field}": "12"})
    api.put(f"/custom_field/lead/{field}/", {"type": "number"})
    api.put(f"/custom_field/lead/{field}/", {"type": "text"})
    run(organization)
    assert stored(organization, lead["id"]) == {field: "12"}
    assert api.get(f"/custom_field/lead/{field}/")["converting_to_type"] is None


def test_names_become_users_and_contacts_where_there_are_such(organization: Organization) -> None:
    api = organization.admin
    fields = {kind: define(api, "text", "contact", name=kind) for kind in ("user", "contact")}
    lead = api.post("/lead/", {"contacts": [{"name": "Ada"}, {"name": "Bo"}]})
    other = api.post("/contact/", {"name": "Cy"})
    ada, bo = lead["contact_ids"]
    values = {
        ada: {"user": "Sam Reed", "contact": bo},
        bo: {"user": "Nobody", "contact": other["id"]},
        other["id"]: {"user": api.user_id, "contact": "cont_none"},
    }
    for id, custom in values.items():
        api.put(f"/contact/{id}/", {"custom": custom})
    for kind, field in fields.items():
        api.put(f"/custom_field/contact/{field}/", {"type": kind})
    run(organization)
    found = {id: api.get(f"/contact/{id}/")["custom"] for id in values}
    assert found == {
        ada: {"user": api.user_id, "contact": bo},
        bo: {},
        other["id"]: {"user": api.user_id},
    }


def test_one_value_becomes_a_list_and_a_list_its_first_value(organization: Organization) -> None:
    api = organization.admin
    field = define(api, "choices", "opportunity", choices=["a", "b"])
    path = f"/custom_field/opportunity/{field}/"
    deal = api.post("/opportunity/", {f"custom.{field}": "a"})

    def value() -> Any:
        return api.get(f"/opportunity/{deal['id']}/").get(f"custom.{field}")

    api.put(path, {"accepts_multiple_values": True})
    run(organization)
    assert value() == ["a"]
    api.put(f"/opportunity/{deal['id']}/", {f"custom.{field}.add": "b"})
    api.put(path, {"accepts_multiple_values": False})
    run(organization)
    assert value() == "a"


def test_a_choice_that_is_gone_takes_its_values_with_it(organization: Organization) -> None:
    api = organization.admin
    one = define(api, "choices", choices=["a", "b"])
    many = define(
        api, "choices", name="Many", choices=["a", "b", "c"], accepts_multiple_values=True
    )
    leads = [
        api.post("/lead/", {f"custom.{one}": single, f"custom.{many}": several})["id"]
        for single, several in (("a", ["a", "c"]), ("b", ["b"]))
    ]
    api.put(f"/custom_field/lead/{one}/", {"choices": ["b", "z"]})
    api.put(f"/custom_field/lead/{many}/", {"choices": ["c", "d"]})
    run(organization)
    assert [stored(organization, id) for id in leads] == [{many: ["c"]}, {one: "b"}]


def test_a_deleted_field_destroys_its_values(organization: Organization) -> None:
    api = organization.admin
    gone, kept = define(api, "number"), define(api, "number", name="Kept")
    lead = api.post("/lead/", {f"custom.{gone}": 1, f"custom.{kept}": 2})
    contact_field = define(api, "date", "contact")
    contact = api.post("/contact/", {"name": "Ada", f"custom.{contact_field}": "2026-03-05"})
    assert measured(organization) == 3
    api.delete(f"/custom_field/lead/{gone}/")
    api.delete(f"/custom_field/contact/{contact_field}/")
    run(organization)
    assert stored(organization, lead["id"]) == {kept: 2}
    assert stored(organization, contact["id"], "contact") == {}
    assert measured(organization) == 1


def test_the_log_tells_who_did_it_and_why(organization: Organization) -> None:
    api = organization.admin
    field = define(api, "text")
    lead = api.post("/lead/", {f"custom.{field}": "12"})
    api.put(f"/custom_field/lead/{field}/", {"type": "number"})
    run(organization)
    sql = (
        "select json_build_array(user_id, source, reason, changed) from event"
        " where organization_id = $1 and object_id = $2 order by seq desc limit 1"
    )
    user, source, reason, changed = json.loads(ask(organization, sql, lead["id"]))
    assert (user, source) == (None, "custom_field")
    assert reason == "the custom field's type changed"
    assert f"custom.{field}" in changed


def test_what_was_done_is_not_done_again(organization: Organization) -> None:
    api = organization.admin
    field = define(api, "text")
    other = define(api, "choices", name="Other", choices=["a", "b"])
    api.post("/lead/", {f"custom.{field}": "12", f"custom.{other}": "a"})
    api.put(f"/custom_field/lead/{field}/", {"type": "number"})
    api.put(f"/custom_field/lead/{other}/", {"choices": ["b"]})
    api.delete(f"/custom_field/lead/{other}/")
    run(organization)
    count = events(organization)
    forget_cursor(organization)
    run(organization)
    assert events(organization) == count


def forget_cursor(organization: Organization) -> None:
    async def forget() -> None:
        tenant = organization.system.tenant
        async with organization.program.store.database.tenant(tenant) as transaction:
            await transaction.execute(
                "delete from event_cursor where organization_id = $1 and follower = $2",
                tenant.organization_id,
                VALUES.name,
            )

    organization.program.run(forget())


def test_what_has_nothing_to_do_with_values_writes_nothing(organization: Organization) -> None:
    api = organization.admin
    field = define(api, "text")
    api.post("/lead/", {f"custom.{field}": "12"})
    api.put(f"/custom_field/lead/{field}/", {"name": "New", "description": "x"})
    count = events(organization)
    run(organization)
    assert events(organization) == count


class Ended(Exception):
    """Ends the errand in the middle of its work."""


class FragileStore(Store):
    """A store whose process ends after so many writes."""

    def __init__(self, store: Store, writes: int) -> None:
        super().__init__(store.database, store.declared)
        self._left = writes

    async def write(self, *arguments: Any, **options: Any) -> Any:
        if self._left == 0:
            raise Ended
        self._left -= 1
        return await super().write(*arguments, **options)


def test_many_objects_are_converted_in_batches_that_may_end_anywhere(
    organization: Organization,
) -> None:
    api, program, actor = organization.admin, organization.program, organization.actor()
    field = define(api, "text")
    many = [Change.create(Lead, {f"custom.{field}": str(number)}) for number in range(450)]
    program.run(program.store.write(actor, many, TEST, answer=False))
    api.put(f"/custom_field/lead/{field}/", {"type": "number"})
    count = "select count(*) from custom_value where organization_id = $1"
    for writes, done in ((0, 0), (1, 200), (2, 400), (3, 450)):
        fragile = FragileStore(program.store, writes)
        with pytest.raises(Ended):
            program.run(run_errand(fragile, VALUES, actor.organization_id))
        assert ask(organization, count) == done
        assert api.get(f"/custom_field/lead/{field}/")["converting_to_type"] == "number"
    run(organization)
    assert api.get(f"/custom_field/lead/{field}/")["converting_to_type"] is None
    converted = (
        "select count(*) from event where organization_id = $1 and source = 'custom_field'"
        " and object_type = 'lead'"
    )
    assert ask(organization, converted) == 450


def test_a_value_written_while_the_type_changes_is_of_the_new_type(
    organization: Organization,
) -> None:
    """A write that began under the old type, and waits for its lead until all is converted."""
    api, store, actor = organization.admin, organization.program.store, organization.actor()
    field = define(api, "text")
    lead = api.post("/lead/", {"name": "Acme"})
    definition = store.declared["lead_custom_field"]

    async def race() -> None:
        put = Change.update(Lead, lead["id"], {f"custom.{field}": "x"})
        async with store.database.tenant(actor.tenant) as transaction:
            await transaction.execute(
                "select from lead where organization_id = $1 and id = $2 for update",
                actor.organization_id,
                lead["id"],
            )
            writing = asyncio.create_task(store.write(actor, [put], TEST, answer=False))
            await until_one_waits(store)
            changed = Change.update(definition, field, {"type": "number"})
            await store.write(actor, [changed], TEST, answer=False)
            await run_errand(store, VALUES, actor.organization_id)
        with pytest.raises(ValidationError):
            await writing

    organization.program.run(race())
    assert stored(organization, lead["id"]) == {}


async def until_one_waits(store: Store) -> None:
    waits = "select exists(select from pg_locks where not granted)"
    async with asyncio.timeout(30), store.database.everyone() as transaction:
        while True:
            if await transaction.value(waits):
                return
            await asyncio.sleep(0.005)
