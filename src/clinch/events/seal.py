"""The seal: a hash chain over the log, which shows whether an event was altered or taken out.

Each link is SHA-256 over the link before it and an event's row; one link a batch is kept.
`verify` computes the chain anew and says where it breaks.
"""

import hashlib
from itertools import pairwise

import msgspec

from clinch.db.database import Database, Tenant, Transaction
from clinch.db.schema import Column, tenant_table
from clinch.events.follower import Event, Follower
from clinch.resources.write.log import EVENT, digest

EVENT_SEAL = tenant_table(
    "event_seal",
    Column("seq", "bigint"),
    Column("chain", "bytea"),
    key=("seq",),
    rights="select, insert",
)

_START = bytes(32)
_BATCH = 1_000
_SAID = tuple(column.name for column in EVENT.columns[1:])
_COLUMNS = ", ".join(f"e.{name}" for name in _SAID)
_SAID_IF_ANY = {"meta", "oauth_client_id", "oauth_scope"}
"""What came to the row after the first seals were made, so that these hold still."""


def link(chain: bytes, event: Event) -> bytes:
    """The next link: over the last one and all that the event's row says, its digest included."""
    said = {
        name: event[name] for name in _SAID if name not in _SAID_IF_ANY or event[name] is not None
    }
    return hashlib.sha256(chain + msgspec.json.encode(said)).digest()


async def seal(transaction: Transaction, organization_id: str, events: list[Event]) -> None:
    """Add the link that closes these events; what a seal covers already keeps it."""
    last = await transaction.rows(
        "select seq, chain from event_seal where organization_id = $1 order by seq desc limit 1",
        organization_id,
    )
    reached, chain = last[0] if last else (0, _START)
    new = [event for event in events if event["seq"] > reached]
    if not new:
        return
    for event in new:
        chain = link(chain, event)
    await transaction.execute(
        "insert into event_seal (organization_id, seq, chain) values ($1, $2, $3)",
        organization_id,
        new[-1]["seq"],
        chain,
    )


SEAL = Follower("seal", seal)


async def verify(database: Database, organization_id: str) -> str | None:
    """None when the log is whole up to its last seal, else one line that says where it is not.

    Bodies are held against their digests; one that was erased is passed over.
    """
    chain, reached = _START, 0
    async with database.tenant(Tenant(organization_id)) as transaction:
        rows = await transaction.rows(
            "select seq, chain from event_seal where organization_id = $1 order by seq",
            organization_id,
        )
        seals = {row["seq"]: row["chain"] for row in rows}
        end = max(seals, default=0)
        while reached < end:
            events = await transaction.rows(
                f"select {_COLUMNS}, b.salt, b.before, b.after from event e"
                " left join event_body b on b.organization_id = $1 and b.seq = e.seq"
                " where e.organization_id = $1 and e.seq > $2 and e.seq <= $3"
                " order by e.seq limit $4",
                organization_id,
                reached,
                end,
                _BATCH,
            )
            numbers = [reached, *(event["seq"] for event in events)]
            gap = next((b for a, b in pairwise(numbers) if b != a + 1), None)
            if gap is not None or not events:
                return f"the log has a gap before event {gap or end}"
            for event in map(dict, events):
                if event["salt"] is not None and _digest(event) != event["digest"]:
                    return f"event {event['seq']} or its body was altered"
                chain = link(chain, event)
                if seals.get(event["seq"], chain) != chain:
                    return f"the log was altered at or before event {event['seq']}"
            reached = events[-1]["seq"]
    return None


def _digest(event: Event) -> bytes:
    before, after = (
        text.encode() if text is not None else None for text in (event["before"], event["after"])
    )
    return bytes.fromhex(digest(event["salt"], before, after))
