"""What can be wrong with a request, in the shapes that the API answers with."""

from collections.abc import Mapping
from typing import Any


class ApiError(Exception):
    """A refusal: an HTTP status and a body that is a JSON object."""

    status = 400

    def __init__(self, body: dict[str, Any], status: int | None = None) -> None:
        super().__init__(str(body))
        self.body = body
        if status is not None:
            self.status = status


class BadRequest(ApiError):
    """Something is wrong that belongs to no field: `{"error": text}`."""

    def __init__(self, text: str) -> None:
        super().__init__({"error": text})


class NotFound(ApiError):
    """There is no such object, or the actor may not know that there is."""

    status = 404

    def __init__(self, resource_name: str) -> None:
        super().__init__({"error": f"Empty query: {resource_name} matching query does not exist."})


class Forbidden(ApiError):
    """The actor's role or grant does not allow it."""

    status = 403

    def __init__(self, text: str) -> None:
        super().__init__({"error": text})


class Invalid(Exception):
    """One value is not acceptable: `problem` is a text, or a nested error object."""

    def __init__(self, problem: str | dict[str, Any]) -> None:
        super().__init__(str(problem))
        self.problem = problem


class ValidationError(ApiError):
    """Fields that are not acceptable: `{"errors": [], "field-errors": {name: problem}}`."""

    def __init__(
        self, fields: Mapping[str, str | dict[str, Any]], errors: list[str] | None = None
    ) -> None:
        super().__init__({"errors": errors or [], "field-errors": dict(fields)})


REQUIRED = "This field is required."
NO_OBJECT = "Object does not exist."
NO_CHOICE = "Not a valid choice."
IMMUTABLE = "Value cannot be changed."


def wrong_type(name: str) -> Invalid:
    return Invalid(f"Value must be of {name} type.")
