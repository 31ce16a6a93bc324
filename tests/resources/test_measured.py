"""The rows by which numbers and dates in custom fields are found: always what the objects say."""

import json
from typing import Any

import asyncpg
import pytest
from harness import Api, Organization

from clinch.db.database import Database
from clinch.db.migrations import migrate, migrations
from clinch.program import declarations
from clinch.resources.custom_values import measured_rows
from clinch.resources.write.measured import mend


@pytest.mark.parametrize(
    ("value", "number", "moment"),
    [
        (5, 5, None),
        (-0.25, -0.25, None),
        ("2026-03-05", None, "2026-03-05T00:00:00+00:00"),
        ("2026-03-05T10:11:12+00:00", None, "2026-03-05T10:11:12+00:00"),
        ("2026-03-05T10:11:12.5+00:00", None, "2026-03-05T10:11:12.500000+00:00"),
        ("9999-12-31", None, "9999-12-31T00:00:00+00:00"),
    ],
)
def test_numbers_and_moments_have_a_row(value: Any, number: Any, moment: Any) -> None:
    row = {"object_id": "lead_1", "field_id": "cf_1", "number": number, "moment": moment}
    assert list(measured_rows("lead_1", {"cf_1": value})) == [row]


@pytest.mark.parametrize(
    "value",
    ["5", "2026-02-30", "0000-01-01", "2026-03-05T10:11:12", "2026-03-05\n", "x", ["2026-03-05"]],
)
def test_nothing_else_has_one(value: Any) -> None:
    assert list(measured_rows("lead_1", {"cf_1": value})) == []


def rows(organization: Organization) -> dict[str, str]:
    """The rows as text, by what they are of."""

    async def read() -> dict[str, str]:
        async with organization.program.store.reading(organization.system) as transaction:
            found = await transaction.rows(
                "select object_id, coalesce(number::text, moment::text) from custom_value"
                " where organization_id = $1 order by 1, 2",
                organization.system.organization_id,
            )
        return {row[0]: row[1] for row in found}

    found: dict[str, str] = organization.program.run(read())
    return found


def define(api: Api, kind: str, type: str) -> str:
    body = {"name": type, "type": type}
    return f"custom.{api.post(f'/custom_field/{kind}/', body)['id']}"


def test_they_come_change_and_go_with_the_values(organization: Organization) -> None:
    api = organization.admin
    seats, age = define(api, "lead", "number"), define(api, "contact", "date")
    text = define(api, "lead", "text")
    born = {"name": "Ada", age: "1990-01-02"}
    lead = api.post("/lead/", {seats: 5, text: "5", "contacts": [born]})
    id, contact = lead["id"], lead["contact_ids"][0]
    day = "1990-01-02 00:00:00+00"
    assert rows(organization) == {id: "5", contact: day}
    api.put(f"/lead/{id}/", {seats: 6.50})
    assert rows(organization)[id] == "6.5"
    api.put(f"/lead/{id}/", {"name": "x", text: "y"})
    assert rows(organization) == {id: "6.5", contact: day}
    api.put(f"/lead/{id}/", {seats: None})
    assert rows(organization) == {contact: day}
    api.put(f"/lead/{id}/", {seats: 7})
    for query, kept in ({"_dry_run": "1"}, {id: "7", contact: day}), ({}, {}):
        assert api("DELETE", f"/lead/{id}/", **query).status_code == 200
        assert rows(organization) == kept


async def _execute(url: str, sql: str, *arguments: Any) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(sql, *arguments)
    finally:
        await connection.close()


def test_what_is_wrong_is_mended(organization: Organization, cluster: str) -> None:
    api, program = organization.admin, organization.program
    seats, renewal = define(api, "lead", "number"), define(api, "lead", "date")
    leads = [
        api.post("/lead/", {seats: number, renewal: "2026-03-05"})["id"] for number in range(3)
    ]
    tenant = organization.system.organization_id

    def mended() -> Any:
        return program.run(mend(program.store.database, program.store.declared, tenant))

    assert mended() == (6, 0)
    for sql, *ids in (
        ("update custom_value set number = 77 where object_id = $1 and number = 0", leads[0]),
        ("delete from custom_value where object_id = $1 and moment is not null", leads[1]),
        ("update custom_value set object_id = 'lead_gone' where object_id = $1", leads[2]),
    ):
        program.run(_execute(cluster, sql, *ids))
    # One wrong, one missing, and two that are missing there and too many elsewhere.
    assert mended() == (6, 6)
    assert mended() == (6, 0)
    found = api.get("/lead/", query="number:[0 TO 2] date:2026-03-05")["data"]
    assert {lead["id"] for lead in found} == set(leads)


async def test_values_that_are_older_than_the_rows_get_theirs(empty_database: str) -> None:
    """The migration that makes the table fills it with what the program would have put there."""
    made = next(one.number for one in migrations() if "create table custom_value (" in one.text)
    await migrate(empty_database, wanted=[one for one in migrations() if one.number < made])
    tenant = "11111111-1111-1111-1111-111111111111"
    custom = {
        "cf_1": 12.5,
        "cf_2": "2026-03-05",
        "cf_3": "2026-03-05T10:11:12.5+00:00",
        "cf_4": "2026-02-30",
        "cf_5": "0000-01-01",
        "cf_6": ["2026-03-05"],
        "cf_7": "5",
    }
    connection = await asyncpg.connect(empty_database)
    await connection.execute("set session_replication_role = replica")
    await connection.execute(
        "insert into lead (organization_id, id, name, description, status_id, addresses, custom,"
        " date_created, date_updated)"
        " values ($1, 'lead_1', '', '', 'stat_1', '[]', $2, now(), now())",
        tenant,
        json.dumps(custom),
    )
    await connection.close()
    await migrate(empty_database)
    database = Database(empty_database)
    assert await mend(database, declarations(), tenant) == (3, 0)
    await database.close()
