"""Where a person belongs: their login, over all organizations."""

from dataclasses import dataclass

from clinch.db.database import Database, Tenant


@dataclass(frozen=True, slots=True)
class Belonging:
    """An organization in which a person is active: its uuid, its public id and its name."""

    organization_id: str
    organization: str
    name: str


async def organizations_of(database: Database, user_id: str) -> list[Belonging]:
    """The organizations of a person, in the order in which they joined."""
    _, organization_ids = await _login(database, user_id)
    found = []
    for organization_id in organization_ids:
        async with database.tenant(Tenant(organization_id)) as transaction:
            rows = await transaction.rows(
                "select o.id, o.name from organization o join membership m"
                " on m.organization_id = $1 and m.user_id = $2 and m.active"
                " where o.organization_id = $1",
                organization_id,
                user_id,
            )
        found += [Belonging(organization_id, *row) for row in rows]
    return found


async def email_of(database: Database, user_id: str) -> str | None:
    """The address that a person signs in with."""
    return (await _login(database, user_id))[0]


async def _login(database: Database, user_id: str) -> tuple[str | None, list[str]]:
    async with database.installation() as transaction:
        rows = await transaction.rows(
            "select l.email, l.organization_ids::text[] from login l where l.user_id = $1", user_id
        )
    return (rows[0][0], rows[0][1]) if rows else (None, [])
