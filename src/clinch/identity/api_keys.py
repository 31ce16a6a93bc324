"""API keys: `api_<22>.<22>`, each with the rights of one user in one organization."""

from collections.abc import Iterable

from clinch.db.database import Transaction
from clinch.identity.credentials import find_own, issue
from clinch.identity.rights import may_take
from clinch.identity.roles import Role
from clinch.identity.users import Membership, User
from clinch.resources.actor import Actor, Provenance
from clinch.resources.declaration import Audited
from clinch.resources.errors import Forbidden, NotFound
from clinch.resources.fields import EQ, Children, Ref, Shown, Text
from clinch.resources.query.read import Keys, ReadPath
from clinch.resources.query.tree import And, Equal, In, Node, Related
from clinch.resources.store import Store
from clinch.resources.write.change import Change
from clinch.resources.write.load import Load
from clinch.resources.write.work import Work

MANAGES = "manage_organization"


def roles_of_owners(work: Work, changes: list[Change]) -> Iterable[Load]:
    """The roles of the members whose keys are deleted."""
    ids = tuple(change.id for change in changes if change.kind == "delete")
    if ids:
        owners = Related(Children(ApiKey.noun, ApiKey.user.key), In(ApiKey.fields["id"], ids))
        members = And((Equal(Membership.active, True), Related(Membership.user, owners)))
        yield Load(Membership, members)
        yield Load(Role, Related(Children(Membership.noun, Membership.role_id.key), members))


def refuse_what_is_not_ones_own(work: Work, changes: list[Change]) -> None:
    """Nobody takes a key from a member who has more rights than they have."""
    roles = {row["user_id"]: work.row(Role, row["role_id"]) for row in work.known(Membership)}
    for change in changes:
        role = roles.get(change.get(ApiKey.user))
        if change.kind == "delete" and role is not None and not may_take(work.actor, role):
            raise Forbidden("You cannot delete a key of somebody who has more rights than you.")


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
    # Everybody reads their own keys, see `narrow` and `read_key`; others', and what is logged of
    # any, are for who manages the organization.
    needs = {"get": MANAGES, "delete": MANAGES}
    loads = [roles_of_owners]
    before = [refuse_what_is_not_ones_own]
    within = [revoke_credentials]

    user = Ref(User, writable="create", filters=EQ)
    user_name = Shown(user, User.name)
    label = Text(max=200, doc="What the key is for.")

    @classmethod
    def narrow(cls, parameters: dict[str, str], actor: Actor) -> list[Node]:
        """Who does not manage the organization finds their own keys."""
        return [] if actor.may(MANAGES) else [Equal(cls.user, actor.user_id)]


async def read_key(
    transaction: Transaction, actor: Actor, reads: ReadPath, named: str, keys: Keys
) -> bytes:
    """The JSON of a key by its id, or of one's own by the key itself; raises NotFound."""
    others = actor.may(MANAGES) and "." not in named
    id = named if others else await find_own(transaction, actor, named)
    if id is None:
        raise NotFound(ApiKey.__name__)
    return await reads.get(transaction, actor, ApiKey, id, keys)


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
