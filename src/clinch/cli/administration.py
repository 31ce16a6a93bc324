"""The commands that work on the database itself: organizations, users, keys, its state of health.

Each takes the store and the arguments of its command line, prints what a person or, with `json`,
a program wants to know, and returns the exit code.
"""

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from clinch.cli.sealed import check_keys, give_up, seal_anew, sealed_by
from clinch.crm.beginning import first_objects
from clinch.crm.sample.organization import create_sample
from clinch.db.database import Tenant
from clinch.events.seal import verify
from clinch.gateway.connectors.connector import Connector
from clinch.gateway.connectors.fetching import fetch_document
from clinch.gateway.connectors.imported import ImportedConnectors
from clinch.gateway.connectors.importing import Wanted
from clinch.gateway.connectors.shipped import SHIPPED_KEYS
from clinch.gateway.errors import GatewayError
from clinch.gateway.tenancy.workspace_keys import workspace_key
from clinch.identity.api_keys import ApiKey, create_key
from clinch.identity.authority import role_row
from clinch.identity.invitations import Invitation
from clinch.identity.oauth.clients import (
    organizations_clients,
    register_client,
    remove_client,
)
from clinch.identity.oauth.errors import OAuthError
from clinch.identity.organizations import (
    create_organization,
    delete_organization,
    find_organization,
)
from clinch.identity.passwords import new_password
from clinch.identity.resets import make_reset_link, reset_second_factor
from clinch.identity.roles import PERMISSIONS
from clinch.identity.users import NewUser, create_user
from clinch.outbound.guard import VARIABLE as ALLOWED
from clinch.outbound.guard import SettingError, guard_of
from clinch.outbound.http import Client
from clinch.resources.actor import Actor, Provenance
from clinch.resources.declaration import counter
from clinch.resources.errors import ApiError
from clinch.resources.query.read import Page
from clinch.resources.store import Store
from clinch.resources.write.change import Change
from clinch.resources.write.measured import mend
from clinch.resources.write.summaries import recount
from clinch.vault.keys import KEY_FILE, VARIABLE, KeyFile, SecretKeyError
from clinch.vault.vault import open_vault

FROM_CLI = Provenance(source="cli")

Arguments = dict[str, Any]
SAMPLE_FILE = "sample.json"


class CommandError(Exception):
    """The command cannot be carried out; the message is one line that says what to do."""


async def organization_create(store: Store, arguments: Arguments) -> int:
    name = arguments["name"]
    system = await create_organization(store, name, FROM_CLI, first_objects())
    _tell(arguments, {"organization_id": system.organization, "name": name})
    return 0


async def organization_delete(store: Store, arguments: Arguments) -> int:
    found = await _organization(store, arguments)
    if not arguments["yes"]:
        raise CommandError(
            f"this deletes {found.organization} and everything in it for good; if that is meant,"
            " add --yes"
        )
    await delete_organization(store, found.organization_id)
    _tell(arguments, {"deleted": found.organization})
    return 0


async def user_create(store: Store, arguments: Arguments) -> int:
    system = await _organization(store, arguments)
    await _check_role(store, system, arguments["role"])
    password = sys.stdin.readline().rstrip("\n") if arguments["password_stdin"] else None
    if password is not None:
        new_password(password)
    new = NewUser(
        arguments["email"],
        arguments["first_name"],
        arguments["last_name"],
        arguments["role"],
        password,
    )
    user_id = await create_user(store, system, new, FROM_CLI)
    _tell(arguments, {"user_id": user_id, "email": new.email, "role": new.role_id})
    return 0


async def user_invite(store: Store, arguments: Arguments) -> int:
    system = await _organization(store, arguments)
    await _check_role(store, system, arguments["role"])
    invite = Change.create(Invitation, {"email": arguments["email"], "role_id": arguments["role"]})
    _check_public_url(store)
    [written] = await store.write(system, [invite], FROM_CLI)
    made = json.loads(written.body)
    facts = {name: made[name] for name in ("id", "email", "role_id", "expires_at", "link")}
    _tell(arguments, facts, note="Hand the link over. It is not shown again.")
    return 0


async def user_reset(store: Store, arguments: Arguments) -> int:
    system, user_id = await _login(store, arguments["email"])
    if arguments["second_factor"]:
        await reset_second_factor(store, system, user_id, FROM_CLI)
        _tell(arguments, {"second_factor": "off", "user_id": user_id})
        return 0
    _check_public_url(store)
    made = await make_reset_link(store, system, user_id, FROM_CLI)
    facts = {"link": made.link, "expires_at": made.expires_at.isoformat(timespec="seconds")}
    _tell(arguments, facts, note="Hand the link over. It is not shown again.")
    return 0


async def key_create(store: Store, arguments: Arguments) -> int:
    system = await _organization(store, arguments)
    async with store.reading(system) as transaction:
        user_id = await transaction.value(
            "select u.id from app_user u join membership m on m.organization_id = $1"
            " and m.user_id = u.id and m.active"
            " where u.organization_id = $1 and lower(u.email) = lower($2)",
            system.organization_id,
            arguments["email"],
        )
    if user_id is None:
        raise CommandError(
            f"nobody with the address {arguments['email']} is active in this organization;"
            " add them with: clinch user create"
        )
    key = await create_key(store, system, user_id, arguments["label"], FROM_CLI)
    _tell(arguments, {"api_key": key}, note="Keep it: it is not shown again.")
    return 0


async def key_list(store: Store, arguments: Arguments) -> int:
    system = await _organization(store, arguments)
    keys: list[dict[str, Any]] = []
    more = True
    async with store.reading(system) as transaction:
        while more:
            asked = Page(limit=ApiKey.max_limit, skip=len(keys))
            page = json.loads(await store.reads.page(transaction, system, ApiKey, asked))
            keys += page["data"]
            more = page["has_more"]
    if arguments["json"]:
        print(json.dumps(keys))
    elif not keys:
        print("No keys yet; make one with: clinch key create EMAIL")
    for key in keys if not arguments["json"] else ():
        print(f"{key['id']}  {key['user_name'] or key['user_id']:30}  {key['label']}")
    return 0


async def key_revoke(store: Store, arguments: Arguments) -> int:
    system = await _organization(store, arguments)
    id = arguments["id"].partition(".")[0]
    await store.write(system, [Change.delete(ApiKey, id)], FROM_CLI, answer=False)
    _tell(arguments, {"revoked": id})
    return 0


async def app_create(store: Store, arguments: Arguments) -> int:
    system = await _organization(store, arguments)
    client, secret = await register_client(
        store.database,
        arguments["name"],
        arguments["redirect_uri"],
        system.clock(),
        organization_id=system.organization_id,
        confidential=not arguments["public"],
    )
    facts = {"client_id": client.id} | ({} if secret is None else {"client_secret": secret})
    note = "Keep the secret: it is not shown again." if secret else ""
    _tell(arguments, facts, note=note)
    return 0


async def app_list(store: Store, arguments: Arguments) -> int:
    system = await _organization(store, arguments)
    clients = await organizations_clients(store.database, system.organization_id)
    told = [
        {"client_id": one.id, "name": one.name, "redirect_uris": list(one.redirect_uris)}
        for one in clients
    ]
    if arguments["json"]:
        print(json.dumps(told))
    elif not told:
        print("No apps yet; make one with: clinch app create NAME --redirect-uri URI")
    for one in clients if not arguments["json"] else ():
        print(f"{one.id}  {one.name:30}  {' '.join(one.redirect_uris)}")
    return 0


async def app_revoke(store: Store, arguments: Arguments) -> int:
    system = await _organization(store, arguments)
    if not await remove_client(store.database, system.organization_id, arguments["id"]):
        raise CommandError(f"there is no app {arguments['id']}; see them with: clinch app list")
    _tell(arguments, {"revoked": arguments["id"]})
    return 0


async def workspace_show(store: Store, arguments: Arguments) -> int:
    """The key and secret of an organization's workspace; the secret is a new one on demand."""
    system = await _organization(store, arguments)
    vault = open_vault(Path(arguments["home"]))
    await check_keys(store.database, vault)
    workspace = await workspace_key(
        store.database, vault, system.organization_id, rotate=arguments["rotate"]
    )
    facts = {"workspaceKey": workspace.key, "workspaceSecret": workspace.secret}
    _tell(arguments, facts, note="Keep the secret on servers: it signs for every customer.")
    return 0


async def connector_add(store: Store, arguments: Arguments) -> int:
    system = await _organization(store, arguments)
    source = arguments["source"]
    at = source if "://" in source else ""
    text = await (_fetched(at) if at else _read(source))
    wanted = Wanted(
        arguments["key"], arguments["name"], tuple(arguments["domain"]), arguments["base_url"], at
    )
    connectors = ImportedConnectors(store.database, SHIPPED_KEYS)
    made = await connectors.add(system.tenant, text, wanted, system.clock())
    one = made.connector
    if arguments["json"]:
        told = _connector(one) | {"skipped": made.skipped}
        print(json.dumps(told))
        return 0
    print(f"{one.key}: {len(one.operations)} operations ({one.id})")
    for reason in made.skipped:
        print(f"left out: {reason}", file=sys.stderr)
    return 0


async def _read(path: str) -> bytes:
    try:
        return await asyncio.to_thread(Path(path).read_bytes)
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}") from None


async def _fetched(url: str) -> bytes:
    try:
        client = Client(guard_of(os.environ))
    except SettingError as error:
        raise CommandError(f"{ALLOWED}: {error}") from None
    try:
        return await fetch_document(client, url)
    finally:
        await client.close()


async def connector_list(store: Store, arguments: Arguments) -> int:
    system = await _organization(store, arguments)
    imported = await ImportedConnectors(store.database, SHIPPED_KEYS).of(system.tenant)
    if arguments["json"]:
        print(json.dumps([_connector(one) for one in imported]))
    elif not imported:
        print("No imported connectors yet; make one with: clinch connector add FILE_OR_URL")
    for one in imported if not arguments["json"] else ():
        print(f"{one.key:30}  {one.name:30}  {len(one.operations)} operations")
    return 0


async def connector_remove(store: Store, arguments: Arguments) -> int:
    system = await _organization(store, arguments)
    connectors = ImportedConnectors(store.database, SHIPPED_KEYS)
    removed = await connectors.remove(system.tenant, arguments["connector"])
    _tell(arguments, {"removed": removed.key})
    return 0


def _connector(one: Connector) -> dict[str, Any]:
    return {
        "id": one.id,
        "key": one.key,
        "name": one.name,
        "domains": one.domains,
        "baseUrl": one.base_url,
        "options": [option.key for option in one.options],
        "operations": len(one.operations),
    }


async def vault_rotate(store: Store, arguments: Arguments) -> int:
    """Seal everything under the first key; where there is one key, a new one is put before it."""
    home = Path(arguments["home"])
    vault = open_vault(home)
    await check_keys(store.database, vault)
    if len(vault.names) == 1:
        if os.environ.get(VARIABLE):
            raise CommandError(
                f"{VARIABLE} holds one key: put a new one before it, with a comma between"
                " (`openssl rand -hex 32` prints one), start again with both, and rotate then"
            )
        KeyFile(home).put_new_key_first()
    done, closed = await seal_anew(store.database, vault)
    first, *others = vault.names
    left = await sealed_by(store.database)
    removable = [name for name in others if name not in left]
    if arguments["json"]:
        print(json.dumps({"key": first, "sealed": done, "failed": closed, "removable": removable}))
        return 1 if closed else 0
    for table, number in done.items():
        print(f"{table}: {number} sealed anew by the secret key {first}")
    if closed:
        print(f"{closed} values do not open and were left as they are")
    for name in removable:
        place = VARIABLE if os.environ.get(VARIABLE) else f"the lines of {home / KEY_FILE}"
        print(
            f"The secret key {name} seals nothing any more. In an hour, when `clinch doctor` still"
            f" says so, take it out of {place}; keep it with the backups that were made until now."
        )
    return 1 if closed else 0


async def vault_forget(store: Store, arguments: Arguments) -> int:
    """Give up what a secret key that is lost has sealed, so that the program starts again."""
    vault, name = open_vault(Path(arguments["home"])), arguments["key"].lower()
    lost = (await sealed_by(store.database)).get(name)
    if name in vault.names or lost is None:
        raise CommandError(
            f"the secret key {name} "
            + ("is here, and is not lost" if name in vault.names else "has sealed nothing")
        )
    if not arguments["yes"]:
        what = ", ".join(f"{number} {table}" for table, number in lost.items())
        raise CommandError(
            f"this gives up {what} for good: codes of those second factors fit no more (recovery"
            " codes do), those workspaces get new secrets, and those tenants have to connect anew;"
            " if that is meant, add --yes"
        )
    done = await give_up(store.database, vault, name)
    _tell(arguments, {table: str(number) for table, number in done.items()})
    return 0


async def sample(store: Store, arguments: Arguments) -> int:
    """Make the sample organization unless it is there; its keys are kept in the home.

    One whose making was broken off is made anew.
    """
    path = Path(arguments["home"]) / SAMPLE_FILE
    if path.exists():
        known = json.loads(path.read_text())
        found = await find_organization(store, known["organization_id"])
        if found is not None and "api_key" in known:
            return 0
        if found is not None:
            await delete_organization(store, found.organization_id)
    _keep(path, await create_sample(store, begun=lambda id: _keep(path, {"organization_id": id})))
    return 0


def _keep(path: Path, facts: dict[str, Any]) -> None:
    """Write them so that the file is whole whenever the program is killed."""
    part = path.with_suffix(".part")
    part.touch(mode=0o600)
    part.write_text(json.dumps(facts))
    part.replace(path)


async def doctor(store: Store, arguments: Arguments) -> int:
    """Check what can be checked: a line each, and exit code 1 when something is wrong."""
    problems = 0
    async with store.database.everyone() as transaction:
        version = await transaction.value("show server_version")
        organizations = await transaction.rows(
            "select organization_id::text, id, name from organization_directory order by name"
        )
    _line(arguments, True, f"PostgreSQL {version} answers, with {len(organizations)} organizations")
    for organization_id, id, name in organizations:
        broken = await verify(store.database, organization_id)
        problems += broken is not None
        _line(arguments, broken is None, f"{name} ({id}): {broken or 'the log is whole'}")
        if arguments["recount"]:
            problems += await _recount(store, arguments, organization_id, name)
    problems += await _secret_keys(store, arguments)
    return 1 if problems else 0


async def _secret_keys(store: Store, arguments: Arguments) -> int:
    """A line for each secret key, of those here and those that have sealed something."""
    try:
        names: tuple[str, ...] = open_vault(Path(arguments["home"])).names
    except SecretKeyError:
        names = ()
    seals = await sealed_by(store.database)
    for name in [*names, *sorted(set(seals) - set(names))]:
        sealed = ", ".join(f"{number} {table}" for table, number in seals.get(name, {}).items())
        text = f"the secret key {name} seals {sealed or 'nothing'}"
        if name not in names:
            text += ", and is not here: put it back from your copy"
        elif not sealed and name != names[0]:
            text += ", and can be removed"
        _line(arguments, name in names, text)
    return len(set(seals) - set(names))


async def _recount(store: Store, arguments: Arguments, organization_id: str, name: str) -> int:
    problems = 0
    for resource in store.declared:
        if resource.counted:
            async with store.database.everyone() as transaction:
                kept, counted = (
                    await transaction.rows(
                        f"select c.{counter(resource)}, (select count(*) from {resource.table} r"
                        " where r.organization_id = $1)"
                        " from event_clock c where c.organization_id = $1",
                        organization_id,
                    )
                )[0]
            problems += kept != counted
            text = f"{name}: {counted} {resource.noun} objects, {kept} in the counter"
            _line(arguments, kept == counted, text)
    async with store.database.everyone() as transaction:
        stale = await recount(transaction, store.declared, organization_id)
    for noun, number in stale.items():
        problems += number > 0
        _line(arguments, number == 0, f"{name}: {number} {noun} objects with stale summaries")
    rows, wrong = await mend(store.database, store.declared, organization_id)
    text = f"{name}: {rows} numbers and dates in custom fields can be searched by"
    _line(arguments, wrong == 0, text + (f"; {wrong} were wrong, and are mended" if wrong else ""))
    return problems + (wrong > 0)


async def _organization(store: Store, arguments: Arguments) -> Actor:
    found = await find_organization(store, arguments["organization"])
    if found is None and arguments["organization"] is None:
        raise CommandError(
            "say which organization with --organization (its id or name);"
            " if there is none, make one with: clinch organization create NAME"
        )
    if found is None:
        raise CommandError(
            f"not one organization is called {arguments['organization']}: give its id, which"
            " `clinch doctor` tells"
        )
    return found


async def _check_role(store: Store, system: Actor, role: str) -> None:
    async with store.reading(system) as transaction:
        found = await role_row(transaction, system.organization_id, role)
    if found is None:
        words = ", ".join(PERMISSIONS)
        raise CommandError(f"there is no role {role}; use {words} or the id of one of your own")


def _check_public_url(store: Store) -> None:
    if not store.declared.public_url:
        raise CommandError(
            "nothing tells where people reach this installation: set CLINCH_PUBLIC_URL, or start"
            " it with `clinch up`"
        )


async def _login(store: Store, email: str) -> tuple[Actor, str]:
    """The system in the first organization of the login with this address, and its user id."""
    async with store.database.installation() as transaction:
        rows = await transaction.rows(
            "select d.organization_id::text, d.id, l.user_id from login l"
            " join organization_directory d on d.organization_id = l.organization_ids[1]"
            " where lower(l.email) = lower($1)",
            email,
        )
    if not rows:
        raise CommandError(f"nobody signs in with the address {email}")
    organization_id, organization, user_id = rows[0]
    return Actor(Tenant(organization_id), organization), user_id


def _tell(arguments: Arguments, facts: dict[str, str], note: str = "") -> None:
    if arguments["json"]:
        print(json.dumps(facts))
        return
    for name, value in facts.items():
        print(f"{name}: {value}")
    if note:
        print(note)


def _line(arguments: Arguments, good: bool, text: str) -> None:
    print(
        json.dumps({"ok": good, "text": text})
        if arguments["json"]
        else f"{'ok ' if good else 'BAD'} {text}"
    )


COMMANDS: dict[str, Callable[[Store, Arguments], Awaitable[int]]] = {
    "organization create": organization_create,
    "organization delete": organization_delete,
    "user create": user_create,
    "user invite": user_invite,
    "user reset": user_reset,
    "key create": key_create,
    "key list": key_list,
    "key revoke": key_revoke,
    "app create": app_create,
    "app list": app_list,
    "app revoke": app_revoke,
    "workspace key": workspace_show,
    "connector add": connector_add,
    "connector list": connector_list,
    "connector remove": connector_remove,
    "vault rotate": vault_rotate,
    "vault forget": vault_forget,
    "sample": sample,
    "doctor": doctor,
}


async def administer(store: Store, command: str, arguments: Arguments) -> int:
    """Run one command; raises CommandError with what the person is to do."""
    try:
        return await COMMANDS[command](store, arguments)
    except ApiError as error:
        raise CommandError(_in_words(error.body)) from None
    except GatewayError as error:
        raise CommandError(error.message) from None
    except OAuthError as error:
        raise CommandError(error.description) from None


def _in_words(body: dict[str, Any]) -> str:
    """A refusal of the API as a person reads it."""
    fields = body.get("field-errors", {}).items()
    parts = [*body.get("errors", ()), *(f"{name}: {problem}" for name, problem in fields)]
    return " ".join(map(str, parts)) or str(body.get("error", body))
