"""The endpoints of OAuth that programs ask: tokens, revocation, registration, and where they are.

Each is below `/oauth2/` as Close has it and below `/oauth/` as Membrane has it.
"""

import base64
import binascii
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, unquote

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from clinch.db.database import CredentialChanged, Database
from clinch.identity.belongings import email_of, organizations_of
from clinch.identity.oauth.clients import Client, authenticate_client, register_client
from clinch.identity.oauth.codes import exchange_code
from clinch.identity.oauth.errors import OAuthError
from clinch.identity.oauth.grants import (
    LIFETIME,
    Tokens,
    derive_token,
    refresh_grant,
    revoke_token,
)
from clinch.identity.scopes import KNOWN, InvalidScope
from clinch.resources.errors import ApiError
from clinch.server.http import receive_body
from clinch.server.session import answer, headers_of
from clinch.server.unavailable import UNAVAILABLE

Form = dict[str, str]
Endpoint = Callable[[Request], Awaitable[Response]]

PREFIXES = ("/oauth2", "/oauth")


def token_routes(database: Database, public_url: str) -> list[Route]:
    endpoints = _Endpoints(database)
    described = answer(_metadata(public_url)).body
    protected = answer(_protected(public_url)).body

    async def metadata(request: Request) -> Response:
        return Response(described, media_type="application/json", headers=_KEPT)

    async def resource(request: Request) -> Response:
        return Response(protected, media_type="application/json", headers=_KEPT)

    posts = {
        "token": endpoints.token,
        "revoke": endpoints.revoke,
        "register": endpoints.register,
    }
    return [
        *(
            _open_to_pages("POST", at, _explained(endpoint))
            for prefix in PREFIXES
            for name, endpoint in posts.items()
            for at in (f"{prefix}/{name}", f"{prefix}/{name}/")
        ),
        _open_to_pages(
            "POST", "/org-workspaces/{organization}/access-token", _explained(endpoints.derive)
        ),
        _open_to_pages("GET", "/.well-known/oauth-authorization-server", metadata),
        _open_to_pages("GET", "/.well-known/oauth-protected-resource", resource),
        _open_to_pages("GET", "/.well-known/oauth-protected-resource/mcp", resource),
    ]


_KEPT = {"cache-control": "max-age=300"}
_ANY_PAGE = {
    "access-control-allow-origin": "*",
    "access-control-expose-headers": "www-authenticate, retry-after",
}
_PREFLIGHT = {
    "access-control-allow-headers": "authorization, content-type, mcp-protocol-version",
    "access-control-max-age": "600",
}


def _open_to_pages(method: str, path: str, endpoint: Endpoint) -> Route:
    """A route that programs in the pages of any site may ask, too; no cookie is looked at here."""

    async def respond(request: Request) -> Response:
        if request.method == "OPTIONS":
            methods = {"access-control-allow-methods": method}
            return Response(status_code=204, headers=_ANY_PAGE | _PREFLIGHT | methods)
        response = await endpoint(request)
        response.headers.update(_ANY_PAGE)
        return response

    return Route(path, respond, methods=[method, "OPTIONS"])


def _metadata(public_url: str) -> dict[str, Any]:
    """RFC 8414."""
    base = f"{public_url}/oauth2"
    return {
        "issuer": public_url,
        "authorization_endpoint": f"{base}/authorize/",
        "token_endpoint": f"{base}/token/",
        "revocation_endpoint": f"{base}/revoke/",
        "registration_endpoint": f"{base}/register/",
        "scopes_supported": list(KNOWN),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": [
            "none",
            "client_secret_basic",
            "client_secret_post",
        ],
        "authorization_response_iss_parameter_supported": True,
    }


def _protected(public_url: str) -> dict[str, Any]:
    """RFC 9728."""
    return {
        "resource": f"{public_url}/mcp",
        "authorization_servers": [public_url],
        "scopes_supported": list(KNOWN),
        "bearer_methods_supported": ["header"],
    }


class _Endpoints:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def token(self, request: Request) -> Response:
        form = await _read_form(request)
        client, now = await self._client(request, form), datetime.now(UTC)
        kind = form.get("grant_type")
        if kind == "authorization_code":
            tokens = await exchange_code(
                self._database,
                client,
                _needed(form, "code"),
                form.get("redirect_uri"),
                form.get("code_verifier"),
                now,
            )
        elif kind == "refresh_token":
            tokens = await refresh_grant(
                self._database, client, _needed(form, "refresh_token"), form.get("scope", ""), now
            )
        else:
            raise OAuthError(
                "unsupported_grant_type", "grant_type is authorization_code or refresh_token."
            )
        return answer(await self._told(tokens))

    async def revoke(self, request: Request) -> Response:
        form = await _read_form(request)
        client = await self._client(request, form)
        await revoke_token(self._database, client, _needed(form, "token"))
        return answer({})

    async def register(self, request: Request) -> Response:
        asked = await _read_json(request)
        uris, name = asked.get("redirect_uris"), asked.get("client_name", "A program")
        if not isinstance(uris, list) or not all(isinstance(uri, str) for uri in uris):
            raise OAuthError("invalid_redirect_uri", "redirect_uris is a list of addresses.")
        if not isinstance(name, str):
            raise OAuthError("invalid_client_metadata", "client_name is a text.")
        method = asked.get("token_endpoint_auth_method", "client_secret_basic")
        if method not in ("none", "client_secret_basic", "client_secret_post"):
            raise OAuthError("invalid_client_metadata", "This way to authenticate is not known.")
        now = datetime.now(UTC)
        client, secret = await register_client(
            self._database, name, uris, now, confidential=method != "none"
        )
        told = {
            "client_id": client.id,
            "client_id_issued_at": int(now.timestamp()),
            "client_name": client.name,
            "redirect_uris": list(client.redirect_uris),
            "token_endpoint_auth_method": method,
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
        }
        if secret is not None:
            told |= {"client_secret": secret, "client_secret_expires_at": 0}
        return answer(told, 201)

    async def derive(self, request: Request) -> Response:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise OAuthError("invalid_token", "A person's access token is needed.", 401)
        organization = request.path_params["organization"]
        text, life = await derive_token(
            self._database, token.strip(), organization, datetime.now(UTC)
        )
        return answer({"token": text, "expiresIn": int(life.total_seconds())})

    async def _client(self, request: Request, form: Form) -> Client:
        """The program that asks, by HTTP Basic or by its form; raises OAuthError."""
        id, secret = form.get("client_id"), form.get("client_secret")
        scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "basic":
            try:
                user, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
            except (binascii.Error, UnicodeDecodeError):
                raise OAuthError("invalid_client", "This is no HTTP Basic.", 401) from None
            if id not in (None, unquote(user)):
                raise OAuthError("invalid_request", "client_id is given twice, and differs.")
            id, secret = unquote(user), unquote(password)
        if not id:
            raise OAuthError("invalid_client", "client_id is missing.", 401)
        return await authenticate_client(self._database, id, secret)

    async def _told(self, tokens: Tokens) -> dict[str, Any]:
        """The answer as Close gives it, and what the command line wants to know."""
        told: dict[str, Any] = {
            "token_type": "Bearer",
            "access_token": tokens.access_token,
            "expires_in": int(LIFETIME.total_seconds()),
            "scope": str(tokens.scope),
            "organization_id": tokens.organization,
            "user_id": tokens.user_id,
        }
        if tokens.refresh_token is not None:
            told["refresh_token"] = tokens.refresh_token
        workspace = tokens.organization
        if workspace is None:
            found = await organizations_of(self._database, tokens.user_id)
            workspace = found[0].organization if found else None
        return told | {
            "email": await email_of(self._database, tokens.user_id),
            "org_id": workspace,
            "default_workspace_key": workspace,
            "default_tenant_key": tokens.user_id,
        }


def _explained(endpoint: Endpoint) -> Endpoint:
    """Refusals in the shape of OAuth; nothing of these answers is ever kept by anybody."""

    async def respond(request: Request) -> Response:
        try:
            return await endpoint(request)
        except OAuthError as error:
            return _refusal(error)
        except InvalidScope as error:
            return _refusal(OAuthError("invalid_scope", str(error)))
        except ApiError as error:
            said = str(error.body.get("error", "The request is not acceptable."))
            return _refusal(OAuthError("invalid_request", said, error.status))
        except CredentialChanged:
            return _refusal(OAuthError("invalid_grant", "The grant has ended."))
        except UNAVAILABLE:
            return _refusal(
                OAuthError("temporarily_unavailable", "The server is busy. Try again.", 503)
            )

    return respond


def _refusal(error: OAuthError) -> Response:
    response = answer(error.body, error.status)
    if error.status == 401:
        kind = "Bearer" if error.code == "invalid_token" else "Basic"
        response.headers["www-authenticate"] = f'{kind} realm="OAuth", error="{error.code}"'
    return response


async def _read_form(request: Request) -> Form:
    raw = await receive_body(headers_of(request), request.receive)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise OAuthError("invalid_request", "Send a form: application/x-www-form-urlencoded.")
    try:
        pairs = parse_qsl(raw.decode(), keep_blank_values=True, max_num_fields=50)
    except ValueError:
        raise OAuthError("invalid_request", "The form cannot be read.") from None
    form = dict(pairs)
    if len(form) != len(pairs):
        raise OAuthError("invalid_request", "A parameter is given twice.")
    return {name: value for name, value in form.items() if value}


async def _read_json(request: Request) -> dict[str, Any]:
    raw = await receive_body(headers_of(request), request.receive)
    try:
        asked = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        asked = None
    if not isinstance(asked, dict):
        raise OAuthError("invalid_client_metadata", "Send a JSON object.")
    return asked


def _needed(form: Form, name: str) -> str:
    if name not in form:
        raise OAuthError("invalid_request", f"{name} is missing.")
    return form[name]
