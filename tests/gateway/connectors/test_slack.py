"""The connector of Slack, against a stand-in that Slack's own client takes for Slack."""

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from gateway.connectors.slack_server import BOT_TOKEN, CLIENT, CODE, USER_TOKEN, Slack
from gateway.connectors.standing import Connected, serving
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from clinch.gateway.connectors.connector import Connector
from clinch.gateway.connectors.shipped import shipped_connectors
from clinch.gateway.errors import ActionFailed, InvalidRequest
from clinch.resources.actor import OperationClass


@dataclass
class Workspace:
    """The stand-in, Slack's own client of it, and ours."""

    slack: Slack
    theirs: WebClient
    ours: Connected
    url: str


@pytest.fixture(scope="module")
def connector() -> Connector:
    return next(one for one in shipped_connectors() if one.key == "slack")


@pytest.fixture
def workspace(connector: Connector) -> Iterator[Workspace]:
    slack = Slack()
    option = connector.option("token")
    assert option is not None
    with serving(slack.app) as url:
        yield Workspace(
            slack,
            WebClient(USER_TOKEN, base_url=f"{url}/api/"),
            Connected(connector, option, f"{url}/api", {"token": USER_TOKEN}),
            url,
        )


def test_slacks_own_client_takes_the_stand_in_for_slack(workspace: Workspace) -> None:
    client = workspace.theirs
    assert client.auth_test()["user_id"] == "U1"
    pages = [len(page["channels"]) for page in client.conversations_list(limit=2)]
    assert pages == [2, 2, 1]
    posted = client.chat_postMessage(channel="C1", text="Ahoy", blocks=[{"type": "divider"}])
    client.chat_postMessage(channel="C1", text="Yes?", thread_ts=posted["ts"])
    client.chat_update(channel="C1", ts=posted["ts"], text="Ahoy!")
    client.reactions_add(channel="C1", timestamp=posted["ts"], name="sailboat")
    history = client.conversations_history(channel="C1")["messages"]
    assert [(one["text"], one["reactions"]) for one in history] == [("Ahoy!", ["sailboat"])]
    replies = client.conversations_replies(channel="C1", ts=posted["ts"])["messages"]
    assert [one["text"] for one in replies] == ["Ahoy!", "Yes?"]
    made = client.conversations_create(name="quay", is_private=True)["channel"]
    client.conversations_invite(channel=made["id"], users=["U1", "U2"])
    assert client.users_lookupByEmail(email="bo@example.com")["user"]["id"] == "U2"
    client.chat_delete(channel="C1", ts=posted["ts"])
    with pytest.raises(SlackApiError, match="message_not_found"):
        client.chat_delete(channel="C1", ts=posted["ts"])
    with pytest.raises(SlackApiError, match="invalid_auth"):
        WebClient("xoxb-wrong", base_url=f"{workspace.url}/api/").auth_test()
    granted = client.oauth_v2_access(client_id=CLIENT[0], client_secret=CLIENT[1], code=CODE)
    assert granted["authed_user"]["access_token"] == USER_TOKEN


async def test_the_connector_does_what_slacks_client_does(workspace: Workspace) -> None:
    run = workspace.ours.run
    assert await workspace.ours.works()
    assert (await run("slack-auth-test"))["team"] == "Harbour"
    first = await run(
        "slack-conversations-list", limit=3, types=["public_channel", "private_channel"]
    )
    rest = await run(
        "slack-conversations-list", limit=3, cursor=first["response_metadata"]["next_cursor"]
    )
    names = [one["name"] for one in first["channels"] + rest["channels"]]
    assert names == [f"room-{number}" for number in range(1, 6)]
    text = "Ünïcode & <@U2> = 100% ✓"
    blocks = [{"type": "section", "text": {"type": "mrkdwn", "text": "*b*"}}]
    posted = await run("slack-chat-post-message", channel="C2", text=text, blocks=blocks)
    await run("slack-chat-post-message", channel="C2", text="Reply", thread_ts=posted["ts"])
    await run("slack-reactions-add", channel="C2", timestamp=posted["ts"], name="eyes")
    [kept] = (await run("slack-conversations-history", channel="C2"))["messages"]
    assert (kept["text"], kept["blocks"], kept["reactions"]) == (text, blocks, ["eyes"])
    thread = await run("slack-conversations-replies", channel="C2", ts=posted["ts"])
    assert [one["text"] for one in thread["messages"]] == [text, "Reply"]
    made = (await run("slack-conversations-create", name="quay", is_private=True))["channel"]
    assert made["is_private"] is True
    await run("slack-conversations-invite", channel=made["id"], users=["U1", "U2"])
    members = await run("slack-conversations-members", channel=made["id"])
    assert members["members"] == ["U1", "U1", "U2"]
    found = await run("slack-users-lookup-by-email", email="rosa@example.com")
    assert found["user"]["id"] == "U1"
    await run("slack-chat-update", channel="C2", ts=posted["ts"], text="Changed")
    await run("slack-chat-delete", channel="C2", ts=posted["ts"])
    assert workspace.theirs.conversations_history(channel="C2")["messages"] == []


async def test_a_refusal_is_one_though_it_comes_with_200(workspace: Workspace) -> None:
    with pytest.raises(ActionFailed) as failed:
        await workspace.ours.run("slack-chat-post-message", channel="C404", text="Lost")
    assert failed.value.message == "Slack refused this (200): channel_not_found"
    assert failed.value.data["error"] == failed.value.data["answer"]["error"] == "channel_not_found"
    with pytest.raises(InvalidRequest):
        await workspace.ours.run("slack-chat-post-message", text="To nobody")
    assert workspace.slack.messages == []


async def test_the_test_call_tells_good_tokens_from_bad(
    workspace: Workspace, connector: Connector
) -> None:
    option = connector.option("token")
    assert option is not None
    for token, good in ((BOT_TOKEN, True), ("xoxb-wrong", False)):
        base_url = workspace.ours.base_url
        assert await Connected(connector, option, base_url, {"token": token}).works() is good


def test_a_get_is_not_thought_harmless(connector: Connector) -> None:
    assert connector.class_of("GET", "/conversations.list") == OperationClass.READ
    assert connector.class_of("POST", "/auth.test") == OperationClass.READ
    # Slack takes these by GET too.
    assert connector.class_of("GET", "/chat.delete") == OperationClass.DESTRUCTIVE
    assert connector.class_of("GET", "/chat.postMessage") == OperationClass.WRITE
    assert connector.class_of("GET", "/admin.conversations.delete") == OperationClass.DESTRUCTIVE


def test_the_login_is_a_persons(connector: Connector) -> None:
    login = connector.options[0].oauth
    assert login is not None
    assert (login.scope_parameter, login.scope_separator, login.tokens_at) == (
        "user_scope",
        ",",
        "authed_user",
    )
    assert login.client_auth == "basic"


def test_every_operation_and_input_is_known_to_slacks_client(connector: Connector) -> None:
    for one in connector.operations:
        name = one.path.removeprefix("/").replace(".", "_")
        method: Any = getattr(WebClient, name, None)
        assert method is not None, one.path
        source = inspect.getsource(method)
        assert f'"{one.path[1:]}"' in source
        assert ('http_verb="GET"' in source) == (one.method == "GET"), one.path
        known = set(inspect.signature(method).parameters)
        assert set(one.input_schema["properties"]) <= known, one.path
        needed = {
            parameter.name
            for parameter in inspect.signature(method).parameters.values()
            if parameter.default is parameter.empty and parameter.name not in ("self", "kwargs")
        }
        assert needed <= set(one.input_schema.get("required", ())), one.path
