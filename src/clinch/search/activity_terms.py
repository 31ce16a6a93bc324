"""What is asked of activities, and by them: a scope, a count and a date for each declared type.

A type that is declared is known here by that: its scope has its noun, and its declared fields.
The tables add further names.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from clinch.crm.activities.activity import Activity
from clinch.crm.activities.custom_activities import CustomActivity
from clinch.crm.custom_types import CustomActivityType
from clinch.resources.actor import Actor
from clinch.resources.declaration import Resource
from clinch.resources.fields import BY_REQUEST, Children, Field, Integer, Ref, Text
from clinch.resources.query.tree import Equal, In, Node, Or, TextMatch
from clinch.search.declared_terms import Scopes
from clinch.search.grammar import Value
from clinch.search.terms import (
    AnyOf,
    CountTerm,
    GivenTerm,
    IdTerm,
    LabelTerm,
    Narrowed,
    SummedTerm,
    Term,
    TextTerm,
    Through,
    UserTerm,
)
from clinch.search.time_terms import LastTerm, TimeTerm

_ALSO = {
    "lead_status_change": ("status_change",),
    "opportunity_status_change": ("status_change",),
    "sms": ("sms_message",),
}
"""Further names of types, by the noun."""

_LAST = {"call": "last_called", "email": "last_emailed"}
"""Further names of the date of the last one."""

_DIRECTIONS = (("inbound", "incoming", "received"), ("outbound", "outgoing", "sent"))
"""The words for either direction. Types differ in those that they store."""


def activity_scopes(resource: type[Resource]) -> Scopes:
    """The activities that refer to an object of the resource, by the names of their types."""
    scopes: Scopes = {}
    for variant, link in _linked(resource):
        for name in dict.fromkeys((*_names(variant), *_plurals(variant, resource))):
            scopes[name] = (*scopes.get(name, ()), link)
    return scopes


def activity_counts(resource: type[Resource]) -> dict[str, Term]:
    """How many activities of a type there are, by the plurals of its names."""
    counts: dict[str, Term] = {}
    for variant, link in _linked(resource):
        kept = resource.fields.get(f"num_{_plural(variant.noun)}")
        term = SummedTerm(link, kept) if isinstance(kept, Integer) else CountTerm(link)
        counts |= dict.fromkeys(_plurals(variant, resource), term)
    return counts


def activity_dates(resource: type[Resource]) -> dict[str, Term]:
    """When the last activity was, as the resource sums it up."""
    dates: dict[str, Term] = {}
    for variant, link in _linked(resource):
        name = f"last_{variant.noun}_date"
        kept = resource.fields.get(name)
        if kept is not None and kept.summary is not None:
            term = LastTerm(kept, link, variant.fields["activity_at"])
            further = _LAST.get(variant.noun, f"last_{variant.noun}")
            dates |= {name: term, further: term}
    return dates


def own_terms(variant: type[Resource]) -> dict[str, Term]:
    """The names by which activities of a type are asked for, beside their fields."""
    fields = variant.fields
    terms: dict[str, Term] = {"date": TimeTerm(fields["activity_at"])}
    if "date_sent" in fields:
        terms["sent"] = TimeTerm(fields["date_sent"])
    if "direction" in fields:
        terms["direction"] = DirectionTerm(fields["direction"])
    for side in ("old", "new"):
        known = [f"{side}_status_{key}" for key in ("label", "type", "id")]
        found = [fields[key] for key in known if key in fields]
        if found:
            terms[f"{side}_status"] = AnyOf(tuple(map(_exactly, found)))
    user = fields["user_id"]
    if isinstance(user, Ref):
        terms |= dict.fromkeys(("user", "user_name"), UserTerm(user))
    own = _OWN.get(variant.noun)
    return terms | own(variant) if own is not None else terms


def found_in_texts(variant: type[Resource], word: str) -> Node:
    """The word stands in one of the texts that people write of an activity."""
    texts = (
        declared
        for declared in variant.fields.values()
        if type(declared) is Text and declared.max > _SHORT and declared.writable in BY_REQUEST
    )
    return Or(tuple(TextMatch(text, "contains", word) for text in texts))


_SHORT = 300
"""What is no longer than this is an id or a label, and no text."""


@dataclass(frozen=True)
class DirectionTerm(LabelTerm):
    """From whom to whom, in any of the words for it."""

    def equal(self, value: Value, exact: bool, actor: Actor) -> Node:
        word = value.text.strip().lower()
        same = next((words for words in _DIRECTIONS if word in words), None)
        return In(self.field, same) if same else super().equal(value, exact, actor)


def _linked(resource: type[Resource]) -> Iterator[tuple[type[Resource], Children]]:
    """The types whose activities refer to objects of the resource, and the way to them."""
    for variant in Activity.variants.values():
        ref = next((ref for ref in variant.refs if ref.target == resource.noun), None)
        if ref is not None:
            yield variant, Children(variant.noun, ref.key)


def _names(variant: type[Resource]) -> tuple[str, ...]:
    return (variant.noun, *_ALSO.get(variant.noun, ()))


def _plurals(variant: type[Resource], resource: type[Resource]) -> list[str]:
    """The names of several, as far as the resource itself has nothing of the name."""
    plurals = map(_plural, _names(variant))
    return [name for name in plurals if name not in resource.fields]


def _plural(name: str) -> str:
    if name.endswith("y"):
        return f"{name.removesuffix('y')}ies"
    return name if name.endswith("s") else f"{name}s"


def _exactly(declared: Field) -> Term:
    return IdTerm(declared) if isinstance(declared, Ref) else LabelTerm(declared)


def _call(variant: type[Resource]) -> dict[str, Term]:
    outgoing = Equal(variant.fields["direction"], "outbound")
    return {"outgoing_call_date": Narrowed(TimeTerm(variant.fields["activity_at"]), outgoing)}


def _email(variant: type[Resource]) -> dict[str, Term]:
    name, id = variant.fields["template_name"], variant.fields["template_id"]
    template = AnyOf((TextTerm(name), IdTerm(id)))
    return {"opened": GivenTerm(variant.fields["opens"]), "template": template}


def _custom_activity(variant: type[Resource]) -> dict[str, Term]:
    ref = CustomActivity.custom_activity_type
    by_name = Through(ref, LabelTerm(CustomActivityType.name))
    return dict.fromkeys(("type", "custom_activity_type"), AnyOf((by_name, IdTerm(ref))))


_OWN: dict[str, Callable[[type[Resource]], dict[str, Term]]] = {
    "call": _call,
    "email": _email,
    "custom_activity": _custom_activity,
}
"""What is asked of one type alone, by its noun."""
