"""`/connection-requests`: a page to show to a person, and what became of it."""

from typing import Any

from harness import Organization, make_organization
from identity.people import sql
from server.gateway.desk import Desk, signed_desk, user_desk
from server.oauth.browser import Browser


def ask(desk: Desk, code: int = 200, **body: Any) -> Any:
    made = desk.ask("POST", "/connection-requests", body)
    assert made.status_code == code, made.text
    return made.json()


def test_a_request_is_answered_on_its_page(organization: Organization) -> None:
    desk = signed_desk(organization, tenantKey="acme")
    made = ask(desk, connectorKey="close", name="Their CRM")
    assert (made["status"], made["name"], made["requestId"]) == ("pending", "Their CRM", made["id"])
    assert made["tenantId"] == desk.get("/self")["id"]
    assert "resultConnectionId" not in made
    told = desk.get(f"/connection-requests/{made['id']}")
    assert told == {name: value for name, value in made.items() if name != "url"}
    browser = Browser(organization.program.url).open(made["url"])
    browser.send(apiKey=organization.admin.key)
    told = desk.get(f"/connection-requests/{made['id']}")
    [connection] = desk.get("/connections")["items"]
    assert (told["status"], told["resultConnectionId"]) == ("success", connection["id"])
    assert (connection["state"], connection["name"]) == ("READY", "Their CRM")
    assert ask(desk, connectorKey="close")["resultConnectionId"] == connection["id"]


def test_where_no_person_is_needed_it_has_succeeded(organization: Organization) -> None:
    desk = user_desk(organization)
    made = ask(desk, connectorKey="close")
    assert (made["status"], "url" in made) == ("success", False)
    again = ask(desk, connectionId=made["resultConnectionId"])
    assert (again["id"], again["status"]) == (made["id"], "success")


def test_a_request_may_lead_back(organization: Organization) -> None:
    """To an address of the product, in the end, with the connection's id and nothing else."""
    desk = signed_desk(organization, tenantKey="acme", name="Acme")
    made = ask(desk, connectorKey="close", redirectUri="https://app.example/done?state=1")
    browser = Browser(organization.program.url).open(made["url"])
    assert "app.example asks for it, for Acme." in browser.page.text
    policy = browser.page.headers["Content-Security-Policy"]
    assert "form-action 'self' https://app.example;" in policy
    browser.send(apiKey="api_wrong")
    assert browser.page.status_code == 400
    browser.send(apiKey=organization.admin.key)
    [connection] = desk.get("/connections")["items"]
    assert browser.place == f"https://app.example/done?state=1&connectionId={connection['id']}"
    assert desk.get(f"/connection-requests/{made['id']}")["status"] == "success"
    again = ask(desk, connectionId=connection["id"])
    browser.open(again["url"]).send(apiKey=organization.admin.key)
    assert "is connected" in browser.page.text


def test_a_request_ends(organization: Organization) -> None:
    desk = signed_desk(organization, tenantKey="acme")
    made = ask(desk, connectorKey="close")
    sql(
        organization.program,
        "update gateway_connection set ticket_until = ticket_until - interval '1 hour'"
        " where organization_id = $1 returning 1",
        organization.actor().organization_id,
    )
    late = desk.get(f"/connection-requests/{made['id']}")
    assert (late["status"], "hour" in late["resultError"]["message"]) == ("error", True)
    [connection] = desk.get("/connections")["items"]
    again = ask(desk, connectionId=connection["id"])
    assert (again["id"], again["status"]) == (made["id"], "pending")
    assert again["url"] != made["url"]
    desk.ask("DELETE", f"/connections/{connection['id']}")
    assert desk.get(f"/connection-requests/{made['id']}")["status"] == "cancelled"


def test_a_request_is_the_tenants_own(organization: Organization) -> None:
    desk = signed_desk(organization, tenantKey="acme")
    id = ask(desk, connectorKey="close")["id"]
    strangers = (
        signed_desk(organization, tenantKey="other"),
        user_desk(organization),
        user_desk(make_organization(organization.program)),
    )
    for stranger in strangers:
        assert stranger.ask("GET", f"/connection-requests/{id}").status_code == 404
    manager = signed_desk(organization, isAdmin=True)
    assert manager.ask("GET", f"/connection-requests/{id}").status_code == 403


def test_what_cannot_be_asked_for(organization: Organization) -> None:
    desk = signed_desk(organization, tenantKey="acme")
    ask(desk, 404, connectorKey="nothing")
    ask(desk, 404, connectionId="conn_none")
    ask(desk, 400)
    ask(desk, 400, connectionId=7)
    for uri in ("http://x.example/", "javascript:alert(1)", "https://x.example/#a", "/here", 7):
        told = ask(desk, 400, connectorKey="close", redirectUri=uri)
        assert told["data"] == {"field": "redirectUri"}, uri
    assert desk.get("/connections")["items"] == []
    for id in ("creq_none", "conn_none", "creq_", "%00"):
        assert desk.ask("GET", f"/connection-requests/{id}").status_code == 404, id
