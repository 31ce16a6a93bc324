"""`/self`, `/customers`, `/action-run-logs`, and what holds for all of the gateway's REST API."""

from datetime import UTC, datetime

import pytest
import requests
from harness import SECRET_KEY, Organization
from server.gateway.desk import Desk, limited_desk, signed_desk, user_desk, workspace_of

from clinch.gateway.running.run_logs import Details, RunLog, Sent, sweep_runs
from clinch.gateway.tenancy.secrets import TenantVault
from clinch.gateway.tenancy.tenants import customer
from clinch.resources.actor import OperationClass
from clinch.vault.vault import Vault


def test_a_user_is_a_tenant(organization: Organization) -> None:
    told = user_desk(organization).get("/self")
    assert told["internalId"] == organization.admin.user_id
    assert told["workspaceKey"] == organization.actor().organization
    assert told["scopes"] == ["destructive", "read", "write"]
    assert told["isAdmin"] is False


def test_a_customer_is_a_tenant_once_it_is_named(organization: Organization) -> None:
    desk = signed_desk(organization, tenantKey="acme", name="Acme", fields={"plan": "pro"})
    first, again = desk.get("/self"), desk.get("/self")
    assert first["id"] == again["id"]
    assert (first["name"], first["internalId"], first["fields"]) == (
        "Acme",
        "acme",
        {"plan": "pro"},
    )


def test_customers_are_for_who_manages_the_workspace(organization: Organization) -> None:
    customer_desk = signed_desk(organization, id="acme", iss=workspace_of(organization).key)
    own = customer_desk.get("/self")
    refused = customer_desk.ask("GET", "/customers")
    assert (refused.status_code, refused.json()["key"]) == (403, "access_denied")
    manager = signed_desk(organization, isAdmin=True)
    [listed] = manager.get("/customers")["items"]
    assert listed == manager.get("/customers/acme")
    assert listed["id"] == own["id"]
    assert user_desk(organization).get("/customers", search="ACM")["items"] == [listed]
    reader = limited_desk(organization, OperationClass.READ)
    assert reader.ask("DELETE", "/customers/acme").status_code == 403
    assert manager.ask("DELETE", "/customers/acme").status_code == 200
    assert customer_desk.ask("GET", "/self").status_code == 401


def test_customers_page_by_page(organization: Organization) -> None:
    for number in range(5):
        signed_desk(organization, tenantKey=f"c{number}").get("/self")
    manager = signed_desk(organization, isAdmin=True)
    first = manager.get("/customers", limit=3, cursor="0")
    rest = manager.get("/customers", limit=3, cursor=first["cursor"])
    keys = [one["internalId"] for one in first["items"] + rest["items"]]
    assert (keys, "cursor" in rest) == ([f"c{number}" for number in range(5)], False)


def test_a_manager_without_a_tenant_has_no_runs(organization: Organization) -> None:
    refused = signed_desk(organization, isAdmin=True).ask("GET", "/action-run-logs")
    assert (refused.status_code, refused.json()["key"]) == (403, "access_denied")


@pytest.mark.parametrize("token", ["", "nonsense", "a.b.c", "api_unknown.secret"])
def test_who_is_not_known_is_told_so(organization: Organization, token: str) -> None:
    refused = Desk(organization.program.url, token).ask("GET", "/self")
    told = refused.json()
    assert (refused.status_code, told["type"], told["key"]) == (
        401,
        "bad_request",
        "not_authenticated",
    )
    assert refused.headers["WWW-Authenticate"].startswith("Bearer")


def test_what_is_not_there_and_what_is_not_done_there(organization: Organization) -> None:
    desk = user_desk(organization)
    missing = desk.ask("GET", "/customers/nobody")
    assert (missing.status_code, missing.json()["key"]) == (404, "not_found")
    unknown = desk.ask("GET", "/action-run-logs/a/b/c")
    assert (unknown.status_code, unknown.json()["key"]) == (404, "not_found")
    assert desk.ask("POST", "/self", {}).status_code == 405
    for query in ({"limit": "0"}, {"limit": "1001"}, {"limit": "x"}, {"includeArchived": "maybe"}):
        assert desk.ask("GET", "/customers", **query).status_code == 400


def test_pages_of_other_sites_may_ask_with_a_token(organization: Organization) -> None:
    asked = requests.options(
        f"{organization.program.url}/self", headers={"Origin": "https://app.example"}, timeout=10
    )
    assert asked.status_code == 204
    assert asked.headers["Access-Control-Allow-Origin"] == "*"
    assert "membrane-api-version" in asked.headers["Access-Control-Allow-Headers"]


def test_runs_are_their_tenants_own(organization: Organization) -> None:
    program, database = organization.program, organization.program.store.database
    mine, other = (signed_desk(organization, tenantKey=key) for key in ("mine", "other"))
    for desk in (mine, other):
        desk.get("/self")
    tenant = program.run(customer(database, organization.actor().tenant, "mine"))
    runs = RunLog(database, TenantVault(Vault(SECRET_KEY)))
    now = datetime.now(UTC)
    sent = Sent("GET", "/lead/", (("q", "1"),), None, 200, '{"data": []}')
    details = Details({"limit": 1}, {"items": []}, None, None, (sent,))
    id = program.run(runs.note(tenant, "list-leads", "conn_1", "close", now, 12, details))
    failed = Details({}, None, {"message": "no"}, None, ())
    program.run(runs.note(tenant, "get-lead", None, "close", now, 5, failed))

    record = mine.get(f"/action-run-logs/{id}")
    assert (record["status"], record["input"], record["duration"]) == ("success", {"limit": 1}, 12)
    assert mine.get(f"/action-run-logs/{id}/details")["requests"][0]["path"] == "/lead/"
    assert [run["action"] for run in mine.get("/action-run-logs")["items"]] == [
        "get-lead",
        "list-leads",
    ]
    assert mine.get("/action-run-logs", status="error")["items"][0]["error"] == {"message": "no"}
    page = mine.get("/action-run-logs", limit=1)
    assert [run["id"] for run in mine.get("/action-run-logs", cursor=page["cursor"])["items"]] == [
        id
    ]
    assert other.ask("GET", f"/action-run-logs/{id}").status_code == 404
    assert other.get("/action-run-logs")["items"] == []

    program.run(sweep_runs(program.store, now.replace(year=now.year + 1)))
    assert mine.get("/action-run-logs")["items"] == []
