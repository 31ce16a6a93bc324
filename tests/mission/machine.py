"""A machine on which Clinch runs as a person starts it, and the shells of those who use it."""

import asyncio
import json
import os
import pty
import re
import secrets
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
from node import folder
from server.oauth.browser import Browser

from clinch.db.embedded import running_url

BIN = Path(sys.executable).parent
PASSWORD = "correct horse"
_PATIENCE = 60.0


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who signs in."""

    email: str
    password: str


@dataclass(frozen=True, slots=True)
class Done:
    """A command that has ended. With a terminal `out` is what stood on it."""

    code: int
    out: str
    err: str = ""

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True, slots=True)
class Machine:
    """`told` is what `clinch up --sample --json` says of itself."""

    home: Path
    told: dict[str, Any]

    @property
    def url(self) -> str:
        return str(self.told["url"])

    @property
    def environment(self) -> dict[str, str]:
        """That of a shell with no settings but where the programs are."""
        return {
            "PATH": f"{BIN}:{folder()}:{os.environ['PATH']}",
            "HOME": str(self.home),
            "CLINCH_HOME": str(self.home / "clinch"),
        }

    @property
    def owner(self) -> User:
        """The first user of the sample."""
        return User(self.told["email"], self.told["password"])

    def administer(self, *words: str, given: str = "") -> Any:
        """What a command of `clinch` says as JSON."""
        done = subprocess.run(
            [BIN / "clinch", *words, "--json"],
            env=self.environment,
            input=given,
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    @property
    def organization(self) -> str:
        """The organization of the sample."""
        [(found,)] = self.sql(
            "select d.id from organization_directory d join login l"
            " on d.organization_id = l.organization_ids[1] where l.email = $1",
            self.owner.email,
        )
        return str(found)

    def user(self) -> User:
        """Somebody new in that organization."""
        email = f"rosa.{secrets.token_hex(6)}@harbour.example"
        where = ("--organization", self.organization)
        rest = ("--role", "admin", "--password-stdin", *where)
        self.administer("user", "create", email, *rest, given=PASSWORD)
        return User(email, PASSWORD)

    def key(self, user: User) -> str:
        """An API key of somebody in it: a secret that they type into a page."""
        where = ("--organization", self.organization)
        return str(self.administer("key", "create", user.email, *where)["api_key"])

    def sql(self, statement: str, *arguments: Any) -> list[Any]:
        """Rows of the server's database, read or changed from outside."""

        async def run() -> list[Any]:
            url = running_url(self.home / "clinch")
            assert url is not None
            connection = await asyncpg.connect(url)
            try:
                return [tuple(row) for row in await connection.fetch(statement, *arguments)]
            finally:
                await connection.close()

        # In a thread of its own: a real browser has the event loop of this one.
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(asyncio.run, run()).result()


@contextmanager
def started(home: Path) -> Iterator[Machine]:
    """A machine with a server that runs while this does."""
    command = [str(BIN / "clinch"), "up", "--sample", "--json", "--port", "0"]
    with subprocess.Popen(
        command,
        env=Machine(home, {}).environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as running:
        try:
            assert running.stdout is not None
            yield Machine(home, json.loads(running.stdout.readline()))
        finally:
            running.terminate()
            running.wait(30)


@dataclass(frozen=True, slots=True)
class Shell:
    """Where somebody, or their agent, types commands: a home of its own on the machine."""

    machine: Machine
    home: Path
    extra: Mapping[str, str]

    @property
    def environment(self) -> dict[str, str]:
        return {**self.machine.environment, "HOME": str(self.home), **self.extra}

    def of(self, **extra: str) -> "Shell":
        """The same shell with further settings."""
        return Shell(self.machine, self.home, {**self.extra, **extra})

    def run(self, line: str, code: int = 0) -> Done:
        """Run a line as a program does that watches its output: no terminal."""
        found = subprocess.run(
            ["bash", "-c", line],
            env=self.environment,
            cwd=self.home,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=_PATIENCE,
        )
        assert found.returncode == code, (line, found)
        return Done(found.returncode, found.stdout, found.stderr)

    def json(self, line: str, code: int = 0) -> Any:
        return self.run(line, code).json

    def script(self, lines: str, code: int = 0) -> Done:
        """Run lines as a script that stops where one fails."""
        path = self.home / "script.sh"
        path.write_text(f"set -eu\n{lines}\n")
        return self.run(f"bash {path}", code)

    @contextmanager
    def typing(self, line: str) -> Iterator["Typed"]:
        """Type a line on a terminal; it runs on meanwhile."""
        parent, child = pty.openpty()
        running = subprocess.Popen(
            ["bash", "-c", line],
            env={**self.environment, "TERM": "xterm"},
            cwd=self.home,
            stdin=child,
            stdout=child,
            stderr=child,
            start_new_session=True,
        )
        os.close(child)
        try:
            yield Typed(running, parent)
        finally:
            running.kill()
            running.wait()
            os.close(parent)

    def typed(self, line: str, code: int = 0) -> Done:
        """Type a line on a terminal, and wait for its end."""
        with self.typing(line) as typed:
            done = typed.ended()
        assert done.code == code, (line, done)
        return done

    def log_in(self, user: User, words: str = "--tenant") -> Any:
        """Log in without a terminal, by plain forms."""
        begun = self.json(f"membrane login {words}")
        code = code_of(Browser(self.machine.url), user, begun["url"])
        return self.json(f"membrane login complete {code} --json")

    @property
    def credentials(self) -> Path:
        return self.home / ".membrane" / "credentials.json"

    def kept(self) -> bytes:
        """All that stands in the home, names and contents."""
        found = b""
        for path in sorted(self.home.rglob("*")):
            found += str(path).encode() + b"\n"
            if path.is_file():
                found += path.read_bytes() + b"\n"
        return found


class Typed:
    """A command that runs on a terminal."""

    def __init__(self, running: subprocess.Popen[bytes], terminal: int) -> None:
        self._running, self._terminal = running, terminal
        self._shown = b""

    @property
    def runs(self) -> bool:
        return self._running.poll() is None

    def shows(self, pattern: str) -> str:
        """What the terminal shows of a pattern, once it does."""
        ends = time.monotonic() + _PATIENCE
        while time.monotonic() < ends:
            self._read()
            if found := re.search(pattern, self._text()):
                return found[0]
        raise AssertionError(f"no {pattern} on the terminal: {self._text()}")

    def ended(self) -> Done:
        """The command's end."""
        ends = time.monotonic() + _PATIENCE
        while self.runs and time.monotonic() < ends:
            self._read()
        code = self._running.wait(1)
        while self._read():
            pass
        return Done(code, self._text())

    def _text(self) -> str:
        return self._shown.decode().replace("\r\n", "\n")

    def _read(self) -> bool:
        """Read what there is by now; whether there was something."""
        if not select.select([self._terminal], [], [], 0.05)[0]:
            return False
        try:
            found = os.read(self._terminal, 65536)
        except OSError:  # the other end is closed
            return False
        self._shown += found
        return bool(found)


def code_of(browser: Any, user: User, url: str) -> str:
    """The code that the last page of a login shows."""
    page = browser.open(url).log_in(user).send(decision="allow")
    [code] = set(re.findall(r"membrane login complete (\w+)", page.text))
    return str(code)
