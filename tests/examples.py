"""An object of each resource, made over HTTP with what its declaration says that it needs."""

import itertools
from collections.abc import Callable
from typing import Any

from harness import Organization

from clinch.program import declarations
from clinch.resources.declaration import Declarations, Resource
from clinch.resources.fields import Boolean, Choice, Date, DateTime, Field, Integer, ListOf, Ref
from clinch.resources.fields.values import EmailAddress, Url

Body = dict[str, Any]


class Examples:
    """The examples of one organization; each is made when it is first asked for."""

    def __init__(self, organization: Organization) -> None:
        self.organization, self.api = organization, organization.admin
        self.declared: Declarations = declarations()
        self._made: dict[str, Body | None] = {}
        self.numbers = itertools.count(1)

    def body(self, resource: type[Resource]) -> Body:
        """What to post for a new object."""
        required = {
            field.key: self._value(field) for field in resource.fields.values() if _is_needed(field)
        }
        own = _BODIES.get(resource.noun)
        return required | (own(self) if own is not None else {})

    def object(self, noun: str) -> Body | None:
        """The example of a resource as it is answered; None where there is none."""
        if noun not in self._made:
            self._made[noun] = None  # so that objects that need each other come to an end
            resource = self.declared[noun]
            self._made[noun] = self.new(resource) or self._listed(resource)
        return self._made[noun]

    def id(self, noun: str) -> str:
        found = self.object(noun)
        return str(found["id"]) if found is not None else f"{self.declared[noun].prefix}_unknown"

    def new(self, resource: type[Resource]) -> Body | None:
        """A further object, as the request that makes it is answered; None where it is refused."""
        if "create" not in resource.operations:
            return None
        answer = self.api("POST", f"/{resource.path}/", self.body(resource))
        made: Body | None = answer.json() if answer.ok else None
        return made

    def _listed(self, resource: type[Resource]) -> Body | None:
        if resource.noun in ("organization", "membership"):
            shown: Body = self.api.get(f"/organization/{self.organization.system.organization}/")
            return shown if resource.noun == "organization" else dict(shown["memberships"][0])
        if "list" not in resource.operations:
            return None
        if resource.noun in _COMES_WITH:
            self.object(_COMES_WITH[resource.noun])
        answer = self.api("GET", f"/{resource.path}/")
        found = answer.json()["data"] if answer.ok else []
        return found[0] if found else None

    def _value(self, field: Field) -> Any:
        number = next(self.numbers)
        match field:
            case Ref():
                return self.id(field.target)
            case Choice():
                return field.choices[0]
            case Boolean():
                return True
            case Integer():
                return 1
            case DateTime():
                return "2026-03-01T09:00:00+00:00"
            case Date():
                return "2026-03-01"
            case ListOf():
                return []
            case EmailAddress():
                return f"example{number}@harbour.example"
            case Url():
                return "https://harbour.example"
        return f"Example {number}"


def _is_needed(field: Field) -> bool:
    if not field.stored or field.writable not in ("always", "create"):
        return False
    return field.required or (
        isinstance(field, Ref) and not field.nullable and field.lookup is None
    )


# What a declaration does not say that an object needs.
_BODIES: dict[str, Callable[[Examples], Body]] = {
    "lead": lambda _: {
        "name": "Harbour Tools",
        "url": "https://harbour.example",
        "contacts": [{"name": "Ada Moss", "emails": [{"email": "ada@harbour.example"}]}],
    },
    "contact": lambda made: {"lead_id": made.id("lead"), "name": "Bo Lind"},
    "opportunity": lambda made: {
        "lead_id": made.id("lead"),
        "value": 50_000,
        "confidence": 40,
        "note": "Two boats",
    },
    "comment": lambda made: {"object_id": made.id("note"), "body": "Well done"},
    "membership": lambda _: {"role_id": "admin"},
    "role": lambda made: {
        "name": f"Role {next(made.numbers)}",
        "permissions": ["view_all_leads"],
    },
    "task": lambda made: {"lead_id": made.id("lead"), "text": "Call back"},
    "custom_activity": lambda _: {"status": "draft"},
    "meeting": lambda _: {"duration": 1800, "attendees": [{"email": "bo@harbour.example"}]},
    "email": lambda made: {
        "lead_id": made.id("lead"),
        "status": "sent",
        "sender": "Ada Moss <ada@harbour.example>",
        "to": ["bo@quay.example"],
        "subject": "Two boats",
        "body_text": "Here is the offer.",
    },
    "sms": lambda made: {
        "lead_id": made.id("lead"),
        "status": "sent",
        "text": "Running late",
        "remote_phone": "+18185550122",
    },
    "whatsapp_message": lambda made: {
        "lead_id": made.id("lead"),
        "contact_id": made.api.get(f"/lead/{made.id('lead')}/")["contact_ids"][0],
        "local_phone": "+14155550111",
        "remote_phone": "+18185550122",
    },
}

# What the program makes by itself, and the object that it comes with.
_COMES_WITH = {"email_thread": "email"}
