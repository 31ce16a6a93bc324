"""The log of a write: its order, what an event carries, and what leaves no event at all."""

import asyncio
import hashlib
import json
import random
import re
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from harness import TEST, Api, Organization, Program, make_organization

from clinch.crm.contacts import Contact
from clinch.crm.lead_statuses import LeadStatus
from clinch.crm.leads import Lead
from clinch.db.database import Transaction
from clinch.db.ids import new_id
from clinch.events.follower import Event, Follower, catch_up
from clinch.events.seal import SEAL, verify
from clinch.program import declarations, tables
from clinch.resources.actor import Actor, OAuthGrant, Provenance
from clinch.resources.errors import ApiError
from clinch.resources.store import Store
from clinch.resources.write.change import Change

PATIENCE = 20.0

Row = dict[str, Any]


@asynccontextmanager
async def owner(store: Store) -> Any:
    """A connection of the role that owns the tables, which sees every tenant's rows."""
    connection = await asyncpg.connect(store.database.url, server_settings={"timezone": "UTC"})
    try:
        yield connection
    finally:
        await connection.close()


async def log(store: Store, actor: Actor) -> list[Row]:
    """The organization's events in order, each with its body, `before` and `after` as texts."""
    async with owner(store) as connection:
        rows = await connection.fetch(
            "select e.*, b.before::text, b.after::text, b.salt from event e"
            " left join event_body b on b.organization_id = e.organization_id and b.seq = e.seq"
            " where e.organization_id = $1 order by e.seq",
            actor.organization_id,
        )
    return [dict(row) for row in rows]


async def everything(store: Store, actor: Actor) -> dict[str, list[str]]:
    """All rows that the database has of the organization, by table."""
    found = {}
    async with owner(store) as connection:
        for table in tables(declarations()):
            if any(column.name == "organization_id" for column in table.columns):
                rows = await connection.fetch(
                    f"select to_jsonb(t)::text from {table.name} t where organization_id = $1",
                    actor.organization_id,
                )
                found[table.name] = sorted(row[0] for row in rows)
    return found


async def until_one_waits(store: Store) -> None:
    """Return when a statement of the program waits for a lock that another transaction holds."""
    async with owner(store) as connection, asyncio.timeout(PATIENCE):
        while True:
            if await connection.fetchval(
                "select exists (select from pg_stat_activity where wait_event_type = 'Lock'"
                " and datname = current_database() and application_name = 'clinch')"
            ):
                return
            await asyncio.sleep(0.01)


async def make(store: Store, actor: Actor, name: str = "Harbour Tools") -> str:
    [lead] = await store.write(actor, [Change.create(Lead, {"name": name})], TEST, answer=False)
    return lead.id


async def write_to(transaction: Transaction, store: Store, actor: Actor, *changes: Change) -> None:
    await store.writes.write_within(transaction, actor, list(changes), TEST, answer=False)


async def write_apart(transaction: Transaction) -> None:
    """Write something that is not in the log, so that the transaction has its id from now on."""
    await transaction.execute(
        "insert into search_text (organization_id, id, lead_id, text)"
        " values (app_org(), $1, $1, '')",
        new_id("lead"),
    )


def rename(lead: str, name: str) -> Change:
    return Change.update(Lead, lead, {"name": name})


class Notes:
    """A follower that notes what it is handed."""

    def __init__(self) -> None:
        self.seen: list[Event] = []
        self.follower = Follower("notes", self._note)

    async def _note(self, transaction: Transaction, organization_id: str, events: Any) -> None:
        self.seen += events

    async def look(self, store: Store, actor: Actor) -> list[int]:
        """Follow now; the numbers of the events that are new."""
        known = len(self.seen)
        await catch_up(store.database, self.follower, actor.organization_id)
        return [event["seq"] for event in self.seen[known:]]


@pytest.mark.parametrize("c_is_of", ["the same organization", "another organization"])
@pytest.mark.parametrize("c_commits", [True, False])
def test_events_come_in_the_order_of_commits_and_not_of_beginnings(
    program: Program, organization: Organization, c_is_of: str, c_commits: bool
) -> None:
    """B begins before C, C before A; A commits, then B, while C stays open all along."""
    store, actor = program.store, organization.actor()
    other = make_organization(program).actor()

    async def scenario() -> None:
        notes = Notes()
        r = await make(store, actor)
        await notes.look(store, actor)
        of_c = other if c_is_of == "another organization" else actor
        async with AsyncExitStack() as b, AsyncExitStack() as c:
            in_b = await b.enter_async_context(store.database.tenant(actor.tenant))
            await write_apart(in_b)
            in_c = await c.enter_async_context(store.database.tenant(of_c.tenant, commit=c_commits))
            await write_apart(in_c)
            if of_c is other:
                await write_to(in_c, store, other, Change.create(Lead, {"name": "C"}))
            async with store.database.tenant(actor.tenant) as in_a:
                await write_to(in_a, store, actor, rename(r, "A"))
            await write_to(in_b, store, actor, rename(r, "B"))
            await b.aclose()
            first = await notes.look(store, actor)
            if of_c is actor:
                await write_to(in_c, store, actor, rename(r, "C"))
            await c.aclose()
            second = await notes.look(store, actor)

        named = {
            event["seq"]: json.loads(event["after"])["name"]
            for event in await log(store, actor)
            if event["object_id"] == r
        }
        assert [named[seq] for seq in first] == ["A", "B"]
        c_is_new = c_commits and of_c is actor
        assert [named[seq] for seq in second] == (["C"] if c_is_new else [])
        seen = [event["seq"] for event in notes.seen]
        assert seen == list(range(1, len(seen) + 1))

    program.run(scenario())


def test_who_comes_second_to_the_clock_waits_and_is_numbered_after_the_first(
    program: Program, organization: Organization
) -> None:
    store, actor = program.store, organization.actor()

    async def scenario() -> None:
        async with store.database.tenant(actor.tenant) as in_a:
            await write_to(in_a, store, actor, Change.create(Lead, {"name": "A"}))
            b = asyncio.create_task(make(store, actor, "B"))
            await until_one_waits(store)
            known = [event["object_type"] for event in await log(store, actor)]
            assert "lead" not in known
            assert not b.done()
        await b
        last = (await log(store, actor))[-4:]
        assert [event["object_type"] for event in last] == ["lead", "activity.created"] * 2
        assert [json.loads(event["after"])["name"] for event in last[::2]] == ["A", "B"]
        assert [event["lead_id"] for event in last[1::2]] == [e["object_id"] for e in last[::2]]

    program.run(scenario())


def test_a_write_of_another_organization_waits_for_nobody(
    program: Program, organization: Organization
) -> None:
    store, actor = program.store, organization.actor()
    other = make_organization(program).actor()

    async def scenario() -> None:
        async with asyncio.timeout(PATIENCE), store.database.tenant(actor.tenant) as in_a:
            await write_to(in_a, store, actor, Change.create(Lead, {"name": "A"}))
            await make(store, other)

    program.run(scenario())


def test_who_waits_for_a_row_does_not_hold_the_clock(
    program: Program, organization: Organization
) -> None:
    store, actor = program.store, organization.actor()

    async def scenario() -> None:
        held, free = await make(store, actor, "held"), await make(store, actor, "free")
        async with asyncio.timeout(PATIENCE), owner(store) as connection:
            async with connection.transaction():
                await connection.execute("select from lead where id = $1 for update", held)
                waiting = asyncio.create_task(
                    store.write(actor, [rename(held, "second")], TEST, answer=False)
                )
                await until_one_waits(store)
                await store.write(actor, [rename(free, "first")], TEST, answer=False)
                assert not waiting.done()
            await waiting
        last = [json.loads(event["after"])["name"] for event in (await log(store, actor))[-2:]]
        assert last == ["first", "second"]

    program.run(scenario())


def test_a_write_that_waited_for_a_contact_changes_the_lead_that_it_came_to(
    program: Program, organization: Organization
) -> None:
    store, actor = program.store, organization.actor()

    async def scenario() -> None:
        old, new = await make(store, actor, "old"), await make(store, actor, "new")
        [contact] = await store.write(
            actor, [Change.create(Contact, {"lead_id": old})], TEST, answer=False
        )
        async with asyncio.timeout(PATIENCE):
            async with store.database.tenant(actor.tenant) as mover:
                move = Change.update(Contact, contact.id, {"lead_id": new})
                await write_to(mover, store, actor, move)
                name = Change.update(Contact, contact.id, {"name": "Ada"})
                naming = asyncio.create_task(store.write(actor, [name], TEST, answer=False))
                await until_one_waits(store)
            await naming
        last = [(event["object_id"], event["changed"]) for event in await log(store, actor)][-2:]
        assert last == [
            (contact.id, ["date_updated", "name"]),
            (new, ["contacts", "date_updated"]),
        ]

    program.run(scenario())


class BrokenOff(Exception):
    """Ends a transaction after its last statement."""


def test_numbers_are_gapless_and_in_commit_order_with_eight_writers_and_rollbacks(
    program: Program, organization: Organization
) -> None:
    """A reader that only asks for what is beyond its cursor misses nothing and sees no gap."""
    store, actor = program.store, organization.actor()
    seen: list[int] = []
    done = asyncio.Event()

    async def write(number: int) -> int:
        choose, made = random.Random(number), 0
        for turn in range(25):
            count = choose.randint(1, 3)
            changes = [
                Change.create(Lead, {"name": f"{number}.{turn}", "contacts": [{"name": "x"}]})
                for _ in range(count)
            ]
            end = choose.choice(["commit", "commit", "rollback", "error"])
            try:
                async with store.database.tenant(actor.tenant, commit=end == "commit") as inside:
                    await write_to(inside, store, actor, *changes)
                    if end == "error":
                        raise BrokenOff
            except BrokenOff:
                continue
            made += count if end == "commit" else 0
        return made

    async def read() -> None:
        async with owner(store) as connection:
            while True:
                last_look = done.is_set()
                rows = await connection.fetch(
                    "select seq from event where organization_id = $1 and seq > $2 order by seq",
                    actor.organization_id,
                    seen[-1] if seen else 0,
                )
                seen.extend(row[0] for row in rows)
                if last_look:
                    return

    async def scenario() -> None:
        begun = len(await log(store, actor))
        reading = asyncio.create_task(read())
        made = sum(await asyncio.gather(*(write(number) for number in range(8))))
        done.set()
        await reading
        events = 3 * made  # of a lead, its contact and the activity of its making
        assert seen == list(range(1, begun + events + 1))
        async with owner(store) as connection:
            clock = await connection.fetchrow(
                "select seq, lead_total from event_clock where organization_id = $1",
                actor.organization_id,
            )
        assert tuple(clock) == (len(seen), made)

    program.run(scenario())


def test_an_event_says_who_did_it_for_whom_from_where_and_why(
    program: Program, organization: Organization
) -> None:
    store, actor = program.store, organization.actor()
    told = Provenance(
        source="agent",
        request_id="req_1",
        api_key_id="api_1",
        oauth_grant=OAuthGrant("grant_1", "oa2client_1", "read write"),
        on_behalf_of="user_1",
        reason="Ada asked for it",
        method="POST",
        path="/api/v1/lead/",
    )
    moment = actor.clock() - timedelta(days=3)
    then = replace(actor, clock=lambda: moment)
    made = program.run(
        store.write(then, [Change.create(Lead, {"contacts": [{"name": "Ada"}]})], told)
    )
    events = program.run(log(store, actor))[-3:]
    assert [e["object_type"] for e in events] == ["lead", "contact", "activity.created"]
    for event in events:
        assert event["lead_id"] == made[0].id
        assert event["action"] == "created"
        assert event["at"] == moment
        assert event["user_id"] == actor.user_id
        assert event["grant_id"] == "grant_1"
        assert (event["oauth_client_id"], event["oauth_scope"]) == ("oa2client_1", "read write")
        for name in set(Provenance.__struct_fields__) - {"attempt", "oauth_grant"}:
            assert event[name] == getattr(told, name)


def test_a_request_is_named_by_the_events_that_it_made(
    program: Program, organization: Organization, api: Api
) -> None:
    response = api("POST", "/lead/", {"name": "Harbour Tools"})
    [event] = [
        event
        for event in program.run(log(program.store, organization.system))
        if event["object_id"] == response.json()["id"]
    ]
    assert event["request_id"] == response.headers["x-request-id"]
    assert event["api_key_id"] == api.key.partition(".")[0]
    assert event["user_id"] == api.user_id
    assert (event["source"], event["method"], event["path"]) == ("api", "POST", "/api/v1/lead/")
    assert event["on_behalf_of"] is event["reason"] is event["grant_id"] is None


def test_an_event_has_the_rows_before_and_after(
    program: Program, organization: Organization
) -> None:
    """All of a new and of a deleted row; of a changed one, what it was where it changed.

    What a row sums up of other objects is left out.
    """
    store, actor = program.store, organization.actor()

    async def row(id: str) -> Row:
        async with owner(store) as connection:
            text = await connection.fetchval(
                "select (to_jsonb(l) - $2::text[])::text from lead l where id = $1",
                id,
                ["organization_id", *Lead.summaries()],
            )
        found: Row = json.loads(text)
        return found

    async def scenario() -> None:
        body = {"name": 'Æther\u2028 & "Co"', "addresses": [{"city": "Leith", "country": "GB"}]}
        [lead] = await store.write(actor, [Change.create(Lead, body)], TEST, answer=False)
        first = await row(lead.id)
        await store.write(actor, [rename(lead.id, "Harbour")], TEST, answer=False)
        second = await row(lead.id)
        await store.write(actor, [Change.delete(Lead, lead.id)], TEST, answer=False)
        events = [event for event in await log(store, actor) if event["object_id"] == lead.id]
        created, updated, deleted = events
        assert created["before"] is None
        assert json.loads(created["after"]) == first
        assert created["changed"] == []
        assert updated["changed"] == ["date_updated", "name"]
        assert json.loads(updated["before"]) == {
            "name": first["name"],
            "date_updated": first["date_updated"],
        }
        assert json.loads(updated["after"]) == second
        assert json.loads(deleted["before"]) == second
        assert deleted["after"] is None
        assert deleted["changed"] == []

    program.run(scenario())


def test_the_log_cannot_be_changed_by_the_program_itself(
    program: Program, organization: Organization
) -> None:
    store, actor = program.store, organization.actor()

    async def attempt(sql: str) -> None:
        async with store.database.tenant(actor.tenant) as transaction:
            await transaction.execute(sql)

    for sql in (
        "update event set reason = 'none'",
        "delete from event",
        "update event_body set after = null",
        "truncate event_body",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            program.run(attempt(sql))


def test_the_digest_is_that_of_the_salt_and_the_stored_states(
    program: Program, organization: Organization
) -> None:
    store, actor = program.store, organization.actor()

    def parts(event: Row) -> list[bytes]:
        states = [(event[name] or "").encode() for name in ("before", "after")]
        return [event["salt"], *states]

    async def scenario() -> None:
        lead = await make(store, actor, 'Ærø \U0001f6a2 \\ " \u2028')
        await store.write(actor, [rename(lead, "Harbour")], TEST, answer=False)
        await store.write(actor, [Change.delete(Lead, lead)], TEST, answer=False)
        events = await log(store, actor)
        assert len({event["salt"] for event in events}) == len(events)
        for event in events:
            text = b"".join(len(part).to_bytes(8, "big") + part for part in parts(event))
            assert event["digest"] == hashlib.sha256(text).digest()

    program.run(scenario())


def test_an_event_outlives_the_erasure_of_its_body(
    program: Program, organization: Organization
) -> None:
    store, actor = program.store, organization.actor()

    async def scenario() -> None:
        lead = await make(store, actor)
        before = await log(store, actor)
        [erased] = [event for event in before if event["object_id"] == lead]
        async with store.database.tenant(actor.tenant) as transaction:
            await transaction.execute(
                "delete from event_body where organization_id = $1 and seq = $2",
                actor.organization_id,
                erased["seq"],
            )
        after = await log(store, actor)
        gone = {"before": None, "after": None, "salt": None}
        assert after == [event | gone if event is erased else event for event in before]
        await catch_up(store.database, SEAL, actor.organization_id)
        assert await verify(store.database, actor.organization_id) is None

    program.run(scenario())


_ID = re.compile(r"\b([a-z]+_)[0-9A-Za-z]{22}\b")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00")


def alike(body: bytes) -> Any:
    """An answer without what differs from one time to the next: ids and times."""
    return json.loads(_TIME.sub("TIME", _ID.sub(r"\1ID", body.decode())))


def test_a_dry_run_answers_like_the_real_one_and_leaves_nothing(
    program: Program, organization: Organization
) -> None:
    told: list[str] = []
    store = Store(program.store.database, program.store.declared, told.append)
    actor = organization.actor()

    async def both(*changes: Any) -> None:
        """The same changes dry, then for good."""
        stored = await everything(store, actor)
        dry = await store.write(actor, [make() for make in changes], TEST, mode="dry_run")
        assert await everything(store, actor) == stored
        assert told == []
        real = await store.write(actor, [make() for make in changes], TEST)
        assert [alike(one.body) for one in dry] == [alike(one.body) for one in real]
        assert await everything(store, actor) != stored
        assert told.pop() == actor.organization_id
        assert told == []

    async def scenario() -> None:
        known = await make(store, actor)
        told.clear()
        body = {
            "name": "Harbour",
            "contacts": [{"name": "Ada", "phones": [{"phone": "+44131555"}]}],
        }
        await both(lambda: Change.create(Lead, body))
        await both(
            lambda: Change.create(Contact, {"name": "Bo"}),
            lambda: Change.create(Contact, {"name": "Cy", "lead_id": known}),
            lambda: Change.create(LeadStatus, {"label": "Lost"}),
        )
        await both(lambda: rename(known, "Hafen"))
        await both(lambda: Change.delete(Lead, known))

    program.run(scenario())


def test_a_dry_run_is_refused_like_the_real_one(
    program: Program, organization: Organization
) -> None:
    store, actor = program.store, organization.actor()
    stored = program.run(everything(store, actor))
    refusals = []
    for mode in ("dry_run", "commit"):
        change = Change.create(LeadStatus, {"label": "potential"})
        with pytest.raises(ApiError) as refused:
            program.run(store.write(actor, [change], TEST, mode=mode))
        refusals.append((refused.value.status, refused.value.body))
    assert refusals[0] == refusals[1]
    assert program.run(everything(store, actor)) == stored


def test_a_request_can_be_a_dry_run(organization: Organization, api: Api) -> None:
    program = organization.program
    lead = api.post("/lead/", {"name": "Harbour"})
    stored = program.run(everything(program.store, organization.system))
    assert api.post("/lead/", {"name": "Dry"}, _dry_run="true")["name"] == "Dry"
    assert api.put(f"/lead/{lead['id']}/", {"name": "Dry"}, _dry_run="true")["name"] == "Dry"
    assert api("DELETE", f"/lead/{lead['id']}/", _dry_run="true").status_code == 200
    assert program.run(everything(program.store, organization.system)) == stored


def test_an_update_that_changes_nothing_leaves_no_trace(
    program: Program, organization: Organization
) -> None:
    told: list[str] = []
    store = Store(program.store.database, program.store.declared, told.append)
    actor = organization.actor()

    async def scenario() -> None:
        body = {"name": "Harbour", "contacts": [{"name": "Ada"}]}
        made = json.loads((await store.write(actor, [Change.create(Lead, body)], TEST))[0].body)
        told.clear()
        stored = await everything(store, actor)
        later = replace(actor, clock=lambda: actor.clock() + timedelta(hours=1))
        [lead, contact] = await store.write(
            later,
            [
                Change.update(Lead, made["id"], {"name": " Harbour ", "nonsense": 1}),
                Change.update(Contact, made["contacts"][0]["id"], {"name": "Ada", "title": None}),
            ],
            TEST,
        )
        assert json.loads(lead.body) == made
        assert json.loads(contact.body) == made["contacts"][0]
        assert await everything(store, actor) == stored
        assert told == []

    program.run(scenario())
