"""What tests drive the program with: a served program, organizations in it, and their keys."""

import asyncio
import secrets
import socket
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from http.cookiejar import DefaultCookiePolicy
from typing import Any, NoReturn

import requests
import uvicorn

from clinch.crm.beginning import first_objects
from clinch.db.database import Database
from clinch.identity.api_keys import create_key
from clinch.identity.credentials import Authenticator
from clinch.identity.organizations import create_organization
from clinch.identity.roles import PERMISSIONS
from clinch.identity.users import NewUser, create_user
from clinch.outbound.guard import Guard
from clinch.outbound.http import Client
from clinch.program import api_routes, application, declarations, gateway, sign_in_routes, tables
from clinch.resources.actor import Actor, Provenance
from clinch.resources.declaration import Declarations
from clinch.resources.store import Store
from clinch.server.gateway.exchange import GatewayApplication
from clinch.server.openapi import openapi
from clinch.server.rate_limit import RateLimit
from clinch.server.routes import Route
from clinch.server.session import SignInRoute
from clinch.server.transport import HttpProtocol
from clinch.vault.vault import Vault

TEST = Provenance(source="test")
SECRET_KEY = secrets.token_hex(32)
Run = Callable[[Coroutine[Any, Any, Any]], Any]


def _keeping_nothing_but_connections() -> requests.Session:
    session = requests.Session()
    session.trust_env = False  # to look for proxies takes a third of a request's time
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    return session


HTTP = _keeping_nothing_but_connections()
"""What sends requests that need no new connection each. It is no browser: it keeps no cookie."""


def _nowhere() -> Store:
    return Store(Database("postgresql://nobody@127.0.0.1:1/nothing"), declarations())


def routes() -> list[Route]:
    """What is answered below `/api/v1`, without a server."""
    return api_routes(_nowhere(), Vault(SECRET_KEY))


def sign_in_operations() -> list[SignInRoute]:
    """What is answered below `/session`, without a server."""
    store = _nowhere()
    return sign_in_routes(store, Vault(SECRET_KEY), Authenticator(store.database))


def document() -> dict[str, Any]:
    """The OpenAPI document, without a server."""
    return openapi(declarations(), routes(), sign_in_operations())


def operations() -> list[tuple[str, str]]:
    """The method and the path of every operation that the document has below `/api/v1`."""
    return [
        (method.upper(), path)
        for path, methods in document()["paths"].items()
        for method, described in methods.items()
        if "servers" not in described
    ]


def gateway_operations() -> set[tuple[str, str]]:
    """The method and the path of every operation of the gateway, without a server."""
    store, vault = _nowhere(), Vault(SECRET_KEY)
    authenticator = Authenticator(store.database)
    _, doors = gateway(
        store, vault, authenticator, document(), Client(Guard()), RateLimit(1), _nobody
    )
    return {
        operation
        for door in doors.values()
        if isinstance(door, GatewayApplication)
        for operation in door.routes
    }


def _nobody() -> NoReturn:
    raise AssertionError("there is no server to ask")


@dataclass
class Program:
    """The program over one database, served over HTTP on a loop of its own."""

    url: str
    store: Store
    run: Run


class serve:
    """Serve the program with some declarations, in a thread, as a context manager."""

    def __init__(
        self,
        database_url: str,
        declare: Callable[[str], Declarations],
        rate_limit: int = 100_000,
        connect: Callable[[str], Database] = Database,
    ) -> None:
        self._database_url, self._declare, self._rate_limit = database_url, declare, rate_limit
        self._connect = connect

    def __enter__(self) -> Program:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._socket = socket.create_server(("127.0.0.1", 0))
        # As asyncio does for sockets that say what protocol they are of: else answers to who keeps
        # a connection open wait for 40 ms.
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        store = Store(self._connect(self._database_url), self._declare(url))
        self._database = store.database
        self._app = application(store, Vault(SECRET_KEY), self._rate_limit)
        config = uvicorn.Config(
            self._app,
            http=HttpProtocol,
            log_config=None,
            lifespan="off",
            timeout_keep_alive=600,  # none is closed just as the next request goes out
        )
        self._server = uvicorn.Server(config)
        self._serving = asyncio.run_coroutine_threadsafe(
            self._server.serve(sockets=[self._socket]), self._loop
        )
        return Program(url, store, self._run)

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(180)

    async def _closed(self) -> None:
        await self._app.close()

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._serving.result(20)
        self._run(self._closed())
        self._run(self._database.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()
        self._socket.close()


@dataclass
class Api:
    """A key, and the requests made with it. Paths are below `/api/v1`."""

    program: Program
    key: str
    user_id: str
    headers: dict[str, str] = field(default_factory=dict)

    def __call__(self, method: str, path: str, body: Any = None, **query: Any) -> requests.Response:
        return HTTP.request(
            method,
            f"{self.program.url}/api/v1{path}",
            auth=(self.key, ""),
            json=body,
            params=query,
            headers=self.headers,
            timeout=30,
        )

    def get(self, path: str, **query: Any) -> Any:
        return self._good(self("GET", path, **query))

    def post(self, path: str, body: Any, **query: Any) -> Any:
        return self._good(self("POST", path, body, **query))

    def put(self, path: str, body: Any, **query: Any) -> Any:
        return self._good(self("PUT", path, body, **query))

    def delete(self, path: str) -> None:
        self._good(self("DELETE", path))

    @staticmethod
    def _good(response: requests.Response) -> Any:
        assert response.status_code < 300, (response.status_code, response.text)
        return response.json() if response.content else None


@dataclass
class Organization:
    """An organization of its own, with an admin's key; `system` acts for the installation."""

    program: Program
    system: Actor
    admin: Api

    def member(self, role: str, first_name: str = "Ada", last_name: str = "Moss") -> Api:
        """A new user in a built-in role, with a key."""
        return _member(self.program, self.system, role, first_name, last_name)

    def limited(self, *fields: str, unassigned: bool = False, more: tuple[str, ...] = ()) -> Api:
        """A new user who sees the leads that these custom fields assign to them, with a key.

        They have the permissions of a user otherwise, and those in `more`.
        """
        permissions = PERMISSIONS["user"] - {"view_all_leads"} | set(more)
        role = self.admin.post(
            "/role/",
            {
                "name": "Limited",
                "permissions": sorted(permissions),
                "visibility_user_lcf_ids": list(fields),
                "visibility_user_lcf_behavior": (
                    "allow_unassigned" if unassigned else "require_assignment"
                ),
            },
        )
        return self.member(role["id"], "Rosa", "Lind")

    def actor(self, **changes: Any) -> Actor:
        """The admin as an actor, without a credential to assert."""
        return replace(self.system, user_id=self.admin.user_id, **changes)


def _member(program: Program, system: Actor, role: str, first: str, last: str) -> Api:
    email = f"{role}.{secrets.token_hex(4)}@harbour.example"
    new = NewUser(email, first, last, role)
    user_id = program.run(create_user(program.store, system, new, TEST))
    key = program.run(create_key(program.store, system, user_id, "tests", TEST))
    return Api(program, key, user_id)


def make_organization(program: Program, name: str = "Harbour Sales") -> Organization:
    system = program.run(create_organization(program.store, name, TEST, first_objects()))
    return Organization(program, system, _member(program, system, "admin", "Sam", "Reed"))


def rows_of(organization: Organization) -> dict[str, list[str]]:
    """Every row that belongs to the organization, of every table."""
    store = organization.program.store
    owned = [
        table.name
        for table in tables(declarations())
        if any(column.name == "organization_id" for column in table.columns)
    ]

    async def read() -> dict[str, list[str]]:
        found = {}
        async with store.database.everyone() as transaction:
            for name in owned:
                rows = await transaction.rows(
                    f"select t::text from {name} t where organization_id = $1 order by 1",
                    organization.system.organization_id,
                )
                found[name] = [row[0] for row in rows]
        return found

    rows: dict[str, list[str]] = organization.program.run(read())
    return rows
