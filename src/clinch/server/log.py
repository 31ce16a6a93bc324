"""Structured logs: one JSON object a line on standard error, with nothing secret in it.

A request is logged by the pattern of its route, never by its path or query; bodies, headers and
statements are not logged at all.
"""

import asyncio
import logging
import sys
import time
import traceback
from collections import deque
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import msgspec

# How long the lines of requests wait for each other, in seconds. Written one by one they were a
# fourteenth of the CPU time of a request that reads one object.
_TOGETHER = 0.02

_encode_lines = msgspec.json.Encoder().encode_lines
_requests: deque[tuple[datetime, dict[str, Any]]] = deque()
_due = 0.0
"""When those that wait are written, on the monotonic clock; in the past when none do."""


def log(event: str, **facts: Any) -> None:
    """Write one line: when, what, and the facts that belong to it."""
    _write([{"at": datetime.now(UTC), "event": event, **facts}])


def log_request(**facts: Any) -> None:
    """Write the line of a request that the event loop has answered, together with those of others
    in the next moment. Only a process that is killed loses what waits.
    """
    global _due
    _requests.append((datetime.now(UTC), facts))
    now = time.monotonic()
    if now >= _due:
        _due = now + _TOGETHER
        asyncio.get_running_loop().call_later(_TOGETHER, write_requests)


def write_requests() -> None:
    """Write the lines of requests that wait."""
    global _due
    _due = 0.0
    lines = []
    while _requests:
        at, facts = _requests.popleft()
        lines.append({"at": at, "event": "request", **facts})
    _write(lines)


def _write(lines: list[dict[str, Any]]) -> None:
    # Where the log's disk is full, or nobody reads it, what is logged goes on all the same.
    with suppress(OSError):
        sys.stderr.buffer.write(_encode_lines(lines))
        sys.stderr.buffer.flush()


def log_failure(error: BaseException, **facts: Any) -> None:
    """Log an error that nobody expected: its type and where it arose, without its message, which
    may quote data."""
    frames = traceback.extract_tb(error.__traceback__)[-8:]
    where = [f"{frame.filename.rpartition('clinch/')[2]}:{frame.lineno}" for frame in frames]
    state = getattr(error, "sqlstate", None)
    log("failure", error=type(error).__name__, sqlstate=state, where=where, **facts)


class _Lines(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and record.exc_info[1] is not None:
            log_failure(record.exc_info[1], logger=record.name)
        else:
            log("message", logger=record.name, level=record.levelname, text=record.getMessage())


def log_as_lines() -> None:
    """Send what libraries log, from warnings up, to the same lines."""
    logging.basicConfig(handlers=[_Lines()], level=logging.WARNING, force=True)
