"""What can be wrong with a request to the gateway, in the shape that its clients know.

A body is `{"type", "key"?, "message", "data"?}`. Clients tell errors apart by `type` and `key`; a
message says what to do about it, and holds nothing secret.
"""

from typing import Any, ClassVar


class GatewayError(Exception):
    """A refusal: its HTTP status and its body. `data` is what a program needs to act on it."""

    status: ClassVar[int] = 400
    type: ClassVar[str] = "bad_request"
    key: ClassVar[str | None] = None

    def __init__(self, message: str, **data: Any) -> None:
        super().__init__(message)
        self.message, self.data = message, data

    @property
    def body(self) -> dict[str, Any]:
        key = {"key": self.key} if self.key is not None else {}
        data = {"data": self.data} if self.data else {}
        return {"type": self.type, **key, "message": self.message, **data}


class InvalidRequest(GatewayError):
    """Something that was sent is not acceptable."""


class NotAuthenticated(GatewayError):
    """No token, or one that does not hold (any more)."""

    status = 401
    key = "not_authenticated"


class AccessDenied(GatewayError):
    """The token holds, and does not allow this."""

    status = 403
    key = "access_denied"


class NotFound(GatewayError):
    """There is no such thing, or the caller may not know that there is."""

    status = 404
    key = "not_found"


class AlreadyExists(GatewayError):
    """Another has the key."""

    key = "already_exists"


class RateLimited(GatewayError):
    """Too many requests of this caller."""

    status = 429
    key = "rate_limit_exceeded"

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"You may ask {limit:,} times a second; nothing was done.",
            hint="Wait for as many seconds as Retry-After says, and ask again.",
            limit=limit,
        )


class GivenUp(GatewayError):
    """It is kept sealed, and the key that sealed it was given up."""

    status = 409
    key = "given_up"


class TooManyListen(GatewayError):
    """A tenant listens to as many streams of events as they may at a time."""

    status = 429
    key = "rate_limit_exceeded"

    def __init__(self, limit: int) -> None:
        super().__init__(f"At most {limit} listen at a time; close one first.", limit=limit)


class ConfigurationError(GatewayError):
    """A connector or a connection is set up in a way that cannot work."""

    type = "configuration"


class ConnectionFailed(GatewayError):
    """The app could not be reached, or did not answer as it should."""

    type = "connection"


class ConnectionDefunct(ConnectionFailed):
    """The app takes the connection's credentials no more: a person has to connect anew."""

    key = "connection_is_defunct"


class ActionFailed(GatewayError):
    """An action was run and did not come to its end."""

    type = "action_run"


class LockTimeout(GatewayError):
    """Somebody else is at it, and has been for too long."""

    type = "concurrency"
    key = "lock_timeout"


class InternalError(GatewayError):
    """A mistake in the program; `errorId` is in its log."""

    status = 500
    type = "internal"

    def __init__(self, error_id: str) -> None:
        super().__init__("Something went wrong inside the server.", errorId=error_id)
