"""Asking a server over HTTP, and which server that is."""

import http.client
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from clinch.cli.gateway import HANDED_OUT_BY
from clinch.cli.gateway.result import Failure, usage
from clinch.db.home import HomeError, default_home, running_at

Pairs = Iterable[tuple[str, str]]

TIMEOUT = 120.0


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    reason: str
    headers: dict[str, str]
    body: bytes

    def document(self) -> Any:
        """The JSON of the body, or None where it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


class Server:
    """One server, by the address that it is told by."""

    def __init__(self, uri: str) -> None:
        parts = urlsplit(uri if "://" in uri else f"https://{uri}")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise usage(f"{uri!r} is no address of a server.", "--apiUri https://crm.example")
        self.uri = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
        self._parts = parts

    def ask(
        self, method: str, path: str, *, headers: Pairs = (), body: bytes | None = None
    ) -> Answer:
        """One request; `path` is below the server's address. Raises Failure where none answers."""
        parts = self._parts
        kind = (
            http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        )
        connection = kind(parts.hostname or "", parts.port, timeout=TIMEOUT)
        try:
            connection.putrequest(method, parts.path.rstrip("/") + path, skip_accept_encoding=True)
            for name, value in headers:
                connection.putheader(name, value)
            if body is not None or method in ("POST", "PUT", "PATCH"):
                connection.putheader("Content-Length", str(len(body or b"")))
            connection.endheaders(body)
            response = connection.getresponse()
            told = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, response.reason, told, response.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise self._unreachable(error) from None
        finally:
            connection.close()

    def form(self, path: str, **fields: str) -> Answer:
        """A POST of form fields."""
        kind = [("Content-Type", "application/x-www-form-urlencoded")]
        return self.ask("POST", path, headers=kind, body=urlencode(fields).encode())

    def _unreachable(self, error: Exception) -> Failure:
        said = str(error) or type(error).__name__
        return Failure(
            "unreachable",
            f"No server answers at {self.uri} ({said}).",
            "Start it (make run), or name another with --apiUri.",
        )


def find_server(given: str | None, project: dict[str, str], stored: str | None) -> Server:
    """The server that is named: by the option, the environment, the project's file, the login, or
    by running on this machine. Raises Failure where there is none."""
    named = (
        given
        or os.environ.get("MEMBRANE_API_URI")
        or os.environ.get("MEMBRANE_API_URL")
        or project.get("apiUri")
        or stored
        or _running_here()
        or next(iter(HANDED_OUT_BY), None)
    )
    if not named:
        raise Failure(
            "no_server",
            "No server is known.",
            "Start one on this machine with `make run`, or name it: --apiUri URL",
        )
    return Server(named)


def _running_here() -> str | None:
    try:
        return running_at(default_home())
    except HomeError:
        return None


def project_settings(folder: Path) -> dict[str, str]:
    """What the nearest project file above a folder says: `.membrane/config.json` or
    `membrane.config.yml`; the environment stands above it."""
    for place in (folder, *folder.parents):
        for path, parse in (
            (place / ".membrane" / "config.json", json.loads),
            (place / "membrane.config.yml", _plain_yaml),
        ):
            try:
                found = parse(path.read_text("utf-8"))
            except FileNotFoundError:
                continue
            except (OSError, ValueError) as error:
                raise Failure(
                    "configuration", f"{path} cannot be read ({error}).", "Mend or remove it."
                ) from None
            if isinstance(found, dict):
                return {key: value for key, value in found.items() if isinstance(value, str)}
    return {}


def _plain_yaml(text: str) -> dict[str, str]:
    """The `key: value` lines of a file that has nothing else."""
    found = {}
    for line in text.splitlines():
        key, colon, value = line.partition(":")
        if colon and not line.startswith((" ", "#", "-")):
            found[key.strip()] = value.strip().strip("'\"")
    return found
