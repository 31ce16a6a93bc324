"""What the papers say is so: commands run, links lead somewhere, lists are whole."""

import asyncio
import importlib.metadata
import json
import os
import re
import signal
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import requests

from clinch.db.embedded import running_url

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
GUIDE = sorted((ROOT / "docs/guide").glob("*.md"))
RUN = [ROOT / "README.md", ROOT / "README.zh-CN.md", ROOT / "CONTRIBUTING.md", *GUIDE]
PAPERS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]

ADDRESS = "http://127.0.0.1:8080"
OWN_DATABASE = "postgresql://crm:choose-one@db.example:5432/crm"

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

# A server that would run for good is started in a home of its own, and stopped when it answers.
CLINCH = """#!/bin/sh
if [ "$1" != up ]; then exec {bin}/clinch "$@"; fi
exec {bin}/python {folder}/up.py "$@"
"""
UP = """
import os, subprocess, sys, tempfile
with tempfile.TemporaryDirectory(prefix="clinch-papers-") as home:
    command = [{clinch!r}, *sys.argv[1:], "--port", "0", "--home", home]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    said = process.stdout.readline() + process.stdout.readline()
    process.terminate()
    code = process.wait(30)
sys.exit(code if "http://127.0.0.1" in said else "clinch up did not say where it runs: " + said)
"""
# What is said to be installed must be there; what make is told to do must be a target of it.
PIP = """#!/bin/sh
shift
exec {bin}/python -c 'import sys, importlib.metadata as m
for name in sys.argv[1:]: m.version(name)' "$@"
"""
MAKE = """#!/bin/sh
exec {make} --no-print-directory -n -C {root} "$@" >/dev/null
"""


@dataclass
class Installation:
    """A running server with the sample, and what a reader's shell has."""

    url: str
    key: str
    folder: Path
    environment: dict[str, str]

    def fitted(self, text: str) -> str:
        """A paper's text with this server's address, key and database in place of the examples."""
        database = running_url(Path(self.environment["CLINCH_HOME"]))
        assert database is not None
        own = database.replace("clinch@/clinch", "crm@/crm")
        text = text.replace(ADDRESS, self.url).replace(OWN_DATABASE, own)
        return re.sub(r"(CLINCH_API_KEY=)api_\S+", rf"\g<1>{self.key}", text)


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    folder = tmp_path_factory.mktemp("papers")
    own = {name: value for name, value in os.environ.items() if not name.startswith("CLINCH_")}
    environment = own | {"CLINCH_HOME": str(folder / "home")}
    with subprocess.Popen(
        [BIN / "clinch", "up", "--sample", "--json", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
    ) as server:
        try:
            assert server.stdout is not None
            told = json.loads(server.stdout.readline())
            _make_commands(folder)
            environment |= {
                "CLINCH_API_KEY": told["api_key"],
                "PATH": f"{folder}/.venv/bin:{os.environ['PATH']}",
                "CURL_HOME": str(folder),
                # What a paper writes into somebody's home is not written into the tester's.
                **dict.fromkeys(("HOME", "CLAUDE_CONFIG_DIR", "CODEX_HOME"), str(folder)),
                "XDG_CONFIG_HOME": str(folder),
                "MEMBRANE_HOME": str(folder / "membrane"),
                "PYTEST_ADDOPTS": "--collect-only -q -p no:cacheprovider -p no:schemathesis",
            }
            yield Installation(told["url"], told["api_key"], folder, environment)
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(30)


def _make_commands(folder: Path) -> None:
    commands = folder / ".venv/bin"
    commands.mkdir(parents=True)
    make = subprocess.run(["which", "make"], capture_output=True, text=True, check=True).stdout
    python = '#!/bin/sh\nexec {bin}/python "$@"\n'
    membrane = '#!/bin/sh\nexec {bin}/membrane "$@"\n'
    texts = {"membrane": membrane, "clinch": CLINCH, "pip": PIP, "make": MAKE, "python": python}
    for name, text in texts.items():
        path = commands / name
        path.write_text(text.format(bin=BIN, folder=folder, make=make.strip(), root=ROOT))
        path.chmod(0o755)
    (folder / "up.py").write_text(UP.format(clinch=str(BIN / "clinch")))
    # An error of the server is one of the command.
    (folder / ".curlrc").write_text("fail-with-body\nsilent\nshow-error\nmax-time = 20\n")


def blocks(paper: Path) -> list[tuple[str, str]]:
    """The fenced blocks of a paper, in order: language and text."""
    return _FENCE.findall(paper.read_text())


def name(paper: Path) -> str:
    return str(paper.relative_to(ROOT))


@pytest.mark.parametrize("paper", RUN, ids=name)
def test_every_command_runs(paper: Path, installation: Installation) -> None:
    script = ["set -eu"]
    for language, text in blocks(paper):
        if language == "sh":
            # Echoed first, so that a failure shows the command that it came from.
            script += ["set -x", installation.fitted(text), "{ set +x; } 2>/dev/null"]
        elif language == "python":
            script.append(f"python - <<'END_OF_BLOCK'\n{installation.fitted(text)}END_OF_BLOCK")
        elif language == "sql" and paper in GUIDE:
            asyncio.run(_execute(installation, text))
    before = _organizations(installation)
    # Contributors stand in the checkout, where nothing may be written; the others anywhere.
    in_checkout = paper.name == "CONTRIBUTING.md"
    done = subprocess.run(
        ["sh", "-c", "\n".join(script)],
        cwd=ROOT if in_checkout else installation.folder,
        env=installation.environment,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    # Where there are several, commands of the next paper would have to say which.
    for made in _organizations(installation) - before:
        command = [str(BIN / "clinch"), "organization", "delete", made, "--yes"]
        subprocess.run(command, env=installation.environment, capture_output=True, check=True)
    assert done.returncode == 0, f"{done.stderr[-3000:]}\n{done.stdout[-2000:]}"
    assert len(script) > 1, "a paper without commands has no place in this list"


def _organizations(installation: Installation) -> set[str]:
    rows = asyncio.run(_execute(installation, "select id from organization_directory"))
    return {row["id"] for row in rows}


async def _execute(installation: Installation, statements: str) -> list[Any]:
    """Carry out statements; the rows of the last one."""
    url = running_url(Path(installation.environment["CLINCH_HOME"]))
    connection = await asyncpg.connect(url)
    rows: list[Any] = []
    for statement in statements.split(";"):
        if statement.strip():
            rows = await connection.fetch(statement)
    await connection.close()
    return rows


def table_rows(paper: Path, header: str) -> list[list[str]]:
    """The rows of the tables whose first heading is `header`, as texts of their cells."""
    found: list[list[str]] = []
    inside = False
    for line in paper.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")] if line[:1] == "|" else []
        inside = bool(cells) and (inside or cells[0] == header)
        if inside and cells[0] != header and set(cells[0]) != {"-"}:
            found.append(cells)
    return found


API = ROOT / "docs/guide/api.md"
REFUSALS = table_rows(API, "request")


@pytest.mark.parametrize("row", REFUSALS, ids=[row[0].strip("`") for row in REFUSALS])
def test_a_request_is_refused_as_the_guide_says(row: list[str], installation: Installation) -> None:
    method, path, body = f"{row[0].strip('`')} ".split(" ", 2)
    response = requests.request(
        method,
        f"{installation.url}/api/v1{path}",
        auth=(installation.key, ""),
        json=json.loads(body) if body.strip() else None,
        timeout=20,
    )
    assert (response.status_code, response.json()) == (int(row[1]), json.loads(row[2].strip("`")))


def test_the_guide_lists_operations_as_the_server_does(installation: Installation) -> None:
    paths = requests.get(f"{installation.url}/api/openapi.json", timeout=20).json()["paths"]
    listed = {row[0].strip("`"): set(row[1].split(", ")) for row in table_rows(API, "path")}
    for path, operations in listed.items():
        assert operations == _operations(paths, path), path
    assert len(listed) > 5


def _operations(paths: dict[str, Any], path: str) -> set[str]:
    alone = "get" if path == "/me/" else "list"
    words = {"get": alone, "post": "create", "put": "update of all that fit"}
    of_one = {"get": "get", "put": "update", "delete": "delete"}
    found = {words[method] for method in paths.get(path, ())}
    return found | {of_one[method] for method in paths.get(f"{path}{{id}}/", ())}


@pytest.mark.parametrize("paper", PAPERS, ids=name)
def test_every_link_inside_the_repository_resolves(paper: Path) -> None:
    text = _FENCE.sub("", paper.read_text())
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (paper.parent / path).resolve() if path else paper
        assert target.exists(), link
        if anchor:
            headings = re.findall(r"^#+ (.*)$", target.read_text(), re.MULTILINE)
            slugs = {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}
            assert anchor in slugs, link


def test_every_environment_variable_in_the_papers_is_one_of_the_program() -> None:
    files = [*(ROOT / "src").rglob("*.py"), *(ROOT / "scripts").iterdir(), ROOT / "Makefile"]
    known = set()
    for file in files:
        known |= set(re.findall(r"\bCLINCH_[A-Z_]+\b", file.read_text()))
    named = {n for paper in PAPERS for n in re.findall(r"\bCLINCH_[A-Z_]+\b", paper.read_text())}
    of_apps = "CLINCH_APP_[A-Z_]+_(CLIENT_ID|CLIENT_SECRET|TOKEN_URL)"  # see connectors/clients.py
    assert {one for one in named - known if not re.fullmatch(of_apps, one)} == set()
    assert len(named) > 5


def test_every_make_target_in_the_papers_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for paper in PAPERS:
        text = paper.read_text()
        scripts = [block for language, block in blocks(paper) if language == "sh"]
        code = "\n".join([*scripts, *re.findall(r"`([^`\n]+)`", text)])
        named = set(re.findall(r"(?:^|\s)make ([a-z]+)", code, re.MULTILINE))
        assert named <= targets, name(paper)


def test_every_option_of_the_command_in_the_settings_table_exists() -> None:
    helped = subprocess.run(
        [BIN / "clinch", "up", "--help"], capture_output=True, text=True, check=True
    ).stdout
    settings = table_rows(ROOT / "docs/guide/getting-started.md", "variable")
    options = [row[1].strip("`") for row in settings if row[1]]
    assert all(option in helped for option in options)
    assert len(options) > 3


def _canonical(requirement: str) -> str:
    found = re.match(r"[\w.-]+", requirement)
    assert found is not None, requirement
    return re.sub(r"[-_.]+", "-", found[0]).lower()


def test_the_dependencies_are_those_of_the_project_with_their_versions() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    direct = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    lock = (ROOT / "requirements-dev.lock").read_text()
    locked = dict(re.findall(r"^([\w.-]+)==([^\s;]+)", lock, re.MULTILINE))
    rows = table_rows(ROOT / "docs/dependencies.md", "package")
    assert sorted(row[0] for row in rows) == sorted(map(_canonical, direct))
    assert {row[0]: row[3] for row in rows} == {row[0]: locked.get(row[0]) for row in rows}


def test_the_licences_of_the_dependencies_are_those_they_state() -> None:
    for row in table_rows(ROOT / "docs/dependencies.md", "package"):
        stated = importlib.metadata.metadata(row[0])
        texts = [
            *stated.get_all("License-Expression", []),
            *stated.get_all("License", []),
            *stated.get_all("Classifier", []),
        ]
        files = importlib.metadata.files(row[0]) or []
        licence_files = [file for file in files if "licen" in file.name.lower()]
        texts += [file.read_text()[:200] for file in licence_files]
        said = re.sub(r"[\W_]+", " ", " ".join(texts)).lower()
        for licence in row[4].split(" or "):
            family = re.split(r"-", licence)[0].lower()
            assert family in said, f"{row[0]}: {licence}"


# Spelled in parts, so that this file passes too.
FOREIGN = (
    re.compile(r"(?<![\w.*-])/" + "work" + "/"),
    re.compile(r"(?<![\w.])/" + r"root\b"),
    re.compile(r"(?:--|PIP_|UV_)(?:extra-)?" + r"index-url[ =]https?:", re.IGNORECASE),
    re.compile("/" + r"opt/(?:pypi|wheels|npm)", re.IGNORECASE),
    re.compile(r"\b(?:files\.pythonhosted|pypi|registry\.npmjs|registry\.yarnpkg)" + r"\.org\b"),
)


def test_no_tracked_file_names_a_registry_or_a_workplace() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    files = [path for path in listed.split("\0") if path and (ROOT / path).is_file()]
    assert len(files) > 50
    for path in files:
        content = (ROOT / path).read_bytes()
        if b"\0" in content:
            continue
        text = content.decode()
        for foreign in FOREIGN:
            found = foreign.search(text)
            assert found is None, f"{path}: {found}"
