"""What is secret, or belongs to a customer, is in no log: neither ours nor PostgreSQL's."""

import asyncio
import json
import socket
import stat
import subprocess
import sys
import tempfile
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pyotp
import pytest
import requests

from clinch.db.postmaster import running_url
from clinch.vault.keys import KEY_FILE

CANARY = "canary7f3a9c"
WRONG_SECRET = "wrongSecret5d1e8b"
NEW_PASSWORD = "newPassword4c2f7d"


@dataclass
class Installation:
    """A running `clinch up --sample`, after requests of every kind; its logs when it has ended."""

    secrets: dict[str, str]
    statuses: set[int]
    log: str
    database_log: str

    def lines(self) -> list[dict[str, Any]]:
        """The lines of the web process; those of the parent begin with its name."""
        lines = [line for line in self.log.splitlines() if not line.startswith("clinch: ")]
        return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def installation() -> Iterator[Installation]:
    with tempfile.TemporaryDirectory(prefix="clinch-test-") as folder:
        home, log = Path(folder) / "home", Path(folder) / "log"
        with log.open("wb") as stderr:
            command = ["up", "--sample", "--json", "--home", str(home), "--port", "0"]
            process = subprocess.Popen(
                [sys.executable, "-m", "clinch.cli.main", *command],
                stdout=subprocess.PIPE,
                stderr=stderr,
            )
        with process:
            try:
                assert process.stdout
                said = process.stdout.readline()
                assert said, log.read_text()
                facts = json.loads(said)
                database_url = running_url(home)
                assert database_url
                secrets = asyncio.run(stored_secrets(database_url)) | {
                    "password": facts["password"],
                    "key": facts["api_key"],
                    "secret of the key": facts["api_key"].partition(".")[2],
                    "basic": b64encode(f"{facts['api_key']}:".encode()).decode(),
                    "wrong secret": WRONG_SECRET,
                    "canary": CANARY,
                }
                assert stat.S_IMODE((home / KEY_FILE).stat().st_mode) == 0o600
                secrets |= {"secret key": (home / KEY_FILE).read_text().strip()}
                secrets |= sign_in_everywhere(home, facts)
                statuses = ask_everything(facts["url"], facts["api_key"])
                statuses |= asyncio.run(fail(database_url, facts["url"], facts["api_key"]))
            finally:
                process.terminate()
                process.wait(30)
        yield Installation(
            secrets, statuses, log.read_text(), (home / "postgresql.log").read_text()
        )


async def stored_secrets(url: str) -> dict[str, str]:
    """What the database keeps of keys and passwords."""
    connection = await asyncpg.connect(url)
    try:
        hashes = await connection.fetch("select password_hash from login")
        keys = await connection.fetch("select encode(hash, 'hex') from credential")
    finally:
        await connection.close()
    found = {f"password hash {n}": row[0] for n, row in enumerate(hashes)}
    return found | {f"key hash {n}": row[0] for n, row in enumerate(keys)}


def sign_in_everywhere(home: Path, facts: dict[str, str]) -> dict[str, str]:
    """Use every way to sign in, rightly and wrongly; the secrets that were told and sent."""
    url, email, password = facts["url"], facts["email"], facts["password"]
    browser = requests.Session()

    def ask(method: str, path: str, **rest: Any) -> requests.Response:
        return browser.request(method, f"{url}{path}", timeout=30, **rest)

    def by_key(path: str, body: dict[str, str]) -> dict[str, str]:
        answer = ask("POST", f"/api/v1{path}", json=body, auth=(facts["api_key"], ""))
        assert answer.status_code == 200, answer.text
        told: dict[str, str] = answer.json()
        return told

    def clinch(*words: str) -> str:
        command = [sys.executable, "-m", "clinch.cli.main", *words, "--home", str(home), "--json"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        told: dict[str, str] = json.loads(done.stdout)
        return told["link"]

    right = {"email": email, "password": password}
    ask("POST", "/session/", json=right | {"password": WRONG_SECRET})
    assert ask("POST", "/session/", json=right).status_code == 201
    session = browser.cookies["clinch_session"] or ""
    setup = ask("POST", "/session/second_factor/", json=right).json()
    code = pyotp.TOTP(setup["secret"]).now()
    ask("PUT", "/session/second_factor/", json={"code": WRONG_SECRET})
    codes = ask("PUT", "/session/second_factor/", json={"code": code}).json()["recovery_codes"]
    ask("POST", "/session/", json=right | {"code": WRONG_SECRET})
    assert ask("POST", "/session/", json=right | {"code": codes[0]}).status_code == 201
    users = ask("GET", "/api/v1/user/", auth=(facts["api_key"], "")).json()["data"]
    other = next(user for user in users if user["email"] != email)
    links = {
        "reset": by_key(f"/user/{other['id']}/password_reset/", {})["link"],
        "invitation": by_key("/invitation/", {"email": "lena@quay.example"})["link"],
        "reset by the command": clinch("user", "reset", email),
        "invitation by the command": clinch("user", "invite", "nora@quay.example"),
    }
    for link in links.values():
        assert link.startswith(f"{url}/")
        path = link.removeprefix(url)
        form = {"password": NEW_PASSWORD, "again": NEW_PASSWORD, "first_name": CANARY}
        assert ask("GET", path).status_code == 200
        assert ask("POST", f"{path}x", data=form).status_code == 404
        assert ask("POST", path, data=form | {"password": "short"}).status_code == 400
        assert ask("POST", path, data=form).status_code == 200
        ask("GET", path)
    return {
        "session": session.partition(".")[2],
        "second factor": setup["secret"],
        "new password": NEW_PASSWORD,
        **{f"link of the {name}": link.rpartition(".")[2] for name, link in links.items()},
        **{f"recovery code {number}": code for number, code in enumerate(codes)},
    }


def ask_everything(url: str, key: str) -> set[int]:
    """Requests that are good, and bad in every way, with a canary in all that a client can say."""
    api = f"{url}/api/v1"
    id = key.partition(".")[0]
    statuses = set()

    def ask(method: str, address: str, auth: str = key, **rest: Any) -> Any:
        answer = requests.request(method, address, auth=(auth, CANARY), timeout=30, **rest)
        statuses.add(answer.status_code)
        return answer.json() if "json" in answer.headers.get("content-type", "") else None

    lead = ask("POST", f"{api}/lead/", json={"name": CANARY, "contacts": [{"name": CANARY}]})
    ask("GET", f"{api}/me/")
    ask("POST", f"{api}/status/lead/", json={"label": CANARY})
    ask("POST", f"{api}/status/lead/", json={"label": CANARY})
    ask("GET", f"{api}/lead/", params={"_limit": CANARY, CANARY: key})
    ask("GET", f"{api}/contact/", params={"lead_id": CANARY, "_fields": key})
    ask("PUT", f"{api}/lead/{lead['id']}/", json={"status": CANARY, "url": f"javascript:{CANARY}"})
    ask("PUT", f"{api}/lead/{lead['id']}/", json={"status": f"\0{CANARY}"})
    ask("DELETE", f"{api}/status/lead/{lead['status_id']}/")
    for path in (f"api_key/{key}", f"lead/{key}", key, f"{CANARY}/{key}", f"user/{CANARY}"):
        for method in ("GET", "PUT", "DELETE", "POST", "PATCH"):
            ask(method, f"{api}/{path}/", json={"name": CANARY})
    for page in (f"{url}/{key}", f"{url}/healthz?{key}", f"{url}/readyz/{CANARY}", url):
        ask("GET", page)
    for wrong in (f"{id}.{WRONG_SECRET}", WRONG_SECRET, f"{CANARY}.{WRONG_SECRET}", key[:-1]):
        ask("GET", f"{api}/me/", auth=wrong)
    headers = {"content-type": "application/json"}
    for raw in (CANARY, f'{{"name": "{CANARY}', f'["{CANARY}"]', CANARY * 100_000, "[" * 101):
        ask("POST", f"{api}/lead/", data=raw, headers=headers)
    ask("POST", f"{api}/lead/", data=CANARY, headers={"content-type": f"text/{CANARY}"})
    override = {"x-http-method-override": CANARY, "x-tz-offset": CANARY, "cookie": key}
    ask("POST", f"{api}/lead/", json={"name": CANARY}, headers=override)
    ask("DELETE", f"{api}/lead/{lead['id']}/", headers=override)
    host, _, port = url.removeprefix("http://").partition(":")
    for raw_request in (f"{CANARY} {key}\r\n\r\n", f"GET /{key} HTTP/9.{CANARY}\r\n\r\n"):
        with socket.create_connection((host, int(port)), timeout=30) as connection:
            connection.sendall(raw_request.encode())
            connection.makefile("rb").read()
    return statuses


FAILING = """
create function fail() returns trigger language plpgsql as $$
begin raise exception 'this quotes %', new using detail = new.name; end $$;
create trigger fail before insert on lead for each row execute function fail();
"""


async def fail(database_url: str, url: str, key: str) -> set[int]:
    """Requests that fail inside, with an error that quotes what was sent."""
    connection = await asyncpg.connect(database_url)
    statuses = set()
    try:
        await connection.execute(FAILING)
        for name in (CANARY, key):
            answer = await asyncio.to_thread(
                requests.post,
                f"{url}/api/v1/lead/",
                json={"name": name, "description": CANARY},
                auth=(key, ""),
                timeout=30,
            )
            statuses.add(answer.status_code)
            assert CANARY not in answer.text
            assert "quotes" not in answer.text
    finally:
        await connection.execute("drop trigger fail on lead; drop function fail")
        await connection.close()
    return statuses


def test_the_requests_had_every_kind_of_answer(installation: Installation) -> None:
    assert installation.statuses >= {200, 400, 401, 404, 405, 413, 500}


def test_no_secret_is_in_our_log(installation: Installation) -> None:
    assert installation.log.count('"event":"request"') > 40
    for name, secret in installation.secrets.items():
        assert secret not in installation.log, name


def test_no_secret_is_in_the_log_of_postgresql(installation: Installation) -> None:
    assert "database system is ready" in installation.database_log
    for name, secret in installation.secrets.items():
        assert secret not in installation.database_log, name
    assert "insert into" not in installation.database_log.lower()


def test_every_line_is_an_object_that_says_what_and_when(installation: Installation) -> None:
    for line in installation.lines():
        assert {"at", "event"} <= set(line)


def test_every_line_of_a_request_has_its_id(installation: Installation) -> None:
    requested = [line for line in installation.lines() if line["event"] == "request"]
    ids = [line["request_id"] for line in requested]
    assert all(id.startswith("req_") for id in ids)
    assert len(set(ids)) == len(ids)
    failed = [line for line in installation.lines() if line["event"] == "failure"]
    assert failed
    assert {line["request_id"] for line in failed} <= set(ids)


def test_a_request_is_logged_by_its_pattern(installation: Installation) -> None:
    routes = {line["route"] for line in installation.lines() if line["event"] == "request"}
    assert {"/lead", "/lead/{}", "/api_key/{}", "/me", None} <= routes
    assert all(route is None or "_0" not in route for route in routes)
