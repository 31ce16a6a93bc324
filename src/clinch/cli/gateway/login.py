"""`login`, `status`, `logout`: OAuth with PKCE, in the browser of this machine or of another."""

import base64
import hashlib
import os
import secrets
import sys
import time
import webbrowser
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from clinch.cli.gateway.result import Failure, Result, usage
from clinch.cli.gateway.server import Server
from clinch.cli.gateway.session import CLIENT, LOG_IN, Session, refused, tokens
from clinch.cli.gateway.store import Store, folder

LASTS = 600
_COMPLETE = "membrane login complete <code>"
_SCOPES = "read write destructive offline_access"


def login(arguments: dict[str, Any]) -> Result:
    """Log in: in this machine's browser where somebody sees one, else by a link."""
    if arguments["step"] == "start":
        return begin(arguments)
    if arguments["step"] is not None:
        raise usage(f"{arguments['step']!r} is no step of a login.", "membrane login --help")
    session = Session(arguments)
    browser = None if arguments["non-interactive"] or arguments["json"] else _browser()
    if browser is None:
        return begin(arguments)
    with _Callback() as callback:
        pending = _pending(session, arguments, _issuer(session), callback.uri)
        url = _authorize_url(pending)
        print(f"Log in with your browser. If none opens:\n  {url}", file=sys.stderr)
        browser.open(url)
        code = callback.wait(pending["state"])
    return _finish(session, pending, code)


def begin(arguments: dict[str, Any]) -> Result:
    """The first half of a login without a browser here: a link, whose last page shows a code."""
    session = Session(arguments)
    issuer = _issuer(session)
    pending = _pending(session, arguments, issuer, f"{issuer}/oauth2/code/")
    with session.store.lock():
        session.store.write(pending, "login")
    url = _authorize_url(pending)
    document = {"url": url, "next": _COMPLETE, "expiresIn": LASTS}
    if sys.stdout.isatty() and not arguments["json"]:
        return Result(document, f"Open this page:\n  {url}\nThen:  {_COMPLETE}")
    import json

    return Result(document, json.dumps(document))


def complete(arguments: dict[str, Any]) -> Result:
    """The second half: the code that the last page shows."""
    pending = Store(folder()).read("login")
    if not pending:
        raise Failure("no_login_begun", "No login was begun here, or it is complete.", LOG_IN)
    session = Session(arguments | {"apiUri": arguments["apiUri"] or pending["apiUri"]})
    again = _again(pending)
    if pending["expiresAt"] < time.time():
        session.store.remove("login")
        raise Failure("code_expired", "The login took longer than ten minutes.", again)
    result = _finish(session, pending, arguments["code"].strip())
    session.store.remove("login")
    return result


def status(arguments: dict[str, Any]) -> Result:
    """Who is logged in, and where."""
    session = Session(arguments)
    told = session.json("GET", "/self")
    stored = session.login() if session.by_login else told | {"kind": "token"}
    document = {
        "apiUri": session.server.uri,
        "loggedIn": True,
        "kind": stored["kind"],
        "email": stored.get("email"),
        "workspaceKey": session.workspace or stored.get("workspaceKey"),
        "tenantKey": session.tenant or stored.get("tenantKey"),
        "self": told,
    }
    who = document["email"] or stored.get("name") or "a token"
    return Result(document, f"{who} at {document['apiUri']}")


def logout(arguments: dict[str, Any]) -> Result:
    """End the login, here and on the server."""
    session = Session(arguments)
    stored = session.login()
    token = stored.get("refreshToken", stored["accessToken"])
    answer = session.server.form("/oauth2/revoke/", token=token, client_id=CLIENT)
    if answer.status >= 400:
        raise refused(answer)
    with session.store.lock():
        session.store.remove()
    return Result({"loggedIn": False}, f"Logged out of {session.server.uri}.")


def _browser() -> Any:
    """A browser that somebody sees, or None."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return None
    shown = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if not (shown or os.environ.get("BROWSER") or sys.platform == "darwin"):
        return None
    with suppress(webbrowser.Error):
        return webbrowser.get()
    return None


def _issuer(session: Session) -> str:
    """The address under which the server lets people log in, which may be another than the one
    that it was named by: localhost, or a name in front of a proxy. Raises Failure."""
    told = session.server.ask("GET", "/.well-known/oauth-authorization-server").document()
    issuer = told.get("issuer") if isinstance(told, dict) else None
    if not isinstance(issuer, str):
        raise Failure(
            "no_server",
            f"What answers at {session.server.uri} is no server of Clinch.",
            "Name one with --apiUri, or start one with `make run`.",
        )
    return Server(issuer).uri


def _pending(
    session: Session, arguments: dict[str, Any], issuer: str, redirect: str
) -> dict[str, Any]:
    """A login that is under way, as it is kept between its two commands."""
    return {
        "apiUri": session.server.uri,
        "issuer": issuer,
        "redirectUri": redirect,
        "verifier": secrets.token_urlsafe(48),
        "state": secrets.token_urlsafe(24),
        "kind": "tenant" if arguments.get("tenant") else "person",
        "clientName": arguments.get("clientName"),
        "expiresAt": time.time() + LASTS,
    }


def _authorize_url(pending: dict[str, Any]) -> str:
    digest = hashlib.sha256(pending["verifier"].encode()).digest()
    query = {
        "client_id": CLIENT,
        "response_type": "code",
        "redirect_uri": pending["redirectUri"],
        "scope": _SCOPES,
        "state": pending["state"],
        "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
    }
    if pending["kind"] == "person":
        query["audience"] = "person"
    if pending["clientName"]:
        query["client_name"] = pending["clientName"]
    return f"{pending['issuer']}/oauth2/authorize/?{urlencode(query)}"


def _finish(session: Session, pending: dict[str, Any], code: str) -> Result:
    """Change the code for tokens, and keep them."""
    answer = session.server.form(
        "/oauth2/token/",
        grant_type="authorization_code",
        client_id=CLIENT,
        code=code,
        redirect_uri=pending["redirectUri"],
        code_verifier=pending["verifier"],
    )
    told = answer.document()
    if answer.status == 400 and isinstance(told, dict):
        raise _refused_code(told, _again(pending))
    if answer.status != 200 or not isinstance(told, dict):
        raise refused(answer)
    stored = {
        "apiUri": session.server.uri,
        "kind": pending["kind"],
        **tokens(told),
        "email": told.get("email"),
        "workspaceKey": told.get("default_workspace_key"),
        "tenantKey": told.get("default_tenant_key"),
    }
    with session.store.lock():
        session.store.write(stored)
    shown = {key: stored[key] for key in ("apiUri", "email", "workspaceKey", "tenantKey")}
    return Result({"loggedIn": True, **shown}, f"Logged in as {stored['email']}.")


def _refused_code(told: dict[str, Any], again: str) -> Failure:
    """Why a code gave nothing."""
    said = str(told.get("error_description", ""))
    if "expired" in said:
        return Failure("code_expired", "The code has expired.", again)
    if "used" in said:
        return Failure("code_used", "The code was used before; what it gave has ended.", again)
    return Failure("code_wrong", "This is not the code that the page shows.", _COMPLETE)


def _again(pending: dict[str, Any]) -> str:
    return LOG_IN if pending["kind"] == "tenant" else "membrane login"


class _Callback:
    """A page on this machine to which the browser comes back with the code."""

    def __init__(self) -> None:
        self._came: dict[str, str] = {}
        came = self._came

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                known = parts.path == "/callback"
                if known:
                    came.update({name: last[-1] for name, last in parse_qs(parts.query).items()})
                self.send_response(200 if known else 404)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Security-Policy", "default-src 'none'")
                self.end_headers()
                self.wfile.write(b"<!doctype html><title>Clinch</title><p>You can close this page.")

            def log_message(self, format: str, *values: Any) -> None:
                """Nothing: the address holds the code."""

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self._server.timeout = 1.0
        self.uri = f"http://127.0.0.1:{self._server.server_port}/callback"

    def __enter__(self) -> "_Callback":
        return self

    def __exit__(self, *error: object) -> None:
        self._server.server_close()

    def wait(self, state: str) -> str:
        """The code, once the browser brings it; raises Failure."""
        ends = time.monotonic() + LASTS
        while time.monotonic() < ends:
            self._server.handle_request()
            if self._came.get("state") != state:
                self._came.clear()
            elif "code" in self._came:
                return self._came["code"]
            elif "error" in self._came:
                raise Failure("login_denied", "The login was not allowed.", LOG_IN)
        raise Failure("login_timed_out", "Nobody logged in within ten minutes.", LOG_IN)
