"""Lists in groups: what a resource may be grouped by, and the SQL of a page of groups.

A page has as many objects as one without groups, in the order of the groups. What a group says of
itself is of everything that fits, also where the page has only some of its objects.
"""

from dataclasses import dataclass, field

REST = "none"
"""The key of the group of the objects that have nothing to be grouped by."""


@dataclass(frozen=True, slots=True)
class Grouping:
    """How to group: SQL in which `{row}` is the row of an object.

    `key` is a text that names the group, null for the rest; groups stand in the order of
    `order_by`, or of their keys without one. `shows` is what a group says besides, by name.
    """

    key: str
    shows: dict[str, str] = field(default_factory=dict)
    order_by: str = ""


def group_key(grouping: Grouping, row: str) -> str:
    return f"coalesce({grouping.key.format(row=row)}, '{REST}')"


def group_order(grouping: Grouping, row: str, *, descending: bool) -> str:
    """The terms of an `order by` that keep the objects of a group together."""
    direction = " desc" if descending else ""
    terms = filter(None, (grouping.order_by, grouping.key))
    return ", ".join(term.format(row=row) + direction for term in terms)


def group_heads(grouping: Grouping, table: str, where: str, totals: dict[str, str]) -> str:
    """SQL for the groups that the table `page` has objects of, by `group_key`: what each says, as
    a JSON object without its closing brace. `totals` are aggregates in SQL over `{row}`, by name.
    """
    key = group_key(grouping, "r")
    shows = {name: f"min({sql})" for name, sql in grouping.shows.items()}
    columns = "".join(
        f', {sql.format(row="r")} as "{name}"' for name, sql in (shows | totals).items()
    )
    return (
        "select g.key as group_key, left(row_to_json(g)::text, -1) as head from ("
        f"select {key} as key{columns} from {table} r"
        f" where {where} and {key} in (select p.group_key from page p) group by 1) g"
    )


def in_groups(objects: str) -> str:
    """SQL for the text of the page: `objects` has `json`, `group_key` and `page_row` of each, and
    a table `heads` the groups."""
    return (
        "select string_agg(g.json, ',' order by g.page_row) from (select min(o.page_row) as"
        " page_row, h.head || ',\"objects\":[' || string_agg(o.json, ',' order by o.page_row)"
        f" || ']}}' as json from ({objects}) o join heads h on h.group_key = o.group_key"
        " group by h.group_key, h.head) g"
    )
