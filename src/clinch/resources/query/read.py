"""The read path: one object, several, or a page of them, as JSON that the database wrote."""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from clinch.db.database import Due, Transaction
from clinch.resources.actor import Actor, Link
from clinch.resources.declaration import Declarations, Resource, counter
from clinch.resources.errors import NotFound
from clinch.resources.query.compiler import Conditions
from clinch.resources.query.composer import Composed
from clinch.resources.query.groups import (
    Grouping,
    group_heads,
    group_key,
    group_order,
    in_groups,
)
from clinch.resources.query.tree import EVERYTHING, And, Equal, In, Node

Keys = tuple[str, ...] | None
"""The names of the fields to answer; None stands for those that are answered by default."""

_Shape = tuple[str, Keys, frozenset[str], datetime, tuple[Link, ...], object]
"""What a text depends on: resource, fields, hidden permissions, the end of the actor's day, the
organization's links, and which rows of other resources are hidden."""

_REMEMBERED = 10_000
_SHAPES = 2_000


@dataclass(frozen=True, slots=True)
class Page:
    """What to list: a condition, an order (`key` or `-key`), how many to skip and to answer, and
    the groups to answer them in."""

    where: Node = EVERYTHING
    order: str = ""
    skip: int = 0
    limit: int = 100
    keys: Keys = None
    total: bool = True
    group: Grouping | None = None
    groups_descend: bool = False


class ReadPath:
    """Answers reads for one set of declarations. Statements are text, composed once a shape."""

    def __init__(self, declarations: Declarations) -> None:
        self.declarations = declarations
        self._texts: dict[tuple[_Shape, str], tuple[Composed, bool]] = {}
        self._statements: dict[object, str] = {}
        self._totals: OrderedDict[tuple[object, ...], tuple[int, str]] = OrderedDict()

    async def get(
        self,
        transaction: Transaction,
        actor: Actor,
        resource: type[Resource],
        id: str,
        keys: Keys = None,
        *,
        known: bool = False,
    ) -> bytes:
        """The JSON of one object; raises NotFound, also for what the actor may not see, unless
        they are known to have written it."""
        due = transaction.take_due()
        # Only what an actor who sees everything asks is kept, and the shape has what they see.
        shape = self._shape(actor, resource, keys), bool(due)
        sql = self._statements.get(shape)
        arguments: list[Any] = [actor.organization_id, id, *due]
        if sql is None:
            query = Conditions(self.declarations, actor)
            object = self._object(query, actor, resource, keys)
            fits = query.known if known else query.where
            where = fits(resource, "r", And((Equal(resource.fields["id"], id),)))
            sql = (
                f"select (select convert_to({object.text}, 'UTF8')"
                f" from {resource.table} r {object.joins} where {where})"
                f"{query.assertion(due)}"
            )
            if self.sees_all(actor, resource) and query.parameters == arguments:
                self._keep(shape, sql)
            arguments = query.parameters
        body: bytes | None = await transaction.value(sql, *arguments)
        if body is None:
            raise NotFound(resource.called)
        return body

    async def several(
        self,
        transaction: Transaction,
        actor: Actor,
        resource: type[Resource],
        ids: Iterable[str],
        keys: Keys = None,
        *,
        known: bool = False,
    ) -> dict[str, bytes]:
        """The JSON of those of the objects that the actor may see, by id, in one statement; with
        `known`, of all, since the actor has written them."""
        query = Conditions(self.declarations, actor)
        object = self._object(query, actor, resource, keys)
        fits = query.known if known else query.where
        where = fits(resource, "r", In(resource.fields["id"], tuple(ids)))
        rows = await transaction.rows(
            f"select r.id, convert_to({object.text}, 'UTF8')"
            f" from {resource.table} r {object.joins} where {where}",
            *query.parameters,
        )
        return {row[0]: row[1] for row in rows}

    async def logged(
        self,
        transaction: Transaction,
        actor: Actor,
        resource: type[Resource],
        rows: list[tuple[bytes, datetime]],
    ) -> list[bytes]:
        """The JSON of objects as logged rows (JSON objects, by column) have them, each at its
        moment, in one statement.

        What a row does not say (a derived column, a newer one) is as the database has it now.
        Whether the actor may see the objects is for the caller to know.
        """
        query = Conditions(self.declarations, actor, now="l.at")
        object = self._object(query, actor, resource, None)
        logged = query.bind((b"[" + b",".join(row for row, _ in rows) + b"]").decode())
        moments = query.bind([at for _, at in rows])
        packed = "jsonb_build_object('data', coalesce((t.stored).data, '{}') || l.row) || "
        found = await transaction.rows(
            f"select convert_to({object.text}, 'UTF8')"
            f" from rows from (jsonb_array_elements({logged}::jsonb),"
            f" unnest({moments}::timestamptz[])) with ordinality l(row, at, place)"
            # Fenced, lest it be a join for which the whole table is read.
            f" left join lateral (select s as stored from {resource.table} s"
            " where s.organization_id = $1 and s.id = l.row ->> 'id' offset 0) t on true"
            " cross join lateral jsonb_populate_record(t.stored,"
            f" {packed if resource.packed_fields else ''}l.row) r {object.joins}"
            f" where {' and '.join(['true', *query.viewer_typed()])} order by l.place",
            *query.parameters,
        )
        return [row[0] for row in found]

    async def page(
        self, transaction: Transaction, actor: Actor, resource: type[Resource], page: Page
    ) -> bytes:
        """`{"data": [...], "has_more": bool}`, with `total_results` where the resource counts.

        In groups `data` has those that the page's objects are in, each with its `objects`.

        One statement. The total of everything is kept with the log; one under a condition is
        counted and remembered until the organization's next event.
        """
        place = [page.limit, page.limit + 1, page.skip]
        due = transaction.take_due()
        arguments: list[Any] = [actor.organization_id, *place, *due]
        shape = self._shape(actor, resource, page.keys), page.order, page.total, bool(due)
        unbounded = page.where == EVERYTHING and self.sees_all(actor, resource)
        whole = unbounded and page.group is None and not resource.totals
        sql, remember = self._statements.get(shape) if whole else None, None
        if sql is None:
            query = Conditions(self.declarations, actor)
            sql, remember = self._page(
                query, actor, resource, page, place, due, unbounded=unbounded
            )
            if whole and query.parameters == arguments:
                self._keep(shape, sql)
            arguments = query.parameters
        row = (await transaction.rows(sql, *arguments))[0]
        if remember is not None:
            self._remember(remember, (row[1], row[2]))
        body: bytes = row[0]
        return body

    def _page(
        self,
        query: Conditions,
        actor: Actor,
        resource: type[Resource],
        page: Page,
        place: list[int],
        due: Due,
        *,
        unbounded: bool,
    ) -> "tuple[str, tuple[object, ...] | None]":
        """The statement of a page, and what its total is to be remembered under; `place` has the
        numbers of the last row, of the most rows and of those before."""
        object = self._object(query, actor, resource, page.keys)
        where = query.where(resource, "r", page.where)
        order = query.order(resource, "r", page.order or resource.default_order)
        groups = self._groups(resource, page, where)
        order = groups.order + order
        last, end, start = map(query.bind, place)
        objects = (
            f"select {object.text} as json, r.page_row{groups.name}"
            f" from page r {object.joins} where r.page_row <= {last}"
        )
        total, remember = self._total(resource, page, query, where, unbounded=unbounded)
        # One concat copies the answer once, where each || would copy it anew.
        closing = "" if total.closed else ", '}'"
        sql = (
            # Numbered within the limit: numbers over all rows would take sorting all of them.
            "with page as materialized (select p.*, row_number() over () as page_row from"
            f" (select r.*{groups.column} from {resource.table} r where {where} order by {order}"
            f" limit {end} offset {start}) p)"
            f"{groups.table}{total.table} select convert_to(concat('{{\"data\":[',"
            f" ({groups.of(objects)}), '],\"has_more\":',"
            f" (select count(*) > {end} - 1 from page)::text{total.text}{closing}), 'UTF8')"
            f"{total.columns}{query.assertion(due)}"
        )
        return sql, remember

    def sees_all(self, actor: Actor, resource: type[Resource]) -> bool:
        """Whether the actor may see every object of the resource."""
        return self.declarations.visible(resource, actor) is None

    def _groups(self, resource: type[Resource], page: Page, where: str) -> "_Groups":
        if page.group is None:
            return _Groups()
        totals = {"total_results": "count(*)"} | resource.totals if page.total else {}
        heads = group_heads(page.group, resource.table, where, totals)
        return _Groups(
            order=group_order(page.group, "r", descending=page.groups_descend) + ", ",
            column=f", {group_key(page.group, 'r')} as group_key",
            name=", r.group_key",
            table=f", heads as materialized ({heads})",
            of=in_groups,
        )

    def _total(
        self,
        resource: type[Resource],
        page: Page,
        query: Conditions,
        where: str,
        *,
        unbounded: bool,
    ) -> "tuple[_Total, tuple[object, ...] | None]":
        if not resource.counted or not page.total:
            return _Total(), None
        if unbounded and not resource.totals:
            kept = f"(select c.{counter(resource)} from event_clock c where c.organization_id = $1)"
            return _Total(text=f", ',\"total_results\":', {kept}"), None
        remembered = (resource.noun, where, *map(str, query.parameters[:-3]))
        seq, found = self._totals.get(remembered, (None, None))
        known = f"c.seq = {query.bind(seq)}::bigint then {query.bind(found)}::text"
        sums = {"total_results": "count(*)"} | resource.totals
        aggregates = ", ".join(f'{sql.format(row="r")} as "{key}"' for key, sql in sums.items())
        table = (
            f", total as materialized (select c.seq, case when {known}"
            f" else (select row_to_json(t)::text from (select {aggregates} from {resource.table} r"
            f" where {where}) t) end as found"
            " from event_clock c where c.organization_id = $1)"
        )
        text = ", ',', substr((select t.found from total t), 2)"
        columns = ", (select t.seq from total t), (select t.found from total t)"
        return _Total(table, text, columns, closed=True), remembered

    def _remember(self, key: tuple[object, ...], total: tuple[int, str]) -> None:
        self._totals[key] = total
        self._totals.move_to_end(key)
        if len(self._totals) > _REMEMBERED:
            self._totals.popitem(last=False)

    def _keep(self, shape: object, sql: str) -> None:
        """Remember a statement that has no parameters but the usual ones."""
        if len(self._statements) > _SHAPES:
            self._statements.clear()
        self._statements[shape] = sql

    def _object(
        self, query: Conditions, actor: Actor, resource: type[Resource], keys: Keys
    ) -> Composed:
        """SQL for the text of an object's JSON, the row being called `r`, in a statement of which
        nothing was compiled yet.

        It is kept, also where it has the moment of the clock, which then is the next parameter;
        where it binds others, it is for this statement alone.
        """
        shape = self._shape(actor, resource, keys), query.given_now
        known = self._texts.get(shape)
        if known is not None:
            text, is_timed = known
            if is_timed:
                query.now()
            return text
        # Whoever asks for ever new sets of fields, or a new day, must not fill the memory.
        if len(self._texts) > _SHAPES:
            self._texts.clear()
        bound = len(query.parameters)
        text = query.composer.object(resource, "r", keys)
        if len(query.parameters) == bound + query.is_timed:
            self._texts[shape] = text, query.is_timed
        return text

    def _shape(self, actor: Actor, resource: type[Resource], keys: Keys) -> _Shape:
        rows = (
            actor.visibility and (len(actor.visibility.fields), actor.visibility.unassigned),
            *[narrowed.visible(actor) for narrowed in self._narrowed],
        )
        hidden = self._hidden(actor)
        return (resource.noun, keys, hidden, actor.tomorrow(), actor.links, rows)

    @cached_property
    def _narrowed(self) -> list[type[Resource]]:
        """The resources that say themselves which of their rows are hidden."""
        return [
            resource
            for resource in self.declarations
            if any("visible" in vars(kind) for kind in resource.__mro__ if kind is not Resource)
        ]

    def _hidden(self, actor: Actor) -> frozenset[str]:
        """The permissions that would show more than this actor sees."""
        if actor.permissions is None:
            return frozenset()
        return self._guards - actor.permissions

    @cached_property
    def _guards(self) -> frozenset[str]:
        return frozenset(
            field.seen_with
            for resource in self.declarations
            for field in resource.fields.values()
            if field.seen_with is not None
        )


def _one_by_one(objects: str) -> str:
    return f"select string_agg(o.json, ',' order by o.page_row) from ({objects}) o"


@dataclass(frozen=True, slots=True)
class _Groups:
    """The pieces that groups add to a list's statement."""

    order: str = ""
    column: str = ""
    name: str = ""
    table: str = ""
    of: Callable[[str], str] = _one_by_one
    """From the SQL of the page's objects to that of the text in `data`."""


@dataclass(frozen=True, slots=True)
class _Total:
    """The pieces that a total adds to a list's statement."""

    table: str = ""
    text: str = ""
    columns: str = ""
    closed: bool = False
    """Whether the text ends the answer's object."""
