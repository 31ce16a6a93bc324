"""The whole program is killed in the middle of writes: what was answered is there, and whole."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import requests

from clinch.db.postmaster import running_url
from clinch.program import declarations
from clinch.resources.declaration import counter

WRITES = 1000 if os.environ.get("CLINCH_SOAK") == "1" else 200
THREADS = 8
PATIENCE = 60.0
CLINCH = Path(sys.executable).parent / "clinch"


def lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def kill(pid: int) -> None:
    """Kill a process and return when it has ended."""
    os.kill(pid, signal.SIGKILL)
    until(lambda: not lives(pid))


class Up:
    """`clinch up --sample` on a home, as a user would start it; it may be started anew."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._notes = home.parent / "notes"
        self.start()

    def start(self) -> None:
        command: list[str | Path] = [
            CLINCH,
            "up",
            "--sample",
            "--json",
            "--port",
            "0",
            "--home",
            self.home,
        ]
        with open(self._notes, "ab") as notes:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=notes)
        assert self.process.stdout is not None
        with self.process.stdout as said:
            line = said.readline()
        assert line, self.notes()
        self.facts: dict[str, Any] = json.loads(line)
        assert self.facts["pid"] == self.process.pid

    def log(self) -> str:
        """What was said on stderr."""
        return self._notes.read_text()

    def notes(self) -> str:
        """The same without the requests."""
        lines = self.log().splitlines()
        return "\n".join(line for line in lines if '"event":"request"' not in line)

    def stop(self) -> None:
        self.process.terminate()
        assert self.process.wait(PATIENCE) == 0, self.notes()

    def child(self, *words: str) -> int:
        """The child whose command line has these words."""
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for child in children:
            with contextlib.suppress(OSError):
                command = Path(f"/proc/{child}/cmdline").read_text()
                if all(word in command for word in words):
                    return int(child)
        raise AssertionError(f"no child {words} among {children}")

    def request(self, method: str, path: str, body: Any = None) -> requests.Response:
        return requests.request(
            method,
            f"{self.facts['url']}/api/v1{path}",
            auth=(self.facts["api_key"], ""),
            json=body,
            timeout=PATIENCE,
        )


@pytest.fixture
def up() -> Iterator[Up]:
    with tempfile.TemporaryDirectory(prefix="clinch-kill-") as folder:
        os.chmod(folder, 0o711)
        running = Up(Path(folder) / "home")
        try:
            yield running
        finally:
            if running.process.poll() is None:
                running.stop()


def kill_web(up: Up) -> None:
    kill(up.child("clinch.main", "web"))


def kill_postgres(up: Up) -> None:
    kill(up.child("postgres", "-D"))


def kill_parent(up: Up) -> None:
    kill(up.process.pid)
    up.process.wait()
    up.start()


@dataclass
class Writer:
    """Makes a lead with a contact, renames one, deletes one, over and over."""

    up: Up
    number: int
    answered: list[tuple[str, str, str]] = field(default_factory=list)
    """What was confirmed: the kind of write, the lead, its name."""
    open: set[str] = field(default_factory=set)
    """Leads that a write without an answer was about."""
    done: int = 0
    failed: int = 0
    living: list[str] = field(default_factory=list)
    odd: list[str] = field(default_factory=list)
    """What was said in place of a confirmation or a request to try again."""

    def run(self, writes: int) -> None:
        for turn in range(writes):
            name = f"kill {self.number}.{turn}"
            if turn % 5 == 3 and self.living:
                self._write("PUT", self.living[-1], name)
            elif turn % 5 == 4 and len(self.living) > 1:
                self._write("DELETE", self.living.pop(0), name)
            else:
                self._write("POST", "", name)
            self.done += 1

    def _write(self, method: str, lead: str, name: str) -> None:
        body = {"name": name}
        if method == "POST":
            body |= {"contacts": [{"name": name}]}  # type: ignore[dict-item]
        try:
            response = self.up.request(method, f"/lead/{lead}/" if lead else "/lead/", body)
        except requests.RequestException:
            self._fail(lead)
            return
        if response.status_code != 200:
            # A commit whose answer was lost with the database may have happened.
            if response.status_code != 503:
                self.odd.append(response.text)
            self._fail(lead)
            return
        if method == "POST":
            lead = response.json()["id"]
            self.living.append(lead)
        self.answered.append((method, lead, name))

    def _fail(self, lead: str) -> None:
        self.failed += 1
        self.open.add(lead)
        if lead in self.living:
            self.living.remove(lead)
        self._await_answers()

    def _await_answers(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            with contextlib.suppress(requests.RequestException):
                if self.up.request("GET", "/me/").status_code == 200:
                    return
            time.sleep(0.02)


async def look(up: Up) -> dict[str, Any]:
    """All that the database has of the sample's organization."""
    url = running_url(up.home)
    assert url is not None
    connection = await asyncpg.connect(url, server_settings={"timezone": "UTC"})
    found: dict[str, Any] = {"rows": {}, "events": []}
    try:
        for resource in (one for one in declarations() if not one.variants):
            for (text,) in await connection.fetch(
                f"select (to_jsonb(t) - 'organization_id')::text from {resource.table} t"
            ):
                row = json.loads(text)
                if all(row[name] == word for name, word in resource.only.items()):
                    packed = {f.column: f.empty() for f in resource.packed_fields}
                    row |= packed | (row["data"] if packed else {})
                    kept = {name: row[name] for name in resource.logged_columns}
                    found["rows"][resource.event_type_of(row), row["id"]] = kept
        found["clock"] = dict(await connection.fetchrow("select * from event_clock"))
        found["search"] = {row[0] for row in await connection.fetch("select id from search_text")}
        for row in await connection.fetch(
            "select e.seq, e.object_type, e.object_id, e.action, b.after::text from event e"
            " join event_body b using (organization_id, seq) order by e.seq"
        ):
            found["events"].append(dict(row))
    finally:
        await connection.close()
    return found


def check_whole(found: dict[str, Any]) -> None:
    """Every row has its events and every event its rows; nothing is half there."""
    replayed: dict[tuple[str, str], Any] = {}
    for number, event in enumerate(found["events"], start=1):
        assert event["seq"] == number
        key = (event["object_type"], event["object_id"])
        if event["action"] != "activated":  # by which a membership begins, and begins again
            assert (key in replayed) == (event["action"] != "created")
        replayed[key] = json.loads(event["after"] or "null")
        if event["action"] == "deleted":
            del replayed[key]
    for rows in (replayed, found["rows"]):
        for (type_name, _), row in rows.items():
            if type_name == "lead":  # what happens to what belongs to it moves its time
                row["date_updated"] = ""
    assert replayed == found["rows"]
    assert found["clock"]["seq"] == len(found["events"])
    for resource in declarations():
        if resource.counted:
            count = sum(type_name in resource.event_types() for type_name, _ in replayed)
            assert found["clock"][counter(resource)] == count
    searched = {one.event_type() for one in declarations() if one.search_lead is not None}
    assert found["search"] == {id for type_name, id in replayed if type_name in searched}
    leads = {id: row["name"] for (type_name, id), row in replayed.items() if type_name == "lead"}
    with_contact = {
        row["lead_id"] for (type_name, _), row in replayed.items() if type_name == "contact"
    }
    assert set(leads) == with_contact


def check_answered(found: dict[str, Any], writers: list[Writer]) -> None:
    """What was confirmed is there, with its event; and nobody has it under another name."""
    actions = {"POST": "created", "PUT": "updated", "DELETE": "deleted"}
    logged = {
        (event["action"], event["object_id"], event["after"] and json.loads(event["after"])["name"])
        for event in found["events"]
        if event["object_type"] == "lead"
    }
    for writer in writers:
        expected: dict[str, str | None] = {}
        for method, lead, name in writer.answered:
            expected[lead] = None if method == "DELETE" else name
            assert (actions[method], lead, expected[lead]) in logged
        for lead, last in expected.items():
            if lead not in writer.open:
                row = found["rows"].get(("lead", lead))
                assert (row and row["name"]) == last


@pytest.mark.timeout(600)
@pytest.mark.parametrize("kill_one", [kill_web, kill_postgres, kill_parent])
def test_what_was_answered_survives_and_nothing_is_half_done(up: Up, kill_one: Any) -> None:
    writers = [Writer(up, number) for number in range(THREADS)]
    threads = [threading.Thread(target=writer.run, args=(WRITES // THREADS,)) for writer in writers]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + PATIENCE
    while sum(writer.done for writer in writers) < WRITES // 3:
        assert time.monotonic() < deadline
        time.sleep(0.001)
    assert any(thread.is_alive() for thread in threads)
    kill_one(up)
    for thread in threads:
        thread.join(PATIENCE * 5)
        assert not thread.is_alive()
    assert [text for writer in writers for text in writer.odd] == [], up.notes()
    answered = sum(len(writer.answered) for writer in writers)
    assert answered + sum(writer.failed for writer in writers) == WRITES
    assert answered > WRITES // 2
    assert up.request("GET", "/me/").status_code == 200
    found = asyncio.run(look(up))
    check_whole(found)
    check_answered(found, writers)
    doctor = subprocess.run([CLINCH, "doctor", "--recount", "--home", up.home], capture_output=True)
    assert doctor.returncode == 0, doctor.stdout


def test_the_next_request_after_a_killed_web_process_is_answered(up: Up) -> None:
    """The parent holds the port, so that a request waits for the new process, and no more."""
    for _ in range(3):
        assert up.request("GET", "/me/").status_code == 200
        kill_web(up)
        assert up.request("GET", "/me/").status_code == 200


def test_once_postgresql_is_back_every_request_is_answered(up: Up) -> None:
    """Also where connections that it cut off are still held open by the web process."""

    def ask(_: int = 0) -> int:
        return up.request("GET", "/lead/").status_code

    with ThreadPoolExecutor(THREADS) as pool:
        assert set(pool.map(ask, range(10 * THREADS))) == {200}
        old = up.child("postgres", "-D")
        kill(old)
        await_postgres(up, but_for=old)
        assert [ask() for _ in range(2 * THREADS)] == [200] * 2 * THREADS


def await_postgres(up: Up, but_for: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with contextlib.suppress(AssertionError):
            if up.child("postgres", "-D") != but_for and running_url(up.home) is not None:
                return
        time.sleep(0.01)
    raise AssertionError("PostgreSQL did not come back")


def test_a_web_process_told_to_stop_answers_what_it_began_and_ends_in_order(up: Up) -> None:
    web = up.child("clinch.main", "web")
    with ThreadPoolExecutor(1) as pool:
        with held_back(up) as waits:
            answer = pool.submit(up.request, "POST", "/lead/", {"name": "Begun"})
            until(waits)
            os.kill(web, signal.SIGTERM)
            time.sleep(0.3)  # more than a turn of its loop: it has stopped taking requests
            assert lives(web)
        response = answer.result(PATIENCE)
    assert response.status_code == 200
    until(lambda: not lives(web))
    assert up.request("GET", f"/lead/{response.json()['id']}/").status_code == 200
    assert "the web process has ended (exit code 0), starting it again now" in up.notes()
    assert response.headers["x-request-id"] in up.log()


@contextlib.contextmanager
def held_back(up: Up) -> Iterator[Callable[[], bool]]:
    """Writes of leads wait meanwhile; what is given says whether one does."""

    with asyncio.Runner() as runner:
        url = running_url(up.home)
        assert url is not None
        connection = runner.run(asyncpg.connect(url))
        runner.run(connection.execute("begin; lock table lead in exclusive mode"))
        waiting = "select exists (select from pg_locks where not granted)"
        try:
            yield lambda: bool(runner.run(connection.fetchval(waiting)))
        finally:
            runner.run(connection.close())
