"""What a role lets its holders do and see, and whether one's own rights are as wide."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from clinch.resources.actor import EVERY_CLASS, Actor, Visibility

ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Rights:
    """The two are as an Actor has them: None for everything, and for every lead."""

    permissions: frozenset[str] | None
    visibility: Visibility | None

    def cover(self, others: "Rights") -> bool:
        """Whether who has these may do and see all that who has the others may."""
        if self.permissions is None:
            return True
        allowed = others.permissions is not None and others.permissions <= self.permissions
        return allowed and _sees_as_much(self.visibility, others.visibility)


def _sees_as_much(own: Visibility | None, others: Visibility | None) -> bool:
    if own is None or others is None:
        return own is None
    if others.unassigned:
        # The fewer fields there are to be assigned by, the more leads are assigned to nobody.
        return own.unassigned and set(own.fields) == set(others.fields)
    return set(others.fields) <= set(own.fields)


def rights_of(role: Mapping[str, Any]) -> Rights:
    """What the holders of a role have, by its row; an admin has everything."""
    if role["id"] == ADMIN:
        return Rights(None, None)
    permissions = frozenset(role["permissions"])
    if "view_all_leads" in permissions:
        return Rights(permissions, None)
    fields = tuple(role["visibility_user_lcf_ids"] or ())
    unassigned = role["visibility_user_lcf_behavior"] == "allow_unassigned"
    return Rights(permissions, Visibility(fields, unassigned=unassigned))


def covers(actor: Actor, role: Mapping[str, Any]) -> bool:
    """Whether the actor has everything that a role, by its row, gives, and so may give it.

    A program has not, unless it was allowed everything: who is let in by it may do all that the
    role says, and without the program.
    """
    return actor.grant == EVERY_CLASS and may_take(actor, role)


def may_take(actor: Actor, role: Mapping[str, Any]) -> bool:
    """Whether the actor may take a role, by its row, from those who have it: as far as their own
    role goes, they could have given it."""
    return Rights(actor.permissions, actor.visibility).cover(rights_of(role))
