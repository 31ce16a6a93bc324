"""A stand-in for Slack's Web API: one workspace, in memory, with the manners of the real one.

Everything is answered with 200 and `ok`; arguments come in the query, a form or JSON; lists go on
by cursors.
"""

import base64
import json
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

USER_TOKEN, BOT_TOKEN, CODE = "xoxp-1-user", "xoxb-1-bot", "a-code"
CLIENT = ("1.2", "client-secret")
Arguments = dict[str, Any]


class Refused(Exception):
    """What Slack says in `error`."""


class Slack:
    """The workspace."""

    def __init__(self) -> None:
        self.people = [
            {"id": "U1", "name": "rosa", "profile": {"email": "rosa@example.com"}},
            {"id": "U2", "name": "bo", "profile": {"email": "bo@example.com"}},
        ]
        self.channels: list[dict[str, Any]] = [
            {"id": f"C{number}", "name": f"room-{number}", "is_private": False, "members": ["U1"]}
            for number in range(1, 6)
        ]
        self.messages: list[dict[str, Any]] = []
        self.app = Starlette(routes=[Route("/api/{method}", self.answer, methods=["GET", "POST"])])

    async def answer(self, request: Request) -> JSONResponse:
        name = request.path_params["method"]
        arguments: Arguments = dict(request.query_params)
        if request.headers.get("content-type", "").startswith("application/json"):
            arguments |= json.loads(await request.body() or b"{}")
        else:
            arguments |= dict(await request.form())
        try:
            if name == "oauth.v2.access":
                return JSONResponse({"ok": True, **self.oauth(request, arguments)})
            token = request.headers.get("authorization", "").removeprefix("Bearer ")
            if (token or arguments.get("token")) not in (USER_TOKEN, BOT_TOKEN):
                raise Refused("invalid_auth" if token else "not_authed")
            method = getattr(self, "do_" + name.replace(".", "_"), None)
            if method is None:
                raise Refused("unknown_method")
            return JSONResponse({"ok": True, **method(arguments)})
        except Refused as error:
            return JSONResponse({"ok": False, "error": str(error)})
        except KeyError as error:
            return JSONResponse(
                {"ok": False, "error": "invalid_arguments", "needed": str(error.args[0])}
            )

    def oauth(self, request: Request, arguments: Arguments) -> dict[str, Any]:
        scheme, _, told = request.headers.get("authorization", "").partition(" ")
        if scheme != "Basic" or base64.b64decode(told).decode() != ":".join(CLIENT):
            raise Refused("bad_client_secret")
        if arguments.get("code") != CODE:
            raise Refused("invalid_code")
        return {
            "app_id": "A1",
            "team": {"id": "T1", "name": "Harbour"},
            "authed_user": {
                "id": "U1",
                "scope": "chat:write",
                "access_token": USER_TOKEN,
                "token_type": "user",
            },
        }

    def do_auth_test(self, _: Arguments) -> dict[str, Any]:
        return {"user_id": "U1", "user": "rosa", "team_id": "T1", "team": "Harbour"}

    def do_auth_revoke(self, _: Arguments) -> dict[str, Any]:
        return {"revoked": True}

    def do_conversations_list(self, arguments: Arguments) -> dict[str, Any]:
        kinds = arguments.get("types", "public_channel").split(",")
        found = [
            channel
            for channel in self.channels
            if ("private_channel" if channel["is_private"] else "public_channel") in kinds
        ]
        return self.page("channels", found, arguments)

    def do_conversations_info(self, arguments: Arguments) -> dict[str, Any]:
        return {"channel": self.channel(arguments)}

    def do_conversations_create(self, arguments: Arguments) -> dict[str, Any]:
        name = arguments["name"]
        if any(channel["name"] == name for channel in self.channels):
            raise Refused("name_taken")
        private = str(arguments.get("is_private", "")).lower() in ("true", "1")
        made = {"id": f"C{len(self.channels) + 1}", "name": name, "members": ["U1"]}
        self.channels.append(made | {"is_private": private})
        return {"channel": self.channels[-1]}

    def do_conversations_invite(self, arguments: Arguments) -> dict[str, Any]:
        channel = self.channel(arguments)
        for id in arguments["users"].split(","):
            if id not in ("U1", "U2"):
                raise Refused("user_not_found")
            channel["members"].append(id)
        return {"channel": channel}

    def do_conversations_members(self, arguments: Arguments) -> dict[str, Any]:
        return self.page("members", self.channel(arguments)["members"], arguments)

    def do_conversations_history(self, arguments: Arguments) -> dict[str, Any]:
        id = self.channel(arguments)["id"]
        found = [one for one in self.messages if one["channel"] == id and one["thread"] is None]
        return self.page("messages", found[::-1], arguments)

    def do_conversations_replies(self, arguments: Arguments) -> dict[str, Any]:
        first = self.message(arguments["channel"], arguments["ts"])
        found = [one for one in self.messages if one["thread"] == first["ts"]]
        return self.page("messages", [first, *found], arguments)

    def do_chat_postMessage(self, arguments: Arguments) -> dict[str, Any]:
        blocks = arguments.get("blocks", [])
        blocks = json.loads(blocks) if isinstance(blocks, str) else blocks
        if not arguments.get("text") and not blocks:
            raise Refused("no_text")
        made = {
            "channel": self.channel(arguments)["id"],
            "ts": f"1700000000.{len(self.messages):06}",
            "text": arguments.get("text", ""),
            "blocks": blocks,
            "thread": arguments.get("thread_ts"),
            "reactions": [],
        }
        self.messages.append(made)
        return {"channel": made["channel"], "ts": made["ts"], "message": made}

    def do_chat_update(self, arguments: Arguments) -> dict[str, Any]:
        one = self.message(arguments["channel"], arguments["ts"])
        one["text"] = arguments["text"]
        return {"channel": one["channel"], "ts": one["ts"], "text": one["text"]}

    def do_chat_delete(self, arguments: Arguments) -> dict[str, Any]:
        one = self.message(arguments["channel"], arguments["ts"])
        self.messages.remove(one)
        return {"channel": one["channel"], "ts": one["ts"]}

    def do_reactions_add(self, arguments: Arguments) -> dict[str, Any]:
        reactions = self.message(arguments["channel"], arguments["timestamp"])["reactions"]
        if arguments["name"] in reactions:
            raise Refused("already_reacted")
        reactions.append(arguments["name"])
        return {}

    def do_users_list(self, arguments: Arguments) -> dict[str, Any]:
        return self.page("members", self.people, arguments)

    def do_users_lookupByEmail(self, arguments: Arguments) -> dict[str, Any]:
        for person in self.people:
            if person["profile"]["email"] == arguments["email"]:  # type: ignore[index]
                return {"user": person}
        raise Refused("users_not_found")

    def channel(self, arguments: Arguments) -> dict[str, Any]:
        for channel in self.channels:
            if channel["id"] == arguments["channel"]:
                return channel
        raise Refused("channel_not_found")

    def message(self, channel: str, ts: str) -> dict[str, Any]:
        for one in self.messages:
            if (one["channel"], one["ts"]) == (channel, ts):
                return one
        raise Refused("message_not_found")

    def page(self, name: str, found: list[Any], arguments: Arguments) -> dict[str, Any]:
        first = int(base64.b64decode(arguments["cursor"])) if arguments.get("cursor") else 0
        ends = first + int(arguments.get("limit") or 100)
        more = ends < len(found)
        next = base64.b64encode(str(ends).encode()).decode() if more else ""
        return {
            name: found[first:ends],
            "has_more": more,
            "response_metadata": {"next_cursor": next},
        }
