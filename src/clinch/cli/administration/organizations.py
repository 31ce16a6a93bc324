"""`clinch organization`, and which organization a command is about."""

from clinch.cli.administration.telling import Arguments, CommandError, tell, tell_list
from clinch.crm.beginning import first_objects
from clinch.identity.organizations import (
    create_organization,
    delete_organization,
    find_organization,
)
from clinch.resources.actor import Actor, Provenance
from clinch.resources.store import Store

FROM_CLI = Provenance(source="cli")
"""What the log says of a change that a command has made."""


async def organization_create(store: Store, arguments: Arguments) -> int:
    name = arguments["name"]
    system = await create_organization(store, name, FROM_CLI, first_objects())
    tell(arguments, {"organization_id": system.organization, "name": name})
    return 0


async def organization_list(store: Store, arguments: Arguments) -> int:
    async with store.database.installation() as transaction:
        rows = await transaction.rows(
            "select id, name from organization_directory order by name, id"
        )
    none = "No organizations yet; make one with: clinch organization create NAME"
    lines = (f"{id}  {name}" for id, name in rows)
    tell_list(arguments, [{"id": id, "name": name} for id, name in rows], lines, none)
    return 0


async def organization_delete(store: Store, arguments: Arguments) -> int:
    found = await organization_of(store, arguments)
    if not arguments["yes"]:
        raise CommandError(
            f"this deletes {found.organization} and everything in it for good; if that is meant,"
            " add --yes"
        )
    await delete_organization(store, found.organization_id)
    tell(arguments, {"deleted": found.organization})
    return 0


async def organization_of(store: Store, arguments: Arguments) -> Actor:
    """The system in the organization that the command line names, else in the only one.

    Raises CommandError.
    """
    found = await find_organization(store, arguments["organization"])
    if found is None and arguments["organization"] is None:
        raise CommandError(
            "say which organization with --organization (its id or name, which"
            " `clinch organization list` tells); if there is none, make one with:"
            " clinch organization create NAME"
        )
    if found is None:
        raise CommandError(
            f"not one organization is called {arguments['organization']}: give its id, which"
            " `clinch organization list` tells"
        )
    return found
