"""Saved actions, and `act` with a request: what can run is kept and runs; all else is refused."""

from typing import Any

import pytest
import requests
from harness import Organization, make_organization
from identity.people import sql
from server.gateway.desk import Desk, limited_desk, signed_desk, user_desk
from server.gateway.test_connections import connect

from clinch.resources.actor import OperationClass

RENAME = {
    "key": "rename-lead",
    "name": "Rename a lead",
    "description": "Give a lead another name.",
    "type": "api-request-to-external-app",
    "config": {
        "request": {
            "method": "PUT",
            "path": "/lead/{leadId}/",
            "query": {"_fields": "id,name"},
            "body": {"name": {"$var": "$.input.name"}, "description": "Was {{input.old}}"},
        }
    },
    "inputSchema": {
        "type": "object",
        "properties": {
            "leadId": {"type": "string"},
            "name": {"type": "string", "minLength": 1},
            "old": {"type": "string"},
        },
        "required": ["leadId", "name", "old"],
    },
}
READ = {"request": {"path": "/lead/{id}/", "query": {"_fields": "id,name"}}}


@pytest.fixture
def desk(organization: Organization) -> Desk:
    """A user who has connected this server."""
    made = user_desk(organization)
    connect(made)
    return made


@pytest.fixture
def lead(organization: Organization) -> str:
    id: str = organization.admin.post("/lead/", {"name": "Harbour"})["id"]
    return id


def ok(response: requests.Response) -> Any:
    assert response.status_code == 200, response.text
    return response.json()


def refused(response: requests.Response, code: int = 400) -> Any:
    assert response.status_code == code, response.text
    return response.json()


def save(desk: Desk, **change: Any) -> Any:
    return ok(desk.ask("POST", "/actions", {**RENAME, **change}))


def run(desk: Desk, key: str, input: Any, **query: Any) -> requests.Response:
    return desk.ask("POST", f"/actions/{key}/run", {"input": input}, **query)


def act(desk: Desk, api: Any, **more: Any) -> requests.Response:
    return desk.ask("POST", "/act", {"api": api, **more})


def name_of(organization: Organization, lead: str) -> Any:
    return organization.admin.get(f"/lead/{lead}/")["name"]


def test_a_saved_action_is_ready_at_once_and_runs(
    organization: Organization, desk: Desk, lead: str
) -> None:
    made = save(desk)
    assert (made["state"], made["key"], made["operationClass"]) == ("READY", "rename-lead", "write")
    assert made["id"].startswith("act_")
    input = {"leadId": lead, "name": "Quay", "old": "Harbour"}
    ran = ok(run(desk, "rename-lead", input))
    assert ran["output"] == {"id": lead, "name": "Quay"}
    shown = organization.admin.get(f"/lead/{lead}/")
    assert (shown["name"], shown["description"]) == ("Quay", "Was Harbour")
    record = desk.get(f"/action-run-logs/{ran['actionRunId']}/details")
    assert (record["action"], record["requests"][0]["method"]) == ("rename-lead", "PUT")
    assert ok(run(desk, made["id"], input | {"name": "By id"}))["output"]["name"] == "By id"
    assert ok(desk.ask("POST", "/act", {"key": "rename-lead", "input": input}))["output"]


def test_it_is_found_like_any_other(desk: Desk) -> None:
    made = save(desk)
    assert desk.get("/actions", intent="give a lead another name", limit=1)["items"][0] == {
        "id": made["id"],
        "key": "rename-lead",
        "name": "Rename a lead",
        "description": "Give a lead another name.",
        "operationClass": "write",
        "connectorKey": "close",
        "connectionId": made["connectionId"],
    }
    assert desk.get("/actions", limit=1)["items"][0]["id"] == made["id"]
    got = desk.get("/actions/rename-lead")
    assert got == made
    assert got["config"]["request"]["path"] == "/lead/{leadId}/"
    assert desk.get("/action", key="rename-lead", integrationKey="close")["id"] == made["id"]
    below = f"/connections/{made['connectionId']}/actions/rename-lead"
    assert desk.get(below)["id"] == made["id"]
    changed = ok(desk.ask("PATCH", "/actions/rename-lead", {"name": "Baptise a lead"}))
    [found] = desk.get("/actions", intent="baptise", limit=1)["items"]
    assert (found["id"], changed["config"]) == (made["id"], made["config"])


def test_an_input_that_does_not_fit_changes_nothing(
    organization: Organization, desk: Desk, lead: str
) -> None:
    save(desk)
    for input, word in (
        ({"leadId": lead, "name": "", "old": "x"}, "name"),
        ({"leadId": lead, "name": "N"}, "old"),
        ({"leadId": "..", "name": "N", "old": "x"}, "leadId"),
        ("text", "object"),
        ([1], "object"),
    ):
        told = refused(run(desk, "rename-lead", input))
        assert word in told["message"]
        assert told["data"]["actionRunId"].startswith("run_")
    assert name_of(organization, lead) == "Harbour"
    ran = ok(run(desk, "rename-lead", {"leadId": lead, "name": "N", "old": "x", "colour": "red"}))
    assert ran["warnings"] == ["colour is not an input of rename-lead and was ignored."]


def test_trying_changes_nothing(organization: Organization, desk: Desk, lead: str) -> None:
    save(desk)
    input = {"leadId": lead, "name": "Tried", "old": "x"}
    tried = ok(run(desk, "rename-lead", input, dryRun="true"))
    assert tried["output"]["name"] == "Tried"
    around = {"method": "PUT", "path": f"/lead/{lead}/", "body": {"name": "T", "_params": {}}}
    for api in (around, {"method": "POST", "path": "/nothing/", "body": {}}):
        told = refused(desk.ask("POST", "/act", {"api": api}, dryRun="true"))
        assert "nothing was sent" in told["message"]
    switched = {"method": "PUT", "path": f"/lead/{lead}/?_dry_run=0", "body": {"name": "T"}}
    ok(desk.ask("POST", "/act", {"api": switched}, dryRun="true"))
    assert name_of(organization, lead) == "Harbour"


def test_the_same_key_is_done_once(organization: Organization, desk: Desk) -> None:
    config = {"request": {"method": "POST", "path": "/lead/", "body": {"name": "{{input.n}}"}}}
    ok(desk.ask("POST", "/actions", {"key": "add", "config": config}))

    def send(path: str, body: Any) -> Any:
        headers = {"Authorization": f"Bearer {desk.token}", "Idempotency-Key": path}
        return ok(requests.post(f"{desk.url}{path}", json=body, headers=headers, timeout=30))

    api = {"method": "POST", "path": "/lead/", "body": {"name": "Once"}}
    for path, body in (("/actions/add/run", {"input": {"n": "Once"}}), ("/act", {"api": api})):
        assert send(path, body)["output"]["id"] == send(path, body)["output"]["id"]
    assert organization.admin.get("/lead/")["total_results"] == 2


def test_a_schema_is_made_where_none_is_sent(desk: Desk, lead: str) -> None:
    config = {
        "request": {
            "path": "/lead/{{input.lead.id}}/",
            "query": {"_fields": {"$var": "$.input.fields"}},
        }
    }
    made = ok(desk.ask("POST", "/actions", {"config": config}))
    assert made["inputSchema"] == {
        "type": "object",
        "properties": {"fields": {}, "lead": {}},
        "required": ["lead"],
    }
    assert (made["key"], made["name"]) == (made["id"], "GET /lead/{{input.lead.id}}/")
    ran = ok(run(desk, made["id"], {"lead": {"id": lead}, "fields": ["name"]}))
    assert ran["output"] == {"name": "Harbour"}
    assert len(ok(run(desk, made["id"], {"lead": {"id": lead}}))["output"]) > 5
    assert "lead.id" in refused(run(desk, made["id"], {"lead": {}}))["message"]


WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("type", {"type": "list-data-records"}, "api-request-to-external-app"),
    ("code", {"type": "run-javascript", "config": {"code": "x"}}, "No code"),
    ("no config", {"config": None}, "config"),
    ("config", {"config": {"path": "/lead/"}}, "config"),
    ("member", {"flow": "x"}, "flow"),
    ("key", {"key": "a/b"}, "key"),
    ("name", {"name": "n" * 101}, "name"),
    ("schema", {"inputSchema": {"type": "objekt"}}, "no JSON Schema"),
    (
        "slow",
        {"inputSchema": {"properties": {"a": {"pattern": "(?=a)(a|aa)+$"}}}},
        "no JSON Schema",
    ),
    ("pattern", {"inputSchema": {"properties": {"a": {"pattern": "("}}}}, "no JSON Schema"),
    ("list", {"inputSchema": {"type": "array"}}, "an object"),
    ("variable", {"inputSchema": {"properties": {"leadId": {}}}}, "the request uses name"),
    ("reference", {"outputSchema": {"$ref": "http://127.0.0.1:1/x"}}, "$ref"),
    ("size", {"description": "d" * 501}, "description"),
    ("bytes", {"outputSchema": {"description": "d" * 40_000}}, "32,768"),
]
REQUESTS: list[tuple[str, dict[str, Any], str]] = [
    ("no path", {}, "path"),
    ("method", {"path": "/x/", "method": "TRACE"}, "method"),
    ("body without method", {"path": "/x/", "body": {}}, "method"),
    ("body of GET", {"path": "/x/", "method": "GET", "body": {}}, "body"),
    ("up", {"path": "/lead/../../x"}, "base address"),
    ("encoded up", {"path": "/lead/%2e%2e/x"}, "base address"),
    ("full URL", {"path": "https://elsewhere.example/x"}, "no full URL"),
    ("two slashes", {"path": "//elsewhere.example/x"}, "no full URL"),
    ("space", {"path": "/a b/"}, "spaces"),
    ("brace", {"path": "/a{/"}, "brace"),
    ("two paths", {"path": "/x/", "uri": "/y/"}, "once more"),
    ("unknown", {"path": "/x/", "verb": "x"}, "verb"),
    ("unused", {"path": "/x/", "pathParameters": {"a": "b"}}, "{a}"),
    ("secret", {"path": "/x/", "headers": {"Authorization": "x"}}, "Authorization"),
    ("cookie", {"path": "/x/", "headers": {"cookie": "x"}}, "cookie"),
    ("host", {"path": "/x/", "headers": {"Host": "x"}}, "Host"),
    ("override", {"path": "/x/", "headers": {"X-HTTP-Method-Override": "DELETE"}}, "Override"),
    ("line", {"path": "/x/", "headers": {"X-A": "a\r\nX-B: b"}}, "X-A"),
    ("header name", {"path": "/x/", "headers": {"a b": "x"}}, "a b"),
    ("variable", {"path": "/x/", "query": {"a": {"$var": "$.connection.id"}}}, "$.input"),
    ("beside", {"path": "/x/", "query": {"a": {"$var": "$.input.b", "c": 1}}}, "beside"),
    ("formula", {"path": "/x/", "query": {"a": [{"$concat": ["b"]}]}}, "$concat"),
    ("query", {"path": "/x/", "query": {"a": {"b": 1}}}, "query.a"),
]


@pytest.mark.parametrize(
    ("change", "word"), [one[1:] for one in WRONG], ids=[one[0] for one in WRONG]
)
def test_what_cannot_run_is_refused_and_leaves_nothing(
    desk: Desk, change: dict[str, Any], word: str
) -> None:
    sent = {name: value for name, value in {**RENAME, **change}.items() if value is not None}
    assert word in refused(desk.ask("POST", "/actions", sent))["message"]
    refused(desk.ask("GET", "/actions/rename-lead"), 404)
    own = [one for one in desk.get("/actions", limit=1)["items"] if one["id"].startswith("act_")]
    assert own == []


@pytest.mark.parametrize(
    ("request_", "word"), [one[1:] for one in REQUESTS], ids=[one[0] for one in REQUESTS]
)
def test_a_request_that_is_none_is_refused(desk: Desk, request_: dict[str, Any], word: str) -> None:
    sent = {"key": "own", "config": {"request": request_}}
    assert word in refused(desk.ask("POST", "/actions", sent))["message"]
    assert word in refused(act(desk, request_))["message"]
    refused(desk.ask("GET", "/actions/own"), 404)


def test_all_of_an_input_can_be_the_body(organization: Organization, desk: Desk) -> None:
    config = {"request": {"method": "POST", "path": "/lead/", "body": {"$var": "$.input"}}}
    made = ok(desk.ask("POST", "/actions", {"key": "add", "config": config}))
    assert made["inputSchema"] == {"type": "object", "properties": {}}
    ran = ok(run(desk, "add", {"name": "Whole"}))
    assert (ran["output"]["name"], "warnings" in ran) == ("Whole", False)


def test_words_alone_make_no_action(desk: Desk) -> None:
    told = refused(desk.ask("POST", "/actions", {"intent": "add a person to a company"}))
    assert "create-contact" in told["data"]["actions"]
    assert "create-contact" in told["message"]
    assert "--config" in told["data"]["hint"]


def test_a_key_is_of_one_action(desk: Desk, organization: Organization) -> None:
    save(desk)
    for key in ("rename-lead", "list-leads", "api-list-lead", "slack-auth-test"):
        if key.startswith("slack"):
            key = desk.get("/actions", connectorKey="slack", limit=1)["items"][0]["key"]
        told = refused(desk.ask("POST", "/actions", {**RENAME, "key": key}))
        assert told["key"] == "already_exists", key
    other = save(desk, key="other")
    for method in ("PATCH", "PUT"):
        told = refused(desk.ask(method, "/actions/other", {**RENAME, "key": "rename-lead"}))
        assert told["key"] == "already_exists"
    assert desk.get(f"/actions/{other['id']}")["key"] == "other"
    # Somebody else's keys are their own.
    customer = signed_desk(organization, tenantKey="acme")
    connect(customer, input={"apiKey": organization.admin.key})
    assert save(customer)["key"] == "rename-lead"


def test_changing_replacing_and_deleting(desk: Desk, organization: Organization, lead: str) -> None:
    made = save(desk)
    bad = {"config": {"request": {"path": "/../x"}}}
    refused(desk.ask("PATCH", "/actions/rename-lead", bad))
    refused(desk.ask("PUT", "/actions/rename-lead", {"name": "No request"}))
    refused(desk.ask("PATCH", "/actions/rename-lead", {"config": READ}), 400)
    assert desk.get("/actions/rename-lead") == made
    put = ok(desk.ask("PUT", "/actions/rename-lead", {"key": "read-lead", "config": READ}))
    assert (put["id"], put["operationClass"], put["description"]) == (made["id"], "read", "")
    assert ok(run(desk, "read-lead", {"id": lead}))["output"]["name"] == "Harbour"
    again = ok(desk.ask("PUT", "/actions/read-lead", put))
    assert again | {"updatedAt": 0} == put | {"updatedAt": 0}
    single = ok(desk.ask("PATCH", "/action", {"name": "Look"}, key="read-lead"))
    assert single["name"] == "Look"
    for method, body in (("PATCH", {"name": "x"}), ("PUT", RENAME), ("DELETE", None)):
        told = refused(desk.ask(method, "/actions/list-leads", body))
        assert "action create" in told["data"]["hint"]
    other = user_desk(make_organization(organization.program))
    for method in ("PATCH", "DELETE"):
        refused(other.ask(method, f"/actions/{made['id']}", {"name": "Theirs"}), 404)
    below = f"/connections/{made['connectionId']}/actions/read-lead"
    assert desk.ask("DELETE", below).status_code == 200
    refused(run(desk, "read-lead", {"id": lead}), 404)
    refused(desk.ask("DELETE", "/actions/read-lead"), 404)


def test_for_what_an_action_is(desk: Desk, organization: Organization, lead: str) -> None:
    wide = save(desk, key="wide", integrationKey="close")
    second = connect(desk, allowMultipleConnections=True)
    told = refused(desk.ask("POST", "/actions", {**RENAME, "key": "which"}))
    assert second["id"] in told["data"]["connectionIds"]
    narrow = ok(
        desk.ask("POST", f"/connections/{second['id']}/actions", {**RENAME, "key": "narrow"})
    )
    assert narrow["connectionId"] == second["id"]
    assert second["id"] in desk.get(f"/actions/{wide['id']}")["connectionIds"]
    input = {"leadId": lead, "name": "Quay", "old": "x"}
    refused(run(desk, "wide", input))
    ok(run(desk, "wide", input, connectionId=second["id"]))
    ok(run(desk, "narrow", input))
    first = next(one for one in desk.get("/connections")["items"] if one["id"] != second["id"])
    refused(run(desk, "narrow", input, connectionId=first["id"]), 404)
    desk.ask("DELETE", f"/connections/{second['id']}")
    refused(desk.ask("GET", "/actions/narrow"), 404)
    assert "narrow" not in [one["key"] for one in desk.get("/actions", limit=9)["items"]]
    assert save(desk, key="narrow")["connectionId"] == first["id"]
    refused(desk.ask("POST", "/actions", {**RENAME, "key": "n", "integrationKey": "none"}), 404)
    refused(desk.ask("POST", "/actions", {**RENAME, "key": "n", "connectionId": "none"}), 404)
    told = refused(desk.ask("POST", "/actions", {**RENAME, "key": "n", "integrationKey": "slack"}))
    assert told["data"]["hint"] == "membrane connect --connectorKey=slack --json"
    refused(desk.ask("GET", "/actions/n"), 404)


def test_who_may_save(desk: Desk, organization: Organization, lead: str) -> None:
    manager = signed_desk(organization, isAdmin=True)
    told = refused(manager.ask("POST", "/actions", {**RENAME, "integrationKey": "close"}), 403)
    assert "tenantKey" in told["data"]["hint"]
    read = ok(desk.ask("POST", "/actions", {"key": "read-lead", "config": READ}))
    save(desk)
    reader = limited_desk(organization, OperationClass.READ)
    changes: list[tuple[str, str, Any]] = [
        ("POST", "/actions", {"config": READ}),
        ("PATCH", "/actions/read-lead", {"name": "x"}),
        ("PUT", "/actions/read-lead", RENAME),
        ("DELETE", "/actions/read-lead", None),
    ]
    for method, path, body in changes:
        assert "write" in refused(reader.ask(method, path, body), 403)["message"]
    assert ok(run(reader, "read-lead", {"id": lead}))["output"]["name"] == "Harbour"
    refused(run(reader, "rename-lead", {"leadId": lead, "name": "N", "old": "x"}), 403)
    writer = limited_desk(organization, OperationClass.READ, OperationClass.WRITE)
    away = {"config": {"request": {"method": "DELETE", "path": "/lead/{id}/"}}}
    refused(writer.ask("POST", "/actions", away), 403)
    refused(writer.ask("PATCH", "/actions/rename-lead", away | {"inputSchema": None}), 403)
    assert desk.get("/actions/read-lead") == read
    assert name_of(organization, lead) == "Harbour"


def test_nobody_sees_another_tenants(desk: Desk, organization: Organization) -> None:
    made = save(desk, integrationKey="close")
    customer = signed_desk(organization, tenantKey="acme")
    connect(customer, input={"apiKey": organization.admin.key})
    stranger = user_desk(make_organization(organization.program))
    connect(stranger)
    for other in (customer, stranger):
        for name in (made["id"], "rename-lead"):
            for method, path in (
                ("GET", f"/actions/{name}"),
                ("PATCH", f"/actions/{name}"),
                ("PUT", f"/actions/{name}"),
                ("DELETE", f"/actions/{name}"),
                ("POST", f"/actions/{name}/run"),
            ):
                refused(other.ask(method, path, None if method == "GET" else {}), 404)
            refused(other.ask("POST", "/act", {"key": name}), 404)
        [first] = other.get("/actions", intent="rename a lead", limit=1)["items"]
        assert first["key"] != "rename-lead"
    assert desk.get("/actions/rename-lead") == made


def test_an_input_makes_no_other_request_of_it(
    organization: Organization, desk: Desk, lead: str
) -> None:
    """What is saved as a write does not merge leads because somebody gives `merge` as an id."""
    config = {
        "request": {
            "method": "POST",
            "path": "/{kind}/{where}/",
            "body": {
                "source": {"$var": "$.input.source"},
                "destination": {"$var": "$.input.destination"},
            },
        }
    }
    made = ok(desk.ask("POST", "/actions", {"key": "post", "config": config}))
    assert made["operationClass"] == "write"
    other = organization.admin.post("/lead/", {"name": "Other"})["id"]
    merge = {"kind": "lead", "where": "merge", "source": other, "destination": lead}
    told = refused(run(desk, "post", merge))
    assert "destructive" in told["message"]
    assert name_of(organization, other) == "Other"


def test_how_many_there_may_be(desk: Desk, organization: Organization) -> None:
    made = save(desk)
    sql(
        organization.program,
        "insert into gateway_action select organization_id, tenant_id, 'act_' || n, 'k' || n,"
        " connector_key, connection_id, version, definition, created_at, updated_at"
        " from gateway_action, generate_series(1, 998) n where organization_id = $1",
        organization.actor().organization_id,
    )
    save(desk, key="last")
    assert "1000" in refused(desk.ask("POST", "/actions", {**RENAME, "key": "more"}))["message"]
    assert desk.get("/actions", intent="rename a lead", limit=1)["items"][0]["id"] >= "act_"
    ok(desk.ask("PATCH", f"/actions/{made['id']}", {"name": "Still"}))
    desk.ask("DELETE", f"/actions/{made['id']}")
    save(desk, key="more")


def test_act_with_a_request(organization: Organization, desk: Desk, lead: str) -> None:
    api = {"path": f"/lead/{lead}/?_fields=id", "query": {"_fields": "name"}}
    done = ok(act(desk, api))
    assert done["output"] == {"id": lead, "name": "Harbour"}
    record = desk.get(f"/action-run-logs/{done['actionRunId']}/details")
    assert (record["action"], record["status"]) == (f"GET /lead/{lead}/", "success")
    assert record["requests"][0]["path"] == f"/lead/{lead}/?_fields=id"
    filled = {
        "method": "put",
        "url": "/api/v1/lead/{id}/",
        "data": {"name": {"$var": "$.input.name"}},
        "headers": {"X-Note": "{{input.name}}"},
    }
    ok(act(desk, filled, input={"id": lead, "name": "Filled"}, meta={"why": "test"}))
    assert name_of(organization, lead) == "Filled"
    told = refused(act(desk, {"path": "/lead/lead_none/"}))
    assert (told["type"], told["data"]["status"]) == ("action_run", 404)
    assert told["data"]["actionRunId"].startswith("run_")
    assert "id is missing" in refused(act(desk, {"path": "/lead/{id}/"}))["message"]


def test_act_takes_one_thing_and_no_code(desk: Desk) -> None:
    api = {"path": "/me/"}
    code = refused(desk.ask("POST", "/act", {"code": "module.exports = () => 1"}))
    assert "as api" in code["message"]
    assert "verb" in refused(desk.ask("POST", "/act", {"api": api, "verb": 1}))["message"]
    wrong: list[Any] = [
        {"api": api, "key": "list-leads"},
        {"api": "GET /"},
        {"key": 7},
        {"api": []},
    ]
    for body in wrong:
        refused(desk.ask("POST", "/act", body))
    refused(desk.ask("POST", "/act", {"api": api, "connectionId": 7}))


def test_act_goes_by_a_connection_and_within_the_login(
    organization: Organization, desk: Desk, lead: str
) -> None:
    nobody = user_desk(make_organization(organization.program))
    assert "connect" in refused(act(nobody, {"path": "/me/"}))["data"]["hint"]
    assert "Close" in refused(act(nobody, {"path": "/me/"}, integrationKey="close"))["message"]
    second = connect(desk, allowMultipleConnections=True, key="second")
    assert second["id"] in refused(act(desk, {"path": "/me/"}))["data"]["connectionIds"]
    ok(act(desk, {"path": "/me/"}, connectionKey="second"))
    reader = limited_desk(organization, OperationClass.READ)
    ok(act(reader, {"path": "/me/"}, connectionId=second["id"]))
    away = {"method": "DELETE", "path": f"/lead/{lead}/"}
    told = refused(act(reader, away, connectionId=second["id"]), 403)
    assert desk.get(f"/action-run-logs/{told['data']['actionRunId']}")["status"] == "error"
    assert name_of(organization, lead) == "Harbour"
