"""Who calls the gateway: what a bearer token says, and whether it holds.

A token is signed with a workspace's secret (JWT, HS256 or HS512) and names a customer or the
workspace's manager, or it is a credential of a user: an access token, an API key, a session.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from clinch.db.database import CredentialChanged, Database, Tenant
from clinch.gateway.errors import AccessDenied, InvalidRequest, NotAuthenticated
from clinch.gateway.tenancy.tenants import GatewayTenant, tenant_of_customer, tenant_of_user
from clinch.gateway.tenancy.workspace_keys import Workspace, workspace_named
from clinch.identity.credentials import Authenticator, Unauthorized
from clinch.resources.actor import EVERY_CLASS, Actor, OperationClass
from clinch.vault.vault import Vault

MANAGE = "manage_organization"
"""The permission with which a user may act as the manager of their workspace."""

LONGEST_LIFE = timedelta(hours=24)
_LEEWAY = timedelta(seconds=60)
_ALGORITHMS = ("HS256", "HS512")
_LONGEST_TOKEN = 16_384
# The SDK takes a text that is no JWT only with this before it.
_OPAQUE = "pat-"

_REFUSAL = (
    "The token is not one of this server, or it has expired or was revoked."
    " Please log in again, or sign a new one."
)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, in which organization, and what they may do.

    `tenant` is None for a manager who speaks for no tenant; `actor` is the user, None for the
    token of a workspace; a manager may do what concerns the workspace as a whole.
    """

    organization: Tenant
    tenant: GatewayTenant | None
    actor: Actor | None
    manager: bool
    operations: frozenset[OperationClass]

    @property
    def own_tenant(self) -> GatewayTenant:
        """The tenant that asks; raises AccessDenied for a manager who speaks for none."""
        if self.tenant is None:
            raise AccessDenied("This is a tenant's own: the token has to name one (tenantKey).")
        return self.tenant

    @property
    def counted_as(self) -> str:
        """By what its requests are counted: a user's credential, or whom a workspace's tokens name,
        since there may be any number of those."""
        if self.actor is not None:
            return self.actor.tenant.credential_id or ""
        return self.organization.organization_id if self.tenant is None else self.tenant.id


class Access:
    """Turns bearer tokens into callers."""

    def __init__(self, database: Database, vault: Vault, authenticator: Authenticator) -> None:
        self._database, self._vault, self._authenticator = database, vault, authenticator

    async def caller(self, token: str, now: datetime, *, as_manager: bool = False) -> Caller:
        """The caller with this token: what came after `Authorization: Bearer`.

        With `as_manager` a user acts as the manager of the workspace. Raises NotAuthenticated, and
        AccessDenied for who may not be a manager.
        """
        if len(token) > _LONGEST_TOKEN or not token.isascii():
            raise NotAuthenticated("This is no token: it is too long, or not ASCII.")
        if token.count(".") == 2:
            caller = await self._of_workspace(token, now)
            if as_manager and not caller.manager:
                raise AccessDenied("This takes a token of the workspace's manager (isAdmin).")
            return caller
        return await self._of_user(token.removeprefix(_OPAQUE), as_manager)

    async def _of_user(self, credential: str, as_manager: bool) -> Caller:
        try:
            actor = await self._authenticator.actor(credential)
            try:
                tenant = await tenant_of_user(self._database, self._vault, actor)
            except CredentialChanged:
                # Revoked, or only changed: what holds now is read, and decides.
                self._authenticator.forget(credential)
                actor = await self._authenticator.actor(credential)
                tenant = await tenant_of_user(self._database, self._vault, actor)
        except (Unauthorized, CredentialChanged):
            raise NotAuthenticated(_REFUSAL) from None
        if as_manager and not actor.may(MANAGE):
            raise AccessDenied(f"Managing the workspace takes the permission {MANAGE}.")
        return Caller(actor.tenant, tenant, actor, as_manager, actor.grant)

    async def _of_workspace(self, token: str, now: datetime) -> Caller:
        workspace = await workspace_named(self._database, self._vault, _workspace_in(token))
        if workspace is None:
            raise NotAuthenticated("The token names a workspace that is not there.")
        claims = _verified(token, workspace, now)
        organization = Tenant(workspace.organization_id)
        key = _first(claims, "tenantKey", "id")
        manager = claims.get("isAdmin") is True
        if key is None:
            if not manager:
                raise NotAuthenticated(
                    "The token names nobody: it takes the claim `tenantKey` or `id`, or `isAdmin`."
                )
            return Caller(organization, None, None, True, EVERY_CLASS)
        name, fields = claims.get("name"), claims.get("fields")
        if not isinstance(name, str | None) or not isinstance(fields, dict | None):
            raise NotAuthenticated("In the token `name` is a text, and `fields` an object.")
        try:
            tenant = await tenant_of_customer(
                self._database, self._vault, organization, key, now, name=name, fields=fields
            )
        except InvalidRequest as refusal:
            raise NotAuthenticated(refusal.message) from None
        return Caller(organization, tenant, None, manager, EVERY_CLASS)


def _workspace_in(token: str) -> str:
    """The workspace that a token names; nothing of it is proven yet."""
    try:
        claims = msgspec.json.decode(jws.extract_compact(token.encode()).payload)
    except (JoseError, ValueError, RecursionError):
        raise NotAuthenticated(_REFUSAL) from None
    if not isinstance(claims, dict):
        raise NotAuthenticated(_REFUSAL)
    return _issuer(claims)


def _verified(token: str, workspace: Workspace, now: datetime) -> dict[str, Any]:
    """The claims of a token that the workspace signed and that holds now."""
    seconds, leeway = int(now.timestamp()), int(_LEEWAY.total_seconds())
    try:
        key = OctKey.import_key(workspace.secret)
        claims = jwt.decode(token, key, algorithms=_ALGORITHMS).claims
        jwt.JWTClaimsRegistry(now=seconds, leeway=leeway, exp={"essential": True}).validate(claims)
    except (JoseError, ValueError, RecursionError):
        raise NotAuthenticated(_REFUSAL) from None
    if _issuer(claims) not in (workspace.key, workspace.organization):
        raise NotAuthenticated(_REFUSAL)
    if claims["exp"] > seconds + LONGEST_LIFE.total_seconds() + leeway:
        raise NotAuthenticated("The token holds too long: `exp` is at most 24 hours ahead.")
    return claims


def _issuer(claims: Mapping[str, Any]) -> str:
    named = _first(claims, "workspaceKey", "iss")
    if named is None:
        raise NotAuthenticated("The token names no workspace: it takes `workspaceKey` or `iss`.")
    return named


def _first(claims: Mapping[str, Any], *names: str) -> str | None:
    """The first of these claims that is there, a text."""
    for name in names:
        if claims.get(name) is not None:
            if not isinstance(claims[name], str) or "\0" in claims[name]:
                raise NotAuthenticated(f"In the token `{name}` is a text.")
            return str(claims[name])
    return None
