"""Conditions on the objects of a resource. Every front end parses into these nodes."""

from dataclasses import dataclass
from typing import Any, Literal

from clinch.resources.custom_fields import CustomFields
from clinch.resources.custom_values import CustomValue
from clinch.resources.fields import Children, Field, Id, ListOf, Ref, Words

Comparison = Literal["gt", "gte", "lt", "lte"]

TextMode = Literal["is", "ends", "contains", "words", "word_start"]
"""How a text fits: as a whole, by its end, anywhere, by whole words beside each other, or by such
of which the last is only begun. Upper and lower case are the same."""


@dataclass(frozen=True, slots=True)
class And:
    """All of them; with none, every object."""

    nodes: tuple["Node", ...] = ()


@dataclass(frozen=True, slots=True)
class Or:
    """Any of them; with none, no object."""

    nodes: tuple["Node", ...] = ()


@dataclass(frozen=True, slots=True)
class Not:
    node: "Node"


@dataclass(frozen=True, slots=True)
class Equal:
    """The field has the value; None means that it has none."""

    field: Field
    value: Any


@dataclass(frozen=True, slots=True)
class In:
    """The field has one of the values."""

    field: Field
    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Range:
    """The field compares so with the value, for a custom field a number, day or moment."""

    field: Field
    comparison: Comparison
    value: Any


@dataclass(frozen=True, slots=True)
class Exists:
    """The field has a value."""

    field: Field


@dataclass(frozen=True, slots=True)
class Has:
    """The list has the text; a custom field's value is it, or has it among several."""

    field: CustomValue | Words
    text: str


@dataclass(frozen=True, slots=True)
class Related:
    """The object referred to (Ref), one of several (CustomValue), or one of those that refer here
    (Children), meets the node."""

    field: Ref | Children | CustomValue
    node: "Node"


@dataclass(frozen=True, slots=True)
class Above:
    """The object stands above one that meets the node, in the tree that the reference makes."""

    ref: Ref
    node: "Node"


@dataclass(frozen=True, slots=True)
class Count:
    """The number of entries of the list, or of the objects that refer here, compares so."""

    field: Children | ListOf
    comparison: Comparison
    number: int


@dataclass(frozen=True, slots=True)
class TextMatch:
    """The field's text fits; in a list field it is that of `item`, in one entry at least."""

    field: Field
    mode: TextMode
    text: str
    item: str = ""


@dataclass(frozen=True, slots=True)
class Fragment:
    """One search text has all the fragments in it: that of the `object` whose id the field holds,
    or one of the `lead` whose id it holds, which are its own and its contacts'.

    The field is the object's own id or a reference to what it belongs to, so that who sees the
    object sees what the texts are of.
    A fragment too short for the index is looked for where words begin.
    """

    field: Field
    fragments: tuple[str, ...]
    of: Literal["lead", "object"]


@dataclass(frozen=True, slots=True)
class Listed:
    """The field's value stands in `list`, of one of the objects that meet the node."""

    field: Field
    list: Words
    node: "Node"


@dataclass(frozen=True, slots=True)
class Mine:
    """The field names the actor's user."""

    field: Field


@dataclass(frozen=True, slots=True)
class Assigned:
    """The custom values assign the object to the actor, as their visibility says."""

    field: CustomFields


@dataclass(frozen=True, slots=True)
class Slice:
    """The object is in the given part (from 1) of `parts`, always the same, of about equal size."""

    field: Id
    part: int
    parts: int


Node = (
    And
    | Or
    | Not
    | Equal
    | In
    | Range
    | Exists
    | Has
    | Related
    | Above
    | Count
    | TextMatch
    | Fragment
    | Listed
    | Mine
    | Assigned
    | Slice
)

EVERYTHING = And()
