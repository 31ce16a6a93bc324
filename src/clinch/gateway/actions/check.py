"""Reads what an action was given into what it declares, with errors that name field and fix."""

import difflib
from typing import Any

import jsonschema_rs

from clinch.gateway.actions.action import Action
from clinch.gateway.actions.errors import ActionError
from clinch.gateway.actions.inputs import Input, names_of, squashed
from clinch.gateway.actions.refusals import FINDERS
from clinch.resources.actor import OperationClass

_KINDS = {
    "string": "a text",
    "integer": "a whole number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}


def check(action: Action, sent: Any) -> tuple[dict[str, Any], list[str]]:
    """The inputs by their canonical names, and warnings of those that mean nothing.

    A name that is nearly one of the action's is an error. Raises ActionError.
    """
    if sent is None:
        sent = {}
    if not isinstance(sent, dict):
        raise ActionError(
            "The input must be a JSON object.", f"Send for example {action.examples[0]}."
        )
    given, warnings = _named(action, sent)
    ready: dict[str, Any] = {}
    for input in action.inputs:
        value = given.get(input.name)
        if value is None:
            if input.name in given and _null_matters(action, input):
                ready[input.name] = None
            continue
        ready[input.name] = input.ready(value)
    for problem in action.validator.iter_errors(ready):
        raise _explained(action, problem)
    return ready, warnings


def _null_matters(action: Action, input: Input) -> bool:
    """Null is a value where something is written; filters without a value do not filter."""
    return input.required or action.operation_class is not OperationClass.READ


def _named(action: Action, sent: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    known = names_of(action.inputs)
    given: dict[str, Any] = {}
    said: dict[str, str] = {}
    warnings = []
    for name, value in sent.items():
        input = known.get(squashed(str(name)))
        if input is None:
            near = difflib.get_close_matches(squashed(str(name)), known, n=1, cutoff=0.75)
            if near:
                meant = known[near[0]].name
                raise ActionError(
                    f"{name} is not an input of {action.key}. Did you mean {meant}?",
                    f"Send {meant} instead of {name}.",
                    str(name),
                )
            names = ", ".join(input.name for input in action.inputs) or "none"
            warnings.append(f"{name} is not an input of {action.key} and was ignored ({names}).")
            continue
        if input.name in given and given[input.name] != value:
            raise ActionError(
                f"{said[input.name]} and {name} are the same input, with different values.",
                f"Send {input.name} once.",
                input.name,
            )
        given[input.name], said[input.name] = value, str(name)
    return given, warnings


def _explained(action: Action, problem: jsonschema_rs.ValidationError) -> ActionError:
    path = [str(step) for step in problem.instance_path]
    kind: Any = problem.kind
    field = ".".join(path)
    match kind.name:
        case "required":
            missing = ".".join([*path, kind.property])
            return ActionError(f"{missing} is missing.", _needs(action, missing), missing)
        case "type":
            types = kind.types if isinstance(kind.types, list) else [kind.types]
            wanted = " or ".join(_KINDS.get(str(type), str(type)) for type in types)
            message, hint = f"{field} must be {wanted}.", f"Send {wanted} as {field}."
        case "enum":
            options = [option for option in kind.options if option is not None]
            told = ", ".join(map(str, options))
            near = difflib.get_close_matches(str(problem.instance), map(str, options), n=1)
            meant = f" Did you mean {near[0]}?" if near else ""
            message, hint = f"{field} is none of: {told}.{meant}", f"Send one of these as {field}."
        case "minimum" | "maximum":
            words = "at least" if kind.name == "minimum" else "at most"
            message = f"{field} must be {words} {kind.limit}."
            hint = f"Send a number that is {words} {kind.limit} as {field}."
        case "pattern":
            input = next((one for one in action.inputs if one.name == field), None)
            noun = getattr(input, "noun", "object")
            from_prefix = getattr(input, "prefix", "").split("|")[0]
            message = f"{field} must be the id of a {noun}, which begins with {from_prefix}_."
            hint = f"Find it with {_finder(noun)}."
        case "minLength" | "minItems":
            message, hint = f"{field} is empty.", f"Send a value as {field}, or leave it out."
        case "maxLength" | "maxItems":
            message = f"{field} is longer than {kind.limit}."
            hint = f"Shorten {field} to at most {kind.limit}."
        case _:
            message, hint = f"{field}: {problem.message}", f"Correct {field}."
    return ActionError(message, hint, field or None)


def _needs(action: Action, missing: str) -> str:
    input = next((one for one in action.inputs if one.name == missing), None)
    noun = getattr(input, "noun", None)
    return f"Find it with {_finder(noun)}." if noun else f"Send {missing}: {_doc(input)}"


def _doc(input: Input | None) -> str:
    return "a value." if input is None else input.doc


def _finder(noun: str | None) -> str:
    return FINDERS.get(noun or "", "the list action of its kind")
