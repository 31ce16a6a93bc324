"""No text breaks the search language: it is read, or refused with a 400."""

from datetime import UTC, datetime, timedelta

import pytest
from harness import Organization, Program, make_organization
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clinch.crm.activities.activity import Activity
from clinch.crm.contacts import Contact
from clinch.crm.leads import Lead
from clinch.crm.opportunities import Opportunity
from clinch.crm.tasks import Task
from clinch.db.database import Tenant
from clinch.program import declared_resources
from clinch.resources.actor import Actor
from clinch.resources.custom_fields import TYPES
from clinch.resources.custom_values import CustomValue
from clinch.resources.declaration import Resource
from clinch.resources.errors import BadRequest
from clinch.resources.query.read import Page
from clinch.search.grammar import (
    MOST_SCOPES,
    All,
    Condition,
    Either,
    Expression,
    Nested,
    No,
    Query,
    Value,
    Words,
    read_query,
)
from clinch.search.text import Search, parse
from clinch.search.vocabulary import vocabulary

RESOURCES: list[type[Resource]] = [Lead, Contact, Opportunity, Task]
ACTIVITIES = [one for one in declared_resources() if one.variant_of is Activity]
ACTOR = Actor(Tenant("11111111-1111-1111-1111-111111111111"), "orga_1", "user_1")

_names = sorted({name for one in RESOURCES for name in getattr(vocabulary(one.noun), "terms", {})})
_SIGNS = ("(", ")", '"', ":", "*", "-", "[", "]", ",", ">", "<=", "!=", "=", "\\", "%", "_", " ")
_WORDS = (" or ", "not ", " and ", " in (", " TO ", "me", "1000", "1e5", "-1.5", "9" * 20, "\ud800")
_SCOPES = (
    "opportunity(",
    "contact(",
    "task(",
    "call(",
    "custom_activity(",
    "status_change(",
    "has:",
    "slice:1/2",
    "sort:",
    "custom.x",
    "+1 555",
)
_DATES = ("today", '"7 days ago"', "2026-05-04", "2026", '"next 999999 years"', "0000-00-00")
_pieces = st.one_of(
    st.sampled_from([*_SIGNS, *_WORDS, *_SCOPES, *_DATES]),
    st.sampled_from(_names),
    st.text(max_size=4),
)
texts = st.one_of(st.text(max_size=40), st.lists(_pieces, max_size=14).map("".join))


def any_custom(resource: type[Resource], name: str) -> list[CustomValue]:
    """A custom field of any name, of a type that the name decides."""
    return [CustomValue(resource, "cf_1", TYPES[len(name) % len(TYPES)], name, ("a", "b"))]


@given(text=texts, resource=st.sampled_from(RESOURCES), hours=st.integers(-14, 14))
@settings(max_examples=1500, deadline=None)
def test_a_text_is_read_or_refused(text: str, resource: type[Resource], hours: int) -> None:
    actor = Actor(ACTOR.tenant, "orga_1", utc_offset=timedelta(hours=hours))
    read: Search | BadRequest
    try:
        read = parse(text, resource, actor, any_custom)
    except BadRequest as refused:
        read = refused
    assert isinstance(read, Search) or len(str(read.body["error"])) < 400


@pytest.mark.parametrize(
    "text", ["(" * 10_000, "-" * 10_000, '"' * 9_999, " " * 10_000, "a:" * 5000]
)
@pytest.mark.parametrize("end", ["", "x", "\\", " in"])
@pytest.mark.timeout(60)
def test_a_long_text_is_read_without_trying_every_way(text: str, end: str) -> None:
    for resource in RESOURCES:
        try:
            parse((text * 9_000)[:9_990] + end, resource, ACTOR)
        except BadRequest:
            continue


_words = st.from_regex(r"[a-zåß0-9@.+%_&]{1,6}", fullmatch=True).filter(
    lambda word: word not in ("or", "and", "not", "in", "to")
)
_quotable = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
_values = st.one_of(
    _words.map(Value),
    st.text(_quotable, max_size=8).map(lambda text: Value(text, quoted=True)),
)
_conditions = st.one_of(
    st.builds(
        lambda name, operator, value: Condition(name, operator, (value,)),
        st.sampled_from(["name", "custom.Größe", "Source CRM"]),
        st.sampled_from([":", "=", "!=", ">", ">=", "<", "<="]),
        _values,
    ),
    st.builds(
        lambda name, values: Condition(name, "in", tuple(values)),
        st.sampled_from(["status", "Source CRM"]),
        st.lists(_values, min_size=1, max_size=3),
    ),
)
_expressions = st.recursive(
    st.one_of(_words.map(Words), _conditions),
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: All(tuple(parts))),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: Either(tuple(parts))),
        inner.map(No),
        inner.map(lambda part: Nested("contact", part)),
    ),
    max_leaves=12,
)


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def written(expression: Expression) -> str:
    """A text for the expression."""
    match expression:
        case Words(text):
            return text
        case All(parts):
            return " ".join(map(grouped, parts))
        case Either(parts):
            return " OR ".join(map(grouped, parts))
        case No(part):
            return f"NOT {grouped(part)}"
        case Nested(name, inner):
            return f"{name}({written(inner)})"
        case Condition(name, operator, values):
            texts = [quoted(value.text) if value.quoted else value.text for value in values]
            named = quoted(name) if " " in name else name
            if operator == "in":
                return f"{named} in ({', '.join(texts)})"
            return f"{named} {operator} {texts[0]}" if operator != ":" else f"{named}:{texts[0]}"


def grouped(expression: Expression) -> str:
    return (
        f"({written(expression)})" if isinstance(expression, All | Either) else written(expression)
    )


@given(_expressions)
@settings(max_examples=300, deadline=None)
def test_what_is_written_is_what_is_read(expression: Expression) -> None:
    assert read_query(written(expression)) == Query(expression)


@pytest.fixture(scope="module")
def filled(program: Program) -> Organization:
    """An organization with a few rows, so that conditions are tried on something."""
    made = make_organization(program)
    contact = {
        "name": "Ada",
        "emails": [{"email": "ada@x.example"}],
        "phones": [{"phone": "+14155550100"}],
    }
    lead = made.admin.post("/lead/", {"name": "Harbour", "addresses": [{}], "contacts": [contact]})
    made.admin.post("/opportunity/", {"lead_id": lead["id"], "value": 1, "note": "x"})
    made.admin.post("/task/", {"lead_id": lead["id"], "text": "x"})
    made.admin.post("/activity/call/", {"lead_id": lead["id"], "note": "x"})
    return made


@given(text=texts, path=st.sampled_from(["lead", "contact", "opportunity", "task"]))
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_text_fails_the_server(filled: Organization, text: str, path: str) -> None:
    answer = filled.admin("GET", f"/{path}/", query=text.encode(errors="replace"))
    assert answer.status_code in (200, 400), (text, answer.text)
    assert ("data" if answer.status_code == 200 else "error") in answer.json()


@pytest.mark.parametrize("resource", [*RESOURCES, *ACTIVITIES])
@pytest.mark.parametrize("value", ["*", "x", "1", "2026", "yes", "> 1", "<= 2026-05", "[1 TO 2]"])
def test_every_name_is_asked_in_good_sql(
    filled: Organization, resource: type[Resource], value: str
) -> None:
    """Each field with each kind of value: refused by its term, or run by the database."""
    known = vocabulary(resource.noun)
    assert known is not None
    actor, store = filled.actor(), filled.program.store
    searches = []
    for name in known.terms:
        try:
            searches.append(parse(f"{name}:{value}", resource, actor))
        except BadRequest:
            continue
    searches += [parse(f"sort:{name} sort:-id", resource, actor) for name in known.sorts]

    async def ask() -> None:
        async with store.reading(actor) as transaction:
            for search in searches:
                page = Page(where=search.where, order=search.order)
                await store.reads.page(transaction, actor, resource, page)

    filled.program.run(ask())
    assert len(searches) >= len(known.sorts) > 5


def test_the_largest_text_is_answered(filled: Organization) -> None:
    started = datetime.now(UTC)
    for text in (" ".join(f"w{n}" for n in range(500)), " or ".join(f"w{n}" for n in range(500))):
        assert filled.admin.get("/lead/", query=text)["data"] == []
    assert datetime.now(UTC) - started < timedelta(seconds=10)


@pytest.mark.parametrize("shape", ["wide", "often"])
def test_the_deepest_text_is_answered(filled: Organization, shape: str) -> None:
    """Each further step from object to object takes a little more to plan, not twice as much."""
    opened, closed = "opportunity(lead(" * (MOST_SCOPES // 2), ")" * MOST_SCOPES
    users = [f"user:u{number}" for number in range(120)]
    text = (
        f"{opened}{' or '.join(users)}{closed}"
        if shape == "wide"
        else " or ".join(f"{opened}{user}{closed}" for user in users)
    )
    started = datetime.now(UTC)
    assert filled.admin.get("/lead/", query=text)["data"] == []
    assert datetime.now(UTC) - started < timedelta(seconds=10)
