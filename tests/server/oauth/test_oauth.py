"""OAuth 2: a real client library, the pages as a person uses them, and every way it is refused."""

import base64
import hashlib
import re
import secrets
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest
import requests
from authlib.integrations.requests_client import OAuth2Session
from harness import Organization, Program, make_organization
from identity.people import Person, make_person, shown_error, sql, turn_on
from server.oauth.browser import Browser

from clinch.identity.oauth.clients import register_client
from clinch.identity.oauth.grants import sweep_tokens

BACK = "https://app.example/back"
FULL = "all.full_access offline_access"


@dataclass
class App:
    """A program with a secret, and the server it talks to."""

    program: Program
    id: str
    secret: str | None
    redirect: str = BACK

    def client(self, scope: str = FULL) -> OAuth2Session:
        method = "client_secret_post" if self.secret else "none"
        return OAuth2Session(
            self.id,
            self.secret,
            scope=scope,
            redirect_uri=self.redirect,
            token_endpoint=f"{self.program.url}/oauth2/token/",
            token_endpoint_auth_method=method,
            code_challenge_method="S256",
        )

    def post(self, name: str, **form: str) -> requests.Response:
        own = {"client_id": self.id} | ({"client_secret": self.secret} if self.secret else {})
        return requests.post(f"{self.program.url}/oauth2/{name}/", data=own | form, timeout=30)

    def authorize_url(self, **query: str) -> str:
        asked = {"client_id": self.id, "response_type": "code", "redirect_uri": self.redirect}
        return f"{self.program.url}/oauth2/authorize/?{urlencode(asked | query)}"


@pytest.fixture
def app(organization: Organization) -> App:
    """An app of an organization."""
    made = register(organization, BACK)
    return App(organization.program, *made)


@pytest.fixture
def command(organization: Organization) -> App:
    """The command line, whose last page shows the code."""
    url = organization.program.url
    return App(organization.program, "membrane-cli", None, f"{url}/oauth2/code/")


@pytest.fixture
def person(organization: Organization) -> Person:
    return make_person(organization)


def register(organization: Organization, *uris: str) -> tuple[str, str]:
    program, actor = organization.program, organization.actor()
    client, secret = program.run(
        register_client(
            program.store.database,
            "Reports",
            uris,
            actor.clock(),
            organization_id=actor.organization_id,
            confidential=True,
        )
    )
    return client.id, secret


def browse(app: App, person: Person, url: str) -> Browser:
    """Open the page and log in."""
    return Browser(app.program.url).open(url).log_in(person)


def tokens_of(
    app: App, person: Person, scope: str = FULL, **fields: str
) -> tuple[dict[str, Any], str]:
    """The tokens of a whole flow, and the verifier of its code."""
    verifier = secrets.token_urlsafe(40)
    client = app.client(scope)
    url, state = client.create_authorization_url(
        f"{app.program.url}/oauth2/authorize/", code_verifier=verifier
    )
    browser = browse(app, person, url).send(decision="allow", **fields)
    assert browser.sent_to["state"] == state
    token = client.fetch_token(code=browser.sent_to["code"], code_verifier=verifier)
    return dict(token), verifier


def challenge(verifier: str) -> dict[str, str]:
    digest = hashlib.sha256(verifier.encode()).digest()
    text = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    return {"code_challenge": text, "code_challenge_method": "S256"}


def ask(program: Program, token: str, method: str = "GET", path: str = "/me/", **sent: Any) -> Any:
    headers = {"Authorization": f"Bearer {token}"}
    return requests.request(
        method, f"{program.url}/api/v1{path}", headers=headers, timeout=30, **sent
    )


def test_a_client_library_gets_tokens_and_uses_them(
    organization: Organization, app: App, person: Person
) -> None:
    tokens, _ = tokens_of(app, person)
    assert tokens["token_type"] == "Bearer"
    assert tokens["expires_in"] == 3600
    assert tokens["scope"] == FULL
    assert tokens["organization_id"] == organization.actor().organization
    assert tokens["user_id"] == person.user_id
    assert tokens["email"] == person.email
    me = ask(app.program, tokens["access_token"])
    assert (me.status_code, me.json()["id"]) == (200, person.user_id)
    client = app.client()
    client.token = tokens
    again = client.refresh_token(f"{app.program.url}/oauth2/token/")
    assert again["refresh_token"] != tokens["refresh_token"]
    assert ask(app.program, again["access_token"]).status_code == 200
    revoked = client.revoke_token(f"{app.program.url}/oauth2/revoke/", token=again["refresh_token"])
    assert revoked.status_code == 200
    for token in (tokens["access_token"], again["access_token"]):
        refused = ask(app.program, token)
        assert refused.status_code == 401
    assert (
        app.post("token", grant_type="refresh_token", refresh_token=again["refresh_token"]).json()[
            "error"
        ]
        == "invalid_grant"
    )


def test_what_was_written_says_by_whose_leave(
    organization: Organization, app: App, person: Person
) -> None:
    tokens, _ = tokens_of(app, person)
    made = ask(app.program, tokens["access_token"], "POST", "/lead/", json={"name": "Granted"})
    assert made.status_code == 200
    [grant] = ask(app.program, tokens["access_token"], path="/oauth_grant/").json()["data"]
    lead = made.json()["id"]
    rows = sql(
        app.program, "select e.grant_id, e.user_id from event e where e.object_id = $1", lead
    )
    assert rows == [(grant["id"], person.user_id)]
    organization.admin.put(f"/lead/{lead}/", {"name": "Changed by hand"})
    told = organization.admin.get("/event/", object_type="lead", object_id=lead)["data"]
    assert [(event["oauth_client_id"], event["oauth_scope"]) for event in told] == [
        (None, None),
        (app.id, FULL),
    ]


def test_what_a_program_and_its_person_change_is_not_told_as_one(
    organization: Organization, app: App, person: Person
) -> None:
    tokens, _ = tokens_of(app, person)
    lead = ask(app.program, tokens["access_token"], "POST", "/lead/", json={"name": "A"}).json()
    path = f"/lead/{lead['id']}/"
    ask(app.program, tokens["access_token"], "PUT", path, json={"name": "B"})
    person.sign_in()
    assert person.ask("PUT", f"/api/v1{path}", {"name": "C"}).status_code == 200
    told = organization.admin.get("/event/", lead_id=lead["id"], object_type="lead")["data"]
    assert [(event["data"]["name"], event["oauth_client_id"]) for event in told] == [
        ("C", None),
        ("B", app.id),
        ("A", app.id),
    ]


@pytest.mark.parametrize(
    ("scope", "refused"), [("read", "POST"), ("read write", "DELETE"), ("write destructive", "GET")]
)
def test_a_scope_is_not_gone_beyond(
    organization: Organization, app: App, person: Person, scope: str, refused: str
) -> None:
    lead = organization.admin.post("/lead/", {"name": "Harbour"})
    tokens, _ = tokens_of(app, person, scope)
    assert "refresh_token" not in tokens
    path = "/lead/" if refused == "POST" else f"/lead/{lead['id']}/"
    sent = {"json": {"name": "New"}} if refused == "POST" else {}
    answer = ask(app.program, tokens["access_token"], refused, path, **sent)
    assert answer.status_code == 403
    assert organization.admin.get("/lead/")["total_results"] == 1


def test_who_may_only_write_is_answered_the_id_alone(
    organization: Organization, app: App, person: Person
) -> None:
    lead = organization.admin.post("/lead/", {"name": "Harbour"})["id"]
    tokens, _ = tokens_of(app, person, "write")
    for method, path, body in (
        ("PUT", f"/lead/{lead}/?_fields=name", {}),
        ("POST", "/lead/", {"name": "New"}),
    ):
        answer = ask(app.program, tokens["access_token"], method, path, json=body)
        assert (answer.status_code, list(answer.json())) == (200, ["id"])
    counted = ask(app.program, tokens["access_token"], "PUT", f"/task/?lead_id={lead}", json={})
    assert counted.status_code == 403


def test_another_sites_form_signs_nobody_in(app: App, person: Person) -> None:
    url = app.authorize_url(**challenge("v" * 50))
    form = {"step": "sign in", "email": person.email, "password": person.password}
    for headers in (
        {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "https://evil.example"},
    ):
        refused = requests.post(url, data=form, headers=headers, timeout=30)
        assert (refused.status_code, refused.cookies.get_dict()) == (403, {})
    for headers in (
        {"Origin": "null", "Sec-Fetch-Site": "same-origin"},
        {"Origin": app.program.url},
    ):
        done = requests.post(url, data=form, headers=headers, timeout=30, allow_redirects=False)
        assert (done.status_code, list(done.cookies.get_dict())) == (303, ["clinch_session"])


def test_a_person_may_allow_less_than_was_asked(app: App, person: Person) -> None:
    tokens, _ = tokens_of(app, person, write="", destructive="")
    assert tokens["scope"] == "read offline_access"
    wider = app.post(
        "token",
        grant_type="refresh_token",
        refresh_token=tokens["refresh_token"],
        scope="read write",
    )
    assert wider.json()["error"] == "invalid_scope"
    again = app.post("token", grant_type="refresh_token", refresh_token=tokens["refresh_token"])
    assert again.json()["scope"] == "read offline_access"


def test_denying_tells_the_program_so(app: App, person: Person) -> None:
    browser = browse(app, person, app.authorize_url(state="s", **challenge("v" * 50)))
    browser.send(decision="deny")
    told = browser.sent_to
    assert (told["error"], told["state"], told["iss"]) == ("access_denied", "s", app.program.url)
    assert browser.place.startswith(f"{BACK}?")
    assert sql(app.program, "select 1 from oauth_code where client_id = $1", app.id) == []


def test_nothing_is_allowed_without_the_page(
    organization: Organization, app: App, person: Person
) -> None:
    """A form that another site's page sends in the person's name shows the page, and no more."""
    url = app.authorize_url(**challenge("v" * 50))
    browser = browse(app, person, url)
    forged = browser.session.post(
        url, data={"decision": "allow", "proof": "0" * 64, "read": "on"}, allow_redirects=False
    )
    assert forged.status_code == 200
    assert "wants to act for you" in forged.text
    other = browse(app, make_person(organization), url).fields()["proof"]
    stolen = browser.session.post(
        url, data={"decision": "allow", "proof": other, "read": "on"}, allow_redirects=False
    )
    assert stolen.status_code == 200
    assert sql(app.program, "select 1 from oauth_code where client_id = $1", app.id) == []


def test_who_is_wrong_stays_on_the_page(app: App, person: Person) -> None:
    browser = Browser(app.program.url).open(app.authorize_url(**challenge("v" * 50)))
    browser.send(email=person.email, password="wrong")
    assert browser.page.status_code == 401
    assert shown_error(browser.page) == "The email or the password is not right."
    assert person.email in browser.page.text
    assert browser.log_in(person).page.status_code == 200
    assert "wants to act for you" in browser.page.text


def test_a_second_factor_is_asked_for(app: App, person: Person) -> None:
    factor = turn_on(person)
    browser = browse(app, person, app.authorize_url(**challenge("v" * 50)))
    assert 'name="code"' in browser.page.text
    browser.send(email=person.email, password=person.password, code="000000")
    assert browser.page.status_code == 401
    browser.send(email=person.email, password=person.password, code=factor.code())
    assert "wants to act for you" in browser.page.text


@pytest.mark.parametrize(
    "query",
    [
        {"client_id": "nobody"},
        {"redirect_uri": "https://evil.example/"},
        {"redirect_uri": f"{BACK}/more"},
        {"redirect_uri": f"{BACK}?x=1"},
        {"redirect_uri": "http://127.0.0.1:1/"},
        {"redirect_uri": "javascript:alert(1)"},
    ],
)
def test_nobody_is_sent_to_a_place_that_is_not_the_programs(
    app: App, query: dict[str, str]
) -> None:
    page = (
        Browser(app.program.url)
        .open(app.authorize_url(**challenge("v" * 50)) + "&" + urlencode(query))
        .page
    )
    # The last of two values counts, as for everybody who reads the address.
    assert page.status_code in (400, 200)
    asked = {"client_id": app.id, "response_type": "code", "redirect_uri": BACK} | query
    page = (
        Browser(app.program.url)
        .open(f"{app.program.url}/oauth2/authorize/?{urlencode(asked)}")
        .page
    )
    assert page.status_code == 400
    assert shown_error(page)


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": "everything"}, "invalid_scope"),
        ({"scope": "offline_access"}, "invalid_scope"),
        ({"code_challenge_method": "plain", "code_challenge": "a" * 43}, "invalid_request"),
        ({"code_challenge": "short", "code_challenge_method": "S256"}, "invalid_request"),
        ({"audience": "person"}, "invalid_request"),
    ],
)
def test_the_program_is_told_what_is_wrong(app: App, query: dict[str, str], error: str) -> None:
    browser = Browser(app.program.url).open(app.authorize_url(state="s", **query))
    assert browser.place.startswith(f"{BACK}?")
    assert (browser.sent_to["error"], browser.sent_to["state"]) == (error, "s")


def test_who_registered_themselves_gets_nobody_sent_anywhere(program: Program) -> None:
    """An address of ours that leads elsewhere by itself would be of use to thieves."""
    made = requests.post(
        f"{program.url}/oauth2/register/", json={"redirect_uris": [BACK]}, timeout=30
    ).json()
    browser = Browser(program.url).open(
        App(program, made["client_id"], None).authorize_url(scope="everything")
    )
    assert browser.page.status_code == 400
    assert "everything" in shown_error(browser.page)


def test_a_public_program_needs_pkce(command: App) -> None:
    browser = Browser(command.program.url).open(command.authorize_url())
    assert browser.sent_to["error"] == "invalid_request"


def test_a_code_is_good_once(app: App, person: Person) -> None:
    verifier = "v" * 50
    browser = browse(app, person, app.authorize_url(**challenge(verifier))).send(decision="allow")
    form = {
        "grant_type": "authorization_code",
        "code": browser.sent_to["code"],
        "redirect_uri": BACK,
        "code_verifier": verifier,
    }
    for changed, said in (
        ({"code": "wrong"}, "not one"),
        ({"code_verifier": "w" * 50}, "code_verifier"),
        ({"code_verifier": ""}, "code_verifier"),
        ({"redirect_uri": "https://app.example/"}, "redirect_uri"),
    ):
        refused = app.post("token", **form | changed)
        assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")
        assert said in refused.json()["error_description"]
    tokens = app.post("token", **form).json()
    assert ask(app.program, tokens["access_token"]).status_code == 200
    again = app.post("token", **form)
    assert "used before" in again.json()["error_description"]
    assert ask(app.program, tokens["access_token"]).status_code == 401


def test_a_code_expires_and_is_its_programs_own(
    organization: Organization, app: App, person: Person
) -> None:
    verifier = "v" * 50
    browser = browse(app, person, app.authorize_url(**challenge(verifier))).send(decision="allow")
    form = {
        "grant_type": "authorization_code",
        "code": browser.sent_to["code"],
        "redirect_uri": BACK,
        "code_verifier": verifier,
    }
    other = App(app.program, *register(organization, BACK))
    assert "not one" in other.post("token", **form).json()["error_description"]
    sql(
        app.program,
        "update oauth_code set expires_at = now() where client_id = $1 returning 1",
        app.id,
    )
    assert "expired" in app.post("token", **form).json()["error_description"]


def test_a_program_proves_itself(app: App) -> None:
    for secret in ("wrong", ""):
        refused = requests.post(
            f"{app.program.url}/oauth2/token/",
            data={"client_id": app.id, "client_secret": secret, "grant_type": "refresh_token"},
            timeout=30,
        )
        assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")
    basic = requests.post(
        f"{app.program.url}/oauth2/token/",
        data={"grant_type": "refresh_token", "refresh_token": "rt_x.y"},
        auth=(app.id, app.secret or ""),
        timeout=30,
    )
    assert (basic.status_code, basic.json()["error"]) == (400, "invalid_grant")


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({}, "unsupported_grant_type"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": "authorization_code"}, "invalid_request"),
        ({"grant_type": "refresh_token"}, "invalid_request"),
        ({"grant_type": "refresh_token", "refresh_token": "nonsense"}, "invalid_grant"),
        ({"grant_type": "refresh_token", "refresh_token": "rt_\x00.x"}, "invalid_grant"),
    ],
)
def test_what_is_no_request_for_tokens(app: App, form: dict[str, str], error: str) -> None:
    refused = app.post("token", **form)
    assert (refused.status_code, refused.json()["error"]) == (400, error)
    assert refused.headers["cache-control"] == "no-store"


def test_ten_at_once_refresh_one_token(app: App, person: Person) -> None:
    tokens, _ = tokens_of(app, person)
    form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    with ThreadPoolExecutor(10) as threads:
        answers = list(threads.map(lambda _: app.post("token", **form), range(10)))
    assert {answer.status_code for answer in answers} == {200}
    [following] = {answer.json()["refresh_token"] for answer in answers}
    for answer in answers:
        assert ask(app.program, answer.json()["access_token"]).status_code == 200
    again = app.post("token", grant_type="refresh_token", refresh_token=following)
    assert again.status_code == 200


def test_a_stolen_refresh_token_ends_the_grant(app: App, person: Person) -> None:
    tokens, _ = tokens_of(app, person)
    form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    following = app.post("token", **form).json()
    sql(app.program, "update oauth_grant set rotated_at = rotated_at - interval '31 s' returning 1")
    late = app.post("token", **form)
    assert "used before" in late.json()["error_description"]
    assert ask(app.program, following["access_token"]).status_code == 401
    form["refresh_token"] = following["refresh_token"]
    assert app.post("token", **form).json()["error"] == "invalid_grant"


def test_an_older_one_still_ends_it_within_the_window(app: App, person: Person) -> None:
    first, _ = tokens_of(app, person)
    second = app.post(
        "token", grant_type="refresh_token", refresh_token=first["refresh_token"]
    ).json()
    app.post("token", grant_type="refresh_token", refresh_token=second["refresh_token"])
    refused = app.post("token", grant_type="refresh_token", refresh_token=first["refresh_token"])
    assert refused.json()["error"] == "invalid_grant"
    assert sql(app.program, "select 1 from oauth_grant where client_id = $1", app.id) == []


def test_who_leaves_takes_what_they_granted_along(
    organization: Organization, app: App, person: Person
) -> None:
    tokens, _ = tokens_of(app, person)
    [membership] = sql(app.program, "select id from membership where user_id = $1", person.user_id)
    organization.admin.delete(f"/membership/{membership[0]}/")
    assert ask(app.program, tokens["access_token"]).status_code == 401
    refused = app.post("token", grant_type="refresh_token", refresh_token=tokens["refresh_token"])
    assert refused.json()["error"] == "invalid_grant"


def test_who_comes_back_has_granted_nothing(
    organization: Organization, app: App, person: Person
) -> None:
    tokens, _ = tokens_of(app, person)
    [[id]] = sql(app.program, "select id from membership where user_id = $1", person.user_id)
    organization.admin.delete(f"/membership/{id}/")
    organization.admin.post("/membership/", {"email": person.email, "role_id": "user"})
    assert person.again().sign_in().status_code == 201
    assert ask(app.program, tokens["access_token"]).status_code == 401
    assert sql(app.program, "select 1 from oauth_grant where client_id = $1", app.id) == []


def test_a_part_of_a_right_lets_nobody_in(organization: Organization, app: App) -> None:
    """Who could make a login with a part of a grant would have all of it."""
    admin, member = make_person(organization, "admin"), make_person(organization)
    tokens, _ = tokens_of(app, admin, "read write")
    for path, body in (
        ("/invitation/", {"email": "new@harbour.example", "role_id": "admin"}),
        (f"/user/{member.user_id}/password_reset/", {}),
    ):
        refused = ask(app.program, tokens["access_token"], "POST", path, json=body)
        assert refused.status_code in (400, 403), path
    assert organization.admin.get("/invitation/")["data"] == []
    full, _ = tokens_of(app, admin)
    path = f"/user/{member.user_id}/password_reset/"
    assert ask(app.program, full["access_token"], "POST", path, json={}).status_code == 200


def test_what_is_over_is_swept(app: App, person: Person) -> None:
    tokens_of(app, person, "read")
    kept, _ = tokens_of(app, person)
    sql(app.program, "update credential set expires_at = now() where user_id = $1 returning 1",
        person.user_id)  # fmt: skip
    app.program.run(sweep_tokens(app.program.store, datetime.now(UTC)))
    assert sql(app.program, "select 1 from credential where grant_id is not null and user_id = $1",
        person.user_id) == []  # fmt: skip
    [[scope]] = sql(app.program, "select scope from oauth_grant where client_id = $1", app.id)
    assert scope == kept["scope"]


def test_one_sees_and_ends_ones_own_grants(
    organization: Organization, app: App, person: Person
) -> None:
    tokens, _ = tokens_of(app, person)
    person.sign_in()
    [grant] = person.ask("GET", "/api/v1/oauth_grant/").json()["data"]
    assert (grant["client_name"], grant["scope"]) == ("Reports", FULL)
    assert organization.admin.get("/oauth_grant/")["data"] == []
    stranger = organization.admin("DELETE", f"/oauth_grant/{grant['id']}/")
    assert stranger.status_code == 404
    tried = person.ask("DELETE", f"/api/v1/oauth_grant/{grant['id']}/?_dry_run=1")
    assert tried.status_code == 400
    assert ask(app.program, tokens["access_token"]).status_code == 200
    assert person.ask("DELETE", f"/api/v1/oauth_grant/{grant['id']}/").status_code == 200
    assert ask(app.program, tokens["access_token"]).status_code == 401


def test_the_command_line_shows_its_code(command: App, person: Person) -> None:
    verifier = "v" * 50
    browser = browse(command, person, command.authorize_url(scope="read", **challenge(verifier)))
    browser.send(decision="allow")
    [code] = set(re.findall(r"membrane login complete (\w+)", browser.page.text))
    tokens = command.post(
        "token",
        grant_type="authorization_code",
        code=code,
        redirect_uri=command.redirect,
        code_verifier=verifier,
    ).json()
    assert tokens["default_tenant_key"] == person.user_id
    assert ask(command.program, tokens["access_token"]).status_code == 200


def test_the_command_line_may_wait_on_this_machine(command: App, person: Person) -> None:
    command.redirect = "http://127.0.0.1:54321/callback"
    browser = browse(command, person, command.authorize_url(**challenge("v" * 50)))
    policy = browser.page.headers["content-security-policy"]
    assert "form-action 'self' http://127.0.0.1:54321;" in policy
    browser.send(decision="allow")
    assert browser.place.startswith(f"{command.redirect}?code=")


def test_a_person_chooses_among_their_organizations(
    organization: Organization, command: App, person: Person
) -> None:
    other = make_organization(organization.program, "Other Sales")
    make_person(other, email=person.email)
    tokens, _ = tokens_of(command, person, organization=other.actor().organization)
    assert tokens["organization_id"] == other.actor().organization
    assert ask(command.program, tokens["access_token"]).json()["organizations"][0]["id"] == (
        other.actor().organization
    )


def test_a_login_of_the_person_opens_their_organizations(
    organization: Organization, command: App, person: Person
) -> None:
    verifier = "v" * 50
    url = command.authorize_url(
        audience="person", scope="read offline_access", **challenge(verifier)
    )
    code = browse(command, person, url).send(decision="allow").sent_to["code"]
    tokens = command.post(
        "token",
        grant_type="authorization_code",
        code=code,
        redirect_uri=command.redirect,
        code_verifier=verifier,
    ).json()
    assert ask(command.program, tokens["access_token"]).status_code == 401
    here = organization.actor().organization
    assert tokens["default_workspace_key"] == here
    derive = f"{command.program.url}/org-workspaces"
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    derived = requests.post(f"{derive}/{here}/access-token", headers=headers, timeout=30).json()
    assert derived["expiresIn"] == 3600
    assert ask(command.program, derived["token"]).json()["id"] == person.user_id
    refused = ask(command.program, derived["token"], "POST", "/lead/", json={"name": "x"})
    assert refused.status_code == 403
    stranger = make_organization(organization.program).actor().organization
    for place in (stranger, "orga_none", "a%00b"):
        denied = requests.post(f"{derive}/{place}/access-token", headers=headers, timeout=30)
        assert denied.status_code in (401, 403)
    headers = {"Authorization": f"Bearer {derived['token']}"}
    wrong = requests.post(f"{derive}/{here}/access-token", headers=headers, timeout=30)
    assert (wrong.status_code, wrong.json()["error"]) == (401, "invalid_token")
    command.post("revoke", token=tokens["access_token"])
    assert ask(command.program, derived["token"]).status_code == 401


def test_a_program_registers_itself(program: Program, person: Person) -> None:
    body = {
        "client_name": "Inspector",
        "redirect_uris": ["http://localhost:1234/cb"],
        "token_endpoint_auth_method": "none",
    }
    made = requests.post(f"{program.url}/oauth2/register/", json=body, timeout=30)
    assert made.status_code == 201
    app = App(program, made.json()["client_id"], None, "http://localhost:9999/cb")
    assert "client_secret" not in made.json()
    tokens, _ = tokens_of(app, person)
    assert ask(program, tokens["access_token"]).status_code == 200


@pytest.mark.parametrize(
    "uris",
    [
        [],
        ["http://app.example/"],
        ["https://app.example/#x"],
        ["https://user@app.example/"],
        ["javascript:alert(1)"],
        ["https://a.example/"] * 11,
        ["https://app.example/" + "x" * 1000],
        "https://app.example/",
        [7],
    ],
)
def test_a_program_registers_only_proper_addresses(program: Program, uris: Any) -> None:
    refused = requests.post(
        f"{program.url}/oauth2/register/", json={"redirect_uris": uris}, timeout=30
    )
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_redirect_uri")


def test_an_organizations_program_is_not_for_others(app: App) -> None:
    stranger = make_person(make_organization(app.program, "Other"))
    browser = browse(app, stranger, app.authorize_url(**challenge("v" * 50)))
    assert browser.page.status_code == 403


def test_where_all_of_it_is(program: Program) -> None:
    told = requests.get(f"{program.url}/.well-known/oauth-authorization-server", timeout=30).json()
    assert told["issuer"] == program.url
    assert told["token_endpoint"] == f"{program.url}/oauth2/token/"
    assert told["code_challenge_methods_supported"] == ["S256"]
    for path in ("", "/mcp"):
        resource = requests.get(
            f"{program.url}/.well-known/oauth-protected-resource{path}", timeout=30
        ).json()
        assert resource["authorization_servers"] == [program.url]
    for path in ("/oauth/token", "/oauth/token/", "/oauth2/token"):
        refused = requests.post(f"{program.url}{path}", data={"grant_type": "x"}, timeout=30)
        assert refused.json()["error"] == "invalid_client"


def test_only_hashes_are_kept(app: App, person: Person) -> None:
    tokens, _ = tokens_of(app, person)
    for table in ("oauth_client", "oauth_code", "oauth_grant", "credential"):
        text = str(sql(app.program, f"select t::text from {table} t"))
        for secret in (app.secret, tokens["access_token"], tokens["refresh_token"]):
            assert (secret or "").rpartition(".")[2] not in text
