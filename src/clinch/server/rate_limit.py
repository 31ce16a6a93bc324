"""How many requests somebody may make: so many a second, per credential and process."""

import time
from collections import defaultdict

import msgspec

from clinch.server.http import Response

WINDOW = 1


class RateLimit:
    """Counts requests in windows of one second."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._always = [
            (b"ratelimit-limit", b"%d" % limit),
            (b"ratelimit-reset", b"%d" % WINDOW),
        ]
        self._window = 0
        self._used: dict[str, int] = defaultdict(int)

    def take(self, key: str) -> int:
        """The requests that are left to a key in this window; below zero it must wait."""
        now = int(time.monotonic())
        if now != self._window:
            self._window = now
            self._used.clear()
        self._used[key] += 1
        return self.limit - self._used[key]

    def headers(self, remaining: int) -> list[tuple[bytes, bytes]]:
        """What every answer says of it, and how long to wait where nothing is left."""
        left = max(remaining, 0)
        headers = [
            (b"ratelimit", b"limit=%d, remaining=%d, reset=%d" % (self.limit, left, WINDOW)),
            (b"ratelimit-remaining", b"%d" % left),
            *self._always,
        ]
        if remaining < 0:
            headers.append((b"retry-after", b"%d" % WINDOW))
        return headers

    def refusal(self) -> Response:
        """429, in a body that all generations of clients can read."""
        told = {
            "message": "API call count exceeded for this period",
            "rate_reset": float(WINDOW),
            "rate_limit": self.limit,
            "rate_window": WINDOW,
            "rate_limit_type": "key",
            "rate_endpoint_group": "all",
        }
        body = msgspec.json.encode(told | {"error": told})
        return Response(body, 429)
