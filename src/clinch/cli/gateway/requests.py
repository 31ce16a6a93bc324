"""`request`: one raw request through a connection, and the answer byte for byte."""

import json
import re
import secrets
import sys
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from clinch.cli.gateway.result import FAILED, Failure, Result, usage
from clinch.cli.gateway.server import Answer
from clinch.cli.gateway.session import Session, refused

_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_PLACE = re.compile(r"\{([^{}/]+)\}|(?<=/):([A-Za-z_][A-Za-z0-9_]*)")
# These say who asks, and the gateway says that itself.
_NOT_SENT = ("host", "authorization", "cookie")

Headers = list[tuple[str, str]]


_OWN = ("-X", "--method", "-H", "--header", "-d", "--data", "--query", "--pathParam")
_WITH_VALUE = frozenset((*_OWN, "--workspaceKey", "--tenantKey", "--apiUri"))


def split(words: Sequence[str]) -> tuple[list[str], dict[str, Any]]:
    """The words that argparse reads, and what `--json` and `--rawData` carry.

    Both stand alone or before a body: `--json` before nothing or before an option asks for JSON on
    standard output, `--rawData` does so where `-d` has the body. Raises Failure where the body of
    `--json` is no JSON, or there are two.
    """
    kept: list[str] = []
    bodies: dict[str, Any] = {"jsonBody": None, "rawData": None}
    rest = list(words)
    has_data = any(word in ("-d", "--data") or word.startswith("--data=") for word in rest)
    while rest:
        word = rest.pop(0)
        flag, equals, text = word.partition("=")
        if flag not in ("--json", "--rawData"):
            kept.append(word)
            if word in _WITH_VALUE and rest:
                kept.append(rest.pop(0))
            continue
        follows = bool(rest) and not rest[0].startswith("-") and (flag == "--json" or not has_data)
        value = text if equals else rest.pop(0) if follows else None
        if flag == "--json":
            kept.append("--json")
            if value is not None:
                _set(bodies, "jsonBody", _checked(value, "--json"))
        else:
            _set(bodies, "rawData", True if value is None else value)
    return kept, bodies


def _set(bodies: dict[str, Any], name: str, value: Any) -> None:
    if bodies[name] is not None:
        raise usage("There are two bodies.", "Give one of --json, -d and --rawData.")
    bodies[name] = value


def request(arguments: dict[str, Any]) -> Result:
    """Send the request; the answer's body on standard output, its status on standard error."""
    body, kind = _body(arguments)
    method = arguments["method"]
    if method is None and body is not None:
        raise usage("A request with a body needs its method.", "Add -X POST, or another method.")
    method = (method or "GET").upper()
    if method not in _METHODS:
        raise usage(f"{method} is no method that can be sent.", f"One of {', '.join(_METHODS)}.")
    path = _path(arguments["path"], _pairs(arguments["pathParam"], "--pathParam"))
    query = urlencode(_pairs(arguments["query"], "--query"))
    if query:
        path += ("&" if "?" in path else "?") + query
    headers = _headers(arguments["header"], kind)
    if method != "GET" and not any(name.lower() == "idempotency-key" for name, _ in headers):
        headers.append(("Idempotency-Key", secrets.token_urlsafe(18)))
    session = Session(arguments)
    connection = quote(arguments["connection"], safe="")
    target = f"/connections/{connection}/proxy{path}"
    answer = session.ask(method, target, headers=headers, body=body)
    return _result(answer, arguments["connection"])


def _result(answer: Answer, connection: str) -> Result:
    if answer.headers.get("clinch-gateway-error"):
        raise refused(answer)
    print(f"{answer.status} {answer.reason}", file=sys.stderr)
    if answer.status < 400:
        return Result(raw=answer.body)
    told = answer.document()
    body = told if told is not None else answer.body.decode("utf-8", "replace")
    failure = Failure(
        f"http_{answer.status}",
        f"The app answered {answer.status} {answer.reason}.",
        _advice(answer, connection),
        more={"status": answer.status, "body": body},
    )
    text = json.dumps(failure.document(), ensure_ascii=False)
    return Result(failure.document(), text, FAILED)


def _advice(answer: Answer, connection: str) -> str:
    if answer.status == 401:
        return f"Connect it anew: membrane connect --connectionId={connection} --json"
    if answer.status == 403:
        return "Whom the connection was made for may not do this there; another connection might."
    if answer.status == 404:
        return "Look at the path: it is below the app's base address."
    if answer.status == 429:
        wait = answer.headers.get("retry-after")
        return f"Wait {wait} seconds." if wait else "Wait a little."
    if answer.status >= 500:
        return "The app is in trouble: try again later."
    return "The body says what the app did not accept."


def _body(arguments: dict[str, Any]) -> tuple[bytes | None, str | None]:
    """What is sent, and its type."""
    raw = arguments["rawData"]
    given = [text for text in (arguments["jsonBody"], arguments["data"]) if text is not None]
    if isinstance(raw, str):
        given.append(raw)
    if len(given) > 1:
        raise usage("There are two bodies.", "Give one of --json, -d and --rawData.")
    if not given:
        if raw:
            raise usage("--rawData needs bytes to send.", "Add -d @FILE, or -d TEXT.")
        return None, None
    if arguments["jsonBody"] is not None:
        return given[0].encode(), "application/json"
    content = _content(given[0])
    if raw is not None:
        return content, None
    if arguments["json"]:
        _checked(content.decode("utf-8", "replace"), "-d")
        return content, "application/json"
    try:
        json.loads(content)
    except ValueError:
        return content, "text/plain"
    return content, "application/json"


def _content(text: str) -> bytes:
    """What -d stands for: a text, `@FILE`, or `@-` for standard input."""
    if text == "@-":
        return sys.stdin.buffer.read()
    if not text.startswith("@"):
        return text.encode("utf-8", "surrogateescape")
    try:
        with open(text[1:], "rb") as file:
            return file.read()
    except OSError as error:
        raise usage(f"{text[1:]} cannot be read ({error.strerror}).", "-d @FILE") from None


def _checked(text: str, flag: str) -> str:
    try:
        json.loads(text)
    except ValueError as error:
        raise usage(
            f"What stands with {flag} is no JSON ({error}).",
            'Quote it for the shell: --json \'{"name": "value"}\'. Nothing was sent.',
        ) from None
    return text


def _path(path: str, parameters: list[tuple[str, str]]) -> str:
    """The path with its places filled; raises Failure where one has no value, or is not there."""
    parts = urlsplit(path)
    if parts.scheme or path.startswith("//"):
        below = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        raise usage("The path is below the app's base address; a full URL is not sent.", below)
    path = path if path.startswith("/") else f"/{path}"
    values, used = dict(parameters), set[str]()
    head, mark, query = path.partition("?")

    def fill(found: re.Match[str]) -> str:
        name = found[1] or found[2]
        if name not in values:
            raise usage(f"{name} has no value.", f'--pathParam "{name}=…"')
        used.add(name)
        return quote(values[name], safe="")

    filled = _PLACE.sub(fill, head)
    if unused := [name for name in values if name not in used]:
        raise usage(f"The path has no {{{unused[0]}}}.", f"Put {{{unused[0]}}} into the path.")
    return filled + mark + query


def _pairs(given: list[str], flag: str) -> list[tuple[str, str]]:
    pairs = []
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise usage(f"{text!r} is not NAME=VALUE.", f'{flag} "name=value"')
        pairs.append((name, value))
    return pairs


def _headers(given: list[str], kind: str | None) -> Headers:
    headers: Headers = []
    for text in given:
        name, colon, value = text.partition(":")
        if not colon or not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", name.strip()):
            raise usage(f"{text!r} is not NAME: VALUE.", '-H "X-Name: value"')
        if name.strip().lower() not in _NOT_SENT:
            headers.append((name.strip(), value.strip()))
    if kind is not None and not any(name.lower() == "content-type" for name, _ in headers):
        headers.append(("Content-Type", kind))
    return headers
