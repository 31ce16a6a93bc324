"""What an app's refusal means for who ran an action."""

from typing import Any

import msgspec

from clinch.gateway.actions.errors import ActionError
from clinch.gateway.actions.exchange import trimmed
from clinch.gateway.api import ApiAnswer

_NO_OBJECT = "does not exist"
_LONGEST_SHOWN = 2_000

FINDERS = {
    "lead": "list-leads or search",
    "contact": "list-contacts",
    "opportunity": "list-opportunities",
    "task": "list-tasks",
    "note": "list-notes",
    "call": "list-calls",
    "meeting": "list-meetings",
    "account": "list-accounts",
    "user": "list-users",
    "email": "list-emails",
    "SMS": "list-sms",
    "lead status": "list-lead-statuses",
    "opportunity status": "list-opportunity-statuses",
    "pipeline": "list-pipelines",
}
"""Which action finds the id of an object, by its noun."""

HINTS = {
    401: "Reconnect the connection: its credentials are no longer valid.",
    402: "The plan of the organization does not allow this.",
    403: "Ask an admin of the organization for the permission.",
    429: "Wait a moment and run the action again.",
}


def not_found(noun: str, field: str, status: int = 404) -> ActionError:
    """No object of this noun has the id that the input `field` gives."""
    article = "an" if noun[0] in "aeiouS" else "a"
    return ActionError(
        f"No {noun} has this id ({field}).",
        f"Find {article} {noun}'s id with {FINDERS[noun]}.",
        field,
        status,
    )


def refusal(answer: ApiAnswer, seeks: str | None, names: dict[str, str]) -> ActionError:
    """The error for an answer of 400 or more to a request for the object of noun `seeks`."""
    shown = trimmed(answer.body, _LONGEST_SHOWN)
    if answer.status == 404 and seeks is not None:
        error = not_found(seeks, "id")
        error.body = shown
        return error
    field, message = _read(answer.body, names)
    hint = HINTS.get(answer.status)
    if answer.status >= 500:
        message, hint = message or "The app failed.", "Run the action again later."
    noun = _REFERENCES.get(field or "")
    if noun is not None and _NO_OBJECT in message:
        of_lead = ", among those of the same lead" if noun == "contact" else ""
        hint = f"Find it with {FINDERS[noun]}{of_lead}."
        message = f"No {noun} has this id ({field})."
    elif field is not None:
        message = f"{field}: {message}"
        hint = hint or f"Correct {field} and run the action again."
    return ActionError(
        message or f"The app refused this with status {answer.status}.",
        hint,
        field,
        answer.status,
        shown,
    )


_REFERENCES = {
    "leadId": "lead",
    "contactId": "contact",
    "userId": "user",
    "accountId": "account",
    "parentId": "account",
    "source": "lead",
    "destination": "lead",
}


def _read(body: bytes, names: dict[str, str]) -> tuple[str | None, str]:
    """The input that an error body is about, and what it says."""
    try:
        read = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return None, ""
    if not isinstance(read, dict):
        return None, ""
    fields = read.get("field-errors")
    if isinstance(fields, dict) and fields:
        key, problem = next(iter(fields.items()))
        path, message = _innermost(problem)
        name = names.get(key) or names.get(f"{key}_id") or key
        return ".".join([name, *path]), message
    errors = read.get("errors")
    if isinstance(errors, list) and errors:
        return None, " ".join(map(str, errors))
    error = read.get("error") or read.get("message") or ""
    if isinstance(error, dict):
        error = error.get("message", "")
    return None, str(error)


def _innermost(problem: Any) -> tuple[list[str], str]:
    """Where in a nested error its text is, and the text."""
    path: list[str] = []
    while isinstance(problem, dict):
        inner = problem.get("field-errors") or problem.get("errors")
        if isinstance(inner, dict) and inner:
            key, problem = next(iter(inner.items()))
            path.append(str(key))
        else:
            problem = " ".join(map(str, inner)) if isinstance(inner, list) else str(problem)
    return path, str(problem)
