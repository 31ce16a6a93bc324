"""People who sign in, as the tests of signing in need them."""

import re
import secrets
import time
from dataclasses import dataclass, field
from typing import Any

import pyotp
import requests
from harness import TEST, Organization, Program

from clinch.identity.users import NewUser, create_user

PASSWORD = "correct horse"


@dataclass
class Person:
    """Somebody with an address and a password, in a browser of their own."""

    program: Program
    email: str
    user_id: str = ""
    password: str = PASSWORD
    browser: requests.Session = field(default_factory=requests.Session)

    def ask(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> requests.Response:
        url = f"{self.program.url}{path}"
        return self.browser.request(method, url, json=body, headers=headers, timeout=30)

    def sign_in(self, **rest: Any) -> requests.Response:
        body = {"email": self.email, "password": self.password, **rest}
        return self.ask("POST", "/session/", body)

    def again(self) -> "Person":
        """The same person at another browser."""
        return Person(self.program, self.email, self.user_id, self.password)

    def is_in(self) -> bool:
        return self.ask("GET", "/api/v1/me/").status_code == 200

    def follow(self, link: str, **sent: str) -> requests.Response:
        """Fill in the form behind a link and send it; without fields, only look at it."""
        if not sent:
            return self.browser.get(link, timeout=30)
        return self.browser.post(link, data=sent, timeout=30)


def new_address() -> str:
    return f"rosa.{secrets.token_hex(6)}@harbour.example"


def make_person(organization: Organization, role: str = "user", email: str = "") -> Person:
    """A new member of the organization who signs in with PASSWORD."""
    email = email or new_address()
    program = organization.program
    new = NewUser(email, "Rosa", "Lind", role, PASSWORD)
    user_id = program.run(create_user(program.store, organization.system, new, TEST))
    return Person(program, email, user_id)


def sql(program: Program, statement: str, *arguments: Any) -> list[Any]:
    """Rows of reference tables, read or changed from outside."""

    async def run() -> list[Any]:
        async with program.store.database.owner() as transaction:
            return [tuple(row) for row in await transaction.rows(statement, *arguments)]

    rows: list[Any] = program.run(run())
    return rows


def login_rows(program: Program) -> list[Any]:
    """All that is kept of how people sign in, but for their sessions and failures."""
    return [
        sql(program, f"select t::text from {table} t order by 1")
        for table in ("login", "link", "second_factor")
    ]


def shown_error(answer: requests.Response) -> str:
    """What a page says is wrong."""
    found = re.search(r'<p role="alert">(.*?)</p>', answer.text)
    assert found is not None, answer.text
    return found[1]


@dataclass
class App:
    """What holds a second factor: codes of now and of the steps beside it, recovery codes."""

    secret: str
    recovery_codes: list[str]

    def code(self, steps: int = 0) -> str:
        return code_of(self.secret, steps)


def code_of(secret: str, steps: int = 0) -> str:
    return pyotp.TOTP(secret).at(int(time.time()) + 30 * steps)


def turn_on(person: Person) -> App:
    """Sign in and turn the second factor on, with the code of the step before this one."""
    person.sign_in()
    made = person.ask("POST", "/session/second_factor/", {"password": person.password})
    assert made.status_code == 201, made.text
    secret = made.json()["secret"]
    done = person.ask("PUT", "/session/second_factor/", {"code": code_of(secret, -1)})
    assert done.status_code == 200, done.text
    return App(secret, done.json()["recovery_codes"])
