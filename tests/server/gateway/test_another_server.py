"""A second server in place of close.com: let in by a login there, used, renewed and ended."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest
from harness import Organization, Program, make_organization, serve
from identity.people import Person, make_person, sql
from server.gateway.desk import Desk, signed_desk
from server.oauth.browser import Browser

from clinch.gateway.connections.entrance import CALLBACK
from clinch.identity.oauth.clients import register_client
from clinch.program import declarations


@dataclass
class Two:
    """A customer's desk at one server, and an organization of the other one with a person in it."""

    desk: Desk
    program: Program
    other: Organization
    person: Person

    def let_in(self) -> Any:
        """A connection that the person let in, by the pages of both."""
        asked = {"connectorKey": "close", "authOptionKey": "close-com"}
        made = self.desk.ask("POST", "/connections", asked).json()
        assert made["state"] == "CLIENT_ACTION_REQUIRED"
        here, there = self.program.url, self.other.program.url
        browser = Browser(here).open(made["clientAction"]["uiUrl"]).send()
        assert browser.place.startswith(f"{there}/oauth2/authorize/")
        browser.home = there
        browser.open(browser.place).log_in(self.person).send(decision="allow")
        assert browser.place.startswith(f"{here}{CALLBACK}")
        browser.home = here
        assert "is connected" in browser.open(browser.place).page.text
        return self.desk.get(f"/connections/{made['id']}")

    def grants(self) -> list[str]:
        """What the person has allowed at the other server."""
        self.person.sign_in()
        told = self.person.ask("GET", "/api/v1/oauth_grant/").json()
        return [one["id"] for one in told["data"]]


@pytest.fixture
def two(cluster: str, program: Program, monkeypatch: pytest.MonkeyPatch) -> Iterator[Two]:
    other = make_organization(program)
    actor = other.actor()
    client, secret = program.run(
        register_client(
            program.store.database,
            "The first server",
            (f"http://127.0.0.1{CALLBACK}",),
            actor.clock(),
            organization_id=actor.organization_id,
            confidential=True,
        )
    )
    monkeypatch.setenv("CLINCH_APP_CLOSE_URL", program.url)
    monkeypatch.setenv("CLINCH_APP_CLOSE_CLIENT_ID", client.id)
    monkeypatch.setenv("CLINCH_APP_CLOSE_CLIENT_SECRET", str(secret))
    monkeypatch.setenv("CLINCH_ALLOW_PRIVATE", urlsplit(program.url).netloc)
    with serve(cluster, declarations) as first:
        desk = signed_desk(make_organization(first), tenantKey="acme")
        yield Two(desk, first, other, make_person(other))


def test_a_login_at_the_other_server(two: Two) -> None:
    one = two.let_in()
    assert (one["state"], one["authOptionKey"]) == ("READY", "close-com")
    lead = two.other.admin.post("/lead/", {"name": "Elsewhere"})
    listed = two.desk.ask("POST", "/actions/list-leads/run", {"input": {}}).json()
    assert [item["id"] for item in listed["output"]["items"]] == [lead["id"]]
    me = two.desk.get(f"/connections/{one['id']}/proxy/me/")
    assert me["id"] == two.person.user_id


def test_what_the_other_server_gave_is_renewed(two: Two) -> None:
    one = two.let_in()
    sql(two.program, "delete from credential where starts_with(id, 'at_') returning 1")
    assert two.desk.get(f"/connections/{one['id']}/proxy/me/")["id"] == two.person.user_id


def test_what_ends_here_ends_there(two: Two) -> None:
    one = two.let_in()
    assert len(two.grants()) == 1
    assert two.desk.ask("DELETE", f"/connections/{one['id']}").status_code == 200
    assert two.grants() == []


def test_what_ends_there_says_how_to_begin_again(two: Two) -> None:
    one = two.let_in()
    [grant] = two.grants()
    assert two.person.ask("DELETE", f"/api/v1/oauth_grant/{grant}/").ok
    refused = two.desk.ask("GET", f"/connections/{one['id']}/proxy/me/")
    assert refused.status_code == 400
    assert refused.json()["key"] == "connection_is_defunct"
    assert one["id"] in refused.json()["data"]["hint"]


def test_a_private_address_has_to_be_allowed(
    two: Two, cluster: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CLINCH_ALLOW_PRIVATE")
    with serve(cluster, declarations) as closed:
        desk = signed_desk(make_organization(closed), tenantKey="acme")
        asked = {
            "connectorKey": "close",
            "authOptionKey": "close-com-api-key",
            "input": {"apiKey": two.other.admin.key},
        }
        refused = desk.ask("POST", "/connections", asked)
        assert (refused.status_code, refused.json()["type"]) == (400, "connection")
        assert desk.get("/connections")["items"] == []
