"""What is promised of lists: connections, apps, and actions found by what they are to do."""

import re

import pytest
from mission.machine import Shell, User
from promises import promise

PART = "Lists"

LIST = "membrane action list --intent='list open tasks' --json"


@pytest.fixture
def agent(shell: Shell, person: User) -> Shell:
    shell.log_in(person)
    return shell


@pytest.fixture
def new(shell: Shell) -> Shell:
    """The agent of somebody new, without a connection."""
    shell.log_in(shell.machine.user())
    return shell


@promise(PART, "Every connection has `id` and `connectionId`, which are the same, `name`,"
         " `connectorKey`, `connectorName` and `state`.")  # fmt: skip
def test_connections(new: Shell) -> None:
    assert new.json("membrane connection list --json")["items"] == []
    new.json("membrane connect --connectorKey=close --json")
    new.json(
        "membrane connect --connectorKey=close --authOptionKey=api-key --name Other"
        " --allowMultipleConnections --json"
    )
    listed = new.json("membrane connection list --json")["items"]
    assert sorted((one["name"], one["state"]) for one in listed) == [
        ("Close", "READY"),
        ("Other", "CLIENT_ACTION_REQUIRED"),
    ]
    for one in listed:
        assert one["id"] == one["connectionId"]
        assert (one["connectorKey"], one["connectorName"]) == ("close", "Close")


@promise(
    PART, "`search close` has Close first; an app that nobody knows gives nothing, and a hint."
)
def test_search(agent: Shell) -> None:
    for words in ("close", "Close", "close.com"):
        found = agent.json(f"membrane search {words} --json")
        assert found["items"][0]["element"]["name"] == "Close"
    none = agent.json("membrane search nosuchapp --elementType=connector --json")
    assert none["items"] == none["output"]["items"] == []
    assert none["hint"]
    assert "No app is called 'nosuchapp'" in agent.run("membrane search nosuchapp").out


@promise(PART, "`action list --intent` works without a connection; with one it is used; with"
         " several each result says which.")  # fmt: skip
def test_actions_by_intent(new: Shell) -> None:
    none = new.json(LIST)["items"]
    assert none[0]["id"] == "list-tasks"
    first = new.json("membrane connect --connectorKey=close --json")["id"]
    one = new.json(LIST)["items"]
    assert {item["connectionId"] for item in one} == {first}
    ran = new.json("membrane action run list-tasks --json --input '{\"limit\": 2}'")
    assert len(ran["output"]["items"]) == 2
    second = new.json("membrane connect --connectorKey=close --allowMultipleConnections --json")[
        "id"
    ]
    several = new.json(LIST)["items"]
    assert [set(item["connectionIds"]) for item in several] == [{first, second}] * len(several)
    which = new.json("membrane action run list-tasks --json", 1)
    assert set(which["data"]["connectionIds"]) == {first, second}
    assert "--connectionId" in which["hint"]


@promise(PART, "What is wanted may be said in Chinese.")
def test_in_chinese(agent: Shell) -> None:
    found = agent.json("membrane action list --intent='列出未完成的任务' --json")
    assert found["items"][0]["id"] == "list-tasks"


@promise(PART, "People see tables, in colour on a terminal alone.")
def test_tables(agent: Shell) -> None:
    agent.json("membrane connect --connectorKey=close --json")
    piped = agent.run("membrane connection list").out
    assert re.match(r"ID +NAME +APP +STATE\n", piped)
    assert "\033" not in piped
    typed = agent.typed("membrane connection list").out
    assert typed.startswith("\033[1mID")
    assert re.sub(r"\033\[\d+m", "", typed) == piped
