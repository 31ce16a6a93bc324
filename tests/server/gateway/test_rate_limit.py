"""How often somebody may ask the gateway: counted by credential, or by whom a token names."""

import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from harness import Organization, make_organization, serve
from server.gateway.desk import Desk, signed_desk, user_desk
from server.gateway.test_connections import connect

from clinch.program import declarations

LIMIT = 5
TOLD = re.compile(r"limit=(\d+), remaining=(\d+), reset=(\d+)")


@pytest.fixture(scope="module")
def slow(cluster: str) -> Iterator[Organization]:
    """An organization of a server where everybody may ask five times a second."""
    with serve(cluster, declarations, rate_limit=LIMIT) as program:
        yield make_organization(program)


def ping(desk: Desk) -> requests.Response:
    return desk.ask("POST", "/mcp", {"jsonrpc": "2.0", "id": 1, "method": "ping"})


def own(desk: Desk) -> requests.Response:
    return desk.ask("GET", "/self")


def used_up(desk: Desk, ask: Callable[[Desk], requests.Response]) -> requests.Response:
    """The first answer that says there were too many; a window is a second long."""
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda _: ask(desk), range(60)))
    assert {answer.status_code for answer in answers} <= {200, 429}
    return next(answer for answer in answers if answer.status_code == 429)


@pytest.mark.parametrize("kind", ["user", "customer", "manager"])
def test_who_asks_too_often_is_told_how_long_to_wait(slow: Organization, kind: str) -> None:
    desk = {
        "user": lambda: Desk(slow.program.url, slow.member("user").key),
        "customer": lambda: signed_desk(slow, tenantKey="often"),
        "manager": lambda: signed_desk(slow, isAdmin=True),
    }[kind]()
    refused = used_up(desk, own)
    told = refused.json()
    assert (told["type"], told["key"]) == ("bad_request", "rate_limit_exceeded")
    assert "5 times a second" in told["message"]
    assert told["data"] == {"hint": told["data"]["hint"], "limit": LIMIT}
    assert "Retry-After" in told["data"]["hint"]
    assert refused.headers["Retry-After"] == "1"
    assert refused.headers["Clinch-Gateway-Error"] == "1"
    _says_what_is_left(refused, "0")
    by_mcp = used_up(desk, ping)
    error = by_mcp.json()["error"]
    assert (error["message"], error["data"]) == (told["message"], told)
    assert by_mcp.headers["Retry-After"] == "1"
    _says_what_is_left(by_mcp, "0")
    time.sleep(1.1)
    _says_what_is_left(own(desk), "4")


def test_every_answer_says_what_is_left(slow: Organization) -> None:
    desk = signed_desk(slow, tenantKey="seldom")
    for answer in (
        own(desk),
        desk.ask("GET", "/self/nothing"),
        desk.ask("POST", "/self"),
        ping(desk),
    ):
        assert TOLD.match(answer.headers["RateLimit"])
        assert answer.headers["RateLimit-Limit"] == str(LIMIT)
        assert "Retry-After" not in answer.headers
        time.sleep(0.3)


def test_what_an_app_says_of_its_own_limit_is_passed_on(slow: Organization) -> None:
    desk = Desk(slow.program.url, slow.member("user").key)
    id = connect(desk)["id"]
    answer = desk.ask("GET", f"/connections/{id}/proxy/me/")
    assert answer.status_code == 200
    _says_what_is_left(answer, "4")  # the connection's token has been used this once


def test_one_budget_by_every_door_and_for_every_token(slow: Organization) -> None:
    """A key has no more by asking the API and the gateway in turn, nor a customer by new tokens."""
    user = user_desk(slow)

    def in_turn(desk: Desk, number: int) -> int:
        if number % 2:
            return slow.admin("GET", "/me/").status_code
        return own(desk).status_code

    by_both = _within_a_second(lambda number: in_turn(user, number))
    assert by_both.count(200) <= LIMIT
    tokens = [signed_desk(slow, tenantKey="many", jti=str(number)) for number in range(20)]
    assert _within_a_second(lambda number: own(tokens[number]).status_code).count(200) <= LIMIT


def test_nobody_uses_up_what_is_anothers(slow: Organization) -> None:
    used_up(signed_desk(slow, tenantKey="busy"), own)
    assert own(signed_desk(slow, tenantKey="quiet")).status_code == 200
    assert own(Desk(slow.program.url, slow.member("user").key)).status_code == 200


def _within_a_second(ask: Callable[[int], int]) -> list[int]:
    """What was answered to twenty requests in one window of the server's clock, which is ours."""
    for _ in range(20):
        time.sleep(1 - time.monotonic() % 1)
        window = int(time.monotonic())
        answers = [ask(number) for number in range(20)]
        if int(time.monotonic()) == window:
            return answers
    raise AssertionError("this machine is too slow to ask twenty times in a second")


def _says_what_is_left(answer: requests.Response, left: str) -> None:
    told = TOLD.fullmatch(answer.headers["RateLimit"])
    assert told
    assert told.groups() == (str(LIMIT), left, "1")
