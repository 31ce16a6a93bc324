"""What tests of the gateway's REST API ask with: tokens of users, customers and managers."""

import time
from dataclasses import dataclass
from typing import Any

import requests
from harness import HTTP, SECRET_KEY, Organization
from joserfc import jwt
from joserfc.jwk import OctKey

from clinch.gateway.tenancy.workspace_keys import Workspace, workspace_key
from clinch.identity.oauth.clients import GATEWAY
from clinch.identity.oauth.grants import issue_grant
from clinch.identity.scopes import Scope
from clinch.resources.actor import OperationClass
from clinch.vault.vault import Vault


@dataclass
class Desk:
    """Somebody with a token, at the gateway's address."""

    url: str
    token: str

    def ask(self, method: str, path: str, body: Any = None, **query: Any) -> requests.Response:
        return HTTP.request(
            method,
            f"{self.url}{path}",
            json=body,
            params=query,
            headers={"Authorization": f"Bearer {self.token}"},
            timeout=30,
        )

    def get(self, path: str, **query: Any) -> Any:
        response = self.ask("GET", path, **query)
        assert response.status_code == 200, response.text
        return response.json()

    def by_mcp(self, method: str, **parameters: Any) -> Any:
        """The result of a method of the Model Context Protocol."""
        sent = {"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}
        response = self.ask("POST", "/mcp", sent)
        assert response.status_code == 200, response.text
        return response.json()["result"]


def workspace_of(organization: Organization) -> Workspace:
    program = organization.program
    return program.run(  # type: ignore[no-any-return]
        workspace_key(
            program.store.database, Vault(SECRET_KEY), organization.actor().organization_id
        )
    )


def user_desk(organization: Organization) -> Desk:
    """The organization's admin, by an API key."""
    return Desk(organization.program.url, organization.admin.key)


def limited_desk(organization: Organization, *operations: OperationClass) -> Desk:
    """The organization's admin, by a login for these operations alone."""
    program, actor = organization.program, organization.actor()
    scope = Scope(frozenset(operations), offline=False)
    granted = issue_grant(program.store.database, actor, GATEWAY, scope, actor.clock())
    return Desk(program.url, program.run(granted).access_token)


def signed_desk(organization: Organization, **claims: Any) -> Desk:
    """Somebody by a token that the workspace signed."""
    workspace = workspace_of(organization)
    said = {"workspaceKey": workspace.key, "exp": int(time.time()) + 600, **claims}
    key = OctKey.import_key(workspace.secret)
    return Desk(organization.program.url, jwt.encode({"alg": "HS256"}, said, key))
