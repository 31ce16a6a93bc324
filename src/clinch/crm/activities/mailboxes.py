"""Whom a mail is from and to: addresses, with names where they are known."""

import re
from collections.abc import Iterable
from typing import Any

from clinch.resources.actor import Actor
from clinch.resources.errors import Invalid, wrong_type
from clinch.resources.fields import EmailAddress, Text, Words, read_each

Party = dict[str, str]
"""`email` and `name`, "" where there is none."""

_NAMED = re.compile(r"(?P<name>[^<>]*)<(?P<email>[^<>]*)>")
_ADDRESS = EmailAddress(required=True)


def read_party(mailbox: str) -> Party:
    """What `Ada Moss <ada@acme.test>` says; a bare address has no name."""
    named = _NAMED.fullmatch(mailbox.strip())
    if named is None:
        return {"email": mailbox.strip(), "name": ""}
    name = named["name"].strip()
    if len(name) > 1 and name[0] == name[-1] == '"':
        name = re.sub(r"\\(.)", r"\1", name[1:-1])
    return {"email": named["email"].strip(), "name": name}


def read_parties(mailboxes: Iterable[str | None]) -> list[Party]:
    return [read_party(mailbox) for mailbox in mailboxes if mailbox]


class Mailbox(Text):
    """An address, bare or with a name before it: `ada@acme.test`, `"Ada Moss" <ada@acme.test>`."""

    def __init__(self, **rest: Any) -> None:
        super().__init__(max=1000, **rest)

    def read(self, value: Any, actor: Actor) -> Any:
        value = super().read(value, actor)
        if value:
            _ADDRESS.parse(read_party(value)["email"], actor)
        return value


_MAILBOX = Mailbox(required=True)


class Mailboxes(Words):
    """A list of mailboxes."""

    def read(self, value: Any, actor: Actor) -> Any:
        if not isinstance(value, list):
            raise wrong_type("list")
        if len(value) > 1000:
            raise Invalid("List is too long.")
        return read_each(value, lambda entry: _MAILBOX.parse(entry, actor))
