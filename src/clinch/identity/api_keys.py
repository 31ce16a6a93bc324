"""API keys: `api_<22>.<22>`, each with the rights of one user in one organization."""

from clinch.identity.credentials import issue
from clinch.identity.users import User
from clinch.resources.actor import Actor, Provenance
from clinch.resources.declaration import Audited
from clinch.resources.fields import EQ, Ref, Shown, Text
from clinch.resources.store import Store
from clinch.resources.write.change import Change
from clinch.resources.write.work import Work


def revoke_credentials(work: Work, changes: list[Change]) -> None:
    """A key that is deleted fails on the very next request."""
    work.also(
        "delete from credential where organization_id = $1 and id = any($2)",
        work.actor.organization_id,
        [change.id for change in changes if change.kind == "delete"],
    )


class ApiKey(Audited, path="api_key", prefix="api"):
    """A key with the rights of one user in one organization; its secret is shown once."""

    operations = ("list", "get", "delete")
    needs = {
        "list": "manage_organization",
        "get": "manage_organization",
        "delete": "manage_organization",
    }
    within = [revoke_credentials]

    user = Ref(User, writable="create", filters=EQ)
    user_name = Shown(user, User.name)
    label = Text(max=200, doc="What the key is for.")


async def create_key(
    store: Store,
    actor: Actor,
    user_id: str,
    label: str,
    provenance: Provenance,
) -> str:
    """Make a key for a user of the actor's organization; the key itself, never seen again."""
    async with store.database.tenant(actor.tenant) as transaction:
        id, key = await issue(transaction, ApiKey.prefix, actor.organization_id, user_id)
        make = Change.create(ApiKey, {"user_id": user_id, "label": label}, id=id)
        await store.writes.write_within(transaction, actor, [make], provenance, answer=False)
    return key
