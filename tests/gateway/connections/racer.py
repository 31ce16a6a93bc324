"""A process that calls an app by a connection, many times at once: one line in, one line out."""

import asyncio
import json
import sys
from typing import Any

from gateway.connections.yard import Yard, open_yard

from clinch.db.database import Database, Tenant
from clinch.gateway.api import ApiRequest
from clinch.gateway.errors import GatewayError
from clinch.gateway.tenancy.tenants import GatewayTenant, tenant_by_id
from clinch.resources.actor import EVERY_CLASS


async def race(given: dict[str, Any]) -> None:
    database = Database(given["database"], 4)
    yard = open_yard(
        database,
        given["secret_key"],
        given["provider"],
        given["window"],
        given["name"],
        given["lease"],
    )
    tenant = await tenant_by_id(database, Tenant(given["organization_id"]), given["tenant_id"])
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
    print(json.dumps("ready"), flush=True)
    while line := await reader.readline():
        asked = json.loads(line)
        calls = [call(yard, tenant, asked["connection"]) for _ in range(asked["callers"])]
        print(json.dumps(await asyncio.gather(*calls)), flush=True)


async def call(yard: Yard, tenant: GatewayTenant, id: str) -> str:
    """What one caller sees: the status of the app's answer, or the gateway's refusal."""
    try:
        one = await yard.connections.get(tenant, id)
        answer = await yard.calls.api(tenant, one, EVERY_CLASS)(ApiRequest("GET", "/me"))
        return str(answer.status)
    except GatewayError as error:
        return f"{error.key}: {error.message}"


if __name__ == "__main__":
    asyncio.run(race(json.loads(sys.argv[1])))
