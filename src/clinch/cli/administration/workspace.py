"""`clinch workspace`: what tokens of customers are signed with."""

from pathlib import Path

from clinch.cli.administration.organizations import organization_of
from clinch.cli.administration.sealed import check_keys
from clinch.cli.administration.telling import Arguments, tell
from clinch.gateway.tenancy.workspace_keys import workspace_key
from clinch.resources.store import Store
from clinch.vault.vault import open_vault


async def workspace_show(store: Store, arguments: Arguments) -> int:
    """The key and secret of an organization's workspace; the secret is a new one on demand."""
    system = await organization_of(store, arguments)
    vault = open_vault(Path(arguments["home"]))
    await check_keys(store.database, vault)
    workspace = await workspace_key(
        store.database, vault, system.organization_id, rotate=arguments["rotate"]
    )
    facts = {"workspaceKey": workspace.key, "workspaceSecret": workspace.secret}
    tell(arguments, facts, note="Keep the secret on servers: it signs for every customer.")
    return 0
