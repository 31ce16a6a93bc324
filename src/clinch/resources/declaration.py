"""A resource, declared once: from its class come the table, the API, the events and the docs."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from clinch.db.schema import Column, ForeignKey, Index, Table, id_column, tenant_table
from clinch.resources.actor import Actor, OperationClass
from clinch.resources.custom_fields import ASSOCIATION, SHARED, CustomFields
from clinch.resources.fields import (
    Children,
    Computed,
    DateTime,
    Field,
    FileItem,
    Id,
    ListOf,
    Ref,
    RollUp,
    Summary,
)
from clinch.resources.query.groups import Grouping
from clinch.resources.query.tree import And, Node, Or
from clinch.resources.visibility import find_parents, seen_with

if TYPE_CHECKING:
    from clinch.resources.write.change import Change
    from clinch.resources.write.load import Load
    from clinch.resources.write.work import Work

Operation = Literal["list", "get", "create", "update", "bulk_update", "delete", "merge"]
Rule = Callable[["Work", "list[Change]"], None]
Loads = Callable[["Work", "list[Change]"], "Iterable[Load]"]

CLASS_OF: dict[Operation, OperationClass] = {
    "list": OperationClass.READ,
    "get": OperationClass.READ,
    "create": OperationClass.WRITE,
    "update": OperationClass.WRITE,
    "bulk_update": OperationClass.WRITE,
    "delete": OperationClass.DESTRUCTIVE,
    "merge": OperationClass.DESTRUCTIVE,
}


@dataclass(frozen=True, slots=True)
class Owned:
    """Whose an object is, and what it takes to change it: `owner` are the keys of references to
    users, of which the first that names one says it.

    To delete one's own takes the permission `delete_own`; to change or delete another's, or one
    that is nobody's, takes `manage_others`. What a write reaches by itself (a lead's tasks go with
    it) is not asked for.
    """

    owner: tuple[str, ...]
    delete_own: str
    manage_others: str

    def owner_of(self, row: dict[str, Any]) -> str | None:
        return next((row[key] for key in self.owner if row[key] is not None), None)


class Resource:
    """Subclass it to declare a resource: `class Lead(Resource, path="lead", prefix="lead")`.

    The class body lists the fields in the order in which they are answered, then:

    - `operations`: what the API offers; `needs`: the permission that an operation takes; `owned`:
      whose an object is, where that decides what it takes, as in
      `owned = Owned(("user_id", "created_by"), "delete_own_notes", "manage_others_notes")`.
    - `orders` and `default_order`: what `_order_by` accepts (`key` or `-key`) and what holds
      without it; the object's id decides between equals.
    - `first`: rules that may add objects to a write; `loads`: rows that the rules want to see;
      `looks`: more of them, which depend on those or on what others have just written; `before`:
      rules that may change or refuse the write; `within`: rules that add to it, in the same
      transaction. Each takes the work and its changes of this resource, in the order listed.
    - `search_texts`: the texts of a row by which a fragment search finds it, for a resource whose
      `search_lead` names the column of the lead it is found with, or its own id where that is none.
    - `counted`: the number of objects is kept, and lists answer `total_results`; `totals` are more
      that they answer, over everything that fits: aggregates in SQL over `{row}`, by name.
    - `groupings`: what `_group_by` accepts (`key` or `-key`): how lists are answered in groups.
    - `also_at`: further paths by which older clients know the resource.
    - `list_needs`: filters without which there is no list.
    - `list_parameters`: what `narrow` reads besides the fields' filters, with a line on each.
    - `when_deleted`: what a delete sets on an object that then stays, instead of taking it out,
      unless a rule does (`Work.delete`).
    - `naive_times`: times are answered without an offset, as some resources of the API have it.

    Resources may share a table: `class Note(Activity, …, table="activity", only={"_type": "Note"})`
    has the rows with that word in that column. If the class above is itself a resource, these are
    its `variants`: it answers each of its rows as the variant that the row is of.

    Who may not see every lead sees the objects of those leads alone that they see. This needs no
    word in a declaration: an object is of a lead when it refers to one, or goes with an object
    that is (`Declarations.parents`). One that could be of a lead and is of none is seen by the
    users that `owned` names, or by nobody. What else hides rows is said by `visible`.
    """

    noun: ClassVar[str]
    """What the program calls it: `lead_status` for LeadStatus."""
    called: ClassVar[str]
    """What the API calls it: the `_type` of its objects, else the name of the class."""
    path: ClassVar[str] = ""
    prefix: ClassVar[str]
    table: ClassVar[str]
    fields: ClassVar[dict[str, Field]] = {}
    aliases: ClassVar[dict[str, Field]] = {}
    stored_fields: ClassVar[tuple[Field, ...]] = ()
    logged_columns: ClassVar[tuple[str, ...]] = ()
    """The columns that events carry: all but the derived ones."""
    time_columns: ClassVar[tuple[str, ...]] = ()
    refs: ClassVar[tuple[Ref, ...]] = ()
    custom_fields: ClassVar[CustomFields | None] = None
    file_lists: ClassVar[tuple[ListOf, ...]] = ()
    """The lists in which an object holds files."""
    packed_fields: ClassVar[tuple[Field, ...]] = ()
    """The fields that have no column of their own."""
    only: ClassVar[dict[str, str]] = {}
    """Where several resources share a table: the columns, and their words, of this one's rows."""
    variants: ClassVar[dict[str, type["Resource"]]] = {}
    """The resources that have a part of this one's rows each, by the word that tells them."""
    variant_of: ClassVar[type["Resource"] | None] = None

    operations: ClassVar[tuple[Operation, ...]] = ("list", "get", "create", "update", "delete")
    needs: ClassVar[dict[Operation, str]] = {}
    owned: ClassVar[Owned | None] = None
    orders: ClassVar[tuple[str, ...]] = ()
    default_order: ClassVar[str] = "-date_created"
    indexes: ClassVar[tuple[Index, ...]] = ()
    counted: ClassVar[bool] = False
    totals: ClassVar[dict[str, str]] = {}
    groupings: ClassVar[dict[str, Grouping]] = {}
    max_limit: ClassVar[int] = 200
    create_status: ClassVar[int] = 200
    delete_status: ClassVar[int] = 200
    first: ClassVar[list[Rule]] = []
    loads: ClassVar[list[Loads]] = []
    looks: ClassVar[list[Loads]] = []
    before: ClassVar[list[Rule]] = []
    within: ClassVar[list[Rule]] = []
    list_needs: ClassVar[tuple[str, ...]] = ()
    list_parameters: ClassVar[dict[str, str]] = {}
    also_at: ClassVar[tuple[str, ...]] = ()
    naive_times: ClassVar[bool] = False
    when_deleted: ClassVar[dict[str, Any]] = {}
    search_lead: ClassVar[str | None] = None

    id = Id()
    organization_id = Computed(
        "{organization}.id",
        doc="The organization that the object belongs to.",
    )

    def __init_subclass__(
        cls,
        *,
        path: str = "",
        prefix: str = "",
        table: str = "",
        only: dict[str, str] | None = None,
    ) -> None:
        inherited = {
            name: value
            for parent in reversed(cls.__mro__[1:])
            for name, value in vars(parent).items()
            if isinstance(value, Field)
        }
        own = {name: value for name, value in vars(cls).items() if isinstance(value, Field)}
        first = {name: own.pop(name, inherited[name]) for name in ("id", "organization_id")}
        bound = {name: f.bound_to(cls) for name, f in (first | inherited | first | own).items()}
        for name, field in bound.items():
            setattr(cls, name, field)
        cls.fields = {field.key: field for field in bound.values()}
        cls.aliases = {field.alias: field for field in bound.values() if field.alias}
        cls.noun = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", cls.__name__).lower()
        cls.path, cls.prefix, cls.table = path, prefix, table or cls.noun
        cls.stored_fields = tuple(field for field in cls.fields.values() if field.stored)
        cls.logged_columns = tuple(f.column for f in cls.stored_fields if not f.derived)
        cls.packed_fields = tuple(f for f in cls.stored_fields if f.packed)
        cls.time_columns = tuple(
            f.column for f in cls.stored_fields if isinstance(f, DateTime) and not f.packed
        )
        cls.only = only or {}
        cls.called = cls.only.get("_type", cls.__name__)
        cls.variants = {}
        above = [c for c in cls.__mro__[1:] if issubclass(c, Resource) and c is not Resource]
        cls.variant_of = next((c for c in above if c.path and c.table == cls.table), None)
        if cls.variant_of is not None:
            [word] = cls.only.values()
            cls.variant_of.variants[word] = cls
        cls.custom_fields = next((f for f in bound.values() if isinstance(f, CustomFields)), None)
        cls.refs = tuple(f for f in cls.stored_fields if isinstance(f, Ref))
        lists = (f for f in cls.stored_fields if isinstance(f, ListOf))
        cls.file_lists = tuple(f for f in lists if issubclass(f.item, FileItem))

    @classmethod
    def visible(cls, actor: Actor) -> Node | None:
        """The condition under which the actor may see a row, beside that of its lead; None when
        there is no other. Asked through `Declarations.visible`, which adds the lead's."""
        return None

    @classmethod
    def search_texts(cls, row: dict[str, Any]) -> Iterable[str]:
        """The texts by which a fragment search finds the object."""
        return ()

    @classmethod
    def narrow(cls, parameters: dict[str, str], actor: Actor) -> list[Node]:
        """Conditions that a list has by itself, or by parameters that are no field's filter."""
        return []

    @classmethod
    def left_out(cls, parameters: dict[str, str]) -> frozenset[str]:
        """The keys that a list leaves out by its parameters, unless `_fields` names them."""
        return frozenset()

    @classmethod
    def event_type(cls) -> str:
        """What events and addresses call an object, where that does not depend on its row."""
        return cls.path.replace("/", ".")

    @classmethod
    def event_types(cls) -> tuple[str, ...]:
        """All that events call an object of the resource."""
        return (cls.event_type(),)

    @classmethod
    def event_type_of(cls, row: Mapping[str, Any]) -> str:
        """What events call the object of a row."""
        return cls.variant(row).event_type()

    @classmethod
    def columns(cls) -> list[Column]:
        columns = {
            column.name: id_column() if field.key == "id" else column
            for field in cls.stored_fields
            for column in field.columns()
        }
        return list(columns.values())

    @classmethod
    def variant(cls, row: Mapping[str, Any]) -> type["Resource"]:
        """The resource that a row of this one's is of."""
        if not cls.variants:
            return cls
        [column] = next(iter(cls.variants.values())).only
        return cls.variants[row[column]]

    @classmethod
    def answered(cls) -> dict[str, Field]:
        """The fields of the answers, which have those of every variant, by name."""
        fields = dict(cls.fields)
        for variant in cls.variants.values():
            fields |= {k: f for k, f in variant.fields.items() if k not in fields}
        return fields

    @classmethod
    def summaries(cls) -> dict[str, Summary]:
        """The derived columns that sum up other objects, by name."""
        return {f.column: f.summary for f in cls.stored_fields if f.summary is not None}


class Audited(Resource):
    """A resource that says who made and changed it, and when; whoever writes cannot forge it."""

    created_by = Ref("user", key="created_by", writable="internally", enforced=False, nullable=True)
    updated_by = Ref("user", key="updated_by", writable="never", enforced=False, nullable=True)
    date_created = DateTime(writable="internally")
    date_updated = DateTime(writable="never")


class Restorable(Audited):
    """An audited resource of which requests bring objects from elsewhere: they may say by whom, and
    when, a new one was made."""

    created_by = Ref("user", key="created_by", writable="create", enforced=False, nullable=True)
    date_created = DateTime(writable="create")


class Declarations:
    """The resources that a program consists of, by name; what every surface is made from.

    `public_url` is the base of every link that an answer holds.
    """

    def __init__(self, resources: Iterable[type[Resource]], public_url: str = "") -> None:
        self._by_name = {resource.noun: resource for resource in resources}
        self.public_url = public_url
        self._check()
        self._parents = find_parents(self)

    def __iter__(self) -> Iterator[type[Resource]]:
        return iter(self._by_name.values())

    def __getitem__(self, name: str) -> type[Resource]:
        return self._by_name[name]

    def __contains__(self, name: str) -> bool:
        return name in self._by_name

    def followers(self, resource: type[Resource]) -> list[Ref]:
        """The references of other objects that something becomes of when one of `resource` goes.

        One that a variant has from the resource above it stands there alone; what refers to that
        follows the variants too.
        """
        names = {kind.noun for kind in (resource, resource.variant_of) if kind is not None}
        return [
            ref
            for other in self
            for ref in other.refs
            if ref.target_deleted != "refuse"
            and ref.target in names
            and not (other.variant_of is not None and ref.key in other.variant_of.fields)
        ]

    def parents(self, resource: type[Resource]) -> tuple[Ref, ...]:
        """The references by which an object is a lead's: to leads, and to what it goes with."""
        return self._parents[resource.noun]

    def visible(self, resource: type[Resource], actor: Actor) -> Node | None:
        """The condition under which the actor may see a row; None when every row may be seen."""
        own, parents = resource.visible(actor), self._parents[resource.noun]
        if actor.visibility is None or not parents:
            return own
        of_parents = seen_with(resource, parents)
        return of_parents if own is None else And((own, of_parents))

    def tables(self) -> list[Table]:
        """A table a resource; one that several share has the columns of all of them."""
        sharing: dict[str, list[type[Resource]]] = {}
        for resource in self:
            sharing.setdefault(resource.table, []).append(resource)
        return [self._table(resources) for resources in sharing.values()]

    def counters(self) -> list[str]:
        """The columns of the organization's clock that count the objects of a resource."""
        return [counter(resource) for resource in self if resource.counted]

    def _table(self, resources: "list[type[Resource]]") -> Table:
        having = [{column.name for column in r.columns()} for r in resources if not r.variants]
        everywhere = set.intersection(*having)
        columns: dict[str, Column] = {}
        for resource in resources:
            for column in resource.columns():
                lacking = column.name not in everywhere
                columns.setdefault(
                    column.name, replace(column, nullable=True) if lacking else column
                )
        keys = dict.fromkeys(
            ForeignKey(ref.column, self[ref.target].table)
            for resource in resources
            for ref in resource.refs
            if ref.enforced
        )
        indexes = dict.fromkeys(index for resource in resources for index in resource.indexes)
        by_key = tuple(
            Index(("organization_id", key.column))
            for key in keys
            if not any(index.columns[1:2] == (key.column,) for index in indexes)
        )
        return tenant_table(
            resources[0].table,
            *columns.values(),
            indexes=(*indexes, *by_key),
            foreign_keys=tuple(keys),
        )

    def _check(self) -> None:
        for resource in self:
            for field in resource.fields.values():
                named = [field.target] if isinstance(field, Ref | Children | RollUp) else []
                if isinstance(field, CustomFields):
                    named = [field.definitions, SHARED, ASSOCIATION]
                named += field.summary.sources if field.summary is not None else ()
                for noun in named:
                    if noun not in self._by_name:
                        raise ValueError(f"{resource.__name__}.{field.name}: no resource {noun!r}")


def of_organization(parameters: dict[str, str], actor: Actor) -> list[Node]:
    """Nothing is found in a list that is asked for another organization than the actor's."""
    wanted = parameters.get("organization_id") or actor.organization
    return [] if wanted == actor.organization else [Or()]


def counter(resource: type[Resource]) -> str:
    return f"{resource.noun}_total"
