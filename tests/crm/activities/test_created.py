"""How leads came, also those that are older than their histories."""

import asyncio

import asyncpg
from harness import TEST, make_organization, serve

from clinch.crm.leads import Lead
from clinch.db.migrations import migrate, migrations
from clinch.program import declarations
from clinch.resources.write.change import Change

[MIGRATION] = (one for one in migrations() if one.name == "how_older_leads_came")


def test_older_leads_get_the_beginning_of_their_history(own_database: str) -> None:
    with serve(own_database, declarations) as program:
        organization, other = make_organization(program), make_organization(program)
        api, rep = organization.admin, organization.member("user")
        leads = [
            rep.post("/lead/", {"name": "By a rep"})["id"],
            api.post("/lead/", {"name": "Long ago", "date_created": "2020-03-01"})["id"],
        ]
        make = Change.create(Lead, {"name": "By the program"})
        write = program.store.write(organization.system, [make], TEST, answer=False)
        leads.append(program.run(write)[0].id)
        kept = api.post("/lead/", {"name": "Kept"})["id"]
        elsewhere = other.admin.post("/lead/", {"name": "Elsewhere"})["id"]
        before = api.get("/activity/")["data"]
        events = api.get("/event/")["data"]
        asyncio.run(_forget(own_database, [*leads, elsewhere]))
        assert [one["lead_id"] for one in api.get("/activity/")["data"]] == [kept]
        assert asyncio.run(migrate(own_database)) == 1
        after = api.get("/activity/")["data"]
        assert [_told(one) for one in after] == [_told(one) for one in before]
        assert all(one["date_updated"] == one["date_created"] for one in after)
        [found] = other.admin.get("/activity/")["data"]
        assert found["id"] == f"acti_{elsewhere.removeprefix('lead_')}"
        assert api.get("/event/")["data"] == events


def _told(activity: dict[str, object]) -> dict[str, object]:
    """What an entry says; its id is another one, and when it was written is not known any more."""
    return {key: value for key, value in activity.items() if key not in ("id", "date_updated")}


async def _forget(url: str, leads: list[str]) -> None:
    """Make the leads older than their histories, in a database that has not seen the migration."""
    connection = await asyncpg.connect(url)
    await connection.execute("delete from activity where lead_id = any($1)", leads)
    number = MIGRATION.number
    await connection.execute("delete from schema_migration where number = $1", number)
    await connection.close()
