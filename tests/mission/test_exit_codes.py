"""What is promised of how a command ends, and of what it prints where."""

import json
import time

import pytest
from mission.machine import Machine, Shell, User
from promises import promise

PART = "Exit codes"

BY_KEY = "membrane connect --connectorKey=close --authOptionKey=api-key --allowMultipleConnections"


@pytest.fixture(scope="module")
def agent(machine: Machine, person: User, tmp_path_factory: pytest.TempPathFactory) -> Shell:
    shell = Shell(machine, tmp_path_factory.mktemp("agent"), {})
    shell.log_in(person)
    shell.run("membrane connect --connectorKey=close --connectionKey=crm")
    return shell


@promise(PART, "0: what was asked is done, even if a person has the next step.")
def test_done(agent: Shell, shell: Shell) -> None:
    shell.run("membrane login --tenant", 0)
    agent.run(f"{BY_KEY} --json", 0)
    agent.run("membrane connection list", 0)
    agent.run("membrane --help", 0)
    agent.run("membrane action run --help", 0)


FAIL = {
    "an unknown connection": "connection get conn_none",
    "an unknown action": "action get nothing-of-this-name",
    "a wrong input": "action run create-lead --connectionKey=crm --input '{\"nmae\": 1}'",
    "an app that refuses": "request crm /lead/lead_none/",
    "a code of no login": "login complete nonsense",
    "no server": "status --apiUri http://127.0.0.1:1",
}


@promise(PART, "1: it failed, and `{error, message, hint}` says why and what to do.")
@pytest.mark.parametrize("words", FAIL.values(), ids=FAIL.keys())
def test_failed(agent: Shell, words: str) -> None:
    for line in (f"membrane {words}", f"membrane {words} --json"):
        told = agent.json(line, 1)
        assert all(told[name] for name in ("error", "message", "hint"))
    shown = agent.typed(f"membrane {words}", 1).out
    assert told["message"] in shown
    assert told["hint"] in shown


USAGE = {
    "no command": "nosuch",
    "half a command": "connection",
    "an unknown option": "connection list --nosuch",
    "a missing value": "connection get",
    "an input that is no JSON": "action run create-lead --input nonsense",
    "a body without a method": "request conn_1 /lead/ -d x",
    "seconds that are none": "connection get conn_1 --wait --timeout long",
    "nothing to connect": "connect",
}


@promise(PART, "2: the command line cannot be meant, and nothing was sent.")
@pytest.mark.parametrize("words", USAGE.values(), ids=USAGE.keys())
def test_usage(agent: Shell, words: str) -> None:
    told = agent.json(f"membrane {words} --json", 2)
    assert told["error"] == "usage"
    assert told["message"]
    assert told["hint"]


@promise(PART, "3: `--wait` ran out, and only that.")
def test_waited(agent: Shell) -> None:
    made = agent.json(f"{BY_KEY} --json")
    begun = time.monotonic()
    done = agent.run(f"membrane connection get {made['id']} --wait --timeout 1 --json", 3)
    assert 1 <= time.monotonic() - begun < 10
    assert done.json["state"] == "CLIENT_ACTION_REQUIRED"
    agent.run(f"membrane connection get {made['id']} --json", 0)
    agent.run("membrane connection get conn_none --wait --timeout 1 --json", 1)


@promise(PART, "A script under `set -e` stops at a command that failed, and goes on after one that"
         " did what was asked.")  # fmt: skip
def test_in_a_script(agent: Shell) -> None:
    done = agent.script(
        f"{BY_KEY} --json\necho first\nmembrane connection get conn_none\necho second", 1
    )
    assert "first" in done.out
    assert "second" not in done.out


@promise(PART, "With `--json` standard output is one JSON document and nothing else, whatever the"
         " command comes to.")  # fmt: skip
@pytest.mark.parametrize("terminal", [False, True], ids=["program", "terminal"])
def test_json_alone(agent: Shell, terminal: bool) -> None:
    lines = [
        ("status", 0),
        ("search close", 0),
        ("connection list", 0),
        ("external-app list", 0),
        ("action list --intent tasks", 0),
        ("action run list-leads --connectionKey=crm", 0),
        *((words, 1) for words in FAIL.values()),
        *((words, 2) for words in USAGE.values()),
    ]
    for words, code in lines:
        line = f"membrane {words} --json 2>/dev/null"
        done = agent.typed(line, code) if terminal else agent.run(line, code)
        assert isinstance(json.loads(done.out), dict), words
        assert done.out.count("\n") == 1, words


@promise(PART, "Options may stand before and after what they belong to, as `--name value` and as"
         " `--name=value`.")  # fmt: skip
def test_where_options_stand(agent: Shell) -> None:
    lines = [
        "membrane search close --elementType=connector --limit=1 --json",
        "membrane search --elementType connector close --limit 1 --json",
        "membrane search --json --limit 1 --elementType connector close",
        "membrane --json search --elementType=connector --limit=1 close",
        f"membrane --apiUri {agent.machine.url} search close --limit 1 --json"
        " --elementType connector",
    ]
    first, *others = [agent.json(line) for line in lines]
    assert [other == first for other in others] == [True] * len(others)
    found = agent.json("membrane action --json get list-leads --connectionId=close", 1)
    assert found["error"] == "not_found"


@promise(PART, "What people read goes to standard error where a program reads standard output.")
def test_what_people_read(agent: Shell) -> None:
    failed = agent.run("membrane connection get conn_none", 1)
    assert json.loads(failed.out)["message"] in failed.err
    assert agent.run("membrane connection get conn_none --json", 1).err == ""
