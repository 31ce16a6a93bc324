"""What a person who is signed in changes of how they sign in.

The password is proved again, so that a session alone, left open somewhere, takes nobody's login.
"""

from clinch.identity.passwords import Login, hash_password, new_password, prove_password
from clinch.identity.second_factor import (
    Setup,
    WrongCode,
    activate,
    ask_for_code,
    set_up,
    state,
    turn_off,
)
from clinch.identity.sessions import end_sessions
from clinch.identity.sign_in_events import log_sign_in_change
from clinch.identity.throttle import forgive, take_back
from clinch.resources.actor import Actor, Provenance
from clinch.resources.errors import BadRequest
from clinch.resources.store import Store
from clinch.vault.vault import Vault


async def change_password(
    store: Store, actor: Actor, password: str, chosen: object, provenance: Provenance
) -> None:
    """Set another password and end the user's other sessions, and links that would set one."""
    chosen = new_password(chosen, "new_password")
    login = await _proved(store, actor, password)
    hashed = await hash_password(chosen)
    async with store.database.tenant(actor.tenant) as transaction:
        await transaction.execute(
            "update login set password_hash = $2 where user_id = $1", login.user_id, hashed
        )
        await transaction.execute("delete from link where user_id = $1", login.user_id)
        await end_sessions(transaction, login.user_id, but=actor.tenant.credential_id)
        await log_sign_in_change(store, transaction, actor, login.user_id, "password", provenance)


async def set_up_second_factor(store: Store, vault: Vault, actor: Actor, password: str) -> Setup:
    """A secret for an app, which counts from its first code on; raises BadRequest where one is."""
    login = await _proved(store, actor, password)
    async with store.database.tenant(actor.tenant) as transaction:
        return await set_up(transaction, vault, login.user_id, login.email)


async def activate_second_factor(
    store: Store, vault: Vault, actor: Actor, code: str, provenance: Provenance
) -> list[str]:
    """Ask for codes from now on; the recovery codes. Raises WrongCode and BadRequest."""
    user_id = actor.user_id or ""
    async with store.database.tenant(actor.tenant) as transaction:
        codes = await activate(transaction, vault, user_id, code, actor.clock())
        if codes is None:
            raise WrongCode
        await log_sign_in_change(store, transaction, actor, user_id, "second_factor", provenance)
    return codes


async def turn_off_second_factor(
    store: Store, vault: Vault, actor: Actor, password: str, code: str, provenance: Provenance
) -> None:
    """Ask for codes no longer; raises Unauthorized, WrongCode and BadRequest."""
    async with store.database.tenant(actor.tenant) as transaction:
        if not (await state(transaction, actor.user_id or "")).active:
            raise BadRequest("There is no second factor to turn off.")
    login = await _begin_proof(store, actor, password)
    async with store.database.tenant(actor.tenant) as transaction:
        refusal = await ask_for_code(transaction, vault, login, code, actor.clock())
    if refusal is not None:
        raise refusal
    async with store.database.tenant(actor.tenant) as transaction:
        await turn_off(transaction, login.user_id)
        await forgive(transaction, login.email)
        await log_sign_in_change(
            store, transaction, actor, login.user_id, "second_factor", provenance
        )


async def _proved(store: Store, actor: Actor, password: str) -> Login:
    """The actor's login, whose password was sent; raises Unauthorized and TooManyTries."""
    login = await _begin_proof(store, actor, password)
    async with store.database.tenant(actor.tenant) as transaction:
        await take_back(transaction, login.email)
    return login


async def _begin_proof(store: Store, actor: Actor, password: str) -> Login:
    """The same, with the try still counted as failed until a code has come as well."""
    async with store.database.tenant(actor.tenant) as transaction:
        email = await transaction.value("select email from login where user_id = $1", actor.user_id)
    return await prove_password(store.database, email, password, actor.clock())
