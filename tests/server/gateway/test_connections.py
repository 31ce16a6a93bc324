"""`/connections`: letting this server's API in, by a login, by a key on a page, and ending it."""

import time
from typing import Any

import pytest
import requests
from harness import SECRET_KEY, Organization, make_organization
from identity.people import make_person, shown_error, sql
from server.gateway.desk import Desk, limited_desk, signed_desk, user_desk
from server.oauth.browser import Browser

from clinch.gateway.tenancy.secrets import TenantVault
from clinch.gateway.tenancy.tenants import tenant_of_user
from clinch.resources.actor import OperationClass
from clinch.vault.vault import Vault


def connect(desk: Desk, **body: Any) -> Any:
    made = desk.ask("POST", "/connections", {"connectorKey": "close", **body})
    assert made.status_code == 200, made.text
    return made.json()


def proxied(desk: Desk, connection: str, path: str, method: str = "GET", **sent: Any) -> Any:
    return requests.request(
        method,
        f"{desk.url}/connections/{connection}/proxy{path}",
        headers={"Authorization": f"Bearer {desk.token}"},
        timeout=30,
        **sent,
    )


def test_a_user_is_connected_at_once(organization: Organization) -> None:
    desk = user_desk(organization)
    made = connect(desk)
    assert (made["state"], made["connectorKey"], made["connectorName"]) == (
        "READY",
        "close",
        "Close",
    )
    assert made["id"] == made["connectionId"]
    assert "clientAction" not in made
    assert proxied(desk, made["id"], "/me/").json()["id"] == organization.admin.user_id
    assert desk.ask("POST", f"/connections/{made['id']}/test").json() == {"success": True}


def test_asking_again_gives_the_same_one(organization: Organization) -> None:
    desk = user_desk(organization)
    first = connect(desk)
    assert connect(desk)["id"] == first["id"]
    for address in ("close.com", "https://app.close.com/x", "close"):
        again = desk.ask("POST", "/connections/ensure", {"appUrl": address})
        assert again.json()["id"] == first["id"]
    other = connect(desk, allowMultipleConnections=True, name="Second")
    assert other["id"] != first["id"]
    assert [one["id"] for one in desk.get("/connections")["items"]] == [first["id"], other["id"]]
    assert [one["name"] for one in desk.get("/connections", search="SEC")["items"]] == ["Second"]
    page = desk.get("/connections", limit=1)
    rest = desk.get("/connections", cursor=page["cursor"])
    assert [one["id"] for one in rest["items"]] == [other["id"]]


def test_a_connection_does_not_go_beyond_the_login(organization: Organization) -> None:
    """The grant of the connection is no wider than what the user may do."""
    member = organization.member("restricteduser")
    desk = Desk(organization.program.url, member.key)
    made = connect(desk)
    refused = proxied(
        desk, made["id"], "/custom_field/lead/", "POST", json={"name": "x", "type": "text"}
    )
    assert refused.status_code == 403


def test_a_login_for_less_does_less_by_a_connection_for_more(organization: Organization) -> None:
    """What one agent connected is there for the next one, who was allowed less."""
    desk = user_desk(organization)
    wide = connect(desk)["id"]
    keyed = connect(desk, authOptionKey="api-key", input={"apiKey": organization.admin.key})["id"]
    lead, other = (organization.admin.post("/lead/", {"name": name}) for name in ("a", "b"))

    reader = limited_desk(organization, OperationClass.READ)
    writer = limited_desk(organization, OperationClass.READ, OperationClass.WRITE)
    merge = {"source": other["id"], "destination": lead["id"]}
    for id in (wide, keyed):
        assert proxied(reader, id, "/lead/").json()["total_results"] == 2
        assert proxied(reader, id, "/lead/", "POST", json={"name": "c"}).status_code == 403
        assert proxied(writer, id, f"/lead/{lead['id']}/", "PUT", json={"name": "a"}).ok
        assert proxied(writer, id, f"/lead/{lead['id']}/", "DELETE").status_code == 403
        assert proxied(writer, id, "/lead/merge/", "POST", json=merge).status_code == 403
        override = requests.post(
            f"{desk.url}/connections/{id}/proxy/lead/{lead['id']}/",
            json={},
            headers={
                "Authorization": f"Bearer {writer.token}",
                "X-HTTP-Method-Override": "DELETE",
            },
            timeout=30,
        )
        assert override.status_code == 403
        run = writer.ask("POST", f"/connections/{id}/actions/delete-lead/run", {"id": lead["id"]})
        assert (run.status_code, run.json()["key"]) == (403, "access_denied")
    assert organization.admin.get("/lead/")["total_results"] == 2


def test_the_same_path_with_and_without_the_base(organization: Organization) -> None:
    desk = user_desk(organization)
    id = connect(desk)["id"]
    for path in ("/me/", "/me", "/api/v1/me/"):
        answer = proxied(desk, id, path)
        assert (answer.status_code, answer.json()["id"]) == (200, organization.admin.user_id)
    for path in ("/%2e%2e/%2e%2e/self", "/a/..%2f..%2fself", "//evil.example/"):
        assert proxied(desk, id, path).status_code in (400, 404)


def test_what_a_caller_says_of_themselves_goes_no_further(organization: Organization) -> None:
    desk = user_desk(organization)
    id = connect(desk)["id"]
    answer = requests.get(
        f"{desk.url}/connections/{id}/proxy/me/",
        headers={"Authorization": f"Bearer {desk.token}", "Cookie": "clinch_session=sess_x.y"},
        timeout=30,
    )
    assert answer.status_code == 200
    assert "set-cookie" not in answer.headers


def test_bodies_pass_byte_for_byte(organization: Organization) -> None:
    desk = user_desk(organization)
    id = connect(desk)["id"]
    body = '{"name":   "Zürich \\u00e9"}'.encode()
    made = requests.post(
        f"{desk.url}/connections/{id}/proxy/lead/?_fields=id,name",
        data=body,
        headers={"Authorization": f"Bearer {desk.token}", "Content-Type": "application/json"},
        timeout=30,
    )
    assert made.json()["name"] == "Zürich é"
    direct = organization.admin("GET", f"/lead/{made.json()['id']}/", _fields="id,name")
    assert made.content == direct.content


def test_a_request_in_an_envelope(organization: Organization) -> None:
    desk = user_desk(organization)
    id = connect(desk)["id"]
    made = desk.ask(
        "POST",
        f"/connections/{id}/proxy",
        {
            "path": "/lead/",
            "method": "POST",
            "data": {"name": "Enveloped"},
            "query": {"_fields": "name"},
        },
    )
    assert made.json() == {"name": "Enveloped"}
    for wrong in (
        {"method": "GET"},
        {"path": "https://evil.example/"},
        {"path": "/", "method": "TRACE"},
    ):
        assert desk.ask("POST", f"/connections/{id}/proxy", wrong).status_code == 400


def test_what_is_over_is_renewed_by_itself(organization: Organization) -> None:
    desk = user_desk(organization)
    id, program = connect(desk)["id"], organization.program
    sql(program, "update gateway_connection set expires_at = now() where id = $1 returning 1", id)
    assert proxied(desk, id, "/me/").status_code == 200
    sql(program, "delete from credential where starts_with(id, 'at_') returning 1")
    assert proxied(desk, id, "/me/").status_code == 200
    sql(program, "delete from credential where starts_with(id, 'at_') returning 1")
    again = proxied(desk, id, "/lead/", "POST", json={"name": "Sent again"})
    assert again.json()["name"] == "Sent again"


def test_what_is_too_large_to_be_sent_again_is_not(organization: Organization) -> None:
    """But what the connection holds is renewed for the next one."""
    desk, program = user_desk(organization), organization.program
    id = connect(desk)["id"]
    version = sql(program, "select version from gateway_connection where id = $1", id)
    sql(program, "delete from credential where starts_with(id, 'at_') returning 1")
    large = b" " * 1_500_000
    assert proxied(desk, id, "/lead/", "POST", data=large).status_code == 401
    assert sql(program, "select version from gateway_connection where id = $1", id) > version
    told = proxied(desk, id, "/lead/", "POST", data=large)
    assert (told.status_code, "larger than 1000000" in told.text) == (413, True)
    assert "clinch-gateway-error" not in told.headers


def test_what_a_connection_holds_is_renewed_on_demand(organization: Organization) -> None:
    desk, program = user_desk(organization), organization.program
    id = connect(desk)["id"]
    before = sql(program, "select version from gateway_connection where id = $1", id)
    assert desk.ask("POST", f"/connections/{id}/refresh-credentials").status_code == 204
    assert sql(program, "select version from gateway_connection where id = $1", id) > before
    assert proxied(desk, id, "/me/").status_code == 200


def test_what_was_ended_says_how_to_connect_again(organization: Organization) -> None:
    desk = user_desk(organization)
    id = connect(desk, key="mine")["id"]
    for grant in organization.admin.get("/oauth_grant/")["data"]:
        organization.admin.delete(f"/oauth_grant/{grant['id']}/")
    refused = proxied(desk, id, "/me/")
    told = refused.json()
    assert (refused.status_code, told["key"]) == (400, "connection_is_defunct")
    assert told["data"]["hint"] == f"membrane connect --connectionId={id} --json"
    assert refused.headers["Clinch-Gateway-Error"] == "1"
    shown = desk.get("/connections/mine")
    assert shown["state"] == "CLIENT_ACTION_REQUIRED"
    assert shown["clientAction"]["type"] == "connect"
    again = desk.ask("POST", "/connections/mine/reconnect", {}).json()
    assert (again["id"], again["state"]) == (id, "READY")
    assert proxied(desk, id, "/me/").status_code == 200


def test_archiving_revokes_and_erases(organization: Organization) -> None:
    desk = user_desk(organization)
    id, program = connect(desk)["id"], organization.program
    assert len(organization.admin.get("/oauth_grant/")["data"]) == 1
    assert desk.ask("DELETE", f"/connections/{id}").status_code == 200
    assert organization.admin.get("/oauth_grant/")["data"] == []
    assert sql(program, "select secrets from gateway_connection where id = $1", id) == [(None,)]
    assert desk.ask("GET", f"/connections/{id}").status_code == 404
    assert desk.get("/connections")["items"] == []


def test_disconnecting_erases_and_the_connection_stays(organization: Organization) -> None:
    desk = user_desk(organization)
    id, program = connect(desk)["id"], organization.program
    assert desk.ask("POST", f"/connections/{id}/disconnect").status_code == 204
    assert organization.admin.get("/oauth_grant/")["data"] == []
    assert sql(program, "select secrets from gateway_connection where id = $1", id) == [(None,)]
    [one] = desk.get("/connections")["items"]
    assert (one["state"], one["error"]) == (
        "CLIENT_ACTION_REQUIRED",
        {"message": "It was disconnected."},
    )
    assert desk.ask("POST", f"/connections/{id}/reconnect").json()["state"] == "READY"
    assert proxied(desk, id, "/me/").status_code == 200


def test_what_was_archived_comes_back_without_what_it_held(organization: Organization) -> None:
    desk = user_desk(organization)
    id = connect(desk, key="mine")["id"]
    assert desk.ask("DELETE", f"/connections/{id}").status_code == 200
    other = connect(desk, key="mine")["id"]
    refused = desk.ask("POST", f"/connections/{id}/restore")
    assert refused.json()["key"] == "already_exists"
    assert [one["id"] for one in desk.get("/connections")["items"]] == [other]
    desk.ask("DELETE", f"/connections/{other}")
    for _ in range(2):
        restored = desk.ask("POST", f"/connections/{id}/restore").json()
        assert (restored["id"], restored["key"]) == (id, "mine")
        assert restored["state"] == "CLIENT_ACTION_REQUIRED"
    assert proxied(desk, id, "/me/").json()["key"] == "connection_is_defunct"
    for nowhere in ("conn_nowhere", "conn_%00"):
        assert desk.ask("POST", f"/connections/{nowhere}/restore").status_code == 404


def test_names_and_keys_change(organization: Organization) -> None:
    desk = user_desk(organization)
    id = connect(desk)["id"]
    other = connect(desk, allowMultipleConnections=True, key="taken")["id"]
    changed = desk.ask("PATCH", f"/connections/{id}", {"name": "New", "connectionKey": "k"}).json()
    assert (changed["name"], changed["key"]) == ("New", "k")
    assert desk.get("/connections/k")["id"] == id
    for wrong in (
        {"key": "taken"},
        {"name": ""},
        {"name": 7},
        {"state": "READY"},
        {"key": "x" * 101},
    ):
        assert desk.ask("PATCH", f"/connections/{id}", wrong).status_code == 400
    kept = desk.get(f"/connections/{id}")
    assert (kept["name"], kept["key"]) == ("New", "k")
    desk.ask("DELETE", f"/connections/{other}")
    assert desk.ask("PATCH", f"/connections/{id}", {"key": "taken"}).status_code == 200


def test_nobody_sees_another_tenants(organization: Organization) -> None:
    mine = user_desk(organization)
    id = connect(mine)["id"]
    member = Desk(organization.program.url, organization.member("admin").key)
    stranger = user_desk(make_organization(organization.program))
    customer = signed_desk(organization, tenantKey="acme")
    for other in (member, stranger, customer):
        for method, path in (
            ("GET", f"/connections/{id}"),
            ("PATCH", f"/connections/{id}"),
            ("DELETE", f"/connections/{id}"),
            ("POST", f"/connections/{id}/reconnect"),
            ("POST", f"/connections/{id}/test"),
            ("POST", f"/connections/{id}/proxy"),
            ("GET", f"/connections/{id}/proxy/me/"),
            ("GET", f"/connections/{id}/actions"),
            ("POST", f"/connections/{id}/actions/list-leads/run"),
        ):
            body: dict[str, str] | None = {} if method != "GET" else None
            if path.endswith("/proxy"):
                body = {"path": "/me/"}
            assert other.ask(method, path, body).status_code == 404, (method, path)
        assert other.get("/connections")["items"] == []
    assert mine.get(f"/connections/{id}")["state"] == "READY"


def test_a_person_types_the_key_into_the_page(organization: Organization) -> None:
    person = make_person(organization)
    person.sign_in()
    desk = Desk(person.program.url, organization.admin.key)
    made = connect(desk, authOptionKey="api-key")
    assert made["state"] == "CLIENT_ACTION_REQUIRED"
    page = made["clientAction"]["uiUrl"]
    assert "never to you" in made["clientAction"]["agentInstructions"]
    # Another user of the organization, who has the link, is asked to sign in as its owner.
    stranger = Browser(person.program.url).open(page)
    assert "Sign in" in stranger.page.text
    stranger.log_in(person)
    assert 'name="apiKey"' not in stranger.page.text


def test_a_customers_link_is_enough(organization: Organization) -> None:
    desk = signed_desk(organization, tenantKey="acme")
    made = connect(desk)
    assert (made["state"], made["authOptionKey"]) == ("CLIENT_ACTION_REQUIRED", "api-key")
    browser = Browser(organization.program.url).open(made["clientAction"]["uiUrl"])
    assert 'type="password"' in browser.page.text
    browser.send(apiKey="api_wrong.secret")
    assert browser.page.status_code == 400
    assert "does not take this (401)" in shown_error(browser.page)
    assert desk.get(f"/connections/{made['id']}")["state"] == "CLIENT_ACTION_REQUIRED"
    browser.send(apiKey=organization.admin.key)
    assert "is connected" in browser.page.text
    ready = desk.get(f"/connections/{made['id']}", wait="true", timeout=5)
    assert ready["state"] == "READY"
    assert proxied(desk, made["id"], "/me/").json()["id"] == organization.admin.user_id
    # The page is good once.
    assert (
        Browser(organization.program.url).open(made["clientAction"]["uiUrl"]).page.status_code
        == 404
    )


def test_a_product_hands_in_what_it_has(organization: Organization) -> None:
    desk = signed_desk(organization, tenantKey="acme")
    made = connect(desk, input={"apiKey": organization.admin.key})
    assert (made["state"], made["authOptionKey"]) == ("READY", "api-key")
    for wrong in ({"apiKey": "api_x.y"}, {"apiKey": 7}, {}, {"apiKey": "a", "more": 1}):
        refused = desk.ask("POST", "/connections", {"connectorKey": "close", "input": wrong})
        assert refused.status_code == 400, wrong
    assert len(desk.get("/connections")["items"]) == 1


def test_waiting_ends(organization: Organization) -> None:
    desk = signed_desk(organization, tenantKey="acme")
    id = connect(desk)["id"]
    began = time.monotonic()
    assert desk.get(f"/connections/{id}", wait="true", timeout=1)["state"] != "READY"
    assert time.monotonic() - began >= 1
    assert desk.ask("GET", f"/connections/{id}", wait="true", timeout=61).status_code == 400


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"connectorKey": "nothing"},
        {"connectorKey": 7},
        {"connectorKey": "close", "authOptionKey": "x"},
    ],
)
def test_what_cannot_be_connected(organization: Organization, body: dict[str, Any]) -> None:
    desk = user_desk(organization)
    assert desk.ask("POST", "/connections", body).status_code in (400, 404)
    assert desk.ask("POST", "/connections/ensure", {"appUrl": "unknown.example"}).status_code == 404
    assert desk.get("/connections")["items"] == []


def test_what_it_holds_is_sealed_for_its_tenant(organization: Organization) -> None:
    desk, program = user_desk(organization), organization.program
    id = connect(desk)["id"]
    [(sealed, version)] = sql(
        program, "select secrets, version from gateway_connection where id = $1", id
    )
    assert b"at_" not in sealed
    vault = Vault(SECRET_KEY)
    tenant = program.run(tenant_of_user(program.store.database, vault, organization.actor()))
    opened = TenantVault(vault).open(tenant, id, "secrets", version, sealed)
    assert b'"access":"at_' in opened
