"""The commands that agents are given, word for word, one test a line: typed on a terminal, run by a
program, and as a line of a script that stops where one fails."""

from collections.abc import Callable
from pathlib import Path

import pytest
from mission.machine import Done, Machine, Shell, User, code_of
from promises import promise
from server.oauth.browser import Browser

PART = "The commands, word for word"

Way = Callable[[str], Done]


@pytest.fixture(scope="module")
def agent(machine: Machine, person: User, tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """An agent that is logged in for its person."""
    shell = Shell(machine, tmp_path_factory.mktemp("agent"), {})
    shell.log_in(person)
    return shell


@pytest.fixture(scope="module")
def connection(agent: Shell) -> str:
    return str(agent.json("membrane connect --connectorKey=close --json")["id"])


@pytest.fixture(params=["terminal", "program", "script"])
def way(request: pytest.FixtureRequest, agent: Shell) -> Way:
    """Runs a line in one of three ways. On a terminal, standard error goes elsewhere, so that the
    terminal has standard output alone."""
    if request.param == "terminal":
        return lambda line: agent.typed(f"{line} 2>/dev/null")
    return agent.run if request.param == "program" else agent.script


@promise(PART, "`membrane login --tenant` without a terminal prints a link and what comes next, and"
         " is done.")  # fmt: skip
@pytest.mark.parametrize("scripted", [False, True], ids=["program", "script"])
def test_login(shell: Shell, scripted: bool) -> None:
    done = (shell.script if scripted else shell.run)("membrane login --tenant")
    assert set(done.json) == {"url", "next", "expiresIn"}
    assert done.json["url"].startswith(f"{shell.machine.url}/oauth2/authorize/?")
    assert (done.json["next"], done.json["expiresIn"]) == ("membrane login complete <code>", 600)
    assert done.err == ""


@promise(PART, "`membrane login complete <code>` ends the login with the code of the last page.")
@pytest.mark.parametrize("way", ["terminal", "program", "script"])
def test_login_complete(shell: Shell, person: User, way: str) -> None:
    begun = shell.json("membrane login --tenant")
    code = code_of(Browser(shell.machine.url), person, begun["url"])
    run = {"terminal": shell.typed, "program": shell.run, "script": shell.script}[way]
    assert run(f"membrane login complete {code}").out == f"Logged in as {person.email}.\n"
    assert shell.json("membrane status --json")["email"] == person.email


@promise(PART, "`membrane search close` finds the app; its id is at `items[0].element.id` and at"
         " `output.items[0].element.id`.")  # fmt: skip
def test_search(way: Way) -> None:
    found = way("membrane search close --elementType=connector --json").json
    assert found["items"][0]["element"]["id"] == "connector_close"
    assert found["output"]["items"][0]["element"]["id"] == "connector_close"


@promise(PART, "`membrane connect --connectorId=… --json` answers with the new connection's id.")
def test_connect(way: Way, agent: Shell) -> None:
    made = way("membrane connect --connectorId=connector_close --json").json
    assert (made["state"], made["id"]) == ("READY", made["connectionId"])
    listed = agent.json("membrane connection list --json")["items"]
    assert made["id"] in [one["id"] for one in listed]


@promise(PART, "`membrane connection list --json` lists it.")
def test_connection_list(way: Way, connection: str) -> None:
    [listed] = way("membrane connection list --json").json["items"]
    assert (listed["id"], listed["state"]) == (connection, "READY")


@promise(PART, "`membrane action list --intent=\"add a person to a company\"` finds the action that"
         " does it first.")  # fmt: skip
def test_action_list(way: Way, connection: str) -> None:
    found = way(
        f'membrane action list --intent="add a person to a company" --connectionId={connection}'
        " --json"
    ).json
    assert found["items"][0]["id"] == "create-contact"


@promise(PART, "`membrane action run` takes its input as the shell quotes it, and does it.")
def test_action_run(way: Way, agent: Shell, connection: str) -> None:
    made = way(
        f"membrane action run --connectionId={connection} create-contact --json"
        ' --input "{ \\"name\\": \\"Ada Moss\\" }"'
    ).json
    assert made["output"]["display_name"] == "Ada Moss"
    again = agent.json(
        f"membrane action run get-contact --json --connectionId {connection}"
        f' --input \'{{"id": "{made["output"]["id"]}"}}\''
    )
    assert again["output"]["display_name"] == "Ada Moss"
    record = agent.json(f"membrane action-run-log get {made['actionRunId']} --details --json")
    assert record["output"] == made["output"]


@promise(PART, "`membrane request … -X GET --query` answers with the app's page.")
def test_request(way: Way, connection: str) -> None:
    page = way(f'membrane request {connection} /lead/ -X GET --query "_limit=10"').json
    assert len(page["data"]) == 10


@promise(
    PART, "`membrane request … --pathParam … -X PUT --json -d …` changes the one that is meant."
)
def test_request_with_a_body(way: Way, agent: Shell, connection: str) -> None:
    lead = agent.json(f'membrane request {connection} /lead/ -X POST -d \'{{"name": "before"}}\'')[
        "id"
    ]
    put = way(
        f'membrane request {connection} /lead/{{id}}/ --pathParam "id={lead}" -X PUT --json'
        ' -d \'{"name": "x"}\''
    ).json
    assert (put["id"], put["name"]) == (lead, "x")
    assert agent.json(f"membrane request {connection} /lead/{lead}/")["name"] == "x"


@promise(PART, "All of them run one after the other as one script, which a failing line would end.")
def test_all_as_one_script(shell: Shell, person: User, tmp_path: Path) -> None:
    begun = shell.script("membrane login --tenant").json
    code = code_of(Browser(shell.machine.url), person, begun["url"])
    read = "python3 -c 'import json, sys; print(eval(sys.argv[1], {\"it\": json.load(sys.stdin)}))'"
    done = shell.script(f"""
membrane login complete {code} >&2
read_out() {{ {read} "$1"; }}
APP=$(membrane search close --elementType=connector --json | read_out 'it["items"][0]["element"]["id"]')
ID=$(membrane connect --connectorId=$APP --json | read_out 'it["id"]')
membrane connection list --json >&2
ACTION=$(membrane action list --intent="add a person to a company" --connectionId=$ID --json | read_out 'it["items"][0]["id"]')
membrane action run --connectionId=$ID $ACTION --json --input "{{ \\"name\\": \\"Bo\\" }}" >&2
LEAD=$(membrane request $ID /lead/ -X GET --query "_limit=10" | read_out 'it["data"][0]["id"]')
membrane request $ID /lead/{{id}}/ --pathParam "id=$LEAD" -X PUT --json -d '{{"name": "y"}}'
""")  # noqa: E501
    assert done.json["name"] == "y"


@promise(PART, "The command is one file that the server hands out, and an npm package.")
def test_the_command_line_is_handed_out(agent: Shell, machine: Machine) -> None:
    agent.script(
        f"mkdir -p bin && curl -fsSLo bin/membrane {machine.url}/cli && chmod +x bin/membrane\n"
        "./bin/membrane status --json\n"
        f"npm install --silent -g --prefix npm {machine.url}/cli.tgz\n"
        "npm/bin/membrane --version"
    )
    for path, words in (("/skills/close/SKILL.md", "membrane login"), ("/llms.txt", machine.url)):
        assert words in agent.run(f"curl -fsS {machine.url}{path}").out
    assert agent.run("clinch connection list").out == agent.run("membrane connection list").out


@promise(PART, "An action says what it would do with `--dry-run`, and changes nothing.")
def test_trying(agent: Shell, connection: str) -> None:
    count = f"membrane request {connection} /lead/ --query _limit=0 --query query=Tried"
    tried = agent.json(
        'membrane action run create-lead --dry-run --json --input \'{"name": "Tried"}\''
    )
    assert tried["output"]["display_name"] == "Tried"
    assert agent.json(count)["total_results"] == 0
    agent.json('membrane action run create-lead --json --input \'{"name": "Tried"}\'')
    assert agent.json(count)["total_results"] == 1
