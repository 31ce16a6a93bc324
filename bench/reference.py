"""The reference: SQL written by hand, run by pgbench in transactions like the program's."""

import os
import re
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from bench.installation import Organization
from clinch.db.binaries import find_binaries

FOLDER = Path(__file__).parent / "reference"

_VARIABLE = re.compile(r"(?<!:):([a-z_]+)")


def statement(name: str) -> str:
    """The SQL of a reference, without its comments and pgbench's own commands."""
    lines = (FOLDER / f"{name}.sql").read_text().splitlines()
    return "\n".join(line for line in lines if not line.startswith(("--", "\\"))).strip()


def prepared(name: str, variables: Mapping[str, Any]) -> list[tuple[str, list[Any]]]:
    """The statements of a reference with their arguments, for a driver instead of pgbench."""
    found = []
    for text in statement(name).rstrip(";").split(";\n"):
        used = list(dict.fromkeys(_VARIABLE.findall(text)))
        for number, variable in enumerate(used, start=1):
            text = re.sub(rf"(?<!:):{variable}\b", f"${number}", text)
        found.append((text, [variables[variable] for variable in used]))
    return found


def script(name: str, answer: str | None, organization: Organization) -> str:
    """The whole transaction for pgbench; `answer` is asked ahead of the last statement.

    The program begins with one message to the server; a pipeline lets pgbench do the same.
    """
    lines = (FOLDER / f"{name}.sql").read_text().splitlines()
    commands = [line for line in lines if line.startswith("\\")]
    begin = statement("begin").format(
        organization_id=organization.actor.organization_id,
        credential_id=organization.credential_id,
        version=1,
    )
    statements = statement(name).rstrip(";").split(";\n")
    if answer is not None:
        statements.insert(-1, statement(answer).rstrip(";"))
    asked = [f"{text};" for text in statements]
    parts = [*commands, "\\startpipeline", begin, "\\endpipeline", *asked, "commit;", ""]
    return "\n".join(parts)


def run_reference(
    database_url: str,
    text: str,
    variables: Mapping[str, str | int],
    connections: int,
    seconds: int,
) -> tuple[float, int]:
    """Transactions a second of a pgbench script over so many connections, and how many in all."""
    url = urlsplit(database_url)
    host = parse_qs(url.query)["host"][0]
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
        file.write(text)
        file.flush()
        command = [
            find_binaries(None, ()).program("pgbench"),
            *("-M", "prepared", "-n", "-j", "1", "-c", str(connections), "-T", str(seconds)),
            *("-h", host, "-U", url.username or "", "-f", file.name),
            *(word for item in variables.items() for word in ("-D", "{}={}".format(*item))),
            url.path.removeprefix("/"),
        ]
        environment = {k: v for k, v in os.environ.items() if not k.startswith("PG")}
        ended = subprocess.run(command, env=environment, capture_output=True, text=True)
    tps = re.search(r"^tps = ([\d.]+)", ended.stdout, re.MULTILINE)
    done = re.search(r"actually processed: (\d+)", ended.stdout)
    failed = "number of failed transactions: 0 " not in ended.stdout
    if ended.returncode or tps is None or done is None or failed:
        raise SystemExit(f"bench: pgbench failed: {ended.stderr.strip()[-500:]}")
    time.sleep(0.1)  # its backends end after it; then their CPU time is complete
    return float(tps[1]), int(done[1])
