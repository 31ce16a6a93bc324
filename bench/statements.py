"""How many statements a request asks of the database, beside BEGIN and COMMIT."""

import secrets
from contextlib import redirect_stderr
from io import BytesIO, TextIOWrapper
from typing import Any, ClassVar
from unittest.mock import patch

from asyncpg import Connection

from bench.benchmark import Benchmark, Site
from clinch.db.database import Database, Due, Transaction
from clinch.program import application, declarations
from clinch.resources.store import Store
from clinch.vault.vault import Vault


class _Counted(Transaction):
    """Remembers every transaction, to add up what they were asked."""

    __slots__ = ()
    opened: ClassVar[list[Transaction]] = []

    def __init__(self, connection: Connection, due: Due = ()) -> None:
        super().__init__(connection, due)
        self.opened.append(self)


async def count_statements(site: Site, benchmarks: list[Benchmark]) -> dict[str, int]:
    """By the name of each benchmark; its request is answered in this process, without a socket."""
    database = Database(site.database_url, connections=1)
    app = application(Store(database, declarations(site.web.url)), Vault(secrets.token_hex(32)))
    found = {}
    try:
        for benchmark in benchmarks:
            for _ in range(2):  # the first time the key is read, too
                _Counted.opened.clear()
                log = TextIOWrapper(BytesIO())
                counted = patch("clinch.db.database.Transaction", _Counted)
                with redirect_stderr(log), counted:
                    await _ask(app, site, benchmark)
                found[benchmark.name] = sum(one.statements for one in _Counted.opened)
    finally:
        await database.close()
    return found


async def _ask(app: Any, site: Site, benchmark: Benchmark) -> None:
    method, target, body = benchmark.request(site)
    path, _, query = target.partition("?")
    headers = {
        "authorization": site.organization.authorization,
        "content-type": "application/json",
        "content-length": str(len(body)),
    }
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        if message.get("status", 200) >= 300:
            raise SystemExit(f"bench: {method} {target} was answered {message['status']}")

    await app(scope, receive, send)
