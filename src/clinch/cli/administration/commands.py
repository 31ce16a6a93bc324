"""The commands that work on the database itself, by their words.

Each takes the store and the arguments of its command line, prints what a person or, with `json`,
a program wants to know, and returns the exit code.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from clinch.cli.administration.apps import app_create, app_list, app_revoke
from clinch.cli.administration.connectors import connector_add, connector_list, connector_remove
from clinch.cli.administration.doctor import doctor
from clinch.cli.administration.keys import key_create, key_list, key_revoke
from clinch.cli.administration.organizations import (
    organization_create,
    organization_delete,
    organization_list,
)
from clinch.cli.administration.sample import sample
from clinch.cli.administration.telling import Arguments, CommandError
from clinch.cli.administration.users import user_create, user_invite, user_reset
from clinch.cli.administration.vault import vault_forget, vault_rotate
from clinch.cli.administration.workspace import workspace_show
from clinch.gateway.errors import GatewayError
from clinch.identity.oauth.errors import OAuthError
from clinch.resources.errors import ApiError
from clinch.resources.store import Store

COMMANDS: dict[str, Callable[[Store, Arguments], Awaitable[int]]] = {
    "organization create": organization_create,
    "organization list": organization_list,
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
