"""When lines of the log are written."""

import json
import subprocess
import sys

# In a process of its own, where no server writes to the same log. The loop's timers go off in the
# order in which they are due, however slow the machine is.
SCENARIO = """
import asyncio
from clinch.server.log import log, log_request, write_requests

async def scenario():
    log_request(n=1)
    log_request(n=2)
    log("failure", n=3)
    await asyncio.sleep(0.2)
    log("failure", n=4)
    log_request(n=5)
    await asyncio.sleep(0.2)
    log("failure", n=6)
    log_request(n=7)
    log("failure", n=8)

asyncio.run(scenario())
write_requests()
"""


def test_lines_of_requests_are_written_together_soon_and_others_at_once() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCENARIO], capture_output=True, text=True, check=True, timeout=60
    )
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [line["n"] for line in lines] == [3, 1, 2, 4, 5, 6, 8, 7]
    requests = [line for line in lines if line["event"] == "request"]
    assert [line["n"] for line in requests] == [1, 2, 5, 7]
    # Each says when it happened, not when it was written.
    assert lines[1]["at"] < lines[0]["at"]


def test_what_is_logged_goes_on_where_the_log_cannot_be_written() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-c", f"{SCENARIO}\nprint('all done')"],
            stdout=subprocess.PIPE,
            stderr=full,
            text=True,
            timeout=60,
        )
    assert done.stdout == "all done\n"
