"""The parent of `clinch up`, with real processes: they start, come back and end together."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from clinch.cli.children import Child, pause_after
from clinch.cli.processes import ProcessError, listen
from clinch.db.postmaster import running_url

# What every child does: it says who it is, and leaves when the parent has gone.
CHILD = """
import json, os, select, socket, sys, threading, time
from pathlib import Path

def leave_with_the_parent():
    os.read(int(os.environ["CLINCH_PARENT_FD"]), 1)
    os._exit(0)

threading.Thread(target=leave_with_the_parent, daemon=True).start()
names = [name for name in os.environ if name.startswith("CLINCH_")]
said = {name: os.environ[name] for name in names} | {"pid": os.getpid()}
descriptors = {name: os.readlink(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd")
               if os.path.exists(f"/proc/self/fd/{name}")}
said["locks"] = [path for path in descriptors.values() if path.endswith("/lock")]
(Path(os.environ["CLINCH_HOME"]) / f"{sys.argv[1]}-{os.getpid()}").write_text(json.dumps(said))
"""

WEB = (
    CHILD
    + """
listener = socket.socket(fileno=int(os.environ["CLINCH_LISTEN_FD"]))
while True:
    connection, _ = listener.accept()
    request = connection.recv(4096).decode().split()
    assert request[:2] == ["GET", "/healthz"], request
    body = str(os.getpid()).encode()
    connection.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: %d\\r\\n\\r\\n%s" % (len(body), body))
    connection.close()
"""
)
WORKER = CHILD + "time.sleep(600)"
MIGRATE = CHILD + "print('migrated', file=sys.stderr)"

RUN = """
import json, sys
from pathlib import Path
from clinch.cli.processes import Commands, Settings, run

settings, commands = json.loads(sys.argv[1])
settings["home"] = Path(settings["home"])
code = run(Settings(**settings), Commands(**commands), lambda url: print(url, flush=True))
heavy = {"asyncio", "asyncpg", "uvicorn", "http.client", "encodings.idna"} & set(sys.modules)
assert not heavy, heavy
sys.exit(code)
"""


def python(text: str, name: str) -> Sequence[str]:
    return [sys.executable, "-c", text, name]


@dataclass
class Up:
    """A running `clinch up` with children of our own."""

    process: subprocess.Popen[str]
    home: Path

    def url(self) -> str:
        assert self.process.stdout
        url = self.process.stdout.readline().strip()
        assert url, self.error()
        return url

    def pids(self, name: str) -> list[int]:
        """Of the children of that name that live."""
        found = [int(path.name.rpartition("-")[2]) for path in self.home.glob(f"{name}-*")]
        return [pid for pid in found if lives(pid)]

    def said(self, name: str) -> list[dict[str, Any]]:
        return [json.loads(path.read_text()) for path in self.home.glob(f"{name}-*")]

    def error(self, progress: bool = False) -> str:
        """What was said on stderr; a slow machine adds progress, which most tests leave out."""
        assert self.process.stderr
        said = self.process.stderr.read()
        return said if progress else re.sub(r"(?m)^clinch: .* \(\d+ s\)\n", "", said)

    def end(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        self.process.send_signal(number)
        error = self.error()
        return self.process.wait(30), error


Start = Callable[..., Up]


@pytest.fixture
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="clinch-test-") as folder:
        os.chmod(folder, 0o711)
        yield Path(folder) / "home"


@pytest.fixture
def start(home: Path) -> Iterator[Start]:
    started: list[Up] = []

    def start(
        web: str = WEB,
        worker: str = WORKER,
        prepare: Sequence[Sequence[str]] = (python(MIGRATE, "migrate"),),
        **settings: object,
    ) -> Up:
        settings = {"database_url": "postgresql://elsewhere/crm", "port": 0} | settings
        commands = {
            "prepare": prepare,
            "web": python(web, "web"),
            "worker": python(worker, "worker"),
        }
        arguments = json.dumps([{"home": str(home), **settings}, commands])
        process = subprocess.Popen(
            [sys.executable, "-c", RUN, arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(Up(process, home))
        return started[-1]

    yield start
    for up in started:
        with up.process as process:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.communicate(timeout=20)
            process.kill()


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def until(true: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def answering(url: str) -> int:
    with urllib.request.urlopen(f"{url}/healthz", timeout=10) as answer:
        return int(answer.read())


def test_children_get_their_settings_and_nothing_else(start: Start, home: Path) -> None:
    up = start(processes=2)
    url = up.url()
    until(lambda: len(up.pids("web")) == 2 and up.pids("worker"))
    assert answering(url) in up.pids("web")
    for said in [*up.said("web"), *up.said("worker"), *up.said("migrate")]:
        assert said["CLINCH_DATABASE_URL"] == "postgresql://elsewhere/crm"
        assert said["CLINCH_PUBLIC_URL"] == url
        assert said["CLINCH_HOME"] == str(home)
        assert said["locks"] == []
    assert "CLINCH_LISTEN_FD" not in up.said("worker")[0]
    assert json.loads((home / "lock").read_text()) == {"pid": up.process.pid, "url": url}
    assert up.end() == (0, "")


def test_the_public_url_is_passed_on(start: Start) -> None:
    up = start(public_url="https://crm.example.com")
    assert up.url() == "https://crm.example.com"
    assert up.said("migrate")[0]["CLINCH_PUBLIC_URL"] == "https://crm.example.com"


def test_killed_children_come_back(start: Start) -> None:
    up = start()
    url = up.url()
    until(lambda: up.pids("worker"))
    before = up.pids("web") + up.pids("worker")
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    until(lambda: not any(map(lives, before)))
    until(lambda: up.pids("web") and up.pids("worker"))
    assert not set(before) & {*up.pids("web"), *up.pids("worker")}
    assert answering(url) in up.pids("web")
    code, error = up.end()
    assert code == 0
    assert "the web process has ended (killed by SIGKILL), starting it again now" in error
    assert "the worker has ended (killed by SIGKILL), starting it again now" in error


def test_they_come_back_though_nobody_reads_of_it(start: Start) -> None:
    up = start()
    up.url()
    assert up.process.stderr
    up.process.stderr.close()
    until(lambda: up.pids("worker"))
    [before] = up.pids("worker")
    os.kill(before, signal.SIGKILL)
    until(lambda: [pid for pid in up.pids("worker") if pid != before])
    up.process.terminate()
    assert up.process.wait(30) == 0


def test_a_child_that_keeps_dying_costs_little(start: Start) -> None:
    up = start(worker=CHILD + "sys.exit(3)")
    up.url()
    time.sleep(2.5)
    assert 2 <= len(up.said("worker")) <= 5
    ticks = Path(f"/proc/{up.process.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    assert sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK") < 1
    _, error = up.end()
    assert "the worker has ended (exit code 3), starting it again in 1 s" in error


def test_pauses_grow_up_to_a_bound() -> None:
    assert [pause_after(failures) for failures in range(5)] == [0, 0.5, 1, 2, 4]
    assert pause_after(10_000) == 10
    child = Child("worker", ["true"], {}, ())
    child.began = time.monotonic()
    assert [child.plan_again() for _ in range(4)] == [0, 0.5, 1, 2]
    child.began = time.monotonic() - 3600
    assert child.plan_again() == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_request_to_stop_ends_all(number: signal.Signals, start: Start, home: Path) -> None:
    up = start()
    up.url()
    until(lambda: up.pids("worker"))
    assert up.end(number) == (0, "")
    assert not up.pids("web") + up.pids("worker")
    assert (home / "lock").read_text() == ""


STUBBORN = """
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
import subprocess
grandchild = subprocess.Popen(["sleep", "600"])
(Path(os.environ["CLINCH_HOME"]) / f"grandchild-{grandchild.pid}").write_text("{}")
time.sleep(600)
"""


def test_a_second_ctrl_c_hurries(start: Start) -> None:
    up = start(worker=CHILD + STUBBORN)
    up.url()
    until(lambda: up.pids("grandchild"))
    up.process.send_signal(signal.SIGINT)
    until(lambda: not up.pids("web"))
    assert up.process.poll() is None
    began = time.monotonic()
    code, error = up.end(signal.SIGINT)
    assert time.monotonic() - began < 5
    assert code == 0
    assert error == ""
    until(lambda: not up.pids("worker") + up.pids("grandchild"))


def test_children_leave_a_killed_parent(start: Start) -> None:
    up = start()
    up.url()
    until(lambda: up.pids("worker"))
    up.process.kill()
    until(lambda: not up.pids("web") + up.pids("worker"))


def test_a_prepare_command_leaves_a_killed_parent(start: Start) -> None:
    up = start(prepare=[python(CHILD + "time.sleep(600)", "migrate")])
    until(lambda: up.pids("migrate"))
    up.process.kill()
    until(lambda: not up.pids("migrate"))


def test_stopped_during_the_start(start: Start) -> None:
    up = start(prepare=[python(CHILD + "time.sleep(600)", "migrate")])
    until(lambda: up.pids("migrate"))
    assert up.end(signal.SIGINT) == (0, "")
    assert not up.pids("migrate")
    assert not up.said("web")


def test_prepare_commands_run_in_turn(start: Start) -> None:
    later = CHILD + "assert list(Path(os.environ['CLINCH_HOME']).glob('migrate-*'))"
    up = start(prepare=[python(MIGRATE, "migrate"), python(later, "sample")])
    up.url()
    assert len(up.said("sample")) == 1


def test_a_failed_prepare_command_gives_its_reason(start: Start) -> None:
    failing = "import sys; print('one\\n\\nmigration 7 changed\\n', file=sys.stderr); sys.exit(1)"
    up = start(prepare=[python(failing, "migrate")])
    assert up.process.wait(20) == 1
    assert up.error() == "clinch: the preparation failed: migration 7 changed\n"


def test_what_takes_long_is_told(start: Start) -> None:
    slow = "import sys, time; print('half way', file=sys.stderr, flush=True); time.sleep(2.6)"
    up = start(prepare=[[sys.executable, "-c", slow, "prepare", "sample"]])
    up.url()
    up.process.terminate()
    assert up.error(progress=True).startswith("clinch: preparing: half way (2 s)\n")


def test_a_web_process_that_cannot_start(start: Start) -> None:
    up = start(web="import sys; sys.exit('no such module')")
    assert up.process.wait(20) == 1
    assert up.error() == (
        "no such module\nclinch: the web process did not start (exit code 1): its reason is above\n"
    )


def test_a_busy_port_is_named(start: Start) -> None:
    with listen("127.0.0.1", 0) as busy:
        port = busy.getsockname()[1]
        up = start(port=port)
        assert up.process.wait(20) == 1
        assert up.error() == (
            f"clinch: port {port} is in use; choose another with --port or CLINCH_PORT\n"
        )
        assert not up.said("migrate")


@pytest.mark.parametrize("host", ["no.such.host.invalid", "203.0.113.1", "x" * 80, "é"])
def test_a_wrong_host_is_named(host: str) -> None:
    with pytest.raises(ProcessError, match="--host"):
        listen(host, 0)


def test_a_wrong_port_is_named() -> None:
    with pytest.raises(ProcessError, match=r"no port 70000.*--port"):
        listen("127.0.0.1", 70_000)


def test_ipv6() -> None:
    if socket.has_ipv6:
        with listen("::1", 0) as listener:
            assert listener.family == socket.AF_INET6


def test_a_held_home_is_named(start: Start, home: Path) -> None:
    up = start()
    url = up.url()
    other = start()
    assert other.process.wait(20) == 1
    assert other.error() == (f"clinch: already running on {home} (pid {up.process.pid}, {url})\n")


def test_postgresql_of_our_own_comes_back_and_goes(start: Start, home: Path) -> None:
    up = start(database_url=None)
    up.url()
    url = running_url(home)
    assert url == up.said("migrate")[0]["CLINCH_DATABASE_URL"]
    pid = int(next(home.glob("postgresql-*/postmaster.pid")).read_text().split()[0])
    web = up.pids("web")
    os.kill(pid, signal.SIGKILL)
    until(lambda: not lives(pid))
    until(lambda: running_url(home) == url)
    assert up.pids("web") == web
    code, error = up.end()
    assert code == 0
    assert error == "clinch: PostgreSQL has ended (killed by SIGKILL), starting it again\n"
    assert running_url(home) is None
    assert list(home.glob("postgresql-*/postmaster.pid")) == []


def test_a_killed_parent_leaves_nothing_in_the_way(start: Start, home: Path) -> None:
    up = start(database_url=None)
    up.url()
    orphan = int(next(home.glob("postgresql-*/postmaster.pid")).read_text().split()[0])
    up.process.kill()
    up.process.wait()
    again = start(database_url=None)
    again.url()
    assert not lives(orphan)
    assert again.end() == (0, "")
