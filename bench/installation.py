"""One Clinch to measure: a PostgreSQL of its own, organizations with leads, a web process."""

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.request
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from bench.fill import Filled, fill
from clinch.cli.children import end, program, spawn
from clinch.cli.processes import listen
from clinch.crm.beginning import first_objects
from clinch.db.database import Database
from clinch.db.embedded import EmbeddedPostgres
from clinch.identity.api_keys import create_key
from clinch.identity.organizations import create_organization
from clinch.identity.users import NewUser, create_user
from clinch.program import declarations
from clinch.resources.actor import Actor, Provenance
from clinch.resources.store import Store

BENCH = Provenance(source="bench")
# A benchmark asks more often than any key may.
RATE_LIMIT = "100000000"


@dataclass(frozen=True, slots=True)
class Organization:
    """An organization, the admin in whose name is asked, the key, and what was filled in."""

    actor: Actor
    key: str
    filled: Filled

    @property
    def credential_id(self) -> str:
        return self.key.partition(".")[0]

    @property
    def authorization(self) -> str:
        return "Basic " + b64encode(f"{self.key}:".encode()).decode()


@dataclass(frozen=True, slots=True)
class Web:
    """One web process, as `clinch up` starts it."""

    url: str
    pid: int


@contextmanager
def postgres() -> Iterator[EmbeddedPostgres]:
    """A PostgreSQL with the program's own settings, in a temporary folder."""
    folder = Path(tempfile.mkdtemp(prefix="clinch-bench-"))
    server = EmbeddedPostgres(folder / "home")
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


async def make_organization(url: str, name: str, leads: int, seed: int) -> Organization:
    """An organization with an admin, a key and leads, made by the program's own functions."""
    async with _database(url) as database:
        store = Store(database, declarations())
        system = await create_organization(store, name, BENCH, first_objects())
        user = NewUser(f"sam.{seed}@harbour.example", "Sam", "Reed", "admin")
        user_id = await create_user(store, system, user, BENCH)
        key = await create_key(store, system, user_id, "bench", BENCH)
        actor = Actor(system.tenant, system.organization, user_id)
        connection = await asyncpg.connect(url)
        try:
            filled = await fill(store, connection, actor, leads, seed)
        finally:
            await connection.close()
    return Organization(actor, key, filled)


@asynccontextmanager
async def _database(url: str) -> AsyncIterator[Database]:
    database = Database(url, connections=1)
    try:
        yield database
    finally:
        await database.close()


@contextmanager
def web_process(database_url: str, app: str = "") -> Iterator[Web]:
    """A real web process on a loopback port; its log goes nowhere.

    `app` is the address of an app on this machine that its gateway may lead to.
    """
    listener = listen("127.0.0.1", 0)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    alive, writer = os.pipe()
    environment = {
        **os.environ,
        "CLINCH_DATABASE_URL": database_url,
        "CLINCH_PUBLIC_URL": url,
        "CLINCH_LISTEN_FD": str(listener.fileno()),
        "CLINCH_PARENT_FD": str(alive),
        "CLINCH_SECRET_KEY": secrets.token_hex(32),
        "CLINCH_RATE_LIMIT": RATE_LIMIT,
        "CLINCH_ALLOW_PRIVATE": app.removeprefix("http://"),
    }
    process = spawn(
        program("web"),
        environment,
        (alive, listener.fileno()),
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_until_healthy(url, process)
        yield Web(url, process.pid)
    finally:
        end(process)
        _close(listener, alive, writer)


def _close(listener: socket.socket, *descriptors: int) -> None:
    listener.close()
    for descriptor in descriptors:
        os.close(descriptor)


def _wait_until_healthy(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), urllib.request.urlopen(f"{url}/healthz", timeout=5):
            return
        time.sleep(0.05)
    raise SystemExit("bench: the web process did not start: does `clinch up` work?")
