"""Who may give whom what: nobody gives out more than they have."""

from clinch.db.database import Transaction
from clinch.identity.roles import PERMISSIONS

GIVES = "manage_organization"


def covers(permissions: frozenset[str] | None, role_id: str) -> bool:
    """Whether somebody with these permissions (None: all) has everything that a role gives."""
    return permissions is None or (
        role_id != "admin" and PERMISSIONS.get(role_id, frozenset({role_id})) <= permissions
    )


async def may_still_give(
    transaction: Transaction, organization_id: str, user_id: str | None, role_id: str
) -> bool:
    """Whether who made a link is still in a position to, when it is used.

    None is the installation's operator, who always is.
    """
    if user_id is None:
        return True
    role = await transaction.value(
        "select role_id from membership where organization_id = $1 and user_id = $2 and active",
        organization_id,
        user_id,
    )
    if role is None:
        return False
    permissions = None if role == "admin" else PERMISSIONS.get(role, frozenset())
    return (permissions is None or GIVES in permissions) and covers(permissions, role_id)
