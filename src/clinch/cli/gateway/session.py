"""Asking the gateway as whoever is logged in, with a token that one process renews for all."""

import base64
import hashlib
import hmac
import json
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from clinch.cli.gateway.result import Failure
from clinch.cli.gateway.server import Answer, Server, find_server, project_settings
from clinch.cli.gateway.store import Store, folder

CLIENT = "membrane-cli"
LOG_IN = "membrane login --tenant"
# A token that is about to end is not used any more.
_MARGIN = 60.0


class Session:
    """One command's dealings with one server; `arguments` are those of the command line."""

    def __init__(self, arguments: dict[str, Any]) -> None:
        self.store = Store(folder())
        self.project = project_settings(Path.cwd())
        stored = self.store.read()
        self.server = find_server(arguments["apiUri"], self.project, stored.get("apiUri"))
        self.workspace = arguments["workspaceKey"] or self._setting("workspaceKey", "WORKSPACE_KEY")
        self.tenant = arguments["tenantKey"] or self._setting("tenantKey", "TENANT_KEY")
        self._token: str | None = None
        self.by_login = False
        """Whether what was asked last was asked with the stored login, not with a given token."""

    def login(self) -> dict[str, Any]:
        """The stored login to this server; raises Failure where there is none."""
        stored = self.store.read()
        if "accessToken" not in stored or Server(stored["apiUri"]).uri != self.server.uri:
            raise Failure("not_logged_in", f"You are not logged in to {self.server.uri}.", LOG_IN)
        return stored

    def ask(
        self,
        method: str,
        path: str,
        *,
        query: Iterable[tuple[str, str]] = (),
        headers: Iterable[tuple[str, str]] = (),
        body: bytes | None = None,
    ) -> Answer:
        """One request with the token; a token that the server refuses is renewed once."""
        asked = urlencode(list(query))
        target = f"{path}?{asked}" if asked else path
        for again in (True, False):
            token = self._token or self._fresh()
            with_token = [*headers, ("Authorization", f"Bearer {token}")]
            answer = self.server.ask(method, target, headers=with_token, body=body)
            if answer.status != 401 or not again or not self._renew(token):
                break
        return answer

    def json(
        self,
        method: str,
        path: str,
        *,
        query: Iterable[tuple[str, str]] = (),
        body: Any = None,
        headers: Iterable[tuple[str, str]] = (),
    ) -> Any:
        """The document that a request of JSON is answered with; raises Failure for a refusal."""
        raw = None if body is None else json.dumps(body).encode()
        kind = [] if raw is None else [("Content-Type", "application/json")]
        answer = self.ask(method, path, query=query, headers=[*kind, *headers], body=raw)
        if answer.status >= 400:
            raise refused(answer)
        return answer.document()

    def _setting(self, name: str, variable: str) -> str | None:
        return os.environ.get(f"MEMBRANE_{variable}") or self.project.get(name)

    def _fresh(self) -> str:
        """A token to ask with: a given one, one of the workspace's secret, or the login's."""
        given = os.environ.get("MEMBRANE_ACCESS_TOKEN") or os.environ.get("MEMBRANE_TOKEN")
        given = given or self.project.get("accessToken")
        secret = self._setting("workspaceSecret", "WORKSPACE_SECRET")
        if given:
            self._token = given
        elif secret and self.workspace and self.tenant:
            self._token = workspace_token(self.workspace, secret, self.tenant)
        else:
            self._token = self._of_login()
            self.by_login = True
        return self._token

    def _of_login(self) -> str:
        login = self.login()
        if login["expiresAt"] - _MARGIN < time.time():
            login = self._refresh(login["accessToken"])
        wanted = self.workspace or login.get("workspaceKey")
        if login["kind"] == "tenant":
            if self.workspace not in (None, login.get("workspaceKey")):
                raise Failure(
                    "other_workspace",
                    f"This login is for the workspace {login.get('workspaceKey')} alone.",
                    "membrane login",
                )
            return str(login["accessToken"])
        derived = login.get("derived", {}).get(wanted)
        if derived and derived["expiresAt"] - _MARGIN >= time.time():
            return str(derived["token"])
        return self._derive(login, str(wanted))

    def _derive(self, login: dict[str, Any], workspace: str) -> str:
        """A token of the person for one workspace, remembered."""
        answer = self.server.ask(
            "POST",
            f"/org-workspaces/{workspace}/access-token",
            headers=[("Authorization", f"Bearer {login['accessToken']}")],
        )
        told = answer.document()
        if answer.status != 200 or not isinstance(told, dict):
            raise refused(answer)
        with self.store.lock():
            stored = self.store.read()
            ends = time.time() + float(told.get("expiresIn", 3600))
            derived = {"token": told["token"], "expiresAt": ends}
            stored["derived"] = {**stored.get("derived", {}), workspace: derived}
            self.store.write(stored)
        return str(told["token"])

    def _renew(self, token: str) -> bool:
        """Whether there may be another token than the one that was refused. Who asks at the same
        time may have renewed it already; then that one is tried."""
        if not self.by_login:
            return False
        self._token = None
        with self.store.lock():
            stored = self.store.read()
            derived = stored.get("derived", {})
            kept = {name: one for name, one in derived.items() if one["token"] != token}
            if kept != derived:
                self.store.write(stored | {"derived": kept})
        if stored.get("accessToken") == token:
            self._refresh(token)
        return True

    def _refresh(self, spent: str) -> dict[str, Any]:
        """A new token for a spent one: asked for by one process, found by those that waited."""
        with self.store.lock():
            login = self.login()
            if login["accessToken"] != spent:
                return login
            if "refreshToken" not in login:
                raise Failure("login_ended", "Your login has ended.", LOG_IN)
            answer = self.server.form(
                "/oauth2/token/",
                grant_type="refresh_token",
                refresh_token=login["refreshToken"],
                client_id=CLIENT,
            )
            told = answer.document()
            if answer.status in (400, 401):
                raise Failure("login_ended", "Your login has ended.", LOG_IN)
            if answer.status != 200 or not isinstance(told, dict):
                raise refused(answer)
            login = login | tokens(told)
            self.store.write(login)
            return login


def tokens(told: dict[str, Any]) -> dict[str, Any]:
    """What is kept of the answer that gives tokens."""
    kept = {
        "accessToken": told["access_token"],
        "expiresAt": time.time() + float(told["expires_in"]),
    }
    if "refresh_token" in told:
        kept["refreshToken"] = told["refresh_token"]
    return kept


def workspace_token(workspace: str, secret: str, tenant: str, *, lasts: float = 3600) -> str:
    """A token of a tenant, signed with the workspace's secret (JWT, HS256)."""
    now = int(time.time())
    claims = {"workspaceKey": workspace, "tenantKey": tenant, "iat": now, "exp": now + int(lasts)}
    signed = b".".join(_part(part) for part in ({"alg": "HS256", "typ": "JWT"}, claims))
    mark = hmac.new(secret.encode(), signed, hashlib.sha256).digest()
    return b".".join((signed, _text(mark))).decode()


def _part(document: dict[str, Any]) -> bytes:
    return _text(json.dumps(document, separators=(",", ":")).encode())


def _text(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


def refused(answer: Answer) -> Failure:
    """What an answer of the gateway says went wrong."""
    told = answer.document()
    told = told if isinstance(told, dict) else {}
    message = told.get("message") or told.get("error") or f"{answer.status} {answer.reason}"
    key = str(told.get("key") or told.get("type") or f"http_{answer.status}")
    data: dict[str, Any] = told["data"] if isinstance(told.get("data"), dict) else {}
    hint = told.get("hint") or data.get("hint")
    if answer.status == 401:
        hint = hint or LOG_IN
    more: dict[str, Any] = {"status": answer.status}
    if data:
        more["data"] = data
    if "actionRunId" in told:
        more["actionRunId"] = told["actionRunId"]
    return Failure(
        key, str(message), str(hint or "Read the message; nothing was changed."), more=more
    )
