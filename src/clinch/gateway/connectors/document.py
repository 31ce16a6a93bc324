"""The document form of a connector: a JSON object with the names of `connector.py`.

Its operations are the `paths` and `components` of an OpenAPI document, beside the rest. So there is
one way to write an operation down, which all know, and one reader of it.
"""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import jsonschema_rs
import msgspec

from clinch.gateway.connectors.connector import (
    USUAL_ERRORS,
    AuthOption,
    Connector,
    Pagination,
    RateLimit,
    TestCall,
)
from clinch.gateway.connectors.openapi import Naming, read_operations
from clinch.gateway.connectors.placement import Placement
from clinch.resources.actor import OperationClass

_KEY = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_DOMAIN = re.compile(r"(?!-)([a-z0-9-]{1,63}\.)+[a-z][a-z0-9-]*[a-z0-9]")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
# The gateway sets these itself, or they say where a request ends and who it is for.
_NO_PLACE = frozenset(
    {"host", "content-length", "transfer-encoding", "connection", "content-type", "upgrade", "te"}
)


class DocumentError(Exception):
    """A document is no connector; the message says where and why."""


class ConnectorDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a document says; `operation_classes` are those that a method does not tell."""

    key: str
    name: str
    description: str = ""
    categories: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    base_url: str
    options: tuple[AuthOption, ...]
    test: TestCall | None = None
    pagination: Pagination | None = None
    rate_limit: RateLimit | None = None
    trailing_slash: bool = False
    good: str | None = None
    errors: tuple[str, ...] = USUAL_ERRORS
    methods_tell: bool = True
    operation_classes: dict[str, OperationClass] = {}
    paths: dict[str, Any] = {}
    components: dict[str, Any] = {}


def parse_document(text: bytes) -> ConnectorDocument:
    """What the JSON says, checked; raises DocumentError."""
    try:
        return checked(msgspec.json.decode(text, type=ConnectorDocument))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DocumentError(str(error)) from None


def connector_of(
    document: ConnectorDocument, id: str, *, strict: bool = True
) -> tuple[Connector, tuple[str, ...]]:
    """The connector that a checked document describes, and what of its operations was skipped.

    With `strict`, raises DocumentError where something was.
    """
    read = read_operations(
        {"paths": document.paths, "components": document.components},
        Naming(f"{document.key}-", document.operation_classes),
    )
    if strict and read.skipped:
        raise DocumentError(f"paths: {read.skipped[0]}")
    connector = Connector(
        id,
        document.key,
        document.name,
        document.description,
        document.categories,
        document.domains,
        document.base_url,
        tuple(
            msgspec.structs.replace(option, base_url=option.base_url or document.base_url)
            for option in document.options
        ),
        read.operations,
        document.test,
        document.pagination,
        document.rate_limit,
        document.trailing_slash,
        document.good,
        document.methods_tell,
        document.errors,
    )
    return connector, read.skipped


def checked(document: ConnectorDocument) -> ConnectorDocument:
    """The document, if all that it says holds together; raises DocumentError."""
    if not _KEY.fullmatch(document.key) or len(document.key) > 60:
        raise _wrong("key", "has small letters, digits and single hyphens, and begins with one")
    if not document.name.strip() or len(document.name) > 100 or not document.name.isprintable():
        raise _wrong("name", "has 1 to 100 printable characters")
    for index, domain in enumerate(document.domains):
        if not _DOMAIN.fullmatch(domain) or len(domain) > 253:
            raise _wrong(f"domains[{index}]", "is a domain in small letters, such as example.com")
    _check_url(document.base_url, "base_url", base=True)
    if not document.options:
        raise _wrong("options", "needs at least one")
    keys = [option.key for option in document.options]
    for index, option in enumerate(document.options):
        if keys.index(option.key) != index:
            raise _wrong(f"options[{index}].key", f"{option.key!r} is taken by another")
        _check_option(option, f"options[{index}]")
    _check_hints(document)
    return document


def _check_hints(document: ConnectorDocument) -> None:
    if document.test is not None:
        if document.test.method not in ("GET", "HEAD", "POST"):
            raise _wrong("test.method", "is GET, HEAD or POST")
        if not document.test.path.startswith("/"):
            raise _wrong("test.path", "begins with a slash")
    for index, place in enumerate(document.errors):
        if not all(place.split(".")):
            raise _wrong(f"errors[{index}]", "has names with dots between, such as error.message")
    limit = document.rate_limit
    if limit is not None and (limit.requests < 1 or limit.seconds <= 0):
        raise _wrong("rate_limit", "is some requests in some seconds")


def _check_option(option: AuthOption, at: str) -> None:
    if not _KEY.fullmatch(option.key):
        raise _wrong(f"{at}.key", "has small letters, digits and single hyphens")
    if option.base_url:
        _check_url(option.base_url, f"{at}.base_url", base=True)
    if option.here or option.type == "this-server":
        raise _wrong(at, "leads to this very server, as no document can")
    if (option.type == "oauth2") != (option.oauth is not None):
        raise _wrong(f"{at}.oauth", "is for the type oauth2, and needed there")
    _check_placement(option, f"{at}.placement")
    _check_input(option, f"{at}.input_schema")
    if option.oauth is not None:
        _check_url(option.oauth.authorize_url, f"{at}.oauth.authorize_url")
        _check_url(option.oauth.token_url, f"{at}.oauth.token_url")
        if option.oauth.revoke_url is not None:
            _check_url(option.oauth.revoke_url, f"{at}.oauth.revoke_url")
        if not 0 <= option.oauth.refresh_margin <= 86_400:
            raise _wrong(f"{at}.oauth.refresh_margin", "is 0 to 86400 seconds")


def _check_placement(option: AuthOption, at: str) -> None:
    placement: Placement = option.placement
    if not _HEADER.fullmatch(placement.header) or placement.header.lower() in _NO_PLACE:
        raise _wrong(f"{at}.header", "is no header that a credential can go into")
    if option.type == "none":
        if placement.template:
            raise _wrong(f"{at}.template", "is empty where there is no credential")
        return
    typed = option.input_schema.get("properties")
    known = set(typed) if isinstance(typed, dict) else set()
    if option.type == "oauth2":
        known.add("token")
    if not placement.fields:
        raise _wrong(f"{at}.template", "names no field of the credential in braces")
    if unknown := sorted(placement.fields - known):
        raise _wrong(f"{at}.template", f"names {unknown[0]}, which nobody is asked for")


def _check_input(option: AuthOption, at: str) -> None:
    schema: Mapping[str, Any] = option.input_schema
    if not jsonschema_rs.meta.is_valid(dict(schema)):
        raise _wrong(at, "is no JSON Schema")
    members = schema.get("properties", {})
    if schema.get("type") != "object" or not isinstance(members, dict):
        raise _wrong(at, "describes an object")
    for name, member in members.items():
        if not isinstance(member, dict) or member.get("type") != "string":
            raise _wrong(f"{at}.properties.{name}", "is a text: people type it")
        if not member.get("title"):
            raise _wrong(f"{at}.properties.{name}", "needs a title to show")


def _check_url(url: str, at: str, *, base: bool = False) -> None:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise _wrong(at, "is no address") from None
    if parts.scheme not in ("https", "http") or not host or not url.isprintable() or " " in url:
        raise _wrong(at, "is an address with https:// or http://")
    if parts.username is not None or parts.fragment:
        raise _wrong(at, "has neither a user nor a fragment")
    if base and (parts.query or url.endswith("/")):
        raise _wrong(at, "ends neither in a slash nor in a query")


def _wrong(at: str, rule: str) -> DocumentError:
    return DocumentError(f"{at}: {rule}")
