"""What it means to compare a custom field with a value of a query, by the field's type."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from clinch.crm.contacts import Contact
from clinch.identity.users import User
from clinch.resources.actor import Actor
from clinch.resources.custom_values import CustomValue
from clinch.resources.declaration import Resource
from clinch.resources.query.tree import Comparison, Exists, Has, Node, Or, Range, Related, TextMatch
from clinch.search.grammar import Value
from clinch.search.terms import Term, TextTerm, read_number, user_called
from clinch.search.time_terms import DayTerm, TimeTerm


def custom_term(field: CustomValue) -> Term:
    """How a custom field is asked for."""
    match field.type:
        case "number":
            return DecimalTerm(field)
        case "date":
            return DayTerm(field)
        case "datetime":
            return TimeTerm(field)
        case "choices":
            return ChoicesTerm(field)
        case "user":
            return EntryTerm(field, User.prefix, _user_named)
        case "contact":
            return EntryTerm(field, Contact.prefix, _contact_named)
        case "custom_object":
            return EntryTerm(field)
    return TextTerm(field)


def find_custom(
    fields: Iterable[CustomValue], resource: type[Resource], name: str
) -> list[CustomValue]:
    """The resource's fields of this id or, else, of this name, as it is spelled if there are any.

    Those of one name belong to different types.
    """
    own = [field for field in fields if field.resource is resource]
    by_id = [field for field in own if field.id == name]
    by_name = [field for field in own if field.label == name]
    in_any_case = [field for field in own if field.label.lower() == name.lower()]
    return by_id or by_name or in_any_case


@dataclass(frozen=True)
class DecimalTerm(Term):
    """A number, whole or not."""

    field: CustomValue

    def equal(self, value: Value, exact: bool, actor: Actor) -> Node:
        return self.between(value, value, actor)

    def compare(self, comparison: Comparison, value: Value, actor: Actor) -> Node:
        return Range(self.field, comparison, read_number(value))

    def given(self) -> Node:
        return Exists(self.field)


@dataclass(frozen=True)
class ChoicesTerm(Term):
    """One of the field's choices, or several of them; as a whole, in any case."""

    field: CustomValue

    def equal(self, value: Value, exact: bool, actor: Actor) -> Node:
        wanted = value.text.strip().lower()
        choices = (choice for choice in self.field.choices if choice.strip().lower() == wanted)
        return Or(tuple(Has(self.field, choice) for choice in choices))

    def given(self) -> Node:
        return Exists(self.field)


@dataclass(frozen=True)
class EntryTerm(Term):
    """The id of an object, or several of them; asked for by the id or by what `named` finds."""

    field: CustomValue
    prefix: str = ""
    named: Callable[[CustomValue, str, Actor], Node] | None = None

    def equal(self, value: Value, exact: bool, actor: Actor) -> Node:
        text = value.text.strip()
        if self.named is None or text.startswith(f"{self.prefix}_"):
            return Has(self.field, text)
        return self.named(self.field, text, actor)

    def given(self) -> Node:
        return Exists(self.field)


def _user_named(field: CustomValue, name: str, actor: Actor) -> Node:
    if name.lower() == "me":
        return Or() if actor.user_id is None else Has(field, actor.user_id)
    return Related(field, user_called(name))


def _contact_named(field: CustomValue, name: str, actor: Actor) -> Node:
    return Related(field, TextMatch(Contact.name, "words", name))
