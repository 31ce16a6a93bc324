"""The log tells all: whatever was written, replaying it from empty gives the tables' rows."""

import asyncio
import json
import os
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import asyncpg
from harness import TEST, Program
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from clinch.crm.activities.calls import Call
from clinch.crm.activities.email_threads import EmailThread
from clinch.crm.activities.emails import Email
from clinch.crm.activities.notes import Note
from clinch.crm.activities.sms import SMS
from clinch.crm.activities.whatsapp_messages import WhatsappMessage
from clinch.crm.beginning import first_objects
from clinch.crm.contacts import Contact
from clinch.crm.custom_fields import LeadCustomField
from clinch.crm.lead_statuses import LeadStatus
from clinch.crm.leads import Lead, merge_leads
from clinch.crm.opportunities import Opportunity
from clinch.crm.tasks import Task
from clinch.db.ids import new_id
from clinch.identity.organizations import create_organization
from clinch.resources.actor import Actor
from clinch.resources.declaration import Resource, counter
from clinch.resources.errors import ApiError
from clinch.resources.fields import stored_time
from clinch.resources.search_text import fold
from clinch.resources.store import Store
from clinch.resources.write.change import Change, ChangeKind
from clinch.resources.write.measured import mend
from clinch.resources.write.summaries import recount

SOAK = os.environ.get("CLINCH_SOAK") == "1"
CAMPAIGN = settings(
    max_examples=5_000 if SOAK else 150,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
RACE = settings(
    CAMPAIGN, max_examples=1_000 if SOAK else 20, phases=[Phase.generate], print_blob=False
)

Row = dict[str, Any]
Rows = dict[tuple[str, str], Row]


@dataclass(frozen=True)
class Wish:
    """A change as it is drawn: `pick` chooses among the objects that there are by then.

    A value under a reference's key is such a choice too; None leaves it null. One under `heir`
    chooses the lead that a lead is merged into.
    """

    kind: ChangeKind
    resource: type[Resource]
    pick: int
    body: dict[str, Any] = field(hash=False)


@dataclass(frozen=True)
class Step:
    wishes: list[Wish]
    dry: bool


TEXTS = st.one_of(
    st.sampled_from(["", " ", "Harbour", "harbour", "ﬁsh ẞ Ǆ", '"\\', "\u2028", None]),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=12),
)
UNKNOWN = 30
PICKS = st.integers(0, UNKNOWN)
REFS = st.one_of(PICKS, PICKS, PICKS, st.none())
CONTACT = {
    "name": TEXTS,
    "title": TEXTS,
    "emails": st.lists(
        st.fixed_dictionaries({"email": st.sampled_from(["a@b.example", "B@c.example"])}),
        max_size=2,
    ),
    "phones": st.lists(
        st.fixed_dictionaries({"phone": st.sampled_from(["+441315550100", "4155550100"])}),
        max_size=2,
    ),
    "timezone": st.sampled_from([None, "Europe/London"]),
    "date_created": st.sampled_from(["2020-02-29", "2021-05-05T10:11:12.1+02:00"]),
    "nonsense": st.none(),
}
LEAD = {
    "custom.Seats": st.sampled_from([5, -0.25, "12.50", 10**30, None]),
    "custom.Renewal": st.sampled_from(["2026-03-05", "1999-12-31T23:59:59+01:00", None]),
    "custom.Source": st.sampled_from(["2026-03-05", "fair", None]),
    "name": TEXTS,
    "description": TEXTS,
    "url": st.sampled_from(["harbour.example", "https://x.example/?q=1", None]),
    "status": st.sampled_from(["Potential", "Qualified", "Customer", None]),
    "status_id": REFS,
    "addresses": st.lists(
        st.fixed_dictionaries({"city": TEXTS, "country": st.sampled_from(["GB", "xx", None])}),
        max_size=2,
    ),
    "contacts": st.lists(st.fixed_dictionaries({}, optional=CONTACT), max_size=3),
}
STATUS = {
    "label": st.sampled_from(["Potential", "QUALIFIED", "Lost", "Won", "Later", "ﬁsh"]),
    "color": TEXTS,
    "position": st.integers(-2, 9),
}
MAILBOXES = st.sampled_from(["a@b.example", "Bo <B@c.example>", "c@c.example"])
MESSAGE_IDS = st.sampled_from(["<1@b.example>", "<2@b.example>", "<3@c.example>"])
BODIES: dict[type[Resource], dict[str, st.SearchStrategy[Any]]] = {
    Lead: LEAD,
    Contact: CONTACT | {"lead_id": REFS},
    LeadStatus: STATUS,
    Opportunity: {
        "lead_id": REFS,
        "contact_id": REFS,
        "value": st.integers(0, 9),
        "value_period": st.sampled_from(["one_time", "monthly"]),
        "status": st.sampled_from(["Active", "Won", "Lost"]),
        "note": TEXTS,
    },
    Task: {
        "lead_id": REFS,
        "text": st.sampled_from(["Call back", "Write"]),
        "date": st.sampled_from(["2026-03-01", "2026-03-02T10:00:00+00:00", None]),
        "is_complete": st.booleans(),
    },
    Note: {"lead_id": REFS, "contact_id": REFS, "note": TEXTS, "pinned": st.booleans()},
    Call: {
        "lead_id": REFS,
        "direction": st.sampled_from(["inbound", "outbound", None]),
        "activity_at": st.sampled_from(["2026-03-01", "2025-03-02T10:00:00+00:00"]),
        "duration": st.integers(0, 90),
        "note_html": st.sampled_from(["<b>Good</b>", "", None]),
    },
    Email: {
        "lead_id": REFS,
        "contact_id": REFS,
        "status": st.sampled_from(["inbox", "sent", "sent", "draft", "error"]),
        "sender": MAILBOXES,
        "to": st.lists(MAILBOXES, max_size=2),
        "subject": st.sampled_from(["Quote", "RE: Quote", "Price", "", None]),
        "body_html": st.sampled_from(["<p>Good</p>", "", None]),
        "message_ids": st.lists(MESSAGE_IDS, max_size=1),
        "references": st.lists(MESSAGE_IDS, max_size=2),
        "in_reply_to_id": REFS,
        "activity_at": st.sampled_from(["2026-03-01", "2025-03-02T10:00:00+00:00", None]),
    },
    EmailThread: {},
    SMS: {
        "lead_id": REFS,
        "status": st.sampled_from(["inbox", "sent", "draft"]),
        "text": TEXTS,
        "remote_phone": st.sampled_from(["+441315550100", None]),
        "activity_at": st.sampled_from(["2026-03-01", "2025-03-02T10:00:00+00:00", None]),
    },
    WhatsappMessage: {
        "lead_id": REFS,
        "contact_id": REFS,
        "direction": st.sampled_from(["incoming", "outgoing"]),
        "message_markdown": st.sampled_from(["*Good*", "Good"]),
        "activity_at": st.sampled_from(["2026-03-01", "2025-03-02T10:00:00+00:00"]),
    },
}
# What a new object is hardly made without.
NEEDED: dict[type[Resource], dict[str, st.SearchStrategy[Any]]] = {
    LeadStatus: {"label": STATUS["label"]},
    Email: {"lead_id": PICKS, "status": BODIES[Email]["status"], "sender": MAILBOXES},
    SMS: {"lead_id": PICKS, "status": BODIES[SMS]["status"]},
    WhatsappMessage: {
        "lead_id": PICKS,
        "contact_id": PICKS,
        "direction": st.just("incoming"),
        "external_whatsapp_message_id": st.just("wamid.1"),
        "local_phone": st.just("+441315550100"),
        "remote_phone": st.just("+441315550101"),
        "message_markdown": st.just("Good"),
        "activity_at": st.just("2026-03-02"),
    },
}
MISTAKES: dict[type[Resource], list[dict[str, Any]]] = {
    Lead: [
        {"name": 7},
        {"name": "x" * 1001},
        {"name": "\x00"},
        {"url": "ftp://x"},
        {"status": "Unknown"},
        {"contacts": [{}, {"timezone": "Mars"}]},
        {"addresses": [7]},
    ],
    Contact: [
        {"emails": [{"email": "no"}]},
        {"phones": [{"phone": "no"}]},
        {"title": ["x"]},
        {"date_created": "never"},
        {"timezone": "Mars/Olympus"},
    ],
    LeadStatus: [{"label": ""}, {"label": None}, {"position": "first"}],
    Opportunity: [{"confidence": 101}, {"value": -1}],
    Task: [{"date": "never"}, {"text": 7}],
    Note: [{"pinned": "yes"}, {"note": 7}],
    Call: [{"duration": -1}, {"direction": "up"}, {"recording_url": "http://x.example"}],
    Email: [{"status": "outbox"}, {"to": ["no"]}, {"opens": [{}]}],
    EmailThread: [{}],
    SMS: [{"status": "scheduled"}, {"remote_phone": "no"}],
    WhatsappMessage: [{"direction": "up"}, {"integration_link": "ftp://x"}],
}
TIMES = ("date_created", "activity_at")
KINDS: list[ChangeKind] = ["create", "create", "update", "update", "update", "delete"]

RESOURCES: list[type[Resource]] = [
    *(Lead, Lead, Contact, Contact, Contact),
    *(LeadStatus, Opportunity, Opportunity, Task, Note, Call),
    *(Email, Email, Email, EmailThread, SMS, WhatsappMessage),
]


@st.composite
def wishes(draw: st.DrawFn) -> Wish:
    resource = draw(st.sampled_from(RESOURCES))
    # A thread comes with a mail and changes with its mails.
    kind: ChangeKind = "delete" if resource is EmailThread else draw(st.sampled_from(KINDS))
    known = BODIES[resource] if kind != "delete" else {}
    keys = draw(st.lists(st.sampled_from(list(known)), unique=True, max_size=4)) if known else []
    body = {key: draw(known[key]) for key in keys}
    if draw(st.integers(0, 14)) == 14:
        body |= draw(st.sampled_from(MISTAKES[resource]))
    if kind == "create":
        for key, values in NEEDED.get(resource, {}).items():
            body.setdefault(key, draw(values))
    return Wish(kind, resource, draw(PICKS), {} if kind == "delete" else body)


MERGES = st.builds(
    Wish, st.just("delete"), st.just(Lead), PICKS, st.fixed_dictionaries({"heir": PICKS})
)


STEPS = st.builds(
    Step,
    st.one_of(
        st.lists(wishes(), min_size=1, max_size=1),
        st.lists(wishes(), min_size=2, max_size=5),
        st.lists(MERGES, min_size=1, max_size=1),
    ),
    st.sampled_from([False, False, False, False, True]),
)
FIELDS = Step(
    [
        Wish("create", LeadCustomField, 0, {"name": name, "type": type})
        for name, type in (("Seats", "number"), ("Renewal", "datetime"), ("Source", "text"))
    ],
    dry=False,
)
START = Step(
    [
        Wish("create", Lead, 0, {"name": name, "contacts": [{"name": "Ada"}, {"name": "Bo"}]})
        for name in ("Harbour Tools", "Hafen", "Port")
    ],
    dry=False,
)


class Ledger:
    """An organization that steps are taken in, and what is known of it from its log alone."""

    def __init__(self, store: Store, actor: Actor, owner: asyncpg.Connection) -> None:
        self._store, self._actor, self._owner = store, actor, owner
        self.committed = self.refused = 0

    async def take(self, step: Step) -> None:
        """Carry out a step, or have it refused."""
        changes = await self._changes(step.wishes)
        try:
            await self._store.write(
                self._actor, changes, TEST, mode="dry_run" if step.dry else "commit"
            )
            self.committed += not step.dry
        except (ApiError, asyncpg.DeadlockDetectedError):
            self.refused += 1

    async def take_alone(self, step: Step) -> None:
        """The same, while nobody else writes: what is not committed must change nothing."""
        before, committed = await self.everything(), self.committed
        await self.take(step)
        if self.committed == committed:
            assert await self.everything() == before

    async def _changes(self, wished: list[Wish]) -> list[Change]:
        """The wishes over the objects that are there, or are made by the same list."""
        made = [
            Change.create(wish.resource, wish.body, new_id(wish.resource.prefix))
            for wish in wished
            if wish.kind == "create"
        ]
        there = await self._objects()
        for wish in wished:
            if "heir" in wish.body:
                return merge_leads(
                    *(self._picked(there, "lead", pick) for pick in (wish.pick, wish.body["heir"]))
                )
        for change in made:
            there.setdefault(change.resource.noun, []).append(change.id)
        new = iter(made)
        changes: dict[str, Change] = {}
        for wish in wished:
            if wish.kind == "create":
                change = next(new)
            else:
                id = self._picked(there, wish.resource.noun, wish.pick)
                change = Change(wish.kind, wish.resource, id, wish.body)
            change.body = wish.body | {
                ref.column: self._picked(there, ref.target, wish.body[ref.column])
                for ref in wish.resource.refs
                if wish.body.get(ref.column) is not None
            }
            changes.setdefault(change.id, change)
        return list(changes.values())

    @staticmethod
    def _picked(there: dict[str, list[str]], noun: str, pick: int) -> str:
        known = there.get(noun, [])
        return known[pick % len(known)] if known and pick != UNKNOWN else f"{noun}_unknown"

    async def _objects(self) -> dict[str, list[str]]:
        rows = await self._owner.fetch(
            "select object_type, object_id from event e where organization_id = $1"
            " and action = 'created' and not exists (select from event d where"
            " d.organization_id = $1 and d.object_id = e.object_id and d.action = 'deleted')"
            " order by seq",
            self._actor.organization_id,
        )
        nouns = {
            type: resource.noun
            for resource in self._store.declared
            for type in resource.event_types()
        }
        found: dict[str, list[str]] = {}
        for type_name, id in rows:
            found.setdefault(nouns[type_name], []).append(id)
        return found

    async def everything(self) -> list[str]:
        """All that the organization has in resources, counters, search texts and events."""
        names = sorted({resource.table for resource in self._store.declared})
        parts = " union all ".join(
            f"select '{name}' || to_jsonb(t)::text from {name} t where organization_id = $1"
            for name in [*names, "event_clock", "search_text", "custom_value", "event"]
        )
        rows = await self._owner.fetch(f"{parts} order by 1", self._actor.organization_id)
        return [row[0] for row in rows]

    async def check(self) -> None:
        """The tables, the counters and what is derived are what the log says."""
        replayed = await self._replayed()
        stored = await self._stored()
        assert replayed == stored
        await self._check_clock(stored)
        await self._check_search(stored)
        await self._check_summaries()
        self._check_threads(stored)
        database, id = self._store.database, self._actor.organization_id
        assert (await mend(database, self._store.declared, id))[1] == 0

    async def _replayed(self) -> Rows:
        events = await self._owner.fetch(
            "select e.seq, e.at, e.object_type, e.object_id, e.lead_id, e.action, e.changed,"
            " b.before, b.after from event e join event_body b"
            " on b.organization_id = e.organization_id and b.seq = e.seq"
            " where e.organization_id = $1 order by e.seq",
            self._actor.organization_id,
        )
        names_of = {
            type: {f.column: f.key for f in resource.stored_fields}
            for resource in self._store.declared
            for type in resource.event_types()
        }
        rows: Rows = {}
        moved: dict[str | None, datetime] = {}
        for number, event in enumerate(events, start=1):
            assert event["seq"] == number
            if event["at"] not in moved.values():  # another write
                self._move(rows, moved)
            key = (event["object_type"], event["object_id"])
            before: Any = json.loads(event["before"] or "null")
            after: Any = json.loads(event["after"] or "null")
            if event["action"] == "created":
                assert before is None
                assert key not in rows
                rows[key] = after
            elif event["action"] == "updated":
                was = rows[key]
                assert before == {name: was[name] for name in after if after[name] != was[name]}
                names = {names_of[event["object_type"]][column] for column in before}
                assert names - {"custom"} <= set(event["changed"])
                assert event["changed"]
                rows[key] = after
            elif event["action"] in (
                "completed",
                "merged",
            ):  # says what the object is, and changes nothing
                assert (before, event["changed"]) == (None, [])
                assert after == rows[key]
            else:
                assert (event["action"], after) == ("deleted", None)
                assert before == rows.pop(key)
            for state in (before, after):
                moved[(state or {}).get("lead_id")] = event["at"]
        self._move(rows, moved)
        return rows

    @staticmethod
    def _move(rows: Rows, moved: dict[str | None, datetime]) -> None:
        """What happened to anything that belongs to a lead has moved the lead's time."""
        for id, at in moved.items():
            lead = rows.get(("lead", id or ""))
            if lead is not None:
                moments = (lead["date_updated"], stored_time(at))
                lead["date_updated"] = max(moments, key=datetime.fromisoformat)
        moved.clear()

    async def _stored(self) -> Rows:
        rows: Rows = {}
        for resource in self._store.declared:
            if resource.variants:
                continue
            for (text,) in await self._owner.fetch(
                f"select to_jsonb(t)::text from {resource.table} t where organization_id = $1",
                self._actor.organization_id,
            ):
                row = json.loads(text)
                if any(row[name] != word for name, word in resource.only.items()):
                    continue
                assert set(row) >= {column.name for column in resource.columns()}
                packed = {f.column: f.empty() for f in resource.packed_fields}
                row |= packed | (row["data"] if packed else {})
                kept = {name: row[name] for name in resource.logged_columns}
                rows[resource.event_type_of(row), row["id"]] = kept
        return rows

    async def _check_clock(self, stored: Rows) -> None:
        clock = await self._owner.fetchrow(
            "select c.*, (select count(*) from event e where e.organization_id = $1) as events"
            " from event_clock c where c.organization_id = $1",
            self._actor.organization_id,
        )
        assert clock["seq"] == clock["events"]
        for resource in self._store.declared:
            if resource.counted:
                count = sum(type_name in resource.event_types() for type_name, _ in stored)
                assert clock[counter(resource)] == count

    async def _check_search(self, stored: Rows) -> None:
        rows = await self._owner.fetch(
            "select id, lead_id, text from search_text where organization_id = $1",
            self._actor.organization_id,
        )
        wanted = {
            id: (row[resource.search_lead], fold(resource.search_texts(row)))
            for resource in self._store.declared
            if resource.search_lead is not None
            for (type_name, id), row in stored.items()
            if type_name in resource.event_types()
        }
        assert {row["id"]: (row["lead_id"], row["text"]) for row in rows} == wanted

    @staticmethod
    def _check_threads(stored: Rows) -> None:
        """Each mail that is no draft is in a thread of its lead, and threads say what theirs do."""
        threads = {
            id: row for (kind, id), row in stored.items() if kind == EmailThread.event_type()
        }
        mails: dict[str, list[Row]] = {id: [] for id in threads}
        for (kind, _), row in stored.items():
            if kind != Email.event_type():
                continue
            thread = row[Email.about.column]
            assert (thread is None) == (row["status"] == "draft")
            if thread is not None:
                assert threads[thread]["lead_id"] == row["lead_id"]
                mails[thread].append(row)
        for id, thread in threads.items():
            times = sorted(stored_time(datetime.fromisoformat(m["activity_at"])) for m in mails[id])
            latest = max(
                mails[id], key=lambda m: (datetime.fromisoformat(m["activity_at"]), m["id"])
            )
            assert thread["n_emails"] == len(times)
            told = [stored_time(datetime.fromisoformat(thread[key])) for key in TIMES]
            assert told == [times[0], times[-1]]
            assert (thread["contact_id"], thread["user_id"]) == (
                latest["contact_id"],
                latest["user_id"],
            )

    async def _check_summaries(self) -> None:
        async with self._store.database.everyone() as transaction:
            organization_id = self._actor.organization_id
            assert not any(
                (await recount(transaction, self._store.declared, organization_id)).values()
            )


async def play(store: Store, hands: list[list[Step]]) -> None:
    """Take the steps of each hand in turn, the hands at once when there are several."""
    actor = await create_organization(store, "Harbour Sales", TEST, first_objects())
    owner = await asyncpg.connect(store.database.url, server_settings={"timezone": "UTC"})
    owners = [owner]
    try:
        ledger = Ledger(store, actor, owner)
        await ledger.take(FIELDS)
        await ledger.take(START)
        if len(hands) == 1:
            for step in hands[0]:
                await ledger.take_alone(step)
        else:
            owners += [await asyncpg.connect(store.database.url) for _ in hands]
            ledgers = [Ledger(store, actor, own) for own in owners[1:]]

            async def hand(ledger: Ledger, steps: list[Step]) -> None:
                for step in steps:
                    await ledger.take(step)

            await asyncio.gather(*map(hand, ledgers, hands))
        await ledger.check()
    finally:
        for connection in owners:
            await connection.close()


@CAMPAIGN
@given(steps=st.lists(STEPS, min_size=3, max_size=12))
def test_replaying_the_log_from_empty_gives_the_tables(program: Program, steps: list[Step]) -> None:
    program.run(play(program.store, [steps]))


@RACE
@given(hands=st.lists(st.lists(STEPS, min_size=8, max_size=15), min_size=4, max_size=4))
def test_replaying_gives_the_tables_when_four_write_at_once(
    program: Program, hands: list[list[Step]]
) -> None:
    program.run(play(program.store, hands))
