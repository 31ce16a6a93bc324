"""A tenant's secret goes everywhere a secret goes, and is found nowhere; then the keys change.

One running installation goes through all of it: the workspace's key is shown, customers come with
tokens, secrets are sealed, requests fail, and the secret key is rotated while the server runs.
"""

import asyncio
import base64
import contextlib
import hashlib
import hmac
import io
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter
from collections.abc import Coroutine, Iterator
from contextlib import redirect_stderr
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import pyotp
import pytest
import requests

from clinch.db.binaries import find_binaries
from clinch.db.database import Database
from clinch.db.postmaster import running_url
from clinch.gateway.errors import GatewayError
from clinch.gateway.tenancy.access import Access
from clinch.gateway.tenancy.secrets import TenantVault
from clinch.gateway.tenancy.tenants import DATA_KEYS, GatewayTenant
from clinch.identity.credentials import Authenticator
from clinch.server.log import log_failure
from clinch.vault.keys import KEY_FILE
from clinch.vault.vault import CannotOpen, Vault, open_vault

CANARY = "canary-8b1f6c0d7e2a4953"
PLACE = ("con_1", "access_token", 1)
CLINCH = [sys.executable, "-m", "clinch.cli.main"]


@dataclass
class Installation:
    """A `clinch up --sample`, and all that was told and found while it ran."""

    home: Path
    log: Path
    facts: dict[str, Any] = field(default_factory=dict)
    """What the server has told of itself when it answered first; empty where it did not."""
    secrets: dict[str, bytes] = field(default_factory=dict)
    found: dict[str, bytes] = field(default_factory=dict)
    """What may hold no secret, by its name."""
    told: dict[str, Any] = field(default_factory=dict)

    @contextlib.contextmanager
    def up(self, *words: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run the server; the facts that it tells once it answers."""
        command = [*CLINCH, "up", "--json", "--home", str(self.home), "--port", "0", *words]
        with self.log.open("ab") as stderr:
            process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=stderr, env=environment()
            )
        with process:
            try:
                assert process.stdout
                said = process.stdout.readline()
                self.facts = json.loads(said) if said else {}
                yield process
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(30)

    def clinch(self, *words: str, fails: bool = False) -> str:
        command = [*CLINCH, *words, "--home", str(self.home)]
        done = subprocess.run(
            command, capture_output=True, text=True, env=environment(), check=False
        )
        assert (done.returncode != 0) == fails, done.stderr
        self.found[f"stderr of {words}"] = done.stderr.encode()
        return done.stderr if fails else done.stdout


def environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "CLINCH_SECRET_KEY"}


def sign(claims: dict[str, Any], secret: str) -> str:
    parts = ({"alg": "HS256"}, claims)
    text = ".".join(base64.urlsafe_b64encode(json.dumps(p).encode()).decode() for p in parts)
    text = text.replace("=", "")
    signature = hmac.digest(secret.encode(), text.encode(), hashlib.sha256)
    return f"{text}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


@pytest.fixture(scope="module")
def installation() -> Iterator[Installation]:
    with tempfile.TemporaryDirectory(prefix="clinch-test-") as folder:
        here = Installation(Path(folder) / "home", Path(folder) / "log")
        with here.up("--sample"), processes(here):
            asyncio.run(live(here))
        here.found["our log"] = here.log.read_bytes()
        for path in here.home.rglob("*"):
            if path.is_file() and path.name not in (KEY_FILE, "sample.json"):
                here.found[f"file {path.relative_to(here.home)}"] = path.read_bytes()
        yield here


@contextlib.contextmanager
def processes(here: Installation) -> Iterator[None]:
    """Look at the command line and environment of every process that comes, a few times."""
    done, seen = threading.Event(), set[bytes]()
    looked: Counter[Path] = Counter()

    def look() -> None:
        while not done.wait(0.1):
            for path in Path("/proc").glob("[0-9]*"):
                looked[path] += 1
                for name in ("cmdline", "environ") if looked[path] <= 3 else ():
                    with contextlib.suppress(OSError):
                        seen.add((path / name).read_bytes())

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        here.found["processes"] = b"\n".join(seen)


async def live(here: Installation) -> None:
    """Go through all of it, with a database of our own beside the server's."""
    url = running_url(here.home)
    assert url
    database = Database(url, 4)
    try:
        await use_secrets(here, url, database)
    finally:
        await database.close()


async def use_secrets(here: Installation, url: str, database: Database) -> None:
    """Use secrets in every way, rotate the key in between, and dump the database."""
    workspace = json.loads(here.clinch("workspace", "key", "--json"))
    assert workspace.keys() == {"workspaceKey", "workspaceSecret"}
    here.secrets |= {
        "canary": CANARY.encode(),
        "workspace secret": workspace["workspaceSecret"].encode(),
        "first secret key": (here.home / KEY_FILE).read_bytes().strip(),
        "first secret key, raw": bytes.fromhex((here.home / KEY_FILE).read_text()),
    }
    app = await asyncio.to_thread(turn_on_second_factor, here, here.facts["email"])
    here.secrets["second factor"] = app.encode()

    vault = open_vault(here.home)
    access = Access(database, vault, Authenticator(database))
    token = sign(
        {"id": "acme", "iss": workspace["workspaceKey"], "exp": time.time() + 3600},
        workspace["workspaceSecret"],
    )
    here.secrets["token"] = token.rpartition(".")[2].encode()
    before = (await access.caller(token, datetime.now(UTC))).tenant
    assert before
    place = DATA_KEYS.place_of(before.organization_id, before.id)
    here.secrets["data key"] = vault.open(before.wrapped_data_key, place)
    sealed = TenantVault(vault).seal(before, *PLACE, CANARY.encode())
    await store(url, before, sealed)
    here.told["names before"] = list(vault.names)

    here.told["rotation"] = json.loads(
        await asyncio.to_thread(here.clinch, "vault", "rotate", "--json")
    )
    here.secrets["second secret key"] = (here.home / KEY_FILE).read_bytes().split()[0]

    # The running server has not been told of the new key, and is to seal with it.
    logins = json.loads((here.home / "sample.json").read_text())["logins"]
    [other, *_] = [email for email in logins.values() if email != here.facts["email"]]
    late = await asyncio.to_thread(turn_on_second_factor, here, other)
    here.secrets["second factor of another"] = late.encode()
    here.told["sign-in"] = await asyncio.to_thread(sign_in_with_code, here, app)
    after = (await access.caller(token, datetime.now(UTC))).tenant
    assert after
    here.told["rewrapped"] = after.wrapped_data_key != before.wrapped_data_key
    opened = TenantVault(vault).open(after, *PLACE, sealed)
    here.told["opened"] = opened.decode()
    here.told["again"] = json.loads(
        await asyncio.to_thread(here.clinch, "vault", "rotate", "--json")
    )
    here.told["doctor"] = await asyncio.to_thread(here.clinch, "doctor")
    here.told["shown again"] = json.loads(here.clinch("workspace", "key", "--json")) == workspace
    await fail(here, database, access, vault, after, sealed, token)
    here.found["dump"] = await asyncio.to_thread(dump, url)


def turn_on_second_factor(here: Installation, email: str) -> str:
    """Set up the second factor of somebody in the sample; its secret."""
    browser, url = requests.Session(), here.facts["url"]
    right = {"email": email, "password": here.facts["password"]}
    assert browser.post(f"{url}/session/", json=right, timeout=30).status_code == 201
    setup = browser.post(f"{url}/session/second_factor/", json=right, timeout=30)
    secret: str = setup.json()["secret"]
    code = pyotp.TOTP(secret).now()
    done = browser.put(f"{url}/session/second_factor/", json={"code": code}, timeout=30)
    assert done.status_code == 200, done.text
    return secret


def sign_in_with_code(here: Installation, secret: str) -> int:
    body = {
        "email": here.facts["email"],
        "password": here.facts["password"],
        "code": pyotp.TOTP(secret).at(int(time.time()) + 30),
    }
    url = f"{here.facts['url']}/session/"
    return requests.post(url, json=body, timeout=30).status_code


STORE = """
create table canary (organization_id uuid, tenant_id text, sealed bytea);
create function fail() returns trigger language plpgsql as $$
begin raise exception 'this quotes %', new using detail = encode(new.sealed, 'escape'); end $$;
create trigger fail before update on canary for each row execute function fail();
"""


async def store(url: str, tenant: GatewayTenant, sealed: bytes) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(STORE)
    await connection.execute(
        "insert into canary values ($1, $2, $3)", tenant.organization_id, tenant.id, sealed
    )
    await connection.close()


async def fail(
    here: Installation,
    database: Database,
    access: Access,
    vault: Vault,
    tenant: GatewayTenant,
    sealed: bytes,
    token: str,
) -> None:
    """Everything that can go wrong with a secret at hand, and what is said of it."""
    said, log = [], io.TextIOWrapper(io.BytesIO(), write_through=True)
    secrets_of = TenantVault(vault)

    async def update() -> None:
        async with database.owner() as transaction:
            await transaction.execute("update canary set sealed = $1", CANARY.encode())

    async def refused(wrong: str) -> None:
        await access.caller(wrong, datetime.now(UTC))

    async def misplaced(field: str, value: bytes) -> None:
        secrets_of.open(tenant, "con_1", field, 1, value)

    async def foreign() -> None:
        TenantVault(Vault("ab" * 32)).open(tenant, *PLACE, sealed)

    failing: list[Coroutine[Any, Any, None]] = [
        update(),
        refused(f"{token}x"),
        refused(token.replace(".", f".{CANARY}", 1)),
        refused(CANARY),
        refused(f"{CANARY}.{CANARY}"),
        misplaced("refresh_token", sealed),
        misplaced("access_token", sealed + CANARY.encode()),
        misplaced("access_token", CANARY.encode()),
        foreign(),
    ]
    with redirect_stderr(log):
        for work in failing:
            with pytest.raises((GatewayError, CannotOpen, asyncpg.PostgresError)) as raised:
                await work
            log_failure(raised.value)
            if isinstance(raised.value, GatewayError):
                said.append(json.dumps(raised.value.body))
            if not isinstance(raised.value, asyncpg.PostgresError):
                said += [str(raised.value), *traceback.format_exception(raised.value)]
    said += [repr(tenant), repr(vault), repr(secrets_of), repr(vars(vault)), repr(vars(access))]
    here.found["errors"] = "\n".join(said).encode()
    here.found["log of errors"] = log.buffer.getvalue()
    assert here.found["log of errors"].count(b'"failure"') == len(failing)
    for bearer in (token, f"{token}x", CANARY):
        headers = {"Authorization": f"Bearer {bearer}"}
        for path in ("/api/v1/me/", f"/api/v1/lead/{CANARY}/", f"/{CANARY}"):
            answer = await asyncio.to_thread(
                requests.get, f"{here.facts['url']}{path}", headers=headers, timeout=30
            )
            here.found[f"answer to {path} {bearer[:12]}"] = answer.content


def dump(url: str) -> bytes:
    """The whole database, as a backup has it."""
    program = find_binaries(None, ()).folder / "pg_dump"
    return subprocess.run([program, url], capture_output=True, check=True).stdout


def spellings(secret: bytes) -> set[bytes]:
    """A secret as it is, and as bytes are commonly written."""
    return {
        secret,
        secret.hex().encode(),
        base64.b64encode(secret).rstrip(b"="),
        base64.urlsafe_b64encode(secret).rstrip(b"="),
        repr(secret).encode()[2:-1],
    }


def test_no_secret_is_anywhere(installation: Installation) -> None:
    assert b"COPY public.event_body" in installation.found["dump"]
    assert any("postgresql.log" in name for name in installation.found)
    assert b"clinch.main\x00web" in installation.found["processes"]
    assert b"clinch.main\x00administer" in installation.found["processes"]
    assert b"this quotes" not in installation.found["our log"]
    for name, secret in installation.secrets.items():
        for spelling in spellings(secret):
            for where, text in installation.found.items():
                # In the process whose log they are, the failing statements quote their parameters.
                assert spelling not in text, f"the {name} is in {where}"


def test_the_search_would_find_a_secret(installation: Installation) -> None:
    assert b'"status":401' in installation.found["our log"]
    assert b"acme" in installation.found["dump"]
    assert len(installation.secrets["data key"]) == 32


def test_the_running_server_goes_on_under_the_new_key(installation: Installation) -> None:
    told = installation.told
    [first] = told["names before"]
    rotation = told["rotation"]
    sealed = {"second_factor": 1, "gateway_workspace": 1, "gateway_tenant": 1, "once": 0}
    assert rotation["sealed"] == sealed
    assert (rotation["failed"], rotation["removable"]) == (0, [first])
    assert rotation["key"] != first
    assert (told["sign-in"], told["rewrapped"], told["opened"]) == (201, True, CANARY)
    assert told["shown again"]
    assert told["again"] == rotation | {"sealed": dict.fromkeys(sealed, 0)}
    assert f"ok  the secret key {first} seals nothing, and can be removed" in told["doctor"]
    assert f"ok  the secret key {rotation['key']} seals second factors (2)" in told["doctor"]


def test_it_starts_without_the_old_key_and_not_without_the_new_one(
    installation: Installation,
) -> None:
    path = installation.home / KEY_FILE
    both = path.read_text()
    new, old = both.split()
    path.write_text(f"{new}\n")
    with installation.up() as process:
        assert installation.facts["url"]
        # Who comes with another key is refused, and nothing is sealed with it.
        path.write_text(f"{old}\n")
        for words in (("workspace", "key", "--rotate"), ("vault", "rotate")):
            assert "has sealed" in installation.clinch(*words, fails=True)
        assert path.read_text() == f"{old}\n"
        assert process.poll() is None
    path.unlink()
    at = installation.log.stat().st_size
    with installation.up():
        assert installation.facts == {}
    said = installation.log.read_bytes()[at:].decode().splitlines()
    assert sum(line.startswith("clinch: there is no secret key: put it") for line in said) == 1
    assert not path.exists()
    path.write_text(f"{old}\n")
    at = installation.log.stat().st_size
    with installation.up():
        assert installation.facts == {}
    said = installation.log.read_bytes()[at:].decode().splitlines()
    lines = [line for line in said if line.startswith("clinch: the preparation failed: ")]
    assert len(lines) == 1, said
    assert f"the secret key {Vault(new).names[0]} has sealed" in lines[0]
    assert "put that key back" in lines[0]
    path.unlink()
    name = Vault(new).names[0]
    given_up = json.loads(installation.clinch("vault", "forget", name, "--yes", "--json"))
    assert given_up == {
        "second_factor": "2",
        "gateway_workspace": "1",
        "gateway_tenant": "1",
        "once": "0",
    }
    with installation.up():
        assert installation.facts["url"]
