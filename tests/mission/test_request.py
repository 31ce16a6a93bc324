"""What is promised of raw requests, through a connection to this server. What each command line
sends, byte for byte, is in tests/cli/gateway/test_request_lines.py."""

import json

import pytest
import requests
from mission.machine import Machine, Shell, User
from promises import promise

PART = "Request"


@pytest.fixture(scope="module")
def agent(machine: Machine, person: User, tmp_path_factory: pytest.TempPathFactory) -> Shell:
    shell = Shell(machine, tmp_path_factory.mktemp("agent"), {})
    shell.log_in(person)
    return shell


@pytest.fixture(scope="module")
def connection(agent: Shell) -> str:
    return str(agent.json("membrane connect --connectorKey=close --json")["id"])


@promise(PART, "Standard output is the app's answer, byte for byte, and standard error is one line"
         " with its status, with `--json` and without.")  # fmt: skip
def test_byte_for_byte(agent: Shell, connection: str) -> None:
    lead = agent.json(f"membrane request {connection} /lead/ --query _limit=1")["data"][0]["id"]
    direct = requests.get(
        f"{agent.machine.url}/api/v1/lead/{lead}/",
        auth=(agent.machine.told["api_key"], ""),
        timeout=30,
    )
    for words in ("", "--json"):
        done = agent.run(f"membrane request {connection} /lead/{lead}/ {words}")
        assert (done.out, done.err) == (direct.text, "200 OK\n")


@promise(PART, "An answer of 400 or more is a failure with the status and the app's own body.")
def test_a_refusal(agent: Shell, connection: str) -> None:
    done = agent.run(f"membrane request {connection} /lead/lead_none/", 1)
    told = done.json
    assert set(told) == {"error", "message", "hint", "status", "body"}
    assert (told["status"], done.err) == (404, "404 Not Found\n")
    assert "error" in told["body"]
    stopped = agent.script(f"membrane request {connection} /lead/lead_none/\necho and on", 1)
    assert "and on" not in stopped.out


@promise(PART, "A base path that is repeated is taken once; a full URL is refused with the path to"
         " use.")  # fmt: skip
def test_the_path(agent: Shell, connection: str) -> None:
    plain = agent.run(f"membrane request {connection} /me/").out
    for path in ("/api/v1/me/", "api/v1/me/", "me/"):
        assert agent.run(f"membrane request {connection} {path}").out == plain
    refused = agent.json(f"membrane request {connection} https://api.close.com/api/v1/me/", 2)
    assert (refused["error"], refused["hint"]) == ("usage", "/api/v1/me/")


@promise(PART, "A body needs its method: without `-X` nothing is sent, and the hint says what to"
         " add.")  # fmt: skip
def test_a_body_without_a_method(agent: Shell, connection: str) -> None:
    count = f"membrane request {connection} /lead/ --query _limit=0 --query query=Unsent"
    for words in ("-d", "--json"):
        line = f'membrane request {connection} /lead/ {words} \'{{"name": "Unsent"}}\''
        refused = agent.json(line, 2)
        assert "-X" in refused["hint"]
        assert agent.json(count)["total_results"] == 0
    agent.run(f"{line} -X POST")
    assert agent.json(count)["total_results"] == 1


@promise(PART, "A body may be a file or standard input.")
def test_a_body_from_elsewhere(agent: Shell, connection: str) -> None:
    (agent.home / "lead.json").write_text(json.dumps({"name": "Größe"}, ensure_ascii=False))
    begin = f"membrane request {connection} /lead/ -X POST"
    for line in (f"{begin} -d @lead.json", f"cat lead.json | {begin} -d @-"):
        assert agent.json(line)["name"] == "Größe"


@promise(PART, "A token that is over is renewed on the way, and nobody has to act.")
def test_a_token_that_is_over(agent: Shell, connection: str) -> None:
    token = json.loads(agent.credentials.read_text())["accessToken"]
    agent.machine.sql("delete from credential where id = $1", token.partition(".")[0])
    assert agent.json(f"membrane request {connection} /me/")["id"]
