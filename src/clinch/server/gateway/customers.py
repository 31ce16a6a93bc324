"""`/self` and `/customers`: the tenant that asks, and those that a workspace has named."""

from typing import Any

from clinch.db.database import Database
from clinch.gateway.tenancy.tenants import GatewayTenant, archive_customer, customer, find_customers
from clinch.resources.actor import OperationClass
from clinch.server.gateway.exchange import Answer, Exchange, GatewayRoute, json_answer


def customer_routes(database: Database) -> list[GatewayRoute]:
    """What is answered about tenants."""

    async def own(exchange: Exchange) -> Answer:
        caller = exchange.caller
        told: dict[str, Any] = {"workspaceKey": await _workspace(database, exchange)}
        if caller.tenant is not None:
            told = shown(caller.tenant) | told
        scopes = sorted(caller.operations)
        return json_answer(told | {"isAdmin": caller.manager, "scopes": scopes})

    async def listed(exchange: Exchange) -> Answer:
        exchange.need_manager()
        page = await find_customers(
            database,
            exchange.caller.organization,
            search=exchange.value("search") or "",
            limit=exchange.limit(),
            cursor=exchange.value("cursor"),
            archived=exchange.flag("includeArchived"),
        )
        items = [shown(one) for one in page.items]
        return json_answer({"items": items} | ({"cursor": page.cursor} if page.cursor else {}))

    async def one(exchange: Exchange) -> Answer:
        exchange.need_manager()
        [id] = exchange.arguments
        return json_answer(shown(await customer(database, exchange.caller.organization, id)))

    async def archive(exchange: Exchange) -> Answer:
        exchange.need_manager(OperationClass.DESTRUCTIVE)
        [id] = exchange.arguments
        found = await archive_customer(database, exchange.caller.organization, id, exchange.now)
        return json_answer(shown(found))

    return [
        GatewayRoute("GET", "self", own),
        GatewayRoute("GET", "customers", listed),
        GatewayRoute("GET", "customers/{}", one),
        GatewayRoute("DELETE", "customers/{}", archive),
    ]


def shown(tenant: GatewayTenant) -> dict[str, Any]:
    """A tenant as the REST API has it."""
    return {
        "id": tenant.id,
        "name": tenant.name,
        "internalId": tenant.user_id if tenant.kind == "user" else tenant.key,
        "kind": tenant.kind,
        "fields": tenant.fields,
        "createdAt": tenant.created_at,
        "lastActiveAt": tenant.last_active_at,
        "archivedAt": tenant.archived_at,
    }


async def _workspace(database: Database, exchange: Exchange) -> str:
    async with database.installation() as transaction:
        found: str = await transaction.value(
            "select d.id from organization_directory d where d.organization_id = $1",
            exchange.caller.organization.organization_id,
        )
    return found
