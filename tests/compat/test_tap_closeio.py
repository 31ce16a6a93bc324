"""The Singer tap `tap-closeio` 1.6.6, unmodified, against the server.

It lives in a virtual environment of its own, since it pins what nobody else wants. The lock is
made anew by

    printf 'tap-closeio==1.6.6\\nsetuptools<81\\n' | uv pip compile --universal \\
        --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \\
        --output-file tests/compat/tap-closeio.lock -

(setuptools builds the packages that come as source, and the tap imports its `pkg_resources`).
"""

import fcntl
import hashlib
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from compat.close_proxy import CloseProxy
from harness import TEST, Api, Organization

from clinch.crm.leads import Lead
from clinch.resources.write.change import Change

HOST = "app.close.io"
LOCK = Path(__file__).with_name("tap-closeio.lock")
CACHE = Path(__file__).parents[2] / ".cache"
OPTIONS = ("--quiet", "--no-deps", "--no-build-isolation", "--require-hashes")
START = "2026-01-01T00:00:00.000000Z"

STREAMS = {"activities", "custom_fields", "leads", "tasks", "users", "event_log"}

Json = dict[str, Any]


@pytest.fixture(scope="session")
def installed() -> Path:
    """The tap's command. It is installed once; processes that want it at once wait for one."""
    version = hashlib.sha256(LOCK.read_bytes() + sys.version.encode()).hexdigest()[:16]
    folder = CACHE / f"tap-closeio-{version}"
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "tap-closeio.lock").open("w") as waiting:
        fcntl.flock(waiting, fcntl.LOCK_EX)
        if not (folder / "installed").exists():
            install(folder)
            (folder / "installed").touch()
    return folder / "bin" / "tap-closeio"


def install(folder: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--clear", "--without-pip", folder], check=True)
    pinned = re.split(r"\n(?=\S)", LOCK.read_text())
    builder = folder / "setuptools.lock"
    builder.write_text("\n".join(pin for pin in pinned if pin.startswith("setuptools==")))
    for lock in (builder, LOCK):
        done = subprocess.run(
            [*installer(folder), *OPTIONS, "--requirement", str(lock)],
            capture_output=True,
            text=True,
            timeout=110,
        )
        assert done.returncode == 0, done.stderr


def installer(folder: Path) -> list[str]:
    """pip where this environment has it, else uv."""
    python = str(folder / "bin" / "python")
    has_pip = subprocess.run([sys.executable, "-c", "import pip"], capture_output=True)
    if has_pip.returncode == 0:
        return [sys.executable, "-m", "pip", "--python", python, "install"]
    return [sys.executable, "-m", "uv", "pip", "install", "--python", python]


@dataclass
class Tap:
    """The tap with a key, and a folder for its files."""

    command: Path
    folder: Path
    proxy: CloseProxy

    def run(self, *arguments: str) -> str:
        """Its standard output. It goes to Close by way of the proxy, and trusts that one alone."""
        done = subprocess.run(
            [self.command, "--config", self.folder / "config.json", *arguments],
            env={"HTTPS_PROXY": self.proxy.url, "PYTHONPATH": str(self.folder)},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def file(self, name: str, content: Json) -> str:
        path = self.folder / name
        path.write_text(json.dumps(content))
        return str(path)

    def catalog(self) -> Json:
        found: Json = json.loads(self.run("--discover"))
        return found

    def sync(self, state: Json | None = None) -> tuple[dict[str, list[Json]], Json]:
        """The records of a sync, by stream, and the state that the next one is given."""
        catalog = self.catalog()
        for stream in catalog["streams"]:
            [whole] = [entry for entry in stream["metadata"] if entry["breadcrumb"] == []]
            whole["metadata"]["selected"] = stream["tap_stream_id"] in STREAMS
        arguments = ["--catalog", self.file("catalog.json", catalog)]
        if state is not None:
            arguments += ["--state", self.file("state.json", state)]
        self.proxy.requests.clear()
        records: dict[str, list[Json]] = {name: [] for name in STREAMS}
        for message in map(json.loads, self.run(*arguments).splitlines()):
            if message["type"] == "RECORD":
                records[message["stream"]].append(message["record"])
            elif message["type"] == "STATE":
                state = message["value"]
        assert state is not None
        return records, state


@pytest.fixture
def tap(installed: Path, api: Api, tmp_path: Path) -> Iterator[Tap]:
    with CloseProxy(api.program.url, HOST) as proxy:
        proxy.write_authority(tmp_path / "authority.pem")
        # The tap asks certifi, not the environment, whom to trust; so it finds a certifi of ours.
        (tmp_path / "certifi.py").write_text(
            f"def where():\n    return {str(tmp_path / 'authority.pem')!r}\n"
        )
        tap = Tap(installed, tmp_path, proxy)
        tap.file("config.json", {"start_date": START, "api_key": api.key})
        yield tap


@pytest.fixture
def filled(api: Api, organization: Organization) -> list[str]:
    """The ids of 120 leads, more than a page of them; the first one with all that there can be."""
    field = api.post("/custom_field/lead/", {"name": "Seats", "type": "number"})["id"]
    program = organization.program
    changes = [Change.create(Lead, {"name": f"Harbour {number}"}) for number in range(120)]
    written = program.run(program.store.write(organization.actor(), changes, TEST, answer=False))
    ids = [one.id for one in written]
    contact = {"name": "Ada", "emails": [{"email": "ada@harbour.example"}], "lead_id": ids[0]}
    api.post("/contact/", contact)
    api.put(f"/lead/{ids[0]}/", {f"custom.{field}": 3, "url": "https://harbour.example"})
    api.post("/opportunity/", {"lead_id": ids[0], "value": 5000})
    for text in ("Call", "Write"):
        api.post("/task/", {"lead_id": ids[0], "text": text})
    visit = api.post("/custom_activity/", {"name": "Visit"})["id"]
    for path, body in (
        ("note", {"note": "Hello", "date_created": "2026-01-20T10:00:00Z"}),
        ("call", {"duration": 60, "direction": "outbound", "phone": "+14155550100"}),
        ("meeting", {"starts_at": "2030-01-01T10:00:00Z", "duration": 60}),
        ("custom", {"custom_activity_type_id": visit}),
    ):
        api.post(f"/activity/{path}/", {"lead_id": ids[0]} | body)
    return ids


def ids(records: list[Json]) -> list[str]:
    return [record["id"] for record in records]


def times(records: list[Json], key: str = "date_updated") -> list[datetime]:
    return [datetime.fromisoformat(record[key]) for record in records]


def test_it_discovers_its_streams(tap: Tap) -> None:
    found = {stream["tap_stream_id"] for stream in tap.catalog()["streams"]}
    assert found == STREAMS  # the log only if it may be read
    assert tap.proxy.requests == [("/api/v1/event/", {})]


def test_a_first_sync_brings_everything(tap: Tap, api: Api, filled: list[str]) -> None:
    records, state = tap.sync()
    assert sorted(ids(records["leads"])) == sorted(filled)
    [lead] = [record for record in records["leads"] if record["id"] == filled[0]]
    [contact] = lead["contacts"]
    assert [email["email"] for email in contact["emails"]] == ["ada@harbour.example"]
    assert lead["opportunities"][0]["value"] == 5000
    assert len(lead["tasks"]) == 2
    assert {task["text"] for task in records["tasks"]} == {"Call", "Write"}
    assert ids(records["users"]) == [api.user_id]
    assert [field["name"] for field in records["custom_fields"]] == ["Seats"]

    activities = records["activities"]
    assert len(ids(activities)) == len(set(ids(activities))) == 124
    kinds = Counter(record["_type"] for record in activities)
    assert kinds == {"Created": 120, "Note": 1, "Call": 1, "Meeting": 1, "CustomActivity": 1}
    assert {a["lead_id"] for a in activities if a["_type"] == "Created"} == set(filled)

    events = records["event_log"]
    assert len(events) == len(set(ids(events))) > 130
    assert times(events) == sorted(times(events), reverse=True)
    first = {e["object_id"]: json.loads(e["data"]) for e in events if e["action"] == "created"}
    assert {first[id]["name"] for id in filled} == {f"Harbour {n}" for n in range(120)}

    bookmarks = state["bookmarks"]
    assert state["currently_syncing"] is None
    made = times(activities, "date_created")
    assert datetime.fromisoformat(bookmarks["activities"]["date_created"]) == max(made)
    for stream in STREAMS - {"activities", "event_log"}:
        assert datetime.fromisoformat(bookmarks[stream]["date_updated"]) == max(
            times(records[stream])
        )
    reached = datetime.fromisoformat(bookmarks["event_log"]["date_updated"])
    assert max(times(events)) - timedelta(minutes=6) < reached < max(times(events))


def test_a_next_sync_goes_on_where_the_last_one_ended(
    tap: Tap, api: Api, filled: list[str]
) -> None:
    _, state = tap.sync()
    api.put(f"/lead/{filled[5]}/", {"name": "Renamed"})
    task = api.post("/task/", {"lead_id": filled[6], "text": "Visit"})
    note = api.post("/activity/note/", {"lead_id": filled[6], "note": "Later"})
    records, after = tap.sync(state)
    bookmarks = state["bookmarks"]
    for stream in ("leads", "tasks", "users", "custom_fields"):
        since = datetime.fromisoformat(bookmarks[stream]["date_updated"])
        assert all(time >= since for time in times(records[stream]))
    moved = {filled[5], filled[6]}  # the task moves the time of its lead
    assert moved <= set(ids(records["leads"])) <= {*moved, filled[0]}
    assert task["id"] in ids(records["tasks"])
    assert note["id"] in ids(records["activities"])
    assert ids(records["event_log"]).count(of_rename(records["event_log"], filled[5])) == 1
    for stream in ("leads", "tasks"):
        assert after["bookmarks"][stream]["date_updated"] > bookmarks[stream]["date_updated"]

    asked = dict(tap.proxy.requests)
    since = datetime.fromisoformat(bookmarks["activities"]["date_created"]) - timedelta(days=1)
    window = {
        f"date_created__{end}": f"{at:%Y-%m-%dT%H:%M:%S}"
        for end, at in (("gt", since), ("lt", since + timedelta(days=15)))
    }
    assert min(times(records["activities"], "date_created")) > since
    assert window.items() <= asked["/api/v1/activity/"].items()
    minute = bookmarks["leads"]["date_updated"][:16]
    assert asked["/api/v1/lead/"]["query"] == f'date_updated>="{minute}" sort:date_updated'
    assert asked["/api/v1/event/"]["date_updated__gte"] in bookmarks["event_log"]["date_updated"]


def of_rename(events: list[Json], lead: str) -> str:
    """The id of the event in which the lead got its name."""
    [event] = [e for e in events if e["object_id"] == lead and e["action"] == "updated"]
    assert json.loads(event["data"])["name"] == "Renamed"
    assert event["meta"]["request_path"] == f"/api/v1/lead/{lead}/"
    return str(event["id"])
