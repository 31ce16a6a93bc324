"""An app with a login of its own, which an organization has imported."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest
from gateway.connections.provider import CLIENT_ID, Provider
from gateway.connectors.standing import serving
from harness import Organization, make_organization, serve
from server.gateway.desk import Desk, signed_desk

from clinch.db.database import Tenant
from clinch.gateway.connectors.imported import ImportedConnectors
from clinch.gateway.connectors.importing import Wanted
from clinch.gateway.connectors.shipped import SHIPPED_KEYS
from clinch.program import declarations


@dataclass
class Yard:
    """The app with its login, and an organization that has imported it."""

    provider: Provider
    url: str
    organization: Organization

    def customer(self, key: str = "cust-1") -> Desk:
        return signed_desk(self.organization, tenantKey=key)


def document(url: str) -> bytes:
    flow = {
        "authorizationUrl": f"{url}/authorize",
        "tokenUrl": f"{url}/token",
        "scopes": {"boats": "Boats"},
    }
    return json.dumps(
        {
            "openapi": "3.1.0",
            "info": {"title": "Yard", "version": "1"},
            "servers": [{"url": f"{url}/api"}],
            "components": {
                "securitySchemes": {
                    "login": {"type": "oauth2", "flows": {"authorizationCode": flow}}
                }
            },
            "paths": {
                "/me": {
                    "get": {
                        "operationId": "getMe",
                        "summary": "Who I am at the yard",
                        "responses": {"200": {"description": "Me"}},
                    }
                }
            },
        }
    ).encode()


@contextmanager
def open_yard(cluster: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Yard]:
    """The app, a server that may reach it and is its client, and an organization there."""
    provider = Provider()
    with serving(provider.app) as url:
        place = urlsplit(url)
        monkeypatch.setenv("CLINCH_ALLOW_PRIVATE", f"{place.hostname}:{place.port}")
        monkeypatch.setenv("CLINCH_APP_YARD_CLIENT_ID", CLIENT_ID)
        monkeypatch.setenv("CLINCH_APP_YARD_CLIENT_SECRET", "our-secret")
        monkeypatch.setenv("CLINCH_APP_YARD_TOKEN_URL", f"{url}/token")
        with serve(cluster, declarations) as program:
            organization = make_organization(program)
            import_app(organization, url)
            yield Yard(provider, url, organization)


def import_app(organization: Organization, url: str) -> None:
    program = organization.program
    imported = ImportedConnectors(program.store.database, SHIPPED_KEYS)
    tenant = Tenant(organization.system.organization_id)
    now = organization.system.clock()
    program.run(imported.add(tenant, document(url), Wanted(), now))
