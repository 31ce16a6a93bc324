"""What a vocabulary is, and the part of it that follows from a resource's declaration."""

from collections.abc import Callable
from dataclasses import dataclass, field

from clinch.crm.addresses import PhoneNumber
from clinch.identity.users import User
from clinch.resources.declaration import Resource
from clinch.resources.fields import (
    Boolean,
    Children,
    Choice,
    Computed,
    ComputedTime,
    Date,
    DateTime,
    Field,
    Id,
    Integer,
    ListOf,
    Ref,
    Shown,
    Text,
)
from clinch.resources.query.tree import Node
from clinch.search.terms import (
    CountTerm,
    FlagTerm,
    IdTerm,
    LabelTerm,
    NumberTerm,
    PhoneTerm,
    Term,
    TextTerm,
    UserTerm,
)
from clinch.search.time_terms import DayTerm, TimeTerm

Link = Children | Ref
Scopes = dict[str, tuple[Link, ...]]
"""What leads to related objects, by the name of the scope: one of them, by any of the links, meets
all that stands in it."""


@dataclass(frozen=True)
class Vocabulary:
    """What is asked of one resource: fields, scopes of related objects, orders and bare words."""

    resource: type[Resource]
    free: Callable[[str], Node]
    terms: dict[str, Term] = field(default_factory=dict)
    scopes: Scopes = field(default_factory=dict)
    sorts: dict[str, str] = field(default_factory=dict)


def _none(declared: Field) -> Term | None:
    return None


_COMPUTED: dict[str, Callable[[Field], Term | None]] = {
    "string": TextTerm,
    "integer": NumberTerm,
    "boolean": FlagTerm,
}


def term_of(declared: Field) -> Term | None:
    """How a declared field is asked for; None for one that is not.

    One that is always null leaves its name to a custom field.
    """
    match declared:
        case Computed(always_null=True):
            return None
        case Ref(target=User.noun):
            return UserTerm(declared)
        case Id() | Ref():
            return IdTerm(declared)
        case Choice():
            return LabelTerm(declared)
        case PhoneNumber():
            return PhoneTerm(declared)
        case Text() | Shown():
            return TextTerm(declared)
        case Integer():
            return NumberTerm(declared)
        case Boolean():
            return FlagTerm(declared)
        case DateTime() | ComputedTime():
            return TimeTerm(declared)
        case Date():
            return DayTerm(declared)
        case Children() | ListOf():
            return CountTerm(declared)
        case Computed():
            kinds = declared.schema()["type"]
            return _COMPUTED.get(kinds[0] if isinstance(kinds, list) else kinds, _none)(declared)
    return None


def made(
    resource: type[Resource],
    free: Callable[[str], Node],
    terms: dict[str, Term],
    scopes: Scopes,
    sorts: dict[str, str],
) -> Vocabulary:
    """The vocabulary of the declared fields, and beyond or instead of them of what is given."""
    of_fields = {
        key: term
        for key, declared in resource.fields.items()
        if declared.shown and (term := term_of(declared)) is not None
    }
    orders = {key: key for key, term in of_fields.items() if not isinstance(term, CountTerm)}
    moments = {
        "created": TimeTerm(resource.fields["date_created"]),
        "updated": TimeTerm(resource.fields["date_updated"]),
        f"{resource.noun}_id": IdTerm(resource.fields["id"]),
    }
    aliases = {"created": "date_created", "updated": "date_updated"}
    return Vocabulary(resource, free, of_fields | moments | terms, scopes, orders | aliases | sorts)
