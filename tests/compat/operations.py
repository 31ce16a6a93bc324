"""The operations of the public API as they are documented, and what the program makes of each.

`operations.tsv` has the facts: method, path, the status of success, the keys of the answer (of the
object, not of what lies in it) and a note.
"""

import csv
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from compat.cases import CASES, Call, Case
from examples import Body, Examples
from harness import Api, Organization, rows_of

from clinch.resources.declaration import Operation as Kind
from clinch.resources.declaration import Resource
from clinch.resources.fields import Field
from clinch.server.routes import NO_URL

Standing = Literal["done", "partial", "absent"]


@dataclass(frozen=True, slots=True)
class Operation:
    """A documented operation; `path` is below the base, with `{id}` and the like in it."""

    method: str
    path: str
    status: int
    keys: tuple[str, ...]
    note: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """How far an operation is there; `why` says what it takes to be done."""

    operation: Operation
    standing: Standing
    why: str = ""


def documented() -> list[Operation]:
    with (Path(__file__).parent / "operations.tsv").open() as file:
        return [
            Operation(
                row["method"],
                row["path"],
                int(row["status"]),
                tuple(row["keys"].split()),
                row["notes"],
            )
            for row in csv.DictReader(file, delimiter="\t")
        ]


class Trial:
    """Tries operations in one organization; `stranger` belongs to another."""

    def __init__(self, organization: Organization, stranger: Api) -> None:
        self.organization, self.api, self.stranger = organization, organization.admin, stranger
        self.examples = Examples(organization)
        self._resources = {
            path: resource
            for resource in self.examples.declared
            for path in (resource.path, *resource.also_at)
        }

    def judge(self, operation: Operation) -> Verdict:
        if not self._is_routed(operation):
            return Verdict(operation, "absent")
        case = self._case(operation)
        if case is None:
            return Verdict(operation, "partial", "not tried yet")
        answer = self._send(operation, case.good)
        if answer.status_code != operation.status:
            return Verdict(operation, "partial", f"answers {answer.status_code}")
        body = answer.json() if answer.content else {}
        lacks = [key for key in operation.keys if key not in body]
        if lacks:
            return Verdict(operation, "partial", f"lacks: {', '.join(lacks)}")
        before = rows_of(self.organization)
        refusal = self._send(operation, case.refused)
        if not 400 <= refusal.status_code < 500:
            return Verdict(operation, "partial", "does not refuse what is wrong")
        if rows_of(self.organization) != before:
            return Verdict(operation, "partial", "changes something when it refuses")
        return Verdict(operation, "done")

    def _send(self, operation: Operation, call: Call) -> Any:
        body = call.body
        if body is None and operation.method in ("POST", "PUT"):
            body = {}
        return (call.by or self.api)(operation.method, call.path, body)

    def _is_routed(self, operation: Operation) -> bool:
        path = re.sub(r"\{\w+\}", "unknown", operation.path.replace("{object_type}", "lead"))
        answer = self._send(operation, Call(path))
        if answer.status_code == 405:
            return False
        # Where no id is asked for, it is the last word of the path that was taken for one.
        unknown = "{" not in operation.path or answer.json().get("error") == NO_URL
        return not (answer.status_code == 404 and unknown)

    def _case(self, operation: Operation) -> Case | None:
        own = CASES.get((operation.method, operation.path))
        if own is not None:
            return own(self.examples, self.stranger)
        path = operation.path.strip("/")
        collection = path.rpartition("/{")[0] if path.endswith("}") else path
        resource = self._resources.get(collection)
        if resource is None:
            return None
        kind = _KINDS.get((operation.method, collection != path))
        return getattr(self, f"_{kind}")(collection, resource) if kind is not None else None

    def _list(self, path: str, resource: type[Resource]) -> Case:
        return Case(Call(f"/{path}/"), Call(f"/{path}/?_limit=x"))

    def _get(self, path: str, resource: type[Resource]) -> Case:
        url = f"/{path}/{self.examples.id(resource.noun)}/"
        return Case(Call(url), Call(url, by=self.stranger))

    def _create(self, path: str, resource: type[Resource]) -> Case:
        good = Call(f"/{path}/", self.examples.body(resource))
        return Case(good, Call(good.path, _wrong(resource, "always", "create")))

    def _update(self, path: str, resource: type[Resource]) -> Case:
        url = f"/{path}/{self.examples.id(resource.noun)}/"
        changes = {
            key: value
            for key, value in self.examples.body(resource).items()
            if _writable(resource, key) == "always"
        }
        return Case(Call(url, changes), Call(url, _wrong(resource, "always")))

    def _delete(self, path: str, resource: type[Resource]) -> Case:
        kept, gone = self.examples.id(resource.noun), self.examples.new(resource)
        return Case(
            Call(f"/{path}/{gone['id'] if gone is not None else kept}/"),
            Call(f"/{path}/{kept}/", by=self.stranger),
        )


_KINDS: dict[tuple[str, bool], Kind] = {
    ("GET", False): "list",
    ("GET", True): "get",
    ("POST", False): "create",
    ("PUT", True): "update",
    ("DELETE", True): "delete",
}


def _writable(resource: type[Resource], key: str) -> str:
    field: Field | None = resource.fields.get(key) or resource.aliases.get(key)
    return field.writable if field is not None else "never"


def _wrong(resource: type[Resource], *writable: str) -> Body:
    """Values of no field's type."""
    return {key: {"wrong": [1]} for key in resource.fields if _writable(resource, key) in writable}
