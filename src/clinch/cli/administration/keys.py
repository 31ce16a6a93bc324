"""`clinch key`: the API keys of users."""

import json
from typing import Any

from clinch.cli.administration.organizations import FROM_CLI, organization_of
from clinch.cli.administration.telling import Arguments, CommandError, tell, tell_list
from clinch.identity.api_keys import ApiKey, create_key
from clinch.resources.query.read import Page
from clinch.resources.store import Store
from clinch.resources.write.change import Change


async def key_create(store: Store, arguments: Arguments) -> int:
    system = await organization_of(store, arguments)
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
    tell(arguments, {"api_key": key}, note="Keep it: it is not shown again.")
    return 0


async def key_list(store: Store, arguments: Arguments) -> int:
    system = await organization_of(store, arguments)
    keys: list[dict[str, Any]] = []
    more = True
    async with store.reading(system) as transaction:
        while more:
            asked = Page(limit=ApiKey.max_limit, skip=len(keys))
            page = json.loads(await store.reads.page(transaction, system, ApiKey, asked))
            keys += page["data"]
            more = page["has_more"]
    lines = (
        f"{key['id']}  {key['user_name'] or key['user_id']:30}  {key['label']}" for key in keys
    )
    tell_list(arguments, keys, lines, "No keys yet; make one with: clinch key create EMAIL")
    return 0


async def key_revoke(store: Store, arguments: Arguments) -> int:
    system = await organization_of(store, arguments)
    id = arguments["id"].partition(".")[0]
    await store.write(system, [Change.delete(ApiKey, id)], FROM_CLI, answer=False)
    tell(arguments, {"revoked": id})
    return 0
