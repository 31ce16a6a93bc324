"""Conditions on the objects of a resource. Every front end parses into these nodes."""

from dataclasses import dataclass
from typing import Any, Literal

from clinch.resources.fields import Children, Field, Ref

Comparison = Literal["gt", "gte", "lt", "lte"]


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
    """The field compares so with the value."""

    field: Field
    comparison: Comparison
    value: Any


@dataclass(frozen=True, slots=True)
class Exists:
    """The field has a value."""

    field: Field


@dataclass(frozen=True, slots=True)
class Related:
    """The object referred to (Ref), or one of those that refer here (Children), meets the node."""

    field: Ref | Children
    node: "Node"


Node = And | Or | Not | Equal | In | Range | Exists | Related

EVERYTHING = And()
