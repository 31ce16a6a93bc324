"""`clinch connector`: the connectors that an organization has made of documents."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from clinch.cli.administration.organizations import organization_of
from clinch.cli.administration.telling import Arguments, CommandError, tell, tell_list
from clinch.gateway.connectors.connector import Connector
from clinch.gateway.connectors.fetching import fetch_document
from clinch.gateway.connectors.imported import ImportedConnectors
from clinch.gateway.connectors.importing import Wanted
from clinch.gateway.connectors.shipped import SHIPPED_KEYS
from clinch.outbound.guard import VARIABLE as ALLOWED
from clinch.outbound.guard import SettingError, guard_of
from clinch.outbound.http import Client
from clinch.resources.store import Store


async def connector_add(store: Store, arguments: Arguments) -> int:
    system = await organization_of(store, arguments)
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


async def connector_list(store: Store, arguments: Arguments) -> int:
    system = await organization_of(store, arguments)
    imported = await ImportedConnectors(store.database, SHIPPED_KEYS).of(system.tenant)
    lines = (f"{one.key:30}  {one.name:30}  {len(one.operations)} operations" for one in imported)
    none = "No imported connectors yet; make one with: clinch connector add FILE_OR_URL"
    tell_list(arguments, [_connector(one) for one in imported], lines, none)
    return 0


async def connector_remove(store: Store, arguments: Arguments) -> int:
    system = await organization_of(store, arguments)
    connectors = ImportedConnectors(store.database, SHIPPED_KEYS)
    removed = await connectors.remove(system.tenant, arguments["connector"])
    tell(arguments, {"removed": removed.key})
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
