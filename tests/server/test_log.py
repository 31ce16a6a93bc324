"""When lines of the log are written."""

import asyncio
import json
import secrets
from typing import Any

import pytest

from clinch.server.log import log, log_request, write_requests


def test_lines_of_requests_are_written_together_soon_and_others_at_once(
    capfd: pytest.CaptureFixture[str],
) -> None:
    id = secrets.token_hex(8)  # servers of other tests write here, too

    def written() -> list[Any]:
        lines = map(json.loads, capfd.readouterr().err.splitlines())
        return [(line["event"], line["n"]) for line in lines if line.get("request_id") == id]

    async def scenario() -> None:
        for n in range(2):
            log_request(request_id=id, n=n)
        log("failure", request_id=id, n=2)
        assert written() == [("failure", 2)]
        async with asyncio.timeout(20):
            while not (lines := written()):  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        assert lines == [("request", 0), ("request", 1)]
        log_request(request_id=id, n=3)
        write_requests()
        assert written() == [("request", 3)]

    asyncio.run(scenario())
