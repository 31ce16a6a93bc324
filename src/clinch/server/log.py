"""Structured logs: one JSON object a line on standard error, with nothing secret in it.

A request is logged by the pattern of its route, never by its path or query; bodies, headers and
statements are not logged at all.
"""

import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import Any

import msgspec

_encode = msgspec.json.Encoder().encode


def log(event: str, **facts: Any) -> None:
    """Write one line: when, what, and the facts that belong to it."""
    line = _encode({"at": datetime.now(UTC), "event": event, **facts})
    sys.stderr.buffer.write(line + b"\n")
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
