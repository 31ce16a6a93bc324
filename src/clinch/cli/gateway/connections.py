"""Finding apps and connecting them: `search`, `connect` and the `connection` commands."""

import json
import sys
from typing import Any

from clinch.cli.gateway.result import WAITED, Failure, Result, Table, usage
from clinch.cli.gateway.session import Session

# The longest that a server keeps a request waiting, in seconds.
_PATIENCE = 30
_TARGETS = ("connectorId", "connectorKey", "integrationId", "integrationKey")


def search(arguments: dict[str, Any]) -> Result:
    """Find apps by a word."""
    session = Session(arguments)
    query = _given(q=arguments["query"], **_chosen(arguments, "elementType", "limit"))
    found = session.json("GET", "/search", query=query)
    rows = [
        (item["elementType"], item["element"].get("name"), item["element"].get("id"))
        for item in found["items"]
    ]
    hint = f"No app is called {arguments['query']!r}: try its name or its web address."
    # Both places are in use: the answer itself, and the answer as the output of a step.
    return Result({**found, "output": found}, _shown(Table(("TYPE", "NAME", "ID"), rows, hint)))


def connect(arguments: dict[str, Any]) -> Result:
    """Connect an app; with a terminal, in the browser, until the connection is ready."""
    session = Session(arguments)
    if arguments["connectionId"]:
        path = f"/connections/{_segment(arguments['connectionId'])}/reconnect"
        made = session.json("POST", path, body={})
    elif arguments["app"]:
        body = {"appUrl": arguments["app"], **_chosen(arguments, "name")}
        made = session.json("POST", "/connections/ensure", body=body)
    else:
        body = _chosen(arguments, *_TARGETS, "authOptionKey", "name")
        if arguments["intent"]:
            body.setdefault("connectorId", _meant(session, arguments["intent"]))
        if not any(name in body for name in _TARGETS):
            raise usage("What is to be connected?", "membrane connect --connectorId=ID")
        if arguments["connectionKey"]:
            body["key"] = arguments["connectionKey"]
        if arguments["allowMultipleConnections"]:
            body["allowMultipleConnections"] = True
        made = session.json("POST", "/connections", body=body)
    page = made.get("clientAction", {}).get("uiUrl")
    somebody = sys.stdin.isatty() and sys.stdout.isatty() and not arguments["non-interactive"]
    if page and somebody:
        made = _with_browser(session, made, page)
    return Result(_named(made), _told(made))


def _meant(session: Session, words: str) -> str:
    """The id of the app that words say, the best of them; raises Failure."""
    found = session.json("GET", "/search", query=_given(q=words, limit="1"))
    if not found["items"]:
        raise Failure(
            "not_found", f"No app is known that {words!r} may mean.", "membrane external-app list"
        )
    return str(found["items"][0]["element"]["id"])


def list_connections(arguments: dict[str, Any]) -> Result:
    session = Session(arguments)
    query = _given(**_chosen(arguments, "integrationKey", "search", "limit", "cursor"))
    found = session.json("GET", "/connections", query=query)
    found["items"] = [_named(one) for one in found["items"]]
    rows = [
        (one["id"], one.get("name"), one.get("connectorName"), one["state"])
        for one in found["items"]
    ]
    empty = "No connections yet: membrane connect --connectorKey=close"
    return Result(found, _shown(Table(("ID", "NAME", "APP", "STATE"), rows, empty)))


def get_connection(arguments: dict[str, Any]) -> Result:
    session = Session(arguments)
    path = f"/connections/{_segment(arguments['connection'])}"
    if not arguments["wait"]:
        one = session.json("GET", path)
        return Result(_named(one), _told(one))
    one = _wait(session, path, _seconds(arguments["timeout"]))
    code = WAITED if one["state"] != "READY" and not _is_final(one) else 0
    return Result(_named(one), _told(one), code)


def ensure_connection(arguments: dict[str, Any]) -> Result:
    session = Session(arguments)
    body = {"appUrl": arguments["app"], **_chosen(arguments, "name")}
    one = session.json("POST", "/connections/ensure", body=body)
    return Result(_named(one), _told(one))


def patch_connection(arguments: dict[str, Any]) -> Result:
    session = Session(arguments)
    change = json_object(arguments["data"], "--data")
    if "connectionKey" in change:
        change["key"] = change.pop("connectionKey")
    path = f"/connections/{_segment(arguments['connection'])}"
    one = session.json("PATCH", path, body=change)
    return Result(_named(one), _told(one))


def archive_connection(arguments: dict[str, Any]) -> Result:
    session = Session(arguments)
    session.json("DELETE", f"/connections/{_segment(arguments['connection'])}")
    told = {"id": arguments["connection"], "archived": True}
    return Result(told, "Archived: what it held is revoked and erased.")


def create_request(arguments: dict[str, Any]) -> Result:
    """Ask for an app to be connected, by a page for a person."""
    body = _chosen(arguments, *_TARGETS, "connectionId", "authOptionKey", "name")
    if not any(name in body for name in (*_TARGETS, "connectionId")):
        raise usage(
            "What is to be connected?", "membrane connection-request create --connectorId=ID"
        )
    return _requested(Session(arguments).json("POST", "/connection-requests", body=body))


def get_request(arguments: dict[str, Any]) -> Result:
    path = f"/connection-requests/{_segment(arguments['request'])}"
    return _requested(Session(arguments).json("GET", path))


def _requested(one: dict[str, Any]) -> Result:
    told = (
        one.get("url"),
        one.get("resultConnectionId"),
        one.get("resultError", {}).get("message"),
    )
    lines = [f"{one['requestId']}  {one['name']}  {one['status']}", *filter(None, told)]
    if one["status"] == "pending":
        lines.append(f"Then:  membrane connection-request get {one['requestId']}")
    return Result(one, "\n".join(lines))


def list_apps(arguments: dict[str, Any]) -> Result:
    return _list_apps("/external-apps", arguments)


def list_integrations(arguments: dict[str, Any]) -> Result:
    return _list_apps("/integrations", arguments)


def _list_apps(path: str, arguments: dict[str, Any]) -> Result:
    query = _given(**_chosen(arguments, "search", "limit", "cursor"))
    found = Session(arguments).json("GET", path, query=query)
    rows = [(one["id"], one.get("key"), one["name"]) for one in found["items"]]
    return Result(found, _shown(Table(("ID", "KEY", "NAME"), rows)))


def json_object(text: str | None, flag: str) -> dict[str, Any]:
    """The JSON object that is given with a flag; raises Failure."""
    try:
        found = json.loads(text or "")
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise usage(f"{flag} takes a JSON object.", f'{flag} \'{{"name": "value"}}\'')
    return found


def _with_browser(session: Session, made: dict[str, Any], page: str) -> dict[str, Any]:
    import webbrowser

    print(
        f"Connect {made.get('name')} with your browser. If none opens:\n  {page}", file=sys.stderr
    )
    webbrowser.open(page)
    ready = _wait(session, f"/connections/{made['id']}", 600)
    if ready["state"] != "READY":
        raise Failure(
            "not_connected",
            f"The connection is not ready ({ready['state']}).",
            f"membrane connect --connectionId={made['id']}",
            more={"connectionId": made["id"], "state": ready["state"]},
        )
    return ready


def _wait(session: Session, path: str, seconds: int) -> dict[str, Any]:
    """The connection once it is ready or has failed for good, or as it is after so many seconds."""
    while True:
        round = min(seconds, _PATIENCE)
        query = [("wait", "true"), ("timeout", str(round))]
        one: dict[str, Any] = session.json("GET", path, query=query)
        seconds -= round
        if seconds <= 0 or one["state"] == "READY" or _is_final(one):
            return one


def _is_final(one: dict[str, Any]) -> bool:
    return one["state"] in ("CONFIGURATION_ERROR", "SETUP_FAILED")


def _seconds(text: str | None) -> int:
    if text is None:
        return _PATIENCE
    if not text.isdigit() or not 1 <= int(text) <= 600:
        raise usage("--timeout takes seconds, from 1 to 600.", "--timeout 60")
    return int(text)


def _named(one: dict[str, Any]) -> dict[str, Any]:
    """A connection with its id under both names."""
    return {**one, "connectionId": one["id"]}


def _told(one: dict[str, Any]) -> str:
    lines = [f"{one['id']}  {one.get('name')}  {one['state']}"]
    action = one.get("clientAction")
    if action:
        lines += [line for line in (action.get("description"), action.get("uiUrl")) if line]
        lines.append(f"Then:  membrane connection get {one['id']} --wait")
    return "\n".join(lines)


def _chosen(arguments: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: arguments[name] for name in names if arguments.get(name) is not None}


def _given(**values: Any) -> list[tuple[str, str]]:
    return [(name, str(value)) for name, value in values.items()]


def _segment(text: str) -> str:
    from urllib.parse import quote

    return quote(text, safe="")


def _shown(table: Table) -> str:
    return table.text(bold=sys.stdout.isatty())
