"""OAuth from programs that are pages of other sites, as the browser asks for them."""

from typing import Any

import pytest
import requests
from harness import Organization, Program
from identity.people import make_person
from server.oauth.test_oauth import BACK, App, register, tokens_of

from clinch.server.oauth.tokens import PREFIXES

SITE = "https://app.example"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JSON = {"Content-Type": "application/json"}
KNOWN = [
    "/.well-known/oauth-authorization-server",
    "/.well-known/oauth-protected-resource",
    "/.well-known/oauth-protected-resource/mcp",
]


def from_page(method: str, url: str, headers: dict[str, str], body: Any = None) -> Any:
    """The answer to a request that a browser sends for a page of a site, and lets the page read:
    it asks first whether it may, since the headers are none that a form would send."""
    asked = {
        "Origin": SITE,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": ",".join(name.lower() for name in headers),
    }
    allowed = requests.options(url, headers=asked, timeout=30)
    assert allowed.ok, (url, allowed.status_code)
    assert allowed.headers["Access-Control-Allow-Origin"] == "*"
    assert method in allowed.headers["Access-Control-Allow-Methods"].split(", ")
    names = allowed.headers["Access-Control-Allow-Headers"].split(", ")
    assert {name.lower() for name in headers} <= set(names), names
    answer = requests.request(
        method, url, headers=headers | {"Origin": SITE}, data=body, timeout=30
    )
    for told in (allowed, answer):
        assert told.headers["Access-Control-Allow-Origin"] == "*"
        assert "Access-Control-Allow-Credentials" not in told.headers
        assert "Set-Cookie" not in told.headers
    return answer


def test_a_page_gets_renews_and_ends_its_tokens(organization: Organization) -> None:
    app = App(organization.program, *register(organization, BACK))
    tokens, _ = tokens_of(app, make_person(organization))
    own = {"client_id": app.id, "client_secret": app.secret}
    url = app.program.url
    renewed = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    answer = from_page("POST", f"{url}/oauth2/token/", FORM, own | renewed)
    assert answer.json()["access_token"].startswith("at_")
    ended = {"token": answer.json()["refresh_token"]}
    assert from_page("POST", f"{url}/oauth2/revoke/", FORM, own | ended).status_code == 200
    refused = from_page("POST", f"{url}/oauth2/token/", FORM, own | renewed)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("slash", ["", "/"])
def test_each_address_may_be_asked(program: Program, prefix: str, slash: str) -> None:
    at = f"{program.url}{prefix}"
    asked = '{"redirect_uris": ["https://app.example/back"], "token_endpoint_auth_method": "none"}'
    assert from_page("POST", f"{at}/register{slash}", JSON, asked).status_code == 201
    basic = FORM | {"Authorization": "Basic YTpi"}
    for name in ("token", "revoke"):
        answer = from_page("POST", f"{at}/{name}{slash}", basic, {"token": "x"})
        assert answer.json()["error"] == "invalid_client"
        assert "www-authenticate" in answer.headers["Access-Control-Expose-Headers"]


def test_what_describes_it_may_be_read(program: Program) -> None:
    for path in KNOWN:
        answer = from_page("GET", f"{program.url}{path}", {"MCP-Protocol-Version": "2025-06-18"})
        assert answer.status_code == 200
        assert program.url in answer.text


def test_a_login_of_the_person_is_narrowed_from_a_page(program: Program) -> None:
    bearer = {"Authorization": "Bearer at_none"}
    answer = from_page("POST", f"{program.url}/org-workspaces/orga_1/access-token", bearer)
    assert answer.status_code == 401


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
@pytest.mark.parametrize(
    "path",
    [
        *(f"{prefix}/{name}/" for prefix in PREFIXES for name in ("authorize", "code")),
        *("/session/", "/connect/a.b.c.d", "/invitation/x", "/password/x", "/api/v1/me/", "/"),
    ],
)
def test_pages_for_people_are_for_no_page_elsewhere(
    program: Program, path: str, method: str
) -> None:
    asked = {"Origin": SITE, "Access-Control-Request-Method": "POST"}
    answer = requests.request(method, f"{program.url}{path}", headers=asked, timeout=30)
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]
