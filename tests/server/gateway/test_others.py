"""Every route of the gateway, and every tool, asked for what is somebody else's.

What a user or a customer has is nobody else's, of their organization or of another one. A route or
a tool without a case here fails.
"""

from dataclasses import dataclass
from typing import Any

import pytest
import requests
from harness import (
    Organization,
    Program,
    gateway_operations,
    make_organization,
    rows_of,
)
from server.gateway.desk import Desk, signed_desk, user_desk
from server.gateway.test_connect_form import connect_by_form
from server.gateway.test_connections import connect
from server.gateway.test_imported import Yard, document
from server.oauth.browser import Browser

from clinch.gateway.connectors.imported import ImportedConnectors
from clinch.gateway.connectors.importing import Wanted
from clinch.gateway.connectors.shipped import SHIPPED_KEYS

DOMAIN = "boats.example"


@dataclass
class Owner:
    """Somebody who has one of everything; `has` are the names by which cases ask for it."""

    desk: Desk
    has: dict[str, str]

    @property
    def marks(self) -> set[str]:
        """What tells that an answer is about them."""
        names = ("connection", "name", "run", "tenant", "action", "action key", "request")
        return {self.has[name] for name in names}

    def filled(self, value: Any) -> Any:
        if isinstance(value, str):
            for name, id in self.has.items():
                value = value.replace(f"<{name}>", id)
        elif isinstance(value, dict):
            value = {key: self.filled(inner) for key, inner in value.items()}
        return value


@dataclass
class Other:
    """Somebody else: `near` is one of the same organization, `manages` who manages it."""

    desk: Desk
    near: bool
    manages: bool = False


@dataclass(frozen=True)
class Case:
    """A request for what is another's: it is refused, and nothing of theirs is told or changed.

    What is `own` may be answered, with what the asker has themselves. What is `shared` is so for
    the whole organization; what is `managed`, for those who manage it.
    """

    path: str
    body: Any = None
    own: bool = False
    shared: bool = False
    managed: bool = False

    def is_refused(self, other: Other) -> bool:
        mine = self.own or (self.shared and other.near)
        return not (mine or (self.managed and other.near and other.manages))


def of_connection(rest: str = "", body: Any = None) -> list[Case]:
    return [Case(f"/connections/<{name}>{rest}", body) for name in ("connection", "key")]


def by_scope(path: str, body: Any = None) -> list[Case]:
    """An action through another's connection, in each way to name it, and by another's app."""
    mark = "&" if "?" in path else "?"
    return [
        Case(f"{path}{mark}connectionId=<connection>", body),
        Case(f"{path}{mark}connectionKey=<key>", body),
        Case(f"{path}{mark}integrationId=<connector>", body, shared=True),
        Case(f"{path}{mark}integrationKey=<connector key>", body, shared=True),
    ]


def of_action(rest: str = "", body: Any = None) -> list[Case]:
    """What another saved, by its id and its key."""
    return [Case(f"/actions/<{name}>{rest}", body) for name in ("action", "action key")]


def of_connections_action(body: Any = None) -> list[Case]:
    return [*of_connection("/actions/list-leads", body), *of_connection("/actions/<action>", body)]


def by_query(body: Any = None) -> list[Case]:
    return [Case("/action?id=<action>", body), Case("/action?key=<action key>", body)]


def of_customer(rest: str = "") -> list[Case]:
    return [
        Case(f"/customers/<tenant>{rest}", managed=True),
        Case(f"/customers/<customer>{rest}", own=True, managed=True),
    ]


RUN = {"input": {"limit": 1}}
LEAD = {"name": "Changed"}
SAVED = {"name": "Me", "config": {"request": {"method": "GET", "path": "/me/"}}}
APPS = ("/connectors", "/external-apps", "/integrations")

CASES: dict[tuple[str, str], list[Case]] = {
    ("GET", "/self"): [Case("/self", own=True)],
    ("GET", "/customers"): [Case("/customers?search=<customer>", own=True, managed=True)],
    ("GET", "/customers/{}"): of_customer(),
    ("DELETE", "/customers/{}"): [Case("/customers/<tenant>", managed=True)],
    ("GET", "/search"): [Case("/search?q=boat", own=True)],
    **{("GET", noun): [Case(f"{noun}?search=boat", own=True)] for noun in APPS},
    **{
        ("GET", f"{noun}/{{}}"): [
            Case(f"{noun}/<{name}>", shared=True) for name in ("connector", "connector key")
        ]
        for noun in APPS
    },
    ("GET", "/connections"): [
        Case("/connections", own=True),
        Case("/connections?search=<name>", own=True),
        Case("/connections?connectorId=<connector>", own=True),
        Case("/connections?cursor=<cursor>", own=True),
    ],
    ("POST", "/connections"): [
        Case("/connections", {"connectorId": "<connector>"}, shared=True),
        Case("/connections", {"connectorKey": "<connector key>"}, shared=True),
        Case("/connections", {"connectorKey": "close"}, own=True),
    ],
    ("POST", "/connections/ensure"): [
        Case("/connections/ensure", {"appUrl": DOMAIN}, shared=True),
    ],
    ("POST", "/connection-options"): [
        Case("/connection-options", {"connectorId": "<connector>"}, shared=True),
    ],
    ("GET", "/connections/{}"): [*of_connection(), *of_connection("?wait=true&timeout=1")],
    ("PATCH", "/connections/{}"): [
        *of_connection(body={"name": "Mine"}),
        *of_connection(body={"input": {"apiKey": "api_1"}}),
    ],
    ("PUT", "/connections/{}"): of_connection(body={"connectionKey": "mine"}),
    ("DELETE", "/connections/{}"): of_connection(),
    **{
        ("POST", f"/connections/{{}}/{verb}"): of_connection(f"/{verb}", {})
        for verb in ("disconnect", "reconnect", "restore", "test", "refresh-credentials")
    },
    ("POST", "/connections/{}/proxy"): of_connection(
        "/proxy", {"path": "/lead/<lead>/", "method": "PUT", "data": LEAD}
    ),
    **{
        (method, "/connections/{}/proxy/**"): of_connection("/proxy/lead/<lead>/", body)
        for method, body in {
            "GET": None,
            "POST": LEAD,
            "PUT": LEAD,
            "PATCH": LEAD,
            "DELETE": None,
        }.items()
    },
    ("GET", "/actions"): [Case("/actions?intent=look+at+a+boat", own=True), *by_scope("/actions")],
    ("POST", "/actions"): by_scope("/actions", SAVED),
    ("GET", "/actions/{}"): [*by_scope("/actions/list-leads"), *of_action()],
    ("PATCH", "/actions/{}"): of_action(body={"name": "Mine"}),
    ("PUT", "/actions/{}"): of_action(body=SAVED),
    ("DELETE", "/actions/{}"): of_action(),
    ("POST", "/actions/{}/run"): [
        *by_scope("/actions/list-leads/run", RUN),
        *of_action("/run", {"input": {}}),
    ],
    ("GET", "/action"): [*by_scope("/action?key=list-leads"), *by_query()],
    ("PATCH", "/action"): by_query({"name": "Mine"}),
    ("PUT", "/action"): by_query(SAVED),
    ("DELETE", "/action"): by_query(),
    ("POST", "/action/run"): [
        *by_scope("/action/run?key=list-leads", RUN),
        Case("/action/run?id=<action>", {"input": {}}),
    ],
    ("POST", "/act"): [
        Case("/act", RUN | {"key": "delete-lead", "input": {"id": "<lead>"}, name: value})
        for name, value in (("connectionId", "<connection>"), ("connectionKey", "<key>"))
    ]
    + [
        Case("/act", {"id": "<action>"}),
        Case("/act", {"api": SAVED["config"], "connectionId": "<connection>"}),
    ],
    ("GET", "/connections/{}/actions"): of_connection("/actions"),
    ("POST", "/connections/{}/actions"): of_connection("/actions", SAVED),
    ("GET", "/connections/{}/actions/{}"): of_connections_action(),
    ("PATCH", "/connections/{}/actions/{}"): of_connections_action({"name": "Mine"}),
    ("PUT", "/connections/{}/actions/{}"): of_connections_action(SAVED),
    ("DELETE", "/connections/{}/actions/{}"): of_connections_action(),
    ("POST", "/connection-requests"): [
        Case("/connection-requests", {"connectionId": "<connection>"}),
        Case("/connection-requests", {"connectionId": "<key>"}),
        Case("/connection-requests", {"connectorId": "<connector>"}, shared=True),
    ],
    ("GET", "/connection-requests/{}"): [Case("/connection-requests/<request>")],
    # They may listen, since nobody knows yet what becomes of an id; of another's they hear nothing.
    ("GET", "/sse/connection-events/{}"): [
        Case("/sse/connection-events/of-<customer>?timeout=1", own=True)
    ],
    ("POST", "/connectors"): [Case("/connectors", {"document": {}}, own=True, managed=True)],
    ("DELETE", "/connectors/{}"): [
        Case(f"/connectors/<{name}>", managed=True) for name in ("connector", "connector key")
    ],
    ("POST", "/connections/{}/actions/{}/run"): of_connection(
        "/actions/delete-lead/run", {"id": "<lead>"}
    ),
    ("GET", "/action-run-logs"): [
        Case("/action-run-logs", own=True),
        Case("/action-run-logs?connectionId=<connection>", own=True),
        Case("/action-run-logs?cursor=<run cursor>", own=True),
    ],
    ("GET", "/action-run-logs/{}"): [Case("/action-run-logs/<run>")],
    ("GET", "/action-run-logs/{}/details"): [Case("/action-run-logs/<run>/details")],
}

LIST = {"action": "list-leads"}
OF_THEM = {"connectionId": "<connection>"}
TOOLS: dict[str, tuple[dict[str, Any], bool]] = {
    "search_actions": (OF_THEM | {"intent": "list leads"}, True),
    "describe_action": (OF_THEM | LIST, True),
    "run_read_action": (OF_THEM | LIST, True),
    "run_write_action": (OF_THEM | {"action": "delete-lead", "input": {"id": "<lead>"}}, True),
    "send_read_request": (OF_THEM | {"path": "/lead/<lead>/"}, True),
    "send_write_request": (OF_THEM | {"path": "/lead/<lead>/", "method": "DELETE"}, True),
    "list_connections": ({}, False),
    "connect_app": ({"app": "close"}, False),
}
"""What each tool is asked with, and whether that is refused."""


@dataclass
class Hall:
    """Two organizations, who has something in the first one, and everybody."""

    organization: Organization
    owners: dict[str, Owner]
    others: dict[str, Other]


@pytest.fixture(scope="module")
def hall(program: Program) -> Hall:
    organization, elsewhere = make_organization(program), make_organization(program)
    connector = program.run(
        ImportedConnectors(program.store.database, SHIPPED_KEYS).add(
            organization.actor().tenant,
            document(Yard("https://yard.example")),
            Wanted(domains=(DOMAIN,)),
            organization.system.clock(),
        )
    ).connector
    lead = organization.admin.post("/lead/", {"name": "Harbour"})["id"]
    app = {"connector": connector.id, "connector key": connector.key, "lead": lead}

    def owning(desk: Desk, customer: str) -> Owner:
        made = _connected(desk, organization, key=f"key-of-{customer}", name=f"Of {customer}")
        runs = [
            desk.ask("POST", "/actions/get-lead/run", {"input": {"id": lead}}).json()["actionRunId"]
            for _ in range(2)
        ]
        _connected(desk, organization, allowMultipleConnections=True)
        saved = desk.ask(
            "POST", "/actions", SAVED | {"key": f"of-{customer}", "connectionId": made["id"]}
        )
        assert saved.status_code == 200, saved.text
        asked = desk.ask("POST", "/connection-requests", {"connectionId": made["id"]})
        assert asked.status_code == 200, asked.text
        by_key = {"apiKey": organization.admin.key}
        sent = connect_by_form(desk, f"of-{customer}", connectionId=made["id"], input=by_key)
        assert sent.status_code == 200, sent.text
        told = {
            "action": saved.json()["id"],
            "action key": saved.json()["key"],
            "request": asked.json()["id"],
            "tenant": desk.get("/self")["id"],
            "customer": customer,
            "connection": made["id"],
            "key": made["key"],
            "name": made["name"],
            "cursor": desk.get("/connections", limit=1)["cursor"],
            "run": runs[0],
            "run cursor": desk.get("/action-run-logs", limit=1)["cursor"],
        }
        return Owner(desk, app | told)

    user, customer = user_desk(organization), signed_desk(organization, tenantKey="acme")
    owners = {"user": owning(user, "sam"), "customer": owning(customer, "acme")}
    colleague = Desk(program.url, organization.member("user").key)
    others = {
        "user": Other(user, near=True, manages=True),
        "customer": Other(customer, near=True),
        "colleague": Other(colleague, near=True),
        "another customer": Other(signed_desk(organization, tenantKey="beta"), near=True),
        "manager": Other(signed_desk(organization, isAdmin=True), near=True, manages=True),
        "user elsewhere": Other(user_desk(elsewhere), near=False),
        "customer elsewhere": Other(signed_desk(elsewhere, tenantKey="acme"), near=False),
        "manager elsewhere": Other(signed_desk(elsewhere, isAdmin=True), near=False),
    }
    for name in ("colleague", "another customer", "user elsewhere", "customer elsewhere"):
        one = others[name]
        _connected(one.desk, organization if one.near else elsewhere)
    return Hall(organization, owners, others)


def _connected(desk: Desk, organization: Organization, **more: Any) -> Any:
    return connect(desk, authOptionKey="api-key", input={"apiKey": organization.admin.key}, **more)


def test_every_route_has_a_case() -> None:
    assert set(CASES) == gateway_operations()


PAIRS = [
    (owner, other)
    for owner in ("user", "customer")
    for other in (
        *("user", "customer", "colleague", "another customer", "manager"),
        *("user elsewhere", "customer elsewhere", "manager elsewhere"),
    )
    if owner != other
]


@pytest.mark.parametrize(("owner", "other"), PAIRS)
def test_what_is_anothers_is_not_there(hall: Hall, owner: str, other: str) -> None:
    owns, asks = hall.owners[owner], hall.others[other]
    before, wrong = rows_of(hall.organization), []
    for (method, _), cases in CASES.items():
        for case in cases:
            if case.managed and asks.near and asks.manages:
                continue
            answer = asks.desk.ask(method, owns.filled(case.path), owns.filled(case.body))
            marks = owns.marks | (set() if asks.near else {owns.has["connector"]})
            told = [mark for mark in marks if mark in _without_echo(answer)]
            code = answer.status_code
            good = code in (403, 404) if case.is_refused(asks) else code < 500
            if told or not good:
                wrong.append((method, case.path, code, told, answer.text[:200]))
    assert wrong == []
    after, own = rows_of(hall.organization), asks.desk.get("/self").get("id", "no tenant")
    lost = {name: set(rows) - set(after[name]) for name, rows in before.items()}
    assert [row for rows in lost.values() for row in rows if own not in row] == []
    mine = owns.has["tenant"]
    assert _of(mine, after) == _of(mine, before)


def _without_echo(answer: requests.Response) -> str:
    """What an answer tells; a refusal may say again what was asked for."""
    return "" if answer.status_code in (403, 404) else answer.text


def _of(tenant: str, rows: dict[str, list[str]]) -> dict[str, list[str]]:
    return {name: [row for row in of_table if tenant in row] for name, of_table in rows.items()}


@pytest.mark.parametrize(("owner", "other"), PAIRS)
def test_no_tool_reaches_what_is_anothers(hall: Hall, owner: str, other: str) -> None:
    owns, asks = hall.owners[owner], hall.others[other]
    assert {tool["name"] for tool in asks.desk.by_mcp("tools/list")["tools"]} == set(TOOLS)
    before = rows_of(hall.organization)["lead"]
    for tool, (arguments, is_refused) in TOOLS.items():
        result = asks.desk.by_mcp("tools/call", name=tool, arguments=owns.filled(arguments))
        [content] = result["content"]
        if is_refused:
            assert result["isError"], tool
            assert '"not_found"' in content["text"] or '"access_denied"' in content["text"], tool
        else:
            assert not [mark for mark in owns.marks if mark in content["text"]], tool
    assert rows_of(hall.organization)["lead"] == before


@pytest.mark.parametrize("operation", sorted(CASES), ids=lambda one: " ".join(one))
def test_nobody_is_answered_nothing(hall: Hall, operation: tuple[str, str]) -> None:
    owns = hall.owners["customer"]
    for case in CASES[operation]:
        path, body = owns.filled(case.path), owns.filled(case.body)
        for token in ("", "nonsense", f"at_{'x' * 22}.{'y' * 32}"):
            assert Desk(owns.desk.url, token).ask(operation[0], path, body).status_code == 401


def test_a_page_is_of_its_own_connection(hall: Hall) -> None:
    """A ticket is good with what it was made for alone."""
    mine, theirs = hall.others["another customer"].desk, hall.owners["customer"]
    asked = {"connectorKey": "close", "authOptionKey": "api-key", "allowMultipleConnections": True}
    page = mine.ask("POST", "/connections", asked).json()["clientAction"]["uiUrl"]
    place, _, ticket = page.rpartition("/")
    organization, tenant, connection, secret = ticket.split(".")
    assert Browser(mine.url).open(page).page.status_code == 200
    for wrong in (
        (organization, theirs.has["tenant"], theirs.has["connection"], secret),
        (organization, tenant, theirs.has["connection"], secret),
        (organization, theirs.has["tenant"], connection, secret),
        ("0" * 32, tenant, connection, secret),
        (organization, tenant, connection, secret[:-1]),
    ):
        browser = Browser(mine.url).open(f"{place}/{'.'.join(wrong)}")
        assert browser.page.status_code == 404, wrong
    assert theirs.desk.get(f"/connections/{theirs.has['connection']}")["state"] == "READY"
