"""`clinch up`: the parent with the settings of the command line, and what it says when all runs."""

import ipaddress
import json
import os
import sys
from pathlib import Path
from typing import Any

from clinch.cli.children import program
from clinch.cli.processes import Commands, Settings, run
from clinch.cli.settings import check_settings
from clinch.db.home import HomeError, default_home
from clinch.outbound.guard import SettingError, read_origin


def up(arguments: dict[str, Any]) -> int:
    """Run everything until told to stop; the exit code."""
    if arguments["sample"] and not _is_loopback(arguments["host"]):
        print(
            "clinch: the sample has well-known people in it, so it is only for this machine;"
            " leave --host away, or --sample",
            file=sys.stderr,
        )
        return 2
    try:
        check_settings()
        home = Path(arguments["home"]) if arguments["home"] else default_home()
    except (SettingError, HomeError) as error:
        print(f"clinch: {error}", file=sys.stderr)
        return 2
    settings = Settings(
        home=home,
        host=arguments["host"],
        port=arguments["port"],
        database_url=arguments["database_url"],
        processes=arguments["processes"],
        public_url=read_origin(os.environ.get("CLINCH_PUBLIC_URL", "")) or None,
    )
    prepare = program("prepare", "sample") if arguments["sample"] else program("prepare")
    sample = home / "sample.json" if arguments["sample"] else None
    tell = _tell_programs if arguments["json"] else _tell_people
    return run(settings, Commands(prepare=[prepare]), lambda url: tell(url, sample))


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _tell_programs(url: str, sample: Path | None) -> None:
    facts = {"url": url, "pid": os.getpid()}
    if sample is not None:
        known = json.loads(sample.read_text())
        facts |= {
            "api_key": known["api_key"],
            "email": known["logins"]["admin"],
            "password": known["password"],
        }
    _say(json.dumps(facts))


def _tell_people(url: str, sample: Path | None) -> None:
    lines = [f"\nClinch is running on {url}  (Ctrl-C stops it)\n"]
    if sample is not None:
        lines += _sample_lines(url, json.loads(sample.read_text()))
    else:
        lines += ["Make a first organization, user and key:", *_first_steps()]
    commands = Path(sys.executable).parent
    if str(commands) not in os.environ.get("PATH", "").split(os.pathsep):
        lines += ["", f'The commands on your PATH:  export PATH="{commands}:$PATH"']
    _say("\n".join(lines))


def _say(text: str) -> None:
    try:
        print(text, flush=True)
    except OSError:  # nobody reads it: that is no reason to stop, neither now nor when all ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _sample_lines(url: str, known: dict[str, Any]) -> list[str]:
    logins = [f"  {role:10} {email}" for role, email in known["logins"].items()]
    key = known["api_key"]
    return [
        f"A sample organization is in it. Everybody's password is {known['password']}"
        f" (sign in: POST {url}/session/)",
        *logins,
        f"  API key    {key}",
        "",
        "Three things to try:",
        f"  curl -u {key}: {url}/api/v1/me/",
        f"  curl -u {key}: '{url}/api/v1/lead/?_limit=3&_fields=id,display_name,status_label'",
        f"  curl -u {key}: -H 'Content-Type: application/json'"
        f' -d \'{{"name": "My first lead"}}\' {url}/api/v1/lead/',
        "",
        "And what an agent begins with:  membrane login --tenant",
    ]


def _first_steps() -> list[str]:
    return [
        "  clinch organization create 'Harbour Sales'",
        "  clinch user create ada@harbour.example --role admin",
        "  clinch key create ada@harbour.example",
    ]
