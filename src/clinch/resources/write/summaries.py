"""Derived columns that sum up the objects that refer to a row, and the statements that keep them.

A write that changes such objects brings the rows that they refer to up to date, which it has
locked (`Ref.locks`). What is kept can be told from the objects at any time: `recount` does.
"""

from collections.abc import Iterable

from clinch.db.database import Transaction
from clinch.resources.declaration import Audited, Declarations, Resource
from clinch.resources.fields import Ref, Summary
from clinch.resources.write.change import Change
from clinch.resources.write.work import Work

Summaries = dict[str, Summary]


async def sum_up(transaction: Transaction, work: Work) -> None:
    """Bring what the changes are summed up in up to date, in one statement a resource at most."""
    for resource in {work.declarations[ref.target]: None for ref, _ in _locking(work)}:
        if not resource.summaries():
            continue
        changed = {change.resource.noun for ref, change in _locking(work)}
        wanted = {
            column: summary
            for column, summary in resource.summaries().items()
            if changed & set(summary.sources)
        }
        ids = _summed_up(work, resource)
        if not wanted:
            ids = [id for id in ids if not work.is_stamped(resource, id)]
        if ids:
            await transaction.execute(
                _update(work.declarations, resource, wanted),
                work.actor.organization_id,
                ids,
                *([work.now] if issubclass(resource, Audited) else []),
            )


async def recount(
    transaction: Transaction, declarations: Declarations, organization_id: str
) -> dict[str, int]:
    """The number of rows whose derived columns are not what they should be, by resource."""
    wrong = {}
    for resource in declarations:
        summaries = resource.summaries()
        if summaries:
            kept = ", ".join(f"r.{column}" for column in summaries)
            told = ", ".join(_told(declarations, resource, summaries).values())
            wrong[resource.noun] = await transaction.value(
                f"select count(*) from {resource.table} r"
                f" {_sources(declarations, resource, summaries, 'r.id')}"
                f" where r.organization_id = $1 and ({kept}) is distinct from ({told})",
                organization_id,
            )
    return wrong


def restatement(declarations: Declarations, resource: type[Resource]) -> str:
    """The statement that says all derived columns anew; `$1` is the organization."""
    summaries = resource.summaries()
    told = _told(declarations, resource, summaries)
    sets = ", ".join(f"{column} = {value}" for column, value in told.items())
    return (
        f"update {resource.table} r set {sets} from {resource.table} k"
        f" {_sources(declarations, resource, summaries, 'k.id')}"
        " where r.organization_id = $1 and k.organization_id = $1 and r.id = k.id"
    )


def _locking(work: Work) -> Iterable[tuple[Ref, Change]]:
    for change in work.changes:
        if change.kind != "update" or change.changed():
            for ref in change.resource.refs:
                if ref.locks:
                    yield ref, change


def _summed_up(work: Work, resource: type[Resource]) -> list[str]:
    """The objects that a change, as it was or as it is, is summed up in."""
    ids = {
        id: None
        for ref, change in _locking(work)
        if ref.target == resource.noun
        for id in (change.was(ref), change.get(ref))
        if id is not None and work.row(resource, id) is not None
    }
    return sorted(ids)


def _update(declarations: Declarations, resource: type[Resource], summaries: Summaries) -> str:
    sets = [
        f"{column} = {value}" for column, value in _told(declarations, resource, summaries).items()
    ]
    if issubclass(resource, Audited):
        sets.append("date_updated = greatest(r.date_updated, $3)")
    sources = _sources(declarations, resource, summaries, "k.id")
    return (
        f"update {resource.table} r set {', '.join(sets)} from unnest($2::text[]) k(id) {sources}"
        " where r.organization_id = $1 and r.id = k.id"
    )


def _told(
    declarations: Declarations, resource: type[Resource], summaries: Summaries
) -> dict[str, str]:
    """The derived columns, and what the sources say of each."""
    tables = list(_by_table(declarations, summaries))
    return {
        column: f"s{tables.index(declarations[summary.sources[0]].table)}.{column}"
        for column, summary in summaries.items()
    }


def _sources(
    declarations: Declarations, resource: type[Resource], summaries: Summaries, id: str
) -> str:
    """A lateral join a table that is summed up: one row with what it says of the object `id`."""
    joins = []
    empty = {column.name: column.default or "null" for column in resource.columns()}
    for number, (table, columns) in enumerate(_by_table(declarations, summaries).items()):
        values = ", ".join(
            f"coalesce({summary.value.format(row='t')} filter ("
            f"where {_where(declarations, summary)}), {empty[column]}) as {column}"
            for column, summary in columns.items()
        )
        source = declarations[next(iter(columns.values())).sources[0]]
        ref = next(ref for ref in source.refs if ref.locks and ref.target == resource.noun)
        joins.append(
            f"cross join lateral (select {values} from {table} t where t.organization_id = $1"
            f" and t.{ref.column} = {id}) s{number}"
        )
    return " ".join(joins)


def _by_table(declarations: Declarations, summaries: Summaries) -> dict[str, Summaries]:
    tables: dict[str, Summaries] = {}
    for column, summary in summaries.items():
        tables.setdefault(declarations[summary.sources[0]].table, {})[column] = summary
    return tables


def _where(declarations: Declarations, summary: Summary) -> str:
    """Which rows of the table are of the sources, and meet the summary's own condition."""
    kinds = [declarations[noun].only for noun in summary.sources]
    parts = [f"({summary.where.format(row='t')})"]
    if all(kinds):
        [column] = kinds[0]
        words = ", ".join(f"'{only[column]}'" for only in kinds)
        parts.append(f"t.{column} in ({words})")
    return " and ".join(parts)
