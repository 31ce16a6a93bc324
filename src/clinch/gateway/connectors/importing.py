"""A connector out of anybody's OpenAPI document (3.0 or 3.1)."""

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

from clinch.gateway.connectors.connector import AuthOption, Connector, OAuthServer, Schema
from clinch.gateway.connectors.document import (
    ConnectorDocument,
    DocumentError,
    checked,
    connector_of,
)
from clinch.gateway.connectors.openapi import Unusable, as_key
from clinch.gateway.connectors.placement import Placement
from clinch.gateway.connectors.plain import NotPlain, read_plain
from clinch.gateway.connectors.references import BrokenReference, References

_LONGEST_DESCRIPTION = 500


@dataclass(frozen=True, slots=True)
class Wanted:
    """What whoever imports says of the app, in place of what its document does; `found_at` is where
    the document was fetched, which its own addresses may be relative to."""

    key: str | None = None
    name: str | None = None
    domains: tuple[str, ...] = ()
    base_url: str | None = None
    found_at: str = ""


@dataclass(frozen=True, slots=True)
class Imported:
    """A document in our form, the connector that it makes, and what of it was left out, and why."""

    document: ConnectorDocument
    connector: Connector
    skipped: tuple[str, ...]


def import_openapi(text: bytes, wanted: Wanted, id: str) -> Imported:
    """The app that an OpenAPI document in JSON or YAML describes; raises DocumentError.

    What of it is broken is left out and told. Without a single operation it is refused.
    """
    try:
        document = read_plain(text)
    except NotPlain as error:
        raise DocumentError(str(error)) from None
    version = document.get("openapi") if isinstance(document, dict) else None
    if not isinstance(version, str) or not re.match(r"3\.[01](\.|$)", version):
        raise DocumentError("it is no OpenAPI document of version 3.0 or 3.1")
    info = document.get("info") if isinstance(document.get("info"), dict) else {}
    name = wanted.name or _text(info.get("title")) or "App"
    base_url = wanted.base_url or _base_url(document.get("servers"), wanted.found_at)
    options, skipped = _options(document)
    made = checked(
        ConnectorDocument(
            key=wanted.key or _key(name),
            name=name[:100],
            description=_text(info.get("description"))[:_LONGEST_DESCRIPTION],
            domains=wanted.domains or _domains(base_url),
            base_url=base_url.rstrip("/"),
            options=options,
            paths=_object(document.get("paths")),
            components={
                kind: inner
                for kind, inner in _object(document.get("components")).items()
                if kind in ("schemas", "parameters", "requestBodies", "responses", "pathItems")
            },
        )
    )
    connector, broken = connector_of(made, id, strict=False)
    if not connector.operations:
        first = f" ({broken[0]})" if broken else ""
        raise DocumentError(f"it describes no operation that can be used{first}")
    return Imported(made, connector, (*skipped, *broken))


def _key(name: str) -> str:
    try:
        key = as_key(name)
    except Unusable:
        key = ""
    if not key[:1].isalpha():
        raise DocumentError("its title makes no key: say one with --key")
    return key[:60].rstrip("-")


def _base_url(servers: Any, found_at: str) -> str:
    """The address of the first server, with its variables' defaults put in; without one it is the
    root of where the document is."""
    server = servers[0] if isinstance(servers, list) and servers else {}
    url = _text(server.get("url")) if isinstance(server, dict) else ""
    for name, variable in _object(
        server.get("variables") if isinstance(server, dict) else {}
    ).items():
        if isinstance(variable, dict):
            url = url.replace(f"{{{name}}}", str(variable.get("default", "")))
    url = urljoin(found_at, url or "/")
    if not urlsplit(url).netloc:
        raise DocumentError("it does not say at which address the app is: say it with --base-url")
    return url


def _domains(base_url: str) -> tuple[str, ...]:
    """The host alone: which part of it was registered, only a list of all suffixes could tell."""
    host = urlsplit(base_url).hostname or ""
    return (host,) if "." in host and host[-1:].isalpha() else ()


def _options(document: dict[str, Any]) -> tuple[tuple[AuthOption, ...], list[str]]:
    """The ways in that the document's security schemes come to, those that it names first."""
    schemes = _object(_object(document.get("components")).get("securitySchemes"))
    references = References(document)
    options: dict[str, AuthOption] = {}
    skipped = []
    for name, value in schemes.items():
        try:
            option = _option(name, references.follow(value))
        except (BrokenReference, DocumentError, Unusable) as error:
            skipped.append(f"securitySchemes.{name}: {error}")
            continue
        options.setdefault(option.key, option)
    if not options:
        nothing = AuthOption("none", "none", "Without a login", placement=Placement(template=""))
        return (nothing,), skipped
    return tuple(options.values()), skipped


def _option(name: str, scheme: dict[str, Any]) -> AuthOption:
    """One way in; raises DocumentError for a scheme of another kind."""
    kind, told = scheme.get("type"), _text(scheme.get("description"))[:_LONGEST_DESCRIPTION]
    key = as_key(name)
    if not key[0].isalpha():
        key = f"option-{key}"
    if kind == "http" and _text(scheme.get("scheme")).lower() == "bearer":
        return AuthOption(key, "api-key", "Token", told, input_schema=_typed(token="Token"))
    if kind == "http" and _text(scheme.get("scheme")).lower() == "basic":
        typed = _typed(username="User name", password="Password")
        placement = Placement(template="{username}:{password}", basic=True)
        return AuthOption(key, "basic", "User name and password", told, placement, "", typed)
    if kind == "apiKey" and scheme.get("in") in ("header", "query"):
        header = scheme["in"] == "header"
        sent = _text(scheme.get("name"))
        if not sent:
            raise DocumentError("it has no name")
        placement = (
            Placement(sent, "{apiKey}") if header else Placement(template="{apiKey}", query=sent)
        )
        return AuthOption(key, "api-key", "API key", told, placement, "", _typed(apiKey="API key"))
    if kind == "oauth2":
        return AuthOption(key, "oauth2", "Login", told, oauth=_oauth(scheme))
    raise DocumentError("this kind of login is not known here")


def _oauth(scheme: dict[str, Any]) -> OAuthServer:
    flow = _object(_object(scheme.get("flows")).get("authorizationCode"))
    authorize, token = _text(flow.get("authorizationUrl")), _text(flow.get("tokenUrl"))
    if not urlsplit(authorize).netloc or not urlsplit(token).netloc:
        raise DocumentError("it has no authorizationCode with whole addresses")
    refresh = _text(flow.get("refreshUrl"))
    if refresh and urljoin(token, refresh) != token:
        raise DocumentError("its tokens are renewed at another address than they are issued")
    return OAuthServer(
        authorize_url=authorize, token_url=token, scopes=tuple(_object(flow.get("scopes")))
    )


def _typed(**titles: str) -> Schema:
    """What a person types: texts with these titles; a user's name alone is no secret."""
    return {
        "type": "object",
        "properties": {
            name: {"type": "string", "title": title, "minLength": 1}
            | ({} if name == "username" else {"writeOnly": True})
            for name, title in titles.items()
        },
        "required": list(titles),
        "additionalProperties": False,
    }


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""
