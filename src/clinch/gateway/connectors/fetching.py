"""An app's document from its address on the web."""

from urllib.parse import urlsplit

from clinch.gateway.connectors.plain import LARGEST
from clinch.gateway.errors import ConnectionFailed, InvalidRequest
from clinch.outbound.guard import OutboundRefused
from clinch.outbound.http import Client, Unreachable

_LONGEST = 2000
# An address of this machine, which has to be allowed, needs no certificate.
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
_HEADERS = (("Accept", "application/json, application/yaml;q=0.9, */*;q=0.5"),)


async def fetch_document(client: Client, url: str) -> bytes:
    """The bytes at an https address; raises GatewayError. Nothing is followed."""
    _check(url)
    try:
        answer = await client.send("GET", url, _HEADERS, None)
    except OutboundRefused:
        raise ConnectionFailed(
            "The document's address is not one to connect to: a private one has to be allowed"
            " (CLINCH_ALLOW_PRIVATE)."
        ) from None
    except Unreachable as error:
        raise ConnectionFailed(f"The document cannot be fetched. {error}") from None
    headers = {name.lower(): value for name, value in answer.headers}
    if 300 <= answer.status < 400:
        place = headers.get("location", "")[:_LONGEST]
        to = f": {place}" if place.isprintable() and place else ""
        raise InvalidRequest(f"The document is at another address; give that one{to}")
    if answer.status != 200:
        raise ConnectionFailed(f"The document's address answered {answer.status}.")
    if headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise ConnectionFailed("The document came compressed, which was not asked for.")
    if len(answer.body) > LARGEST:
        raise InvalidRequest(f"The document is larger than {LARGEST // 1_000_000} MB.")
    return answer.body


def _check(url: str) -> None:
    """Raise InvalidRequest for what is no address of a document."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    good = len(url) <= _LONGEST and url.isascii() and url.isprintable() and " " not in url
    if not host or not good:
        raise InvalidRequest("url: is no address.", field="url")
    if parts.scheme != "https" and not (parts.scheme == "http" and host in _LOCAL):
        raise InvalidRequest("url: begins with https://.", field="url")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise InvalidRequest("url: has neither a user nor a fragment.", field="url")
