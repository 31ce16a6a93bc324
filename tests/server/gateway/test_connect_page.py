"""Letting an app in by its own login: the pages of both sides, as a browser goes through them."""

import json
import os
import re
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
import requests
from harness import SECRET_KEY, Organization, make_organization
from identity.people import sql
from server.gateway.desk import Desk, user_desk
from server.gateway.oauth_app import Yard, import_app

from clinch.program import renew_idle_connections


def ask_for(desk: Desk, app: str = "yard") -> dict[str, Any]:
    response = desk.ask("POST", "/connections", {"connectorKey": app})
    assert response.status_code == 200, response.text
    asked: dict[str, Any] = response.json()
    return asked


def go_to_app(browser: requests.Session, page: str) -> requests.Response:
    """What the app shows whoever pressed the button of our page."""
    shown = browser.get(page, timeout=10)
    assert shown.status_code == 200, shown.text
    assert "Go to Yard" in shown.text
    return browser.post(page, data={}, timeout=10)


def allow(shown: requests.Response) -> str:
    """Where the app leads whoever allows it."""
    found = re.search('id="allow" href="([^"]+)"', shown.text)
    assert found is not None, shown.text
    return unescape(found[1])


def connect(browser: requests.Session, page: str) -> requests.Response:
    return browser.get(allow(go_to_app(browser, page)), timeout=10)


def test_a_login_at_the_app_connects_it(yard: Yard) -> None:
    desk = yard.customer()
    asked = ask_for(desk)
    assert asked["state"] == "CLIENT_ACTION_REQUIRED"
    shown = connect(requests.Session(), asked["clientAction"]["uiUrl"])
    assert (shown.status_code, "Yard is connected" in shown.text) == (200, True)
    one = desk.get(f"/connections/{asked['id']}")
    assert (one["state"], one["connectorKey"]) == ("READY", "yard")
    assert desk.ask("GET", f"/connections/{asked['id']}/proxy/me").json() == {"name": "Rosa Lind"}
    [grant] = yard.provider.grants
    assert desk.ask("POST", f"/connections/{asked['id']}/test").json() == {"success": True}
    grant.access.clear()
    assert desk.ask("GET", f"/connections/{asked['id']}/proxy/me").status_code == 200
    assert grant.refreshes == 1


def test_the_page_may_send_its_form_to_the_app_alone(yard: Yard) -> None:
    page = ask_for(yard.customer())["clientAction"]["uiUrl"]
    policy = requests.get(page, timeout=10).headers["Content-Security-Policy"]
    assert f"form-action 'self' {yard.url}" in policy


def test_who_says_no_may_begin_again(yard: Yard) -> None:
    desk = yard.customer()
    asked, browser = ask_for(desk), requests.Session()
    yard.provider.denies = True
    refused = go_to_app(browser, asked["clientAction"]["uiUrl"])
    assert (refused.status_code, "They said no." in refused.text) == (400, True)
    again = re.search('href="([^"]+)">Try again', refused.text)
    assert again is not None
    yard.provider.denies = False
    shown = connect(browser, f"{yard.organization.program.url}{again[1]}")
    assert shown.status_code == 200
    assert desk.get(f"/connections/{asked['id']}")["state"] == "READY"


def test_a_login_ends_in_the_browser_that_began_it(yard: Yard) -> None:
    """A link to the app brings nobody else's account into the connection of who made it."""
    desk = yard.customer()
    asked, browser = ask_for(desk), requests.Session()
    back = allow(go_to_app(browser, asked["clientAction"]["uiUrl"]))
    elsewhere = requests.get(back, timeout=10)
    assert elsewhere.status_code == 404
    assert desk.get(f"/connections/{asked['id']}")["state"] == "CLIENT_ACTION_REQUIRED"
    assert yard.provider.grants == []
    assert browser.get(back, timeout=10).status_code == 200
    assert browser.get(back, timeout=10).status_code == 404
    assert len(yard.provider.grants) == 1


@pytest.mark.parametrize("change", ["state", "code", "none"])
def test_what_comes_back_changed_connects_nothing(yard: Yard, change: str) -> None:
    desk = yard.customer()
    asked, browser = ask_for(desk), requests.Session()
    back = urlsplit(allow(go_to_app(browser, asked["clientAction"]["uiUrl"])))
    sent = dict(parse_qsl(back.query))
    if change == "state":
        sent["state"] = sent["state"][:-1] + ("b" if sent["state"][-1] == "a" else "a")
    elif change == "code":
        sent["code"] = "code-of-another"
    else:
        sent = {}
    address = back._replace(query=urlencode(sent)).geturl()
    shown = browser.get(address, timeout=10)
    assert shown.status_code in (400, 404)
    assert "code-of-another" not in shown.text
    assert desk.get(f"/connections/{asked['id']}")["state"] == "CLIENT_ACTION_REQUIRED"


def test_a_user_has_to_be_signed_in(yard: Yard) -> None:
    page = ask_for(user_desk(yard.organization))["clientAction"]["uiUrl"]
    shown = requests.get(page, timeout=10)
    assert "Sign in" in shown.text
    assert "Go to Yard" not in shown.text
    sent = requests.post(page, data={}, timeout=10, allow_redirects=False)
    assert sent.status_code == 200
    assert "Sign in" in sent.text


def test_a_connection_is_made_anew_in_place(yard: Yard) -> None:
    desk = yard.customer()
    asked, browser = ask_for(desk), requests.Session()
    connect(browser, asked["clientAction"]["uiUrl"])
    yard.provider.grants[0].ended = True
    yard.provider.grants[0].access.clear()
    refused = desk.ask("GET", f"/connections/{asked['id']}/proxy/me")
    assert refused.json()["key"] == "connection_is_defunct"
    again = ask_for(desk)
    assert again["id"] == asked["id"]
    assert again["error"]["message"] == "The token was used before."
    connect(browser, again["clientAction"]["uiUrl"])
    assert desk.ask("GET", f"/connections/{asked['id']}/proxy/me").status_code == 200
    assert len(desk.get("/connections")["items"]) == 1


def test_tokens_of_before_may_be_brought_along(yard: Yard) -> None:
    """By a product that embeds the gateway and has kept them itself until now."""
    desk = yard.customer()
    _, tokens = yard.provider.grant()
    one = {"connectorKey": "yard", "authOptionKey": "login"}
    refused = desk.ask("POST", "/connections", one | {"input": {"access_token": "at-wrong"}})
    assert refused.status_code == 400
    assert desk.get("/connections")["items"] == []
    made = desk.ask("POST", "/connections", one | {"credentials": tokens}).json()
    assert made["state"] == "READY"
    assert desk.ask("GET", f"/connections/{made['id']}/proxy/me").status_code == 200


def test_without_a_client_of_the_operator_there_is_no_login(
    yard: Yard, organization: Organization
) -> None:
    """And a client's secret that is set for one token endpoint is sent to no other."""
    import_app(organization, "https://yard.example")
    for one in (organization, yard.organization):
        desk = user_desk(one)
        offered = desk.ask("POST", "/connection-options", {"connectorKey": "yard"}).json()
        assert [option["type"] for option in offered] == (
            ["oauth2"] if one is yard.organization else []
        )
    refused = user_desk(organization).ask("POST", "/connections", {"connectorKey": "yard"})
    assert refused.json()["type"] == "configuration"
    assert "CLINCH_APP_YARD_CLIENT_ID" in refused.json()["message"]
    hubspot = user_desk(organization).ask(
        "POST", "/connections", {"connectorKey": "hubspot", "authOptionKey": "login"}
    )
    assert "CLINCH_APP_HUBSPOT_CLIENT_SECRET" in hubspot.json()["message"]
    assert "TOKEN_URL" not in hubspot.json()["message"]


def test_an_organization_that_points_elsewhere_gets_nothing(yard: Yard) -> None:
    other = make_organization(yard.organization.program)
    import_app(other, "https://thief.example")
    offered = user_desk(other).ask("POST", "/connection-options", {"connectorKey": "yard"})
    assert offered.json() == []


def test_requests_by_the_command_go_on_until_a_person_is_needed(yard: Yard, tmp_path: Path) -> None:
    """A token that is over, and one that was revoked, are renewed with nobody acting."""
    desk = yard.customer()
    id = ask_for(desk)["id"]
    yard.provider.lifetime = 1
    connect(requests.Session(), ask_for(desk)["clientAction"]["uiUrl"])
    [grant] = yard.provider.grants
    told = {"name": "Rosa Lind"}
    assert by_command(desk, tmp_path, id) == (0, told)
    time.sleep(1)
    grant.access.clear()
    yard.provider.lifetime = 3600
    assert by_command(desk, tmp_path, id) == (0, told)
    assert grant.refreshes == 1
    grant.access.clear()
    assert by_command(desk, tmp_path, id) == (0, told)
    assert grant.refreshes == 2
    yard.provider.refuses = True
    code, refused = by_command(desk, tmp_path, id)
    assert (code, refused["status"]) == (1, 401)
    assert f"membrane connect --connectionId={id}" in refused["hint"]


def test_what_nobody_uses_is_renewed_now_and_then(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLINCH_SECRET_KEY", SECRET_KEY)
    monkeypatch.setenv("CLINCH_PUBLIC_URL", yard.organization.program.url)
    connect(requests.Session(), ask_for(yard.customer())["clientAction"]["uiUrl"])
    [grant] = yard.provider.grants
    program = yard.organization.program

    def a_round(days: int) -> int:
        """How often the connection was renewed, once it has been due for so many days."""
        sql(
            program,
            "update gateway_connection set renew_at = renew_at - $2::interval"
            " where organization_id = $1",
            yard.organization.system.organization_id,
            timedelta(days=days),
        )
        program.run(renew_idle_connections(program.store, datetime.now(UTC)))
        return grant.refreshes

    assert [a_round(0), a_round(1), a_round(2), a_round(0)] == [0, 0, 1, 1]
    grant.ended = True
    assert a_round(2) == 2
    [one] = yard.customer().get("/connections")["items"]
    assert one["error"]["message"] == "The token was used before."


def by_command(desk: Desk, home: Path, connection_id: str) -> tuple[int, Any]:
    """The exit code of `membrane request`, and what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", "clinch.cli.gateway.main", "request", connection_id, "/me"],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "MEMBRANE_API_URI": desk.url,
            "MEMBRANE_TOKEN": desk.token,
        },
        capture_output=True,
        text=True,
        timeout=30,
    )
    return done.returncode, json.loads(done.stdout or done.stderr)
