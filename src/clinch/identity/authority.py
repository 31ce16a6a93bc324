"""Who may still give a role to somebody, when the link to it is used."""

from typing import Any

import msgspec

from clinch.db.database import Transaction
from clinch.identity.rights import rights_of

GIVES = "manage_organization"

_decode = msgspec.json.Decoder(dict[str, Any]).decode


async def role_row(
    transaction: Transaction, organization_id: str, id: str
) -> dict[str, Any] | None:
    """The organization's role with this id, as a row."""
    text = await transaction.value(
        "select to_jsonb(r)::text from role r where r.organization_id = $1 and r.id = $2",
        organization_id,
        id,
    )
    return None if text is None else _decode(text)


async def may_still_give(
    transaction: Transaction, organization_id: str, user_id: str | None, role_id: str
) -> bool:
    """Whether who made a link is still in a position to, and the role is still there.

    None is the installation's operator, who always is.
    """
    given = await role_row(transaction, organization_id, role_id)
    if given is None or user_id is None:
        return given is not None
    held = await transaction.value(
        "select to_jsonb(r)::text from membership m"
        " join role r on r.organization_id = m.organization_id and r.id = m.role_id"
        " where m.organization_id = $1 and r.organization_id = $1 and m.user_id = $2 and m.active",
        organization_id,
        user_id,
    )
    if held is None:
        return False
    rights = rights_of(_decode(held))
    gives = rights.permissions is None or GIVES in rights.permissions
    return gives and rights.cover(rights_of(given))
