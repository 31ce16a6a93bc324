"""`credentials` and `token`: what a program of one's own needs to use the gateway."""

import shlex
from typing import Any

from clinch.cli.gateway.result import Failure, Result, usage
from clinch.cli.gateway.session import Session, workspace_token

_LASTS = {"5m": 300, "1h": 3600, "24h": 86400}


def token(arguments: dict[str, Any]) -> Result:
    """A token of a tenant, signed with the workspace's secret."""
    session = Session(arguments)
    key, secret = _workspace(session)
    lasts = arguments["expiresIn"] or "1h"
    if lasts not in _LASTS:
        raise usage(f"{lasts!r} is no life of a token.", f"One of {', '.join(_LASTS)}.")
    if not session.tenant:
        raise usage("Whose token is it to be?", "--tenantKey KEY")
    text = workspace_token(key, secret, session.tenant, lasts=_LASTS[lasts])
    return Result({"token": text}, text)


def credentials(arguments: dict[str, Any]) -> Result:
    """The workspace's key and secret as this machine has them, for the settings of a program."""
    session = Session(arguments)
    key, secret = _workspace(session)
    document = {
        "apiUri": session.server.uri,
        "workspaceKey": key,
        "workspaceSecret": secret,
        "tenantKey": session.tenant,
    }
    names = {"apiUri": "API_URI", "workspaceKey": "WORKSPACE_KEY",
             "workspaceSecret": "WORKSPACE_SECRET", "tenantKey": "TENANT_KEY"}  # fmt: skip
    lines = [
        f"export MEMBRANE_{names[name]}={shlex.quote(value)}"
        for name, value in document.items()
        if value
    ]
    return Result(document, "\n".join(lines))


def _workspace(session: Session) -> tuple[str, str]:
    secret = session._setting("workspaceSecret", "WORKSPACE_SECRET")
    if not session.workspace or not secret:
        raise Failure(
            "no_secret",
            "The workspace's key and secret are not known here.",
            "On the server: clinch workspace key --json. Then set MEMBRANE_WORKSPACE_KEY and"
            " MEMBRANE_WORKSPACE_SECRET.",
        )
    return session.workspace, secret
