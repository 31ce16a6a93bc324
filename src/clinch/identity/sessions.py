"""Sessions: a credential that a password, and a code where there is a second factor, give; it ends
by itself."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from clinch.db.database import Database, Tenant, Transaction
from clinch.db.ids import made_at
from clinch.identity.credentials import Unauthorized, issue, withdraw
from clinch.identity.passwords import Login, prove_password
from clinch.identity.second_factor import ask_for_code
from clinch.identity.throttle import forgive
from clinch.resources.actor import Actor
from clinch.resources.write.work import Work
from clinch.vault.vault import Vault

LIFETIME = timedelta(days=14)
PREFIX = "sess"

# The sessions of a user, over all of their organizations.
_OF_USER = (
    " from login l, credential c where l.user_id = $1 and c.user_id = l.user_id"
    f" and c.organization_id = any(l.organization_ids) and starts_with(c.id, '{PREFIX}_')"
)


@dataclass(frozen=True, slots=True)
class SignIn:
    """What somebody sends to sign in; `organization` is a public id, None for the first one."""

    email: str
    password: str
    code: str | None = None
    organization: str | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """A session that has not ended, and the public id of its organization."""

    id: str
    organization: str
    date_created: datetime
    expires_at: datetime


async def sign_in(database: Database, vault: Vault, sent: SignIn, now: datetime) -> str:
    """The secret text of a new session.

    Raises Unauthorized without saying what was wrong, CodeNeeded, WrongCode, and TooManyTries
    after five failures.
    """
    login = await prove_password(database, sent.email, sent.password, now)
    async with database.installation() as transaction:
        refusal = await ask_for_code(transaction, vault, login, sent.code, now)
    if refusal is not None:
        raise refusal
    organization_id = await _membership(database, login, sent.organization)
    async with database.installation() as transaction:
        await forgive(transaction, login.email)
        _, secret = await issue(transaction, PREFIX, organization_id, login.user_id, now + LIFETIME)
    return secret


def is_session(actor: Actor) -> bool:
    """Whether somebody is at work in a page, and no program with a key."""
    return (actor.tenant.credential_id or "").startswith(f"{PREFIX}_")


async def sign_out(database: Database, session: str) -> None:
    """End a session at once."""
    async with database.installation() as transaction:
        await withdraw(transaction, PREFIX, session)


async def own_sessions(transaction: Transaction, actor: Actor) -> list[Session]:
    """The actor's sessions in all organizations, the newest first."""
    rows = await transaction.rows(
        "select c.id, (select d.id from organization_directory d"
        f" where d.organization_id = c.organization_id), c.expires_at {_OF_USER}"
        " and c.expires_at > $2 order by c.id desc",
        actor.user_id,
        actor.clock(),
    )
    return [Session(id, organization, made_at(id), expires) for id, organization, expires in rows]


async def end_session(transaction: Transaction, user_id: str, id: str) -> bool:
    """End one session of a user; whether there was such a one."""
    sql = f"delete from credential where id = (select c.id {_OF_USER} and c.id = $2) returning id"
    return await transaction.value(sql, user_id, id) is not None


async def end_sessions(transaction: Transaction, user_id: str, *, but: str | None = None) -> None:
    """End all sessions of a user, but one."""
    await transaction.execute(
        f"delete from credential where id in (select c.id {_OF_USER} and c.id is distinct from $2)",
        user_id,
        but,
    )


def end_sessions_of(work: Work, user_ids: list[str]) -> None:
    """End, with a write, the sessions that users have in its organization."""
    work.also(
        "delete from credential where organization_id = $1 and user_id = any($2)"
        f" and starts_with(id, '{PREFIX}_')",
        work.actor.organization_id,
        user_ids,
    )


async def _membership(database: Database, login: Login, wanted: str | None) -> str:
    """The first of the organizations in which the user is active, or the wanted one."""
    for organization_id in login.organization_ids:
        async with database.tenant(Tenant(organization_id)) as transaction:
            public_id = await transaction.value(
                "select o.id from organization o join membership m on m.organization_id = $1"
                " and m.user_id = $2 and m.active where o.organization_id = $1",
                organization_id,
                login.user_id,
            )
        if public_id is not None and wanted in (None, public_id):
            return organization_id
    raise Unauthorized
