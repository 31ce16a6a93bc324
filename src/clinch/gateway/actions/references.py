"""Inputs that stand for objects: by id, or by what people call them."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from clinch.gateway.actions.errors import ActionError
from clinch.gateway.actions.inputs import Given, Input, Schema, squashed
from clinch.gateway.actions.refusals import FINDERS
from clinch.gateway.actions.run import Run

PREFIXES = {
    "lead": "lead",
    "cont": "contact",
    "oppo": "opportunity",
    "task": "task",
    "noti": "task",
    "acti": "activity",
    "user": "user",
    "acct": "account",
    "stat": "status",
    "pipe": "pipeline",
}

Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class IdOf(Input):
    """The id of an object of a noun; `prefix` is what its ids begin with."""

    noun: str
    prefix: str
    path: str

    def shape(self) -> Schema:
        prefix = f"({self.prefix})" if "|" in self.prefix else self.prefix
        return {"type": "string", "pattern": f"^{prefix}_[0-9A-Za-z]+$"}

    def ready(self, value: Any) -> Any:
        value = value.strip() if isinstance(value, str) else value
        beginning = str(value).partition("_")[0]
        other = PREFIXES.get(beginning)
        if other and beginning not in self.prefix.split("|"):
            raise ActionError(
                f"{self.name} must be the id of a {self.noun}; this is the id of a {other}.",
                f"Find the {self.noun}'s id with {FINDERS[self.noun]}.",
                self.name,
            )
        return value


def lead_id(doc: str, **rest: Any) -> IdOf:
    return IdOf(**{"name": "leadId", "api": "lead_id", "also": ("lead",), **rest},
                doc=doc, noun="lead", prefix="lead", path="/lead/")  # fmt: skip


def contact_id(doc: str, **rest: Any) -> IdOf:
    return IdOf(**{"name": "contactId", "api": "contact_id", "also": ("contact",), **rest},
                doc=doc, noun="contact", prefix="cont", path="/contact/")  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class UserRef(Input):
    """A user: "me", an id, an email address or a full name."""

    def shape(self) -> Schema:
        return {"type": "string", "minLength": 1, "examples": ["me"]}

    async def resolve(self, run: Run, value: Any, given: Given) -> dict[str, Any]:
        id = None if value is None else await find_user(run, self.name, value)
        return {self.api or self.name: id}


async def find_user(run: Run, field: str, text: str) -> str:
    """The id of the user whom a text names. Raises ActionError with whom it could have meant."""
    text = text.strip()
    if text.lower() == "me":
        return str((await run.once("me", lambda: run.get("/me/")))["id"])
    users = await run.once("users", lambda: read_all(run, "/user/"))
    names = {user["id"]: full_name(user) for user in users}
    wanted = text.casefold()
    found = [
        user
        for user in users
        if user["id"] == text
        or (user.get("email") or "").casefold() == wanted
        or names[user["id"]].casefold() == wanted
    ]
    # Who has left is only meant by their id or where nobody else has the name.
    active = [user for user in found if user.get("organizations")]
    if len(active or found) == 1:
        return str((active or found)[0]["id"])
    if found:
        told = ", ".join(f"{user.get('email')} ({user['id']})" for user in found[:10])
        raise ActionError(
            f"{field}: {len(found)} users are called {text[:80]!r}: {told}.",
            "Give the id or the email address of one of them.",
            field,
        )
    known = {names[user["id"]]: user for user in users if names[user["id"]]}
    known |= {user["email"]: user for user in users if user.get("email")}
    raise ActionError(
        f"{field}: no user is {text[:80]!r}.{nearest(text, known)}",
        'Give "me", an id, an email address or a full name; list-users lists all.',
        field,
    )


def full_name(user: Row) -> str:
    return f"{user.get('first_name') or ''} {user.get('last_name') or ''}".strip()


async def read_all(run: Run, path: str, most: int = 1000) -> list[Row]:
    """Every object of a short list."""
    rows: list[Row] = []
    while len(rows) < most:
        query = (("_skip", str(len(rows))), ("_limit", "100")) if rows else ()
        page = await run.get(path, query)
        rows += page["data"]
        if not page.get("has_more") or not page["data"]:
            break
    return rows


def nearest(text: str, names: Iterable[str]) -> str:
    """A sentence with the names that are most like a text, "" for none."""
    by_word = {squashed(name): name for name in names}
    near = difflib.get_close_matches(squashed(text), by_word, n=3, cutoff=0.6)
    return f" Did you mean {' or '.join(by_word[word] for word in near)}?" if near else ""


@dataclass(frozen=True, kw_only=True)
class LeadStatusRef(Input):
    """A lead status, by its label or id."""

    def shape(self) -> Schema:
        return {"type": "string", "minLength": 1}

    async def resolve(self, run: Run, value: Any, given: Given) -> dict[str, Any]:
        rows = await run.once("lead statuses", lambda: read_all(run, "/status/lead/"))
        found = _named(value, rows, "label")
        return {"status_id": _one(self.name, value, found, rows, "label", "list-lead-statuses")}


@dataclass(frozen=True, kw_only=True)
class PipelineRef(Input):
    """A pipeline, by its name or id."""

    def shape(self) -> Schema:
        return {"type": "string", "minLength": 1}

    async def resolve(self, run: Run, value: Any, given: Given) -> dict[str, Any]:
        return {"pipeline_id": (await find_pipeline(run, self.name, value))["id"]}


async def pipelines(run: Run) -> list[Row]:
    rows: list[Row] = await run.once("pipelines", lambda: read_all(run, "/pipeline/"))
    return rows


async def find_pipeline(run: Run, field: str, text: str) -> Row:
    rows = await pipelines(run)
    found = _named(text, rows, "name")
    id = _one(field, text, found, rows, "name", "list-pipelines")
    return next(row for row in rows if row["id"] == id)


@dataclass(frozen=True, kw_only=True)
class OpportunityStatusRef(Input):
    """A status of opportunities, by its label or id; `several` where a label may mean those of all
    pipelines, and a type (active, won, lost) all statuses of it. Of an opportunity that there is,
    those of its own pipeline are meant first."""

    several: bool = False

    def shape(self) -> Schema:
        return {"type": "string", "minLength": 1}

    async def resolve(self, run: Run, value: Any, given: Given) -> dict[str, Any]:
        rows = await pipelines(run)
        if given.get("pipeline"):
            rows = [await find_pipeline(run, "pipeline", given["pipeline"])]
        statuses = [
            status | {"shown": f"{status['label']} ({row['name']})", "pipeline": row["id"]}
            for row in rows
            for status in row["statuses"]
        ]
        found = _named(value, statuses, "label")
        if self.several:
            found = found or [s for s in statuses if s["type"] == value.strip().lower()]
            if found:
                return {"status_id__in": ",".join(status["id"] for status in found)}
        elif len(found) > 1 and "id" in given:
            path, field = f"/opportunity/{given['id']}/", "pipeline_id"
            deal = await run.get(path, (("_fields", field),), seeks="opportunity")
            found = [s for s in found if s["pipeline"] == deal[field]] or found
        shown = "shown" if len(rows) > 1 else "label"
        finder = "list-opportunity-statuses"
        return {"status_id": _one(self.name, value, found, statuses, shown, finder)}


def _named(text: str, rows: list[Row], label: str) -> list[Row]:
    """The rows with this id, else those with this label in any case."""
    text = text.strip()
    by_id = [row for row in rows if row["id"] == text]
    return by_id or [row for row in rows if row[label].casefold() == text.casefold()]


def _one(field: str, text: str, found: list[Row], rows: list[Row], shown: str, finder: str) -> str:
    if len(found) == 1:
        return str(found[0]["id"])
    if found:
        told = "; ".join(f"{row[shown]}: {row['id']}" for row in found[:20])
        raise ActionError(
            f"{field}: {text[:80]!r} may be one of {len(found)}: {told}.",
            f"Give the id of one of them; {finder} lists all.",
            field,
        )
    told = ", ".join(row[shown] for row in rows[:30])
    raise ActionError(
        f"{field}: there is no {text[:80]!r}. There are: {told}.",
        f"Give one of these, or an id from {finder}.",
        field,
    )


async def custom_fields(run: Run, noun: str) -> list[Row]:
    """The custom fields that objects of a noun have."""
    path = f"/custom_field_schema/{noun}/"
    answer = await run.once(path, lambda: run.get(path))
    rows: list[Row] = answer["fields"]
    return rows


@dataclass(frozen=True, kw_only=True)
class CustomValues(Input):
    """Values of custom fields, by the fields' names or ids."""

    noun: str

    def shape(self) -> Schema:
        return {"type": "object"}

    async def resolve(self, run: Run, value: Any, given: Given) -> dict[str, Any]:
        rows = await custom_fields(run, self.noun) if value else []
        sent = {}
        for name, content in (value or {}).items():
            wanted = name.removeprefix("custom.")
            found = [row for row in rows if row["id"] == wanted] or [
                row for row in rows if squashed(row["name"]) == squashed(wanted)
            ]
            if not found:
                names = [row["name"] for row in rows]
                told = f" There are: {', '.join(names[:30])}." if names else " There are none."
                raise ActionError(
                    f"{self.name}: a {self.noun} has no custom field {name[:80]!r}."
                    f"{nearest(wanted, names)}{told}",
                    "Use the name or the id of a custom field that there is.",
                    f"{self.name}.{name}",
                )
            exact = [row for row in found if row["name"] == wanted]
            row = (exact or found)[0]
            run.names[f"custom.{row['id']}"] = f"{self.name}.{name}"
            sent[f"custom.{row['id']}"] = content
        return sent


def custom_values(noun: str) -> CustomValues:
    return CustomValues(
        name="customFields",
        also=("custom",),
        noun=noun,
        doc=f"Values of the {noun}'s custom fields by the fields' names, such as"
        ' {"Industry": "Retail"}; null empties one.',
    )
