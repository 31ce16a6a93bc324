"""The pages behind links: what a browser is told of them, and what they take."""

import base64
import hashlib
import re
from typing import Any

import pytest
import requests
from harness import Organization
from identity.people import login_rows, make_person, shown_error


@pytest.fixture(params=["invitation", "password"])
def link(request: pytest.FixtureRequest, organization: Organization) -> str:
    api = organization.admin
    if request.param == "invitation":
        return str(api.post("/invitation/", {"email": "rosa@harbour.example"})["link"])
    person = make_person(organization)
    return str(api.post(f"/user/{person.user_id}/password_reset/", {})["link"])


def test_a_page_is_kept_nowhere_and_carried_nowhere(link: str) -> None:
    wrong = f"{link}x"
    for answer in (requests.get(link, timeout=30), requests.get(wrong, timeout=30)):
        headers = answer.headers
        assert headers["content-type"] == "text/html; charset=utf-8"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cache-control"] == "no-store"
        assert headers["x-frame-options"] == "DENY"
        assert headers["x-content-type-options"] == "nosniff"
        [style] = re.findall(r"<style>(.*?)</style>", answer.text, re.DOTALL)
        hashed = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        assert headers["content-security-policy"] == (
            f"default-src 'none'; style-src 'sha256-{hashed}'; form-action 'self';"
            " frame-ancestors 'none'; base-uri 'none'"
        )
        assert not re.search(r"<script|<link|<img|style=|\bon\w+=|https?://", answer.text)
        assert link.rpartition(".")[2] not in answer.text


def test_every_input_has_a_label(link: str) -> None:
    page = requests.get(link, timeout=30).text
    inputs = re.findall(r'<input id="([\w-]+)"', page)
    assert inputs
    assert inputs == re.findall(r'<label for="([\w-]+)"', page)
    described = re.findall(r'aria-describedby="([\w-]+)"', page)
    assert all(f'id="{id}"' in page for id in described)
    assert '<html lang="en">' in page


def test_looking_uses_nothing_up(organization: Organization, link: str) -> None:
    before = login_rows(organization.program)
    for method in ("GET", "HEAD", "GET"):
        assert requests.request(method, link, timeout=30).status_code == 200
    assert requests.get(f"{link}/", timeout=30).status_code == 200
    assert requests.put(link, timeout=30).status_code == 405
    assert login_rows(organization.program) == before


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"json": {"password": "battery staple", "again": "battery staple"}}, 400),
        ({"data": b"password=%FF", "headers": {"content-type": "text/plain"}}, 400),
        ({"data": {str(number): "x" for number in range(50)}}, 400),
        ({"data": {"password": "x" * 1_000_001}}, 413),
        ({"data": {}}, 400),
    ],
)
def test_what_is_no_form_changes_nothing(
    organization: Organization, link: str, sent: dict[str, Any], status: int
) -> None:
    before = login_rows(organization.program)
    answer = requests.post(link, timeout=30, **sent)
    assert answer.status_code == status
    assert shown_error(answer)
    assert login_rows(organization.program) == before


def test_a_link_begins_with_the_public_url_whatever_the_host_is_said_to_be(
    organization: Organization,
) -> None:
    api = organization.admin
    api.headers = {"host": "evil.example", "x-forwarded-host": "evil.example"}
    person = make_person(organization)
    for path, body in (
        ("/invitation/", {"email": "nora@harbour.example"}),
        (f"/user/{person.user_id}/password_reset/", {}),
    ):
        assert api.post(path, body)["link"].startswith(f"{organization.program.url}/")
