"""What changes in how a user signs in is told by the organization's log, without what it became."""

from clinch.db.database import Transaction
from clinch.identity.users import User
from clinch.resources.actor import Actor, Provenance
from clinch.resources.store import Store
from clinch.resources.write.change import Change


async def log_sign_in_change(
    store: Store,
    transaction: Transaction,
    actor: Actor,
    user_id: str,
    what: str,
    provenance: Provenance,
) -> None:
    """Log that `what` of a user has changed (a word such as `password`); ends the transaction."""
    change = Change.update(User, user_id, {})
    change.touched = (what,)
    await store.writes.write_within(transaction, actor, [change], provenance, answer=False)
