"""Stand-ins for apps: real servers on this machine, called as connectors describe it."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests
import uvicorn
from starlette.types import ASGIApp

from clinch.gateway.api import ApiAnswer, ApiRequest
from clinch.gateway.connectors.connector import AuthOption, Connector, Operation
from clinch.gateway.running.operations import answer_to, request_of


@contextmanager
def serving(app: ASGIApp) -> Iterator[str]:
    """The address at which the application is served."""
    server = uvicorn.Server(
        uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, lifespan="off")
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        ends = time.monotonic() + 10
        while not server.started:
            assert time.monotonic() < ends, "the stand-in does not start"
            time.sleep(0.005)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(10)


def operation_of(connector: Connector, key: str) -> Operation:
    [found] = [one for one in connector.operations if one.key == key]
    return found


class Connected:
    """A connector, let into a stand-in for its app by one of its options."""

    def __init__(
        self, connector: Connector, option: AuthOption, base_url: str, credential: dict[str, str]
    ) -> None:
        self.connector, self.base_url = connector, base_url
        self._option, self._credential = option, credential

    async def send(self, request: ApiRequest) -> ApiAnswer:
        headers, query = self._option.placement.placed(self._credential)
        answer = await asyncio.to_thread(
            requests.request,
            request.method,
            f"{self.base_url}{request.path}",
            params=[*request.query, *query],
            headers=dict([*request.headers, *headers]),
            data=request.body,
            timeout=10,
        )
        return ApiAnswer(answer.status_code, tuple(answer.headers.items()), answer.content)

    async def run(self, key: str, **input: Any) -> Any:
        """What comes of an operation; raises GatewayError."""
        request = request_of(operation_of(self.connector, key), input)
        return await answer_to(request, self.connector, self.send)

    async def works(self) -> bool:
        """Whether the app takes the credential, by the connector's own test."""
        test = self.connector.test
        assert test is not None
        return self.connector.is_good(await self.send(ApiRequest(test.method, test.path)))
