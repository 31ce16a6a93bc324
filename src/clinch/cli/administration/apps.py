"""`clinch app`: the programs that act for people."""

from clinch.cli.administration.organizations import organization_of
from clinch.cli.administration.telling import Arguments, CommandError, tell, tell_list
from clinch.identity.oauth.clients import (
    organizations_clients,
    register_client,
    remove_client,
)
from clinch.resources.store import Store


async def app_create(store: Store, arguments: Arguments) -> int:
    system = await organization_of(store, arguments)
    client, secret = await register_client(
        store.database,
        arguments["name"],
        arguments["redirect_uri"],
        system.clock(),
        organization_id=system.organization_id,
        confidential=not arguments["public"],
    )
    facts = {"client_id": client.id} | ({} if secret is None else {"client_secret": secret})
    note = "Keep the secret: it is not shown again." if secret else ""
    tell(arguments, facts, note=note)
    return 0


async def app_list(store: Store, arguments: Arguments) -> int:
    system = await organization_of(store, arguments)
    clients = await organizations_clients(store.database, system.organization_id)
    told = [
        {"client_id": one.id, "name": one.name, "redirect_uris": list(one.redirect_uris)}
        for one in clients
    ]
    lines = (f"{one.id}  {one.name:30}  {' '.join(one.redirect_uris)}" for one in clients)
    none = "No apps yet; make one with: clinch app create NAME --redirect-uri URI"
    tell_list(arguments, told, lines, none)
    return 0


async def app_revoke(store: Store, arguments: Arguments) -> int:
    system = await organization_of(store, arguments)
    if not await remove_client(store.database, system.organization_id, arguments["id"]):
        raise CommandError(f"there is no app {arguments['id']}; see them with: clinch app list")
    tell(arguments, {"revoked": arguments["id"]})
    return 0
