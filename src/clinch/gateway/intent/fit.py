"""How well an action does what was asked: what is left of the score of its words."""

from collections.abc import Set

from clinch.gateway.intent.entry import Entry
from clinch.gateway.intent.reading import Intent

_GENERATED = 0.92
_SAME_KIND, _SEARCH, _MORE, _OTHER_KIND, _UNASKED_DELETE = 0.95, 0.85, 0.8, 0.6, 0.35
_OTHER_NUMBER, _OTHER_APP = 0.75, 0.5
# A thing that is told of, but not in the name: `create-lead` takes contacts.
_OTHER_THING = 0.85
# What a name has beyond what was asked makes it another action: `list-lead-statuses` for leads.
_OTHER_NAME = 0.25

_KINDS = {
    "list": "read",
    "get": "read",
    "search": "read",
    "create": "make",
    "log": "make",
    "send": "make",
    "update": "change",
    "complete": "change",
    "merge": "merge",
    "delete": "delete",
}


def fit(asked: Intent, terms: Set[str], apps: Set[str], entry: Entry) -> float:
    """A factor up to 1; `terms` are all that the intent is looked for by, `apps` those it names."""
    factor = _of_name(entry, terms) * (_GENERATED if entry.rank else 1.0)
    if apps and entry.app not in apps:
        factor *= _OTHER_APP
    if asked.head and not asked.head & entry.things:
        factor *= _OTHER_THING
    if entry.verb is None:
        return factor
    return factor * _of_verb(asked.verb or "get", entry.verb) * _of_number(asked, entry)


def _of_name(entry: Entry, terms: Set[str]) -> float:
    if not entry.things:
        return 1.0
    return 1 - _OTHER_NAME * (1 - len(entry.things & terms) / len(entry.things))


def _of_verb(asked: str, offered: str) -> float:
    if asked == offered:
        return 1.0
    kind, other = _KINDS[asked], _KINDS[offered]
    if kind == other == "read":  # to list and to get differ by number alone
        return _SEARCH if "search" in (asked, offered) else 1.0
    if kind == other:
        return _MORE if offered in ("complete", "send") else _SAME_KIND
    if other == "delete":
        return _UNASKED_DELETE
    return _MORE if {kind, other} == {"make", "change"} else _OTHER_KIND


def _of_number(asked: Intent, entry: Entry) -> float:
    """Other verbs than those that read have no number in their entry."""
    if asked.number is None or entry.number is None or asked.number == entry.number:
        return 1.0
    return _OTHER_NUMBER
