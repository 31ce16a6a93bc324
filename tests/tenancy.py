"""Whether a statement names its tenant wherever it touches a tenant's table.

Row-level security would hide the rows of others all the same. But it is the net: a statement that
names the organization at every level can be sent to the machine that has it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pglast import ast, parse_sql
from pglast.enums import A_Expr_Kind, BoolExprType, JoinType, SetOperation
from recording import Asked

from clinch.program import declarations, tables

Syntax = Any
"""A node of the syntax tree."""

TENANT_TABLES = frozenset(t.name for t in tables(declarations()) if t.table_class == "tenant")
GATEWAY_TABLES = frozenset(
    table.name
    for table in tables(declarations())
    if any(column.name == "tenant_id" for column in table.columns)
)


def faults(asked: Asked, volatile: frozenset[str] = frozenset()) -> list[str]:
    """What is wrong with a statement, in words; no update may call a `volatile` function."""
    return _found(_Check(asked, volatile, TENANT_TABLES, "organization", asked.organization_id))


def gateway_faults(sql: str) -> list[str]:
    """Where a statement forgets that `$2` is the tenant, in the tables that have tenants."""
    asked = Asked(sql, (None, "the tenant", *[None] * 30), None)
    return _found(_Check(asked, frozenset(), GATEWAY_TABLES, "tenant", "the tenant"))


def _found(check: "_Check") -> list[str]:
    for statement in parse_sql(check.asked.sql):
        check.statement(statement.stmt, frozenset())
    return check.found


@dataclass
class _Condition:
    """A term that rows must meet, and whom it can keep out: an outer join keeps its other side."""

    term: Syntax
    of: frozenset[str]


@dataclass
class _Level:
    """The tables of one FROM, by alias, and the conditions on them."""

    tables: dict[str, str] = field(default_factory=dict)
    conditions: list[_Condition] = field(default_factory=list)


class _Check:
    """Looks whether rows of `tables` are held to a parameter with the value `wanted` by the column
    of an `owner`, the organization or the tenant."""

    def __init__(
        self,
        asked: Asked,
        volatile: frozenset[str],
        tables: frozenset[str],
        owner: str,
        wanted: str | None,
    ) -> None:
        self.asked, self._volatile = asked, volatile
        self._tables, self._owner, self._wanted = tables, owner, wanted
        self._column = f"{owner}_id"
        self.found: list[str] = []

    def statement(self, node: Syntax, names: frozenset[str]) -> None:
        """Check a statement and those inside it; `names` are the WITH queries it may read."""
        with_clause = getattr(node, "withClause", None)
        queries = with_clause.ctes if with_clause is not None else ()
        names |= {query.ctename for query in queries}
        if isinstance(node, ast.MergeStmt):
            self.found.append("merges")
        elif isinstance(node, ast.InsertStmt):
            self._insert(node)
        elif not isinstance(node, ast.SelectStmt) or node.op == SetOperation.SETOP_NONE:
            self._level(node, names)
        for inner in _children(node):
            self._inside(inner, names)
        if not isinstance(node, ast.SelectStmt):
            self._changes(node)

    def _inside(self, node: Syntax, names: frozenset[str]) -> None:
        if isinstance(
            node,
            ast.SelectStmt | ast.InsertStmt | ast.UpdateStmt | ast.DeleteStmt | ast.MergeStmt,
        ):
            self.statement(node, names)
            return
        if isinstance(node, ast.FuncCall) and _name(node) == "set_config":
            self.found.append("calls set_config")
        for inner in _children(node):
            self._inside(inner, names)

    def _level(self, node: Syntax, names: frozenset[str]) -> None:
        level = _Level()
        for source in (
            getattr(node, "relation", None),
            *(getattr(node, "fromClause", None) or ()),
            *(getattr(node, "usingClause", None) or ()),
        ):
            self._source(source, level, names)
        level.conditions += [
            _Condition(term, frozenset(level.tables)) for term in _terms(node.whereClause)
        ]
        held = self._held(level)
        for alias, table in level.tables.items():
            if alias not in held:
                self.found.append(f"{table} {alias} is not held to the {self._owner}")

    def _source(self, node: Syntax, level: _Level, names: frozenset[str]) -> None:
        """Gather the tenant tables of a FROM item and the conditions of its joins."""
        if isinstance(node, ast.RangeVar):
            if node.relname in self._tables - names:
                level.tables[node.alias.aliasname if node.alias else node.relname] = node.relname
        elif isinstance(node, ast.JoinExpr):
            left, right = _Level(), _Level()
            self._source(node.larg, left, names)
            self._source(node.rarg, right, names)
            level.tables |= left.tables | right.tables
            level.conditions += left.conditions + right.conditions
            kept_out = {
                JoinType.JOIN_INNER: {*left.tables, *right.tables},
                JoinType.JOIN_LEFT: {*right.tables},
                JoinType.JOIN_RIGHT: {*left.tables},
            }.get(node.jointype, set())
            level.conditions += [
                _Condition(term, frozenset(kept_out)) for term in _terms(node.quals)
            ]

    def _held(self, level: _Level) -> set[str]:
        """The aliases that are held to the owner: by themselves, or by a join to such."""
        held: set[str] = set()
        joins: list[tuple[str, str]] = []
        for condition in level.conditions:
            left, right = _sides(condition.term)
            aliases = [
                alias
                for side in (left, right)
                if (alias := _owner_of(side, level, self._column)) is not None
            ]
            if len(aliases) == 2:
                pairs = (tuple(aliases), tuple(reversed(aliases)))
                joins += [(a, b) for a, b in pairs if a in condition.of]
            elif any(map(self._is_owner, (left, right))):
                held |= condition.of.intersection(aliases)
        while further := {a for a, b in joins if b in held} - held:
            held |= further
        return held

    def _insert(self, node: Syntax) -> None:
        if node.relation.relname not in self._tables:
            return
        columns = [column.name for column in node.cols or ()]
        rows = node.selectStmt.valuesLists or ([t.val for t in node.selectStmt.targetList],)
        place = columns.index(self._column) if self._column in columns else None
        if place is None or not all(self._is_owner(row[place]) for row in rows):
            self.found.append(f"{node.relation.relname} is not given the {self._owner}")

    def _changes(self, node: Syntax) -> None:
        """What a statement changes is the same on every machine: nothing volatile makes it."""
        conflict = getattr(node, "onConflictClause", None)
        changed = [
            *(node.targetList or () if isinstance(node, ast.UpdateStmt) else ()),
            *((conflict.targetList or ()) if conflict is not None else ()),
            *(getattr(node, "returningList", None) or ()),
        ]
        for call in (call for part in changed for call in _calls(part)):
            if _name(call) in self._volatile:
                self.found.append(f"calls {_name(call)}, which is volatile, in what it changes")

    def _is_owner(self, node: Syntax) -> bool:
        """Whether it is a parameter that stands for whom the transaction is for."""
        if isinstance(node, ast.TypeCast):
            return self._is_owner(node.arg)
        if not isinstance(node, ast.ParamRef) or self._wanted is None:
            return False
        return str(self.asked.arguments[node.number - 1]) == self._wanted


def _terms(node: Syntax) -> Iterator[Syntax]:
    """The conditions that must all hold."""
    if isinstance(node, ast.BoolExpr) and node.boolop == BoolExprType.AND_EXPR:
        for inner in node.args:
            yield from _terms(inner)
    elif node is not None:
        yield node


def _sides(term: Syntax) -> tuple[Syntax, Syntax]:
    """Both sides of an equality; `= any(array[x])` is one with x."""
    if not isinstance(term, ast.A_Expr) or term.name[-1].sval != "=":
        return None, None
    right = term.rexpr
    if term.kind == A_Expr_Kind.AEXPR_OP_ANY:
        single = isinstance(right, ast.A_ArrayExpr) and len(right.elements) == 1
        return term.lexpr, right.elements[0] if single else None
    return term.lexpr, right


def _owner_of(node: Syntax, level: _Level, owner: str) -> str | None:
    """The alias of which it is the column `owner`, among the tables of a level."""
    if not isinstance(node, ast.ColumnRef) or not isinstance(node.fields[-1], ast.String):
        return None
    *row, column = [part.sval for part in node.fields]
    if column != owner:
        return None
    alias = row[-1] if row else next(iter(level.tables), "") if len(level.tables) == 1 else ""
    return alias if alias in level.tables else None


def _calls(node: Syntax) -> Iterator[Syntax]:
    if isinstance(node, ast.FuncCall):
        yield node
    for inner in _children(node):
        yield from _calls(inner)


def _name(call: Syntax) -> str:
    return str(call.funcname[-1].sval)


def _children(node: Syntax) -> Iterator[Syntax]:
    for name in node:
        yield from _nodes(getattr(node, name))


def _nodes(value: Any) -> Iterator[Syntax]:
    if isinstance(value, ast.Node):
        yield value
    elif isinstance(value, tuple):
        for one in value:
            yield from _nodes(one)
